"""The throughput benchmark's answer as a page of Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

Lines = list[list[str]]

TITLES = {
    "numpy": "NumPy by hand",
    "sklearn": "scikit-learn",
    "torch": "PyTorch eager",
    "vmap": "PyTorch vmap",
    "notebook": "the notebook's code",
}
HOW = {
    "numpy": "forward, backward and optimizer written by hand, arrays updated in place",
    "sklearn": "`MLPClassifier.partial_fit`, 12,000 rows a call, initial weights of its own",
    "torch": "`nn.Sequential`, autograd, fused optimizer",
    "vmap": "`torch.func.vmap` over `grad`, all networks on the same minibatch, fused optimizer",
    "notebook": "its algorithm, rounding by `numpy.vectorize(round)`, on 12,000 of the rows",
}
OURS = (
    "case",
    "population",
    "network-epochs/s",
    "ms a network-epoch",
    "ms at peak",
    "share of peak",
    "compilation, s",
)
HEAD = """\
# Throughput

Written by `python benchmarks/throughput.py --table`; `--json` prints the same with every round.

A network-epoch is one network trained on one pass over 60,000 images of 784 bytes (`tabular`:
20,000 rows of 16 floats). What is timed is slices of {ours:g} s (ours) and {peer:g} s (a peer), or
one step where that takes longer, scaled to a whole pass. The machine's peak, each of our
populations and each peer take turns, {rounds} rounds a case; a rate is the median of the rounds, a
ratio the median of the rounds' ratios. Rows are made up, with as much ink as MNIST's; labels are
random."""
OURS_TERMS = """\
"ms at peak" is the matrix products alone, all multiplications counted, at the machine's peak in
that precision; "share of peak" is that over what it took. Where "zeros skipped" stands, the first
layer passes over inputs that are zero, four in five of an image, and may beat it. A population of
one keeps one core busy. One compilation serves all populations of a case."""
PEERS_TERMS = """\
Milliseconds a network-epoch of the whole machine: in as many processes as there are cores, each
with a network and one thread; vmap trains {networks} networks in one process with as many threads
as cores. Peers run on the processor and get their inputs scaled and in float32; ours scales bytes
as it goes."""
RATIO_TERMS = "Network-epochs a second, ours over theirs; above 1 ours is faster."


def markdown(found: Mapping[str, Any]) -> str:
    """The whole page."""
    rows = found["rows"]
    names = [name for name in TITLES if any(name in row["peers"] for row in rows)]
    parts = [
        HEAD.format(**found["pace"]),
        "## The machine",
        _list(_machine(found)),
        "## Ours, beside the peak",
        OURS_TERMS,
        _table(OURS, [_ours(row) for row in rows]),
    ]
    if names:
        parts += ["## The peers", PEERS_TERMS.format(**found), _table(*_peers(rows, names))]
        parts += ["## Ours over each peer", RATIO_TERMS, _table(*_ratios(rows, names))]
    return "\n\n".join([*parts, _list(_notes(found, names))]).strip() + "\n"


def _machine(found: Mapping[str, Any]) -> list[str]:
    machine, peak = found["machine"], found["peak_gflops"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    best = f"{peak['float32']:.0f} GFLOP/s in float32, {peak['bfloat16']:.0f} in bfloat16"
    moved = [found["peak_gflops_then"][kind] for kind in ("float32", "bfloat16")]
    ranges = [f"{min(peaks):.0f} to {max(peaks):.0f}" for peaks in moved]
    then = f"over the run {' and '.join(ranges)}"
    place = f"{machine['cores']} cores, {machine['platform']}, {machine['system']}"
    return [
        f"{machine['processor']}, {place}",
        f"Python {machine['python']}, jax {machine['jax']}, {packages}",
        f"Peak: {best}, the best of large matrix products on all cores between the slices; {then}",
        f"Load before: {machine['load_before']:.2f}; the run took {found['seconds']:.0f} s",
    ]


def _ours(row: Mapping[str, Any]) -> list[str]:
    return [
        _case(row),
        str(row["population"]),
        f"{row['network_epochs_per_s']:.4g}",
        f"{row['ms_per_network_epoch']:.4g}",
        f"{row['ms_at_peak']:.4g}",
        f"{row['fraction_of_peak']:.0%}",
        f"{row['compile_s']:.1f}",
    ]


def _peers(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[list[str], Lines]:
    """A line a case: a peer's rate does not depend on our population."""
    told = {row["case"]: row["peers"] for row in rows}
    lines = [
        [case, *(f"{peers[name]['ms_per_network_epoch']:.4g}" for name in names)]
        for case, peers in told.items()
    ]
    return ["case", *(TITLES[name] for name in names)], lines


def _ratios(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[list[str], Lines]:
    lines = [
        [
            row["case"],
            str(row["population"]),
            *(f"{row['peers'][name]['ratio']:.2f}" for name in names),
        ]
        for row in rows
    ]
    return ["case", "population", *(TITLES[name] for name in names)], lines


def _case(row: Mapping[str, Any]) -> str:
    widths = "-".join(map(str, (row["features"], *row["hidden"], row["classes"])))
    dropout = [f"dropout {row['dropout']:g}"] if row["dropout"] else []
    how = [row["activation"], row["optimizer"], f"batch {row['batch_size']}", *dropout]
    skipped = ["zeros skipped"] if row["skips_zeros"] else []
    return f"{row['case']}: {', '.join([widths, *how, row['precision'], *skipped])}"


def _notes(found: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    rows, notes = found["rows"], []
    for name in names:
        told = {row["case"]: row["peers"][name]["differs"] for row in rows}
        other = [f"{case}: {what}" for case, what in told.items() if what]
        notes.append(". ".join([f"{TITLES[name]}: {HOW[name]}", *other]))
    notes += [f"{TITLES[name]}: left out, PyTorch is not installed" for name in found["missing"]]
    ours = {row["case"]: row["note"] for row in rows if row["note"]}
    notes += [f"Fleetgrad, {case}: {note}" for case, note in ours.items()]
    return notes + [
        f"Fleetgrad, {one['case']}, {one['population']} networks: left out, for "
        f"{one['reason'].rstrip('.')}"
        for one in found["left_out"]
    ]


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}." for line in lines)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    ruled = [head, ["---", *["---:"] * (len(head) - 1)], *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in ruled)
