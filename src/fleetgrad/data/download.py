"""Fetch a file from the first mirror that has it, whole and right.

A file arrives as `NAME.part`, which a cut connection leaves behind and the next try goes on with;
it takes its name in the folder only after its checksum is found right. One process fetches into a
folder at a time; others wait.
"""

import fcntl
import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fleetgrad.errors import DataError, DownloadError

TIMEOUT = 15.0  # seconds without a byte
SLOWEST = 1024  # bytes a second, below which a mirror counts as dead
TRIES = 20  # at one mirror, each of which must bring something
PIECE = 1 << 16


@dataclass(frozen=True, slots=True)
class Remote:
    """A file as mirrors hold it.

    Args:
        name: Of the file, below a mirror's address and in the folder it is fetched into.
        size: Bytes.
        checksum: `sha256:` or `md5:` and the sum in hexadecimal.
    """

    name: str
    size: int
    checksum: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download is.

    Args:
        file: Which file.
        url: Where it comes from.
        done: Bytes so far.
        total: Bytes in the end.
    """

    file: str
    url: str
    done: int
    total: int


Watcher = Callable[[Progress], None]


class _Failed(Exception):  # noqa: N818 - it says what the mirror did
    """One mirror gives no more; the next one is asked."""


def fetch(
    remote: Remote,
    mirrors: Sequence[str],
    folder: Path,
    *,
    progress: Watcher | None = None,
    timeout: float = TIMEOUT,
) -> Path:
    """The file in `folder`, fetched unless it is there and right.

    Args:
        remote: What to fetch.
        mirrors: Addresses (http or https) of folders that hold it, asked in turn.
        folder: Where it goes; made if missing.
        progress: Told of every piece that arrives.
        timeout: Seconds to wait for a mirror to say anything.

    Raises:
        DownloadError: Every mirror failed; the message says how, and how to go on without.
        DataError: The folder cannot be written.
    """
    path = folder / remote.name
    try:
        if _is_there(path, remote):  # before any lock: a cache may be read-only
            return path
        with _only_writer(folder):
            if not _is_there(path, remote):  # another process may have fetched it meanwhile
                _fetched(remote, mirrors, folder, progress, timeout).replace(path)
    except OSError as error:
        raise DataError(
            f"`{folder}` must be a folder that can be written, got: {error.strerror or error}; set "
            "FLEETGRAD_CACHE to another one."
        ) from None
    return path


def is_right(path: Path, checksum: str) -> bool:
    """Whether the bytes of a file have this checksum, `sha256:...` or `md5:...`."""
    kind, _, expected = checksum.partition(":")
    with path.open("rb") as file:
        return hashlib.file_digest(file, kind).hexdigest() == expected


def _is_there(path: Path, remote: Remote) -> bool:
    return path.is_file() and is_right(path, remote.checksum)


@contextmanager
def _only_writer(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetched(
    remote: Remote,
    mirrors: Sequence[str],
    folder: Path,
    progress: Watcher | None,
    timeout: float,
) -> Path:
    failures = []
    for mirror in mirrors:
        url = f"{mirror.rstrip('/')}/{remote.name}"
        part = folder / f"{remote.name}.part"
        try:
            _from_mirror(_Transfer(remote, url, part, progress, timeout))
        except _Failed as failure:
            failures.append(f"{url}: {failure}")
        else:
            return part
    raise DownloadError(
        f"`{remote.name}` must come from one of {len(mirrors)} mirrors, got "
        f"{'; '.join(failures)}. Without a network, put the set's four files into a folder and "
        "name it with `--data-dir FOLDER` or FLEETGRAD_DATA."
    )


@dataclass(frozen=True, slots=True)
class _Transfer:
    remote: Remote
    url: str
    part: Path
    progress: Watcher | None
    timeout: float


def _from_mirror(transfer: _Transfer) -> None:
    """Leave the whole and right file at `transfer.part`, or raise `_Failed`."""
    remote, part = transfer.remote, transfer.part
    for _ in range(TRIES):
        start = part.stat().st_size if part.exists() else 0
        if start < remote.size:
            _receive(transfer, start)
        held = part.stat().st_size
        if held == remote.size and is_right(part, remote.checksum):
            return
        if held >= remote.size:
            part.unlink()
            if start == 0:
                raise _Failed(f"wrong checksum, not {remote.checksum}")
        elif held == start:
            raise _Failed(f"cut off after {held:,} of {remote.size:,} bytes")
    raise _Failed(f"cut off {TRIES} times")


def _receive(transfer: _Transfer, start: int) -> None:
    """Append to the part file from `start` on, until the connection ends."""
    with _answer(transfer, start) as answer:
        resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
        if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise _Failed("it resumes at another place than asked for")
        done = start if resumed else 0
        _check_length(done, answer.length, transfer.remote.size)
        with transfer.part.open("ab" if resumed else "wb") as file:
            for piece in _pieces(answer, transfer.timeout):
                done += len(piece)
                if done > transfer.remote.size:
                    raise _Failed(f"more than the {transfer.remote.size:,} bytes expected")
                file.write(piece)
                _tell(transfer, done)


def _check_length(done: int, length: int | None, size: int) -> None:
    if length is not None and done + length != size:
        raise _Failed(f"a file of {done + length:,} bytes, not the {size:,} expected")


def _answer(transfer: _Transfer, start: int) -> http.client.HTTPResponse:
    url = transfer.url
    if not url.startswith(("http://", "https://")):
        raise _Failed("no http or https address")
    request = urllib.request.Request(url, headers={"User-Agent": "fleetgrad"})  # noqa: S310
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        answer: http.client.HTTPResponse
        answer = urllib.request.urlopen(request, timeout=transfer.timeout)  # noqa: S310
    except urllib.error.HTTPError as error:
        error.close()
        raise _Failed(f"HTTP {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException) as error:
        raise _Failed(_reason(error, transfer.timeout)) from None
    return answer


def _pieces(answer: http.client.HTTPResponse, timeout: float) -> Iterator[bytes]:
    """What arrives, until it ends or is cut off; a hanging or crawling mirror raises `_Failed`."""
    began, received = time.monotonic(), 0
    while True:
        try:
            piece = answer.read1(PIECE)
        except TimeoutError as error:
            raise _Failed(_reason(error, timeout)) from None
        except (OSError, http.client.HTTPException):
            return  # cut off: the caller sees how much is there and asks for the rest
        if not piece:
            return
        yield piece
        received += len(piece)
        elapsed = time.monotonic() - began
        if elapsed > timeout and received < SLOWEST * elapsed:
            raise _Failed(f"slower than {SLOWEST:,} bytes a second")


def _reason(error: Exception, timeout: float) -> str:
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return f"no answer within {timeout:g} s"
    return str(cause) or type(cause).__name__


def _tell(transfer: _Transfer, done: int) -> None:
    if transfer.progress is not None:
        remote = transfer.remote
        transfer.progress(Progress(remote.name, transfer.url, done, remote.size))
