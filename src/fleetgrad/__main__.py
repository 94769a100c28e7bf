"""`python -m fleetgrad`: the command line."""

import sys

from fleetgrad.cli import main

if __name__ == "__main__":
    sys.exit(main())
