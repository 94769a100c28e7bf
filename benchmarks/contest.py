"""Searches against each other: every task, seed, budget and method on its own, and what came out.

The tasks are taken as given and the seeds as drawn, so a standard error says how much a mean would
move with other seeds, not with other tasks.
"""

import functools
import math
import multiprocessing
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import fmean, variance
from typing import Any, NamedTuple

from searchers import SEARCHES
from surrogate import Meter, Surrogate, Yardstick

ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Job(NamedTuple):
    """One search."""

    task: str
    seed: int
    budget: int
    method: str


class Result(NamedTuple):
    """What a search came to: regret, epochs spent, and seconds that it took beside the curves."""

    job: Job
    regret: float
    spent: int
    seconds: float


def jobs(
    tasks: Sequence[str], seeds: int, budgets: Sequence[int], methods: Sequence[str]
) -> list[Job]:
    """All searches there are to run, the longest first within a task."""
    return [
        Job(task, seed, budget, method)
        for task in tasks
        for budget in sorted(budgets, reverse=True)
        for seed in range(seeds)
        for method in methods
    ]


def measured(job: Job, surrogate: Surrogate, yardstick: Yardstick) -> Result:
    """Run one search, and see what it found."""
    looking = 0.0

    def curves(networks: Any) -> Any:
        nonlocal looking
        began = time.perf_counter()
        found = surrogate.curves(job.task, networks)
        looking += time.perf_counter() - began
        return found

    meter = Meter(curves, job.budget)
    began = time.perf_counter()
    network = SEARCHES[job.method](meter, job.seed)
    seconds = time.perf_counter() - began - looking
    return Result(job, yardstick.regret(meter.final(network)), meter.spent, seconds)


def run(
    folder: Path, todo: Sequence[Job], workers: int
) -> tuple[dict[str, Yardstick], list[Result]]:
    """All searches, in so many processes; progress goes to standard error."""
    tasks = list(dict.fromkeys(job.task for job in todo))
    if workers == 1:
        yardsticks = dict(_told(map(functools.partial(_yardstick, folder), tasks), len(tasks)))
        work = functools.partial(_work, folder, yardsticks)
        return yardsticks, list(_told(map(work, todo), len(todo)))
    for name in ONE_THREAD:  # which the processes inherit
        os.environ.setdefault(name, "1")
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context) as pool:
        found = pool.map(functools.partial(_yardstick, folder), tasks)
        yardsticks = dict(_told(found, len(tasks)))
        work = functools.partial(_work, folder, yardsticks)
        return yardsticks, list(_told(pool.map(work, todo), len(todo)))


def summary(results: Iterable[Result]) -> dict[str, Any]:
    """Means over tasks and seeds, by method and budget; keys are text, ready for JSON."""
    cells: dict[str, dict[str, dict[str, list[Result]]]] = {}
    for one in results:
        by_budget = cells.setdefault(one.job.method, {})
        by_task = by_budget.setdefault(str(one.job.budget), {})
        by_task.setdefault(one.job.task, []).append(one)

    def over(function: Any) -> dict[str, dict[str, Any]]:
        return {
            method: {budget: function(by_task) for budget, by_task in sorted_by_size(budgets)}
            for method, budgets in cells.items()
        }

    return {
        "mean_regret": over(lambda by_task: fmean(_task_means(by_task).values())),
        "standard_error": over(standard_error),
        "task_regret": over(_task_means),
        "spent": over(lambda by_task: fmean(one.spent for one in _all(by_task))),
        "overhead_s": over(lambda by_task: fmean(one.seconds for one in _all(by_task))),
    }


def standard_error(by_task: Mapping[str, Sequence[Result]]) -> float | None:
    """Of the mean over tasks, by chance of the seeds alone; None where a task has one seed."""
    groups = [[one.regret for one in group] for group in by_task.values()]
    if min(map(len, groups)) < 2:  # noqa: PLR2004 - one says nothing of chance
        return None
    return math.sqrt(sum(variance(group) / len(group) for group in groups)) / len(groups)


def sorted_by_size(budgets: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Budgets that are text, the smallest first."""
    return sorted(budgets.items(), key=lambda item: int(item[0]))


def _task_means(by_task: Mapping[str, Sequence[Result]]) -> dict[str, float]:
    return {task: fmean(one.regret for one in group) for task, group in by_task.items()}


def _all(by_task: Mapping[str, Sequence[Result]]) -> list[Result]:
    return [one for group in by_task.values() for one in group]


@functools.lru_cache(maxsize=1)
def _surrogate(folder: Path) -> Surrogate:
    return Surrogate(folder)


def _yardstick(folder: Path, task: str) -> tuple[str, Yardstick]:
    return task, _surrogate(folder).yardstick(task)


def _work(folder: Path, yardsticks: Mapping[str, Yardstick], job: Job) -> Result:
    return measured(job, _surrogate(folder), yardsticks[job.task])


def _told(found: Iterator[Any], count: int) -> Iterator[Any]:
    """The same, with a line now and then of how many there are."""
    began = last = time.monotonic()
    for number, one in enumerate(found, start=1):
        if time.monotonic() - last > 30 or number == count:  # noqa: PLR2004 - seconds
            last = time.monotonic()
            print(f"{number} of {count}, {last - began:.0f} s", file=sys.stderr)
        yield one
