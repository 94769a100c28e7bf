"""How fast fleets train beside other ways to train the same networks, on the same cores.

    python benchmarks/throughput.py              a table, in about ten minutes on two cores
    python benchmarks/throughput.py --json       all rows and ratios as one JSON object
    python benchmarks/throughput.py --table      writes docs/throughput.md too
    python benchmarks/throughput.py --quick      two populations, short slices: about a minute

How it is measured stands in `measure.py`. PyTorch is optional (`pip install 'fleetgrad[bench]'`);
where it is missing, the answer says so.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import jax

import cases
from measure import NEED_TORCH, PEERS, has_torch, run
from table import markdown

PAGE = Path(__file__).parents[1] / "docs" / "throughput.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    options = _parse(arguments)
    usual = cases.QUICK_POPULATIONS if options.quick else cases.POPULATIONS
    # Programs kept from another run would make compilation look free.
    jax.config.update("jax_enable_compilation_cache", False)  # noqa: FBT003 - JAX's own
    todo = [cases.case(name) for name in dict.fromkeys(options.cases)]
    populations = sorted(set(options.populations or usual))
    found = run(todo, populations, list(dict.fromkeys(options.peers)), quick=options.quick)
    if options.table:
        PAGE.write_text(markdown(found), "utf-8")
    print(json.dumps(found) if options.json else markdown(found))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--table", action="store_true", help="write docs/throughput.md")
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten")
    parser.add_argument(
        "--cases",
        nargs="+",
        choices=cases.NAMES,
        default=list(cases.NAMES),
        metavar="CASE",
        help=f"some of: {', '.join(cases.NAMES)}",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=PEERS,
        default=list(PEERS),
        metavar="PEER",
        help=f"some of: {', '.join(PEERS)}; nothing for none",
    )
    parser.add_argument(
        "--populations",
        nargs="+",
        type=_population,
        metavar="N",
        help="networks side by side, for every case",
    )
    options = parser.parse_args(arguments)
    if options.peers != list(PEERS) and {*NEED_TORCH} & {*options.peers} and not has_torch():
        parser.error("`--peers torch vmap` need PyTorch; pip install 'fleetgrad[bench]'.")
    return options


def _population(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"a population must be a whole number of at least 1, got {text!r}; use 16."
        )
    return int(text)


if __name__ == "__main__":
    main()
