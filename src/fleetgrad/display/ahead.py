"""What a run would do: its schedule, its programs, its bytes and seconds."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fleetgrad.display.columns import Column, fitting, indented, table
from fleetgrad.display.words import columns_of, count, duration, size, taken_over, value
from fleetgrad.forecast import Cohort, Forecast
from fleetgrad.plan import Plan

MOST_ROWS = 12
BRIEF = ("hidden", "batch_size", "optimizer")  # of what a cohort has in common, always shown


def show(console: Console, forecast: Forecast) -> None:
    """Print the forecast."""
    data = forecast.dataset
    parts = [
        f"{count(data['rows'], 'row')} of {count(data['features'], 'feature')}",
        count(forecast.plan.candidates, "candidate"),
        f"{count(forecast.network_epochs, 'network-epoch')} in {duration(forecast.expected_s)}",
    ]
    title = Text.assemble((str(data["name"]), "bold"), "  ", (" · ".join(parts), "dim"))
    console.print(title)
    console.print()
    indented(console, _facts(forecast))
    made = table(fitting(_columns(forecast.cohorts[:MOST_ROWS]), console.width))
    indented(console, made)
    more = len(forecast.cohorts) - MOST_ROWS
    if more > 0:
        indented(console, Text(f"and {count(more, 'program')} more", "dim"))
    words = "nothing was trained and nothing written"
    if not all(one.measured for one in forecast.cohorts):
        words += "; ~ is reckoned from the speed of the measured programs"
    console.print(Text(words, "dim"))


def _facts(forecast: Forecast) -> Table:
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    plan, part = forecast.plan, forecast.expected
    finalists = min(plan.finalists, plan.candidates)
    turns = f", in {count(forecast.turns, 'turn')}" if forecast.turns > 1 else ""
    largest = max(one.member_bytes for one in forecast.cohorts)
    seconds = {
        "loading": forecast.loading_s,
        "compiling": forecast.compile_s,
        "search": part.search,
        "finals": part.finals,
        "refit": part.refit,
    }
    held = forecast.dataset.get("columns")
    facts = ({"columns": columns_of(held)} if held else {}) | {
        "search": "\n".join(_generations(forecast)),
        "finals": f"{count(finalists, 'finalist')}, {count(plan.replicates, 'repeat')} each, for "
        f"{count(plan.epochs, 'epoch')}; then {_at_last(plan)}",
        "programs": f"{count(len(forecast.cohorts), 'program')} for the first "
        f"{count(plan.generations[0], 'candidate')}, on {count(forecast.lanes, 'lane')}",
        "memory": f"{size(forecast.population_bytes)} of networks{turns}, at most "
        f"{size(largest)} each; {size(forecast.data_bytes)} of data; "
        f"{size(forecast.available_bytes)} available",
        "time": ", ".join(f"{name} {duration(taken)}" for name, taken in seconds.items()),
        "run": f"{forecast.run}, not made yet",
    }
    if forecast.warm_start:
        facts["from"] = "\n".join(map(taken_over, forecast.warm_start))
    for name, text in facts.items():
        grid.add_row(name, Text(text))
    return grid


def _at_last(plan: Plan) -> str:
    """Who learns from all rows."""
    longer = f", up to {count(plan.last, 'epoch')}" if plan.last_epochs else ""
    words = "the winner on all rows" + ("" if plan.ensemble else longer)
    if plan.ensemble:
        words += f", up to {count(plan.ensemble, 'network')} to predict together{longer}"
    return words + (", and one that learns from these" if plan.distill else "")


def _generations(forecast: Forecast) -> list[str]:
    """A line a generation, equal ones together: who goes on, and until when."""
    plan = forecast.plan
    if plan.strategy == "thaw":
        stops = ", ".join(map(str, plan.stops))
        passes = count(int(plan.passes or 0), "network-epoch")
        line = f"{plan.candidates} evenly spread, then whoever is promising, new or paused; "
        return [f"{line}pauses after epoch {stops}; {passes}"]
    if plan.evolves:
        line = f"{plan.candidates} side by side until epoch {plan.epochs}; "
        stops = ", ".join(map(str, plan.stops[:-1])) or "0"
        return [f"{line}the worst fifth gives way after epoch {stops}"]
    lines: dict[str, int] = {}
    for number, candidates in enumerate(plan.generations):
        steps, alive = [], candidates
        for until, keep in plan.rungs(number):
            steps.append(f"{alive} until epoch {until}")
            alive = min(alive, keep)
        line = ", ".join(steps)
        lines[line] = lines.get(line, 0) + 1
    return [line if times == 1 else f"{times} times {line}" for line, times in lines.items()]


def _columns(cohorts: Sequence[Cohort]) -> list[Column]:
    columns = [
        Column("candidates", [str(one.candidates) for one in cohorts], "right"),
        *(_common(name, cohorts) for name in BRIEF),
        Column("bytes each", [size(one.member_bytes) for one in cohorts], "right"),
        Column("an epoch", [_epoch(one) for one in cohorts], "right", "bold"),
    ]
    others = [name for name in cohorts[0].settings if name not in BRIEF]
    varied = [name for name in others if len({str(one.settings[name]) for one in cohorts}) > 1]
    return columns + [_common(name, cohorts) for name in varied]


def _common(name: str, cohorts: Sequence[Cohort]) -> Column:
    cells = [value(one.settings[name]) for one in cohorts]
    return Column(name, cells, "right" if name == "batch_size" else "left", "dim")


def _epoch(cohort: Cohort) -> str:
    seconds = cohort.epoch_seconds
    text = f"{1000 * seconds:.3g} ms" if seconds < 1 else duration(seconds)
    return text if cohort.measured else f"~{text}"
