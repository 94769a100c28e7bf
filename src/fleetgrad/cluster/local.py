"""A cluster of this machine's own: a scheduler in this process, and workers beside it.

Workers are started as `dask worker` starts them, so a script needs no guard around its first call
as it would for processes that import it again. They are a session of their own: Ctrl-C is for this
process, which then brings home what they have. When this process is gone, they end.

Whoever reaches a scheduler can run what he likes, so this one listens on loopback, and wants a key
that is made for it and that only this user can read, where OpenSSL is there to make one.
"""

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from distributed import LocalCluster, Security

from fleetgrad.errors import UsageError

START_SECONDS = 60.0  # for the first worker to be there
ALONE_SECONDS = 15  # after which workers that find no scheduler end
KEY, CERTIFICATE = "key.pem", "certificate.pem"

log = logging.getLogger(__name__)


@contextlib.contextmanager
def local(workers: int) -> Iterator[LocalCluster]:
    """So many workers, each of one lane.

    Raises:
        UsageError: They do not start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="fleetgrad-") as place,
        scheduler(Path(place)) as own,
    ):
        processes = [started(own.scheduler_address, Path(place)) for _ in range(workers)]
        try:
            _wait(own.scheduler, processes)
            yield own
        finally:
            ended(processes)


def scheduler(place: Path) -> LocalCluster:
    """One without workers, to be closed, in this process, on ports that happen to be free.

    Args:
        place: For its key; nobody else should see in there.
    """
    here, security = "127.0.0.1", _secured(place)
    return LocalCluster(
        n_workers=0,
        host=here,
        dashboard_address=f"{here}:0",
        security=security,
        silence_logs=logging.CRITICAL,
    )


def started(address: str, place: Path) -> "subprocess.Popen[bytes]":
    """A worker of one lane, on its way to a scheduler.

    Args:
        address: The scheduler's.
        place: For its files; where it finds the scheduler's key, if that has one.
    """
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address]
    command += ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
    command += ["--death-timeout", str(ALONE_SECONDS), "--local-directory", str(place)]
    if (place / KEY).exists():
        key, certificate = str(place / KEY), str(place / CERTIFICATE)
        command += ["--tls-ca-file", certificate, "--tls-cert", certificate, "--tls-key", key]
    single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return subprocess.Popen(  # noqa: S603 - our own interpreter, and numbers
        command,
        env=single | os.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _secured(place: Path) -> Security | None:
    """A key that all processes of a cluster share."""
    program = shutil.which("openssl")
    if program is None:
        log.warning("without OpenSSL, other users of this machine can reach the workers")
        return None
    key, certificate = str(place / KEY), str(place / CERTIFICATE)
    command = [program, "req", "-x509", "-nodes", "-days", "365", "-subj", "/CN=fleetgrad"]
    command += ["-newkey", "rsa:2048", "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - no word of others
    roles = {
        f"tls_{role}_{kind}": path
        for role in ("client", "scheduler", "worker")
        for kind, path in (("key", key), ("cert", certificate))
    }
    return Security(tls_ca_file=certificate, require_encryption=True, **roles)


def _wait(scheduler: Any, processes: "list[subprocess.Popen[bytes]]") -> None:
    """Until all are there."""
    end = time.monotonic() + START_SECONDS
    while len(scheduler.workers) < len(processes):
        if time.monotonic() > end or any(one.poll() is not None for one in processes):
            raise UsageError(
                f"{len(processes)} workers of this machine must start within {START_SECONDS:g} s, "
                f"got {len(scheduler.workers)}; ask for fewer."
            )
        time.sleep(0.02)


def ended(processes: "Iterable[subprocess.Popen[bytes]]") -> None:
    """See workers end, at once: what they had that matters is elsewhere."""
    for one in processes:
        one.kill()
        one.wait()
