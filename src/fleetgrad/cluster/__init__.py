"""The same study on a Dask cluster: chunks of networks are tasks, states stay on their workers.

    joining      a cluster by its address, or one of this machine's own (`local`)
    crew         its workers: who is there, how many networks each trains at once, who fell silent
    versions     what a worker says it runs
    site         what a worker process keeps of a study
    tasks        what it is asked to do
    work         what goes to a chunk, and what comes of it
    chunks       which networks go to a worker together, and how far
    dispatch     to whom each chunk goes, and what happens to those that are late
    shared       where states lie, and who was sent ahead
    population   networks that train there, as the search knows them
    fleet        where populations come from

Dask is imported here and nowhere else. It pickles what its processes send each other, so a cluster
is for people who trust each other; nothing is joined that the user has not named.
"""

import importlib.util
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from fleetgrad.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fleetgrad.data import Dataset
    from fleetgrad.fleet import Fleet

__all__ = ["trainers"]


@contextmanager
def trainers(where: Any) -> "Iterator[Callable[[Dataset, int, str], Fleet]]":
    """What makes fleets on a cluster, from data, seed and metric.

    Args:
        where: "tcp://host:8786" (or "tls://", "ucx://", ...), "local:4" for so many processes of
            this machine, or a Dask client, which stays open.

    Raises:
        UsageError: Dask is missing, or `where` is no cluster with workers that can train.
    """
    if importlib.util.find_spec("distributed") is None:
        raise UsageError(
            "a cluster needs Dask's `distributed`, got an installation without it; use "
            "`pip install 'fleetgrad[cluster]'`."
        )
    from fleetgrad.cluster.fleet import ClusterFleet  # noqa: PLC0415 - not without Dask
    from fleetgrad.cluster.joining import joined  # noqa: PLC0415 - not without Dask

    with joined(where) as crew:
        yield lambda data, seed, metric: ClusterFleet(data, seed, crew, metric)
