"""The page after a run, which no fault of the page may spoil: what goes wrong is a sentence."""

import shlex
import warnings
from pathlib import Path

MOST_LETTERS = 300  # of a fault's own words


def explain(run: Path) -> Path | None:
    """Write the page of a run; None, and a warning, where that fails.

    Args:
        run: Its directory, with nobody at it any more.
    """
    from fleetgrad.report import page  # noqa: PLC0415 - Plotly takes a second

    try:
        return page.write(run)
    except Exception as error:  # noqa: BLE001 - the run is done, whatever becomes of its page
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:MOST_LETTERS]}"
        warnings.warn(
            f"the run is whole, but its page could not be written ({reason.removesuffix('.')}); "
            f"try again with `fleetgrad report {shlex.quote(str(run))}`.",
            stacklevel=3,
        )
        return None
