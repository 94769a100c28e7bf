"""How fast fleets train beside other ways to train the same networks, on the same cores or cards.

    python benchmarks/throughput.py                 a table, in about ten minutes on two cores
    python benchmarks/throughput.py --json          all rows and ratios as one JSON object
    python benchmarks/throughput.py --table         writes docs/throughput.md, or docs/gpu.md, too
    python benchmarks/throughput.py --quick         two populations, short slices: about a minute
    python benchmarks/throughput.py --device cuda   on cards, or not at all; `cpu`: on the processor

It runs where JAX does, on cards if it sees any: then PyTorch's peers run on the same ones. How it
is measured stands in `measure.py`, for cards in docs/gpu.md. PyTorch is optional
(`pip install 'fleetgrad[bench]'`); where it is missing, the answer says so.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import jax

import cases
import place
from measure import run
from place import NEED_TORCH, PEERS, Place
from table import markdown, placed

DOCS = Path(__file__).parents[1] / "docs"
PAGE, CARDS_PAGE = DOCS / "throughput.md", DOCS / "gpu.md"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        where = place.choose(options.device)
    except LookupError as error:
        parser.error(str(error))
    peers = _peers(parser, options, where)
    # Programs kept from another run would make compilation look free.
    jax.config.update("jax_enable_compilation_cache", False)  # noqa: FBT003 - JAX's own
    todo = [cases.case(name) for name in dict.fromkeys(options.cases)]
    populations = sorted(set(options.populations or _usual(where, quick=options.quick)))
    found = run(todo, populations, peers, where, quick=options.quick)
    if options.table and where.cards:
        CARDS_PAGE.write_text(placed(CARDS_PAGE.read_text("utf-8"), found), "utf-8")
    elif options.table:
        PAGE.write_text(markdown(found), "utf-8")
    print(json.dumps(found) if options.json else markdown(found))


def _usual(where: Place, *, quick: bool) -> Sequence[int]:
    if quick:
        return cases.QUICK_POPULATIONS
    return cases.CARD_POPULATIONS if where.cards else cases.POPULATIONS


def _peers(
    parser: argparse.ArgumentParser, options: argparse.Namespace, where: Place
) -> Sequence[str]:
    """Those asked for, which must be there, or else those that are usual."""
    if options.peers is None:
        return where.peers
    peers = tuple(dict.fromkeys(options.peers))
    reasons = place.absent(peers, where)
    if reasons:
        names, reason = " ".join(reasons), next(iter(reasons.values()))
        parser.error(
            f"`--peers {names}` need PyTorch, but {reason}; pip install 'fleetgrad[bench]', on "
            "cards its build for CUDA."
        )
    return peers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--table", action="store_true", help="write docs/throughput.md; on cards docs/gpu.md"
    )
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten")
    parser.add_argument(
        "--device", choices=("cpu", "cuda"), help="where everything runs; where JAX does, else"
    )
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
        metavar="PEER",
        help=f"some of: {', '.join(PEERS)}; nothing for none; on cards usually "
        f"{', '.join(NEED_TORCH)}, for the others stay on the processor",
    )
    parser.add_argument(
        "--populations",
        nargs="+",
        type=_population,
        metavar="N",
        help="networks side by side, for every case",
    )
    return parser


def _population(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"a population must be a whole number of at least 1, got {text!r}; use 16."
        )
    return int(text)


if __name__ == "__main__":
    main()
