"""How every command ends: one answer, or one sentence, and one exit status.

    0    done
    1    the run failed, or something broke that should not have
    2    wrong use: the command, the data or the settings can be mended
    130  interrupted (Ctrl-C, SIGTERM), in order

With `--json` the answer is the only thing on standard output; a failure is `{"error": {...}}`.
"""

import json
import os
import sys
import tempfile
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import typer

from fleetgrad.cli import deadline, interrupts
from fleetgrad.errors import DeviceError, FleetgradError, RunInterrupted, TrainingError

DONE, FAILED, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
_answered = threading.Event()  # the command has given its answer
MOST_LETTERS = 500  # of an unexpected error's message: some carry a whole program


class Interrupted(Exception):  # noqa: N818 - no error: the user wished it
    """The command stopped early; the message says how to go on."""


class _Failure(NamedTuple):
    """What is said of a command that did not come to its end."""

    kind: str
    sentence: str
    status: int


def of(command: Callable[[], Any], *, as_json: bool) -> int:
    """Run a command to its end, whatever that is, and return the exit status.

    Args:
        command: Returns a status or None.
        as_json: Whether failures are also to be told as JSON.
    """
    _answered.clear()
    before = deadline.written()
    try:
        with _ending_in_time(as_json=as_json), _warnings_as_notes():
            status = command()
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # the reader went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except BaseException as error:  # noqa: BLE001 - this is the last place that can say anything
        return _told(_explained(error, before), as_json=as_json)
    if status == INTERRUPTED:  # Typer's way to pass on a KeyboardInterrupt
        return _told(_explained(KeyboardInterrupt(), before), as_json=as_json)
    return status if isinstance(status, int) else DONE


@contextmanager
def kept() -> Iterator[None]:
    """A block that works on a run: an interrupt in it says how to go on."""
    try:
        yield
    except RunInterrupted as stopped:  # Typer would keep no more of it than that it was one
        raise Interrupted(str(stopped)) from None


def answer(values: Mapping[str, Any]) -> None:
    """Print the one JSON object of a command; what is no number becomes null."""
    from fleetgrad.payload import strict  # noqa: PLC0415 - brings NumPy, not for `--help`

    _answered.set()
    print(json.dumps(strict(values), allow_nan=False))  # noqa: T201 - the command's answer


@contextmanager
def _ending_in_time(*, as_json: bool) -> Iterator[None]:
    """Let SIGTERM end a command as Ctrl-C does, and either of them soon."""

    def late(sentence: str) -> None:
        sys.stderr.write(f"{sentence}\n")
        if as_json and not _answered.is_set():
            # Nothing is imported here: what is waited for may be an import.
            told = {"error": {"kind": "Interrupted", "message": sentence}}
            sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with interrupts.patient(), deadline.kept(late):
        yield


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    """Tell what the library warns of in a line, without the place in its code."""
    others = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        from fleetgrad.display import consoles  # noqa: PLC0415 - not for `--help`

        if category is UserWarning:
            consoles.note(f"Warning: {message}")
        else:
            others(message, category, *where, **more)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def _explained(error: BaseException, before: Path | None) -> BaseException:
    """An interrupt with how to go on: in between, a run may have begun that says nothing of it."""
    if not isinstance(error, KeyboardInterrupt | typer.Abort):
        return error
    again = deadline.going_on(before)
    if again is not None:
        return Interrupted(f"interrupted; the run is kept, {again}.")
    return Interrupted("interrupted before there was anything to keep; start it again.")


def _failure(error: BaseException) -> _Failure:
    if isinstance(error, Interrupted):
        return _Failure("Interrupted", str(error), INTERRUPTED)
    if isinstance(error, typer.TyperException):
        return _Failure("UsageError", _misused(error), WRONG_USE)
    if isinstance(error, FleetgradError):
        status = FAILED if isinstance(error, TrainingError | DeviceError) else WRONG_USE
        return _Failure(type(error).__name__, str(error), status)
    return _Failure(type(error).__name__, _unexpected(error), FAILED)


def _told(error: BaseException, *, as_json: bool) -> int:
    from fleetgrad.display import consoles  # noqa: PLC0415 - `--help` must not wait for Rich

    failure = _failure(error)
    if failure.status == INTERRUPTED:
        consoles.note(failure.sentence)
    else:
        consoles.complain(failure.sentence)
    broken = getattr(error, "divergence", None)  # of a search
    if broken is not None:
        from fleetgrad.display import lessons  # noqa: PLC0415 - `--help` must not wait for Rich

        lessons.broken(consoles.err(), broken, apart=True)
    if as_json and not _answered.is_set():
        found: dict[str, Any] = {"kind": failure.kind, "message": failure.sentence}
        if isinstance(error, TrainingError):
            found["divergence"] = broken.to_dict() if broken else None
        answer({"error": found})
    return failure.status


def _misused(error: typer.TyperException) -> str:
    """Typer's complaint as a sentence with a remedy."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "fleetgrad"
    possible = getattr(error, "possibilities", None)
    option = getattr(error, "option_name", None)
    if possible:
        return f"`{option}` is no option of `{command}`; did you mean `{min(possible)}`?"
    message = " ".join(error.format_message().split()).rstrip(".")
    return f"{message[:1].lower()}{message[1:]}; see `{command} --help`."


def _unexpected(error: BaseException) -> str:
    """One line about what nobody foresaw, with the traceback where it can be found."""
    if os.environ.get("FLEETGRAD_TRACEBACK") == "1":
        traceback.print_exception(error)
        where = "the traceback is above"
    else:
        where = f"the traceback is in {_kept(error)}"
    message = " ".join(str(error).split())[:MOST_LETTERS]
    return f"something broke that should not have: {type(error).__name__}: {message}; {where}."


def _kept(error: BaseException) -> str:
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="fleetgrad-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            traceback.print_exception(error, file=file)
            return file.name
    except OSError:
        return "no file, for none could be written; set FLEETGRAD_TRACEBACK=1 to see it"
