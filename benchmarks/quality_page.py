"""The search benchmark's answer as a page of Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

TITLES = {
    "fleetgrad": "Fleetgrad",
    "random": "random",
    "halving": "halving",
    "ten_epochs": "ten epochs, then three",
    "optuna_tpe": "Optuna TPE",
    "optuna_hyperband": "Optuna TPE + Hyperband",
    "smac": "SMAC",
}
HOW = {
    "fleetgrad": "what `fleetgrad.tune` runs, strategy `auto`, nothing fitted to these tasks; two "
    "networks side by side; widths in 17 steps, all layers as wide",
    "random": "random networks, all to the end",
    "halving": "random networks, a third goes on from epoch 5 to 17, and from there to the end",
    "ten_epochs": "random networks for ten epochs, then the best three to the end",
    "optuna_tpe": "Optuna's TPE with its defaults, all to the end",
    "optuna_hyperband": "Optuna's TPE, told of every epoch, pruned by its Hyperband from epoch 5; "
    "the best trial that came to the end",
    "smac": "SMAC's `MultiFidelityFacade` with its defaults (forests, Hyperband from epoch 5), "
    "going on where it had stopped",
}
HEAD = """\
# Search quality

Written by `python benchmarks/search_quality.py --table`; `--json` prints the same with every task.

How good the network is that a search recommends after so many epochs, over all the networks it
trained. Nothing is trained here: a surrogate of LCBench answers for each network on each of
{tasks} tabular tasks ({epochs} epochs are a full training; whoever pauses may go on, for all
alike). Normalized regret is (best - found) / (best - median): best and median are of {sample:,}
random networks at the end of their training, found is the recommended one's validation accuracy
there. 1 is no better than the median, 0 as good as the best of {sample:,}, below 0 better still."""
MEANS = """\
Mean normalized regret over {tasks} tasks and {seeds} seeds; after ± one standard error, of the
seeds' chance (the tasks are taken as given). In brackets how many full trainings a budget is."""
OVERHEAD = """\
Seconds that a search itself takes, its curves not counted, on average; machines differ, and this
one may have been busy."""
TASKS = "Mean normalized regret over the seeds, at {budget} epochs."


def markdown(found: Mapping[str, Any]) -> str:
    """The whole page."""
    methods = [name for name in TITLES if name in found["mean_regret"]]
    sizes = {"tasks": len(found["tasks"]), "seeds": found["seeds"]}
    parts = [
        HEAD.format(**sizes, epochs=found["epochs"], sample=found["sample"]),
        "## Regret",
        MEANS.format(**sizes),
        _means(found, methods),
        "## Time of their own",
        OVERHEAD,
        _overhead(found, methods),
    ]
    for budget in found["budgets"]:
        parts += [f"## Task by task: {budget} epochs", TASKS.format(budget=budget)]
        parts.append(_tasks(found, methods, str(budget)))
    return "\n\n".join([*parts, "## How", _list(_notes(found, methods))]) + "\n"


def _means(found: Mapping[str, Any], methods: Sequence[str]) -> str:
    head = [f"{budget} ({budget / found['epochs']:.3g})" for budget in found["budgets"]]
    lines = [
        [TITLES[name], *(_cell(found, name, str(budget)) for budget in found["budgets"])]
        for name in methods
    ]
    return _table(["search", *head], lines)


def _cell(found: Mapping[str, Any], method: str, budget: str) -> str:
    mean, error = found["mean_regret"][method][budget], found["standard_error"][method][budget]
    return f"{mean:.3f}" if error is None else f"{mean:.3f} ± {error:.3f}"


def _overhead(found: Mapping[str, Any], methods: Sequence[str]) -> str:
    budgets = [str(budget) for budget in found["budgets"]]
    lines = [
        [TITLES[name], *(f"{found['overhead_s'][name][budget]:.2g}" for budget in budgets)]
        for name in methods
    ]
    return _table(["search", *budgets], lines)


def _tasks(found: Mapping[str, Any], methods: Sequence[str], budget: str) -> str:
    told = found["task_regret"]
    lines = [
        [task, *(f"{told[name][budget][task]:.3f}" for name in methods)] for task in found["tasks"]
    ]
    return _table(["task", *(TITLES[name] for name in methods)], lines)


def _notes(found: Mapping[str, Any], methods: Sequence[str]) -> list[str]:
    machine = found["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    place = f"{found['date']}: {machine['processor']}, Python {machine['python']}"
    left_out = [f"{TITLES[name]}: left out, {why}" for name, why in found["missing"].items()]
    return [
        *(f"{TITLES[name]}: {HOW[name]}" for name in methods),
        *left_out,
        f"{place}, {packages}; {found['seconds']:.0f} s, workers: {machine['workers']}",
    ]


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}." for line in lines)


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    ruled = [head, ["---", *["---:"] * (len(head) - 1)], *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in ruled)
