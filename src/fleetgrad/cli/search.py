"""`tune`, `resume` and `show`: a run, from its first candidate to a look back at it."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

import fleetgrad as fg
from fleetgrad.cli import ending, live_page, sets, spaces
from fleetgrad.cli.options import (
    Browser,
    Cluster,
    DataDirectory,
    Ignore,
    Json,
    Quiet,
    RunDirectory,
    Target,
    Task,
    Verbose,
    Watch,
)
from fleetgrad.errors import BudgetError, UsageError

DATA_HELP = (
    "digits, mnist, fashion-mnist, kmnist, a folder of IDX files, .npz, .pkl, .csv, .parquet."
)


def register(app: typer.Typer) -> None:
    """Add these commands."""
    app.command()(tune)
    app.command()(resume)
    app.command()(show)


def tune(  # noqa: PLR0913 - one for each option
    data: Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP, show_default=False)],
    *,
    target: Target = None,
    ignore: Ignore = None,
    data_dir: DataDirectory = None,
    space: Annotated[
        str | None,
        typer.Option(metavar="FILE.toml", help="What to search, or notebook; a default else."),
    ] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="90s, 10m or 2h; 10m by default.")
    ] = None,
    candidates: Annotated[
        int | None, typer.Option(metavar="N", help="Settings to try, in place of a time.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="E", help="Passes of those that go all the way.")
    ] = None,
    network_epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Passes of the search, in place of a time.")
    ] = None,
    strategy: Annotated[
        str, typer.Option(help="thaw (pause and go on, by a model), halving, pbt, or auto.")
    ] = "auto",
    sampler: Annotated[
        str | None, typer.Option(help="sobol, random, grid or tpe: whom halving asks.")
    ] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Let the best networks predict together.")
    ] = False,
    distill: Annotated[
        bool, typer.Option("--distill", help="Let one network learn from that ensemble.")
    ] = False,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="accuracy, auc, balanced_accuracy, log_loss; rmse, mae or r2: what counts.",
        ),
    ] = None,
    task: Task = "auto",
    earlier: Annotated[
        list[Path] | None,
        typer.Option("--from", metavar="DIR", help="An earlier run to begin with; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every draw.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The run's directory; runs/NAME-1 else.")
    ] = None,
    cluster: Cluster = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show the plan, with bytes and seconds; train nothing."),
    ] = False,
    watch: Watch = False,
    browser: Browser = True,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Search for the best network.

    Leaves a model, and a record of the run. Give a time, or candidates and epochs together.
    Ctrl-C ends in order; `fleetgrad resume DIR` goes on from the last rung.
    """
    from fleetgrad.display import live  # noqa: PLC0415 - not for `--help`

    limit = _budget(budget, candidates, network_epochs, epochs)
    searched = spaces.chosen(space)
    sets.bring(data, data_dir, quiet=quiet)
    wanted = (data, searched, limit, seed, out)
    wishes: dict[str, Any] = {
        "strategy": strategy,
        "sampler": sampler,
        "ensemble": ensemble,
        "distill": distill,
        "target": target,
        "ignore": ignore or (),
        "data_dir": data_dir,
        "warm_start": earlier or (),
        "metric": metric,
        "task": task,
    }
    if dry_run and cluster is not None:
        raise UsageError("a dry run measures this machine, got `--cluster`; leave out one of them.")
    if dry_run and watch:
        raise UsageError("a dry run trains nothing to be watched, got `--watch`; leave out one.")
    if dry_run:
        _foretell(fg.dry_run(*wanted, **wishes), as_json=as_json)
        return
    watching = live.watching(f"tune {data}", quiet=quiet, verbose=verbose)
    page = live_page.beside(f"tune {data}", wanted=watch, browser=browser)
    with page, ending.kept(), watching as report:
        result = fg.tune(*wanted, **wishes, cluster=cluster, report=report)
    _finish(result, as_json=as_json)


def resume(
    directory: RunDirectory,
    *,
    cluster: Cluster = None,
    watch: Watch = False,
    browser: Browser = True,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Go on with a run that was stopped.

    It begins at the last rung, and comes to the end that it would have had without the stop.
    """
    from fleetgrad.display import live  # noqa: PLC0415 - not for `--help`

    title = f"resume {directory}"
    watching = live.watching(title, quiet=quiet, verbose=verbose)
    page = live_page.beside(title, wanted=watch, browser=browser)
    with page, ending.kept(), watching as report:
        result = fg.resume(directory, cluster=cluster, report=report)
    _finish(result, as_json=as_json)


def show(directory: RunDirectory, *, as_json: Json = False) -> None:
    """Show what a run has come to.

    Its leaderboard, its curves, what mattered, where training diverged, and how far it is, from
    the record alone; a run that is going on is not disturbed.
    """
    from fleetgrad import history  # noqa: PLC0415 - not for `--help`
    from fleetgrad.display import (  # noqa: PLC0415 - not for `--help`
        consoles,
        outcome,
        summary,
    )
    from fleetgrad.metrics import METRICS  # noqa: PLC0415 - not for `--help`
    from fleetgrad.report import costs  # noqa: PLC0415 - not for `--help`
    from fleetgrad.store import Run  # noqa: PLC0415 - not for `--help`

    with Run.open(directory, write=False) as run:
        result, phase, curves = history.result(run), history.phase(run), history.curves(run)
        cost = costs.of(run, result)
        writer, ranges = history.writer(directory), history.ranges(run)
    if as_json:
        sign = METRICS[result.metric].score
        told = {one: [sign(score) for score in curve] for one, curve in curves.items()}
        values: dict[str, Any] = {"phase": phase, "writer": writer, "curves": told}
        values |= {"space": ranges, "cost": cost.to_dict() if cost else None}
        values |= {"summary": summary.lines(result)}
        ending.answer(result.to_dict() | values)
        return
    going = f"written by {writer}" if writer else "nobody is at it"
    state = f"{phase}; {going}" if result.interrupted else ""
    if phase == history.FAILED:
        state = phase
    known: dict[str, Any] = {"curves": curves, "insight": result.insight, "cost": cost}
    outcome.show(consoles.out(), result, ranges, state=state, **known)


def _budget(
    budget: str | None, candidates: int | None, network_epochs: int | None, epochs: int | None
) -> Any:
    """The one of the ways to give a budget that was used."""
    counts = {"--candidates": candidates, "--network-epochs": network_epochs}
    given = [name for name, count in counts.items() if count is not None]
    if not given and epochs is None:
        return fg.Budget.of("10m" if budget is None else budget)
    if budget is not None:
        raise BudgetError(
            "a budget must be a time, or candidates and epochs, got both; leave out `--budget`, "
            "or `--candidates` and `--epochs`."
        )
    if not given or epochs is None:
        missing = "--epochs" if given else "--candidates"
        raise BudgetError(
            "`--candidates` and `--epochs` must be given together, got only one of them; add "
            f"`{missing} 9`."
        )
    return fg.Budget(candidates=candidates, epochs=epochs, network_epochs=network_epochs)


def _foretell(forecast: "fg.Forecast", *, as_json: bool) -> None:
    from fleetgrad.display import ahead, consoles  # noqa: PLC0415 - not for `--help`

    if as_json:
        ending.answer(forecast.to_dict())
    else:
        ahead.show(consoles.out(), forecast)


def _finish(result: "fg.Result", *, as_json: bool) -> None:
    run = shlex.quote(str(result.run))
    stopped = ending.Interrupted(f"interrupted; go on with `fleetgrad resume {run}`.")
    try:
        _tell(result, as_json=as_json)
    except KeyboardInterrupt:
        raise stopped from None
    if result.interrupted:
        raise stopped


def _tell(result: "fg.Result", *, as_json: bool) -> None:
    from fleetgrad import history  # noqa: PLC0415 - not for `--help`
    from fleetgrad.display import (  # noqa: PLC0415 - not for `--help`
        consoles,
        outcome,
        summary,
    )
    from fleetgrad.report import costs  # noqa: PLC0415 - not for `--help`
    from fleetgrad.store import Run  # noqa: PLC0415 - not for `--help`

    if as_json:
        ending.answer(result.to_dict() | {"summary": summary.lines(result)})
    else:
        with Run.open(result.run, write=False) as run:
            ranges, cost = history.ranges(run), costs.of(run, result)
        state = "interrupted" if result.interrupted else ""
        outcome.show(consoles.out(), result, ranges, state=state, cost=cost)
