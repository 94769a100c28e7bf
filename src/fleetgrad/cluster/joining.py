"""A cluster by its address, or one of this machine's own processes, for the length of a run."""

import contextlib
import logging
import re
import socket
import warnings
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from distributed import Client

from fleetgrad.cluster.crew import Crew
from fleetgrad.cluster.local import local
from fleetgrad.errors import UsageError

CONNECT_SECONDS = 10.0  # for the scheduler to answer, and then for its workers
_LOCAL = re.compile(r"local:([1-9]\d{0,3})")
_ADDRESS = re.compile(r"[a-z]+://\S+")


@contextlib.contextmanager
def joined(where: Any) -> Iterator[Crew]:
    """The workers of a cluster, connected.

    Args:
        where: "tcp://host:8786" (or "tls://", "ucx://", ...), "local:4" for so many processes of
            this machine, or a Dask client, which stays open.

    Raises:
        UsageError: It is none of these, does not answer, or has no worker that could train.
    """
    with contextlib.ExitStack() as stack:
        client = _client(where, stack)
        crew = Crew(client)
        stack.callback(crew.close)
        crew.start(CONNECT_SECONDS)
        _check(crew)
        yield crew


def _client(where: Any, stack: contextlib.ExitStack) -> "Client":
    if isinstance(where, Client):
        if where.asynchronous:
            raise UsageError(
                "`cluster` must be a client that waits for its answers, got an asynchronous one; "
                "use Client(address)."
            )
        return where
    stack.enter_context(_hushed())
    text = str(where)
    count = _LOCAL.fullmatch(text)
    if count is None and not _ADDRESS.fullmatch(text):
        raise UsageError(
            "a cluster must be the address of its scheduler, `local:N`, or a Dask client, got "
            f"{where!r}; use `tcp://host:8786`, or `local:4` for four processes of this machine."
        )
    address = text if count is None else stack.enter_context(local(int(count[1])))
    try:
        if count is None:
            _knock(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of versions, which the crew looks at itself
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, RuntimeError, TypeError, ValueError) as error:  # TypeError: no keys for TLS
        words = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise UsageError(
            f"a cluster's scheduler must answer, got no answer from `{text}` ({words}); start one "
            "with `dask scheduler`, or use `local:4`."
        ) from error
    stack.enter_context(client)
    return client


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Without Dask's own words on what goes wrong, for it will be said in ours."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _knock(address: str) -> None:
    """Raise `OSError` where nobody listens: Dask would try for long, and complain at length."""
    parts = urlsplit(address)
    if parts.scheme in {"tcp", "tls"} and parts.hostname and parts.port:
        socket.create_connection((parts.hostname, parts.port), CONNECT_SECONDS).close()


def _check(crew: Crew) -> None:
    """Refuse a cluster whose workers are not ours, or that has none."""
    if crew.refused:
        some = "; ".join(f"{address} {reason}" for address, reason in sorted(crew.refused.items()))
        raise UsageError(
            f"workers must run the versions that run here ({_told(crew.versions)}), got others: "
            f"{some}; install the same on all of them."
        )
    if not crew.lanes:
        raise UsageError(
            f"a cluster must have workers, got none at {crew.address} within "
            f"{CONNECT_SECONDS:g} s; start some with `dask worker {crew.address}`."
        )


def _told(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
