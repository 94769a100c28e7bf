"""The throughput benchmark's answer as a page of Markdown."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Lines = list[list[str]]

RESULTS = "## Results"  # on the page of the cards: all below it is written anew

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
    "ms at the limit",
    "share of the limit",
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
random. On cards the same script measures what [gpu.md](gpu.md) shows."""
OURS_TERMS = """\
"ms at peak" is the matrix products alone, all multiplications counted, at the machine's peak in
that precision; "share of peak" is that over what it took. Where "zeros skipped" stands, the first
layer passes over inputs that are zero, four in five of an image, and may beat it. The limit is the
larger of that and of the time that weights and optimizer state need to be read once and written
once in every step, at the case's bandwidth ([formula and reasons](gpu.md#the-limit)). A population
of one keeps one lane busy. One compilation serves all populations of a case."""
CARDS_TERMS = """\
Milliseconds a network-epoch of all cards: PyTorch has a process a card, which trains one network;
vmap trains {networks} at once, as many as ours. Inputs (scaled, float32), labels and the order of a
pass lie on the card before the clock starts, and a slice ends when the card is idle. PyTorch may
multiply in TF32, as JAX does. What runs on the processor says so."""
PEERS_TERMS = """\
Milliseconds a network-epoch of the whole machine: in as many processes as there are cores, each
with a network and one thread; vmap trains {networks} networks in one process with as many threads
as cores. Peers run on the processor and get their inputs scaled and in float32; ours scales bytes
as it goes."""
RATIO_TERMS = "Network-epochs a second, ours over theirs; above 1 ours is faster."


def markdown(found: Mapping[str, Any]) -> str:
    """The whole page."""
    return "\n\n".join([HEAD.format(**found["pace"]), *_parts(found, "##")]) + "\n"


def placed(page: str, found: Mapping[str, Any]) -> str:
    """The page with these results in place of all that stood below `RESULTS`."""
    head, mark, _ = page.partition(RESULTS)
    assert mark, f"the page must have a line {RESULTS!r}"
    return "\n\n".join([head + RESULTS, *_parts(found, "###")]) + "\n"


def _parts(found: Mapping[str, Any], level: str) -> list[str]:
    rows = found["rows"]
    names = [name for name in TITLES if any(name in row["peers"] for row in rows)]
    parts = [
        f"{level} The machine",
        _list(_machine(found)),
        f"{level} Ours, beside the peak and the limit",
        OURS_TERMS,
        _table(OURS, [_ours(row) for row in rows]),
    ]
    if names:
        terms = (CARDS_TERMS if found["cards"] else PEERS_TERMS).format(**found)
        parts += [f"{level} The peers", terms, _table(*_peers(rows, names))]
        parts += [f"{level} Ours over each peer", RATIO_TERMS, _table(*_ratios(rows, names))]
    notes = _notes(found, names)
    return [*parts, _list(notes)] if notes else parts


def _machine(found: Mapping[str, Any]) -> list[str]:
    machine, peak = found["machine"], found["peak_gflops"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    best = f"{peak['float32']:.0f} GFLOP/s in float32, {peak['bfloat16']:.0f} in bfloat16"
    moved = [found["peak_gflops_then"][kind] for kind in ("float32", "bfloat16")]
    ranges = [f"{min(peaks):.0f} to {max(peaks):.0f}" for peaks in moved]
    how = "the best of large matrix products on all lanes between the slices, XLA's or our own"
    then = f"over the run {' and '.join(ranges)}"
    kinds = Counter(machine["devices"] if found["cards"] else ())
    cards = [f"{count} x {kind}" for kind, count in kinds.items()]
    place = [f"{machine['cores']} cores", machine["platform"], *cards, machine["system"]]
    return [
        f"{found['date']}: {machine['processor']}, {', '.join(place)}",
        f"Python {machine['python']}, jax {machine['jax']}, {packages}",
        f"Peak: {best}, {how}; {then}",
        f"Bandwidth in GB/s, of numbers that lie where a lane's networks do: {_bandwidth(found)}",
        f"Load before: {machine['load_before']:.2f}; the run took {found['seconds']:.0f} s",
    ]


def _bandwidth(found: Mapping[str, Any]) -> str:
    """Of all lanes together, a case each."""
    speeds = {row["case"]: row["bandwidth_gb_per_s"] for row in found["rows"]}
    return ", ".join(f"{case} {speed:.3g}" for case, speed in speeds.items()) or "not measured"


def _ours(row: Mapping[str, Any]) -> list[str]:
    return [
        _case(row),
        str(row["population"]),
        f"{row['network_epochs_per_s']:.4g}",
        f"{row['ms_per_network_epoch']:.4g}",
        f"{row['ms_at_peak']:.4g}",
        f"{row['fraction_of_peak']:.0%}",
        f"{row['ms_at_limit']:.4g} ({row['limited_by']})",
        f"{row['fraction_of_limit']:.0%}",
        f"{row['compile_s']:.1f}",
    ]


def _peers(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[list[str], Lines]:
    """A line a case: a peer's rate does not depend on our population."""
    told = {row["case"]: row["peers"] for row in rows}
    lines = [
        [case, *(_cell(peers, name, "ms_per_network_epoch", ".4g") for name in names)]
        for case, peers in told.items()
    ]
    return ["case", *(TITLES[name] for name in names)], lines


def _ratios(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[list[str], Lines]:
    lines = [
        [
            row["case"],
            str(row["population"]),
            *(_cell(row["peers"], name, "ratio", ".2f") for name in names),
        ]
        for row in rows
    ]
    return ["case", "population", *(TITLES[name] for name in names)], lines


def _cell(peers: Mapping[str, Any], name: str, what: str, form: str) -> str:
    """A peer's figure, or nothing where it was refused."""
    return format(peers[name][what], form) if name in peers else ""


def _case(row: Mapping[str, Any]) -> str:
    widths = "-".join(map(str, (row["features"], *row["hidden"], row["classes"])))
    dropout = [f"dropout {row['dropout']:g}"] if row["dropout"] else []
    how = [row["activation"], row["optimizer"], f"batch {row['batch_size']}", *dropout]
    skipped = ["zeros skipped"] if row["skips_zeros"] else []
    return f"{row['case']}: {', '.join([widths, *how, row['precision'], *skipped])}"


def _notes(found: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    rows, notes = found["rows"], []
    for name in names:
        told = {row["case"]: row["peers"][name] for row in rows if name in row["peers"]}
        other = [f"{case}: {one['differs']}" for case, one in told.items() if one["differs"]]
        on_host = found["cards"] and all(one["device"] == "cpu" for one in told.values())
        how = f"{HOW[name]}, on the processor" if on_host else HOW[name]
        notes.append(". ".join([f"{TITLES[name]}: {how}", *other]))
    notes += [f"{TITLES[name]}: left out, {reason}" for name, reason in found["missing"].items()]
    notes += [
        f"{TITLES[one['peer']]}, {one['case']}: left out, {one['reason']}"
        for one in found["refused"]
    ]
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
