"""The run's SQLite file: its tables, its versions, and one way to open it.

Written ahead (WAL) and flushed at every commit: readers never wait for the writer nor make it
wait, and what was committed survives a power cut. The schema of an opened file must be ours to
the letter, so a crafted file can bring no views or triggers of its own.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from fleetgrad.errors import DiskError, RunError

APPLICATION = 0x466C7472  # "Fltr", in the file's header
_PATIENCE = 10.0  # seconds that SQLite waits while another connection closes or recovers
_REFUSALS = {  # the system's, not the file's
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
}

MIGRATIONS = (
    # Scores lie under the name of the first metric there was.
    """
    CREATE TABLE candidates (
        id INTEGER PRIMARY KEY,
        generation INTEGER NOT NULL,
        position INTEGER NOT NULL,
        settings TEXT NOT NULL,
        UNIQUE (generation, position)
    );
    CREATE TABLE segments (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        at TEXT NOT NULL,
        payload TEXT NOT NULL,
        file TEXT,
        sha256 TEXT,
        size INTEGER
    );
    CREATE TABLE curves (
        phase TEXT NOT NULL,
        candidate INTEGER NOT NULL,
        replicate INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        train_loss REAL,
        train_accuracy REAL,
        validation_loss REAL,
        validation_accuracy REAL,
        segment TEXT NOT NULL,
        PRIMARY KEY (phase, candidate, replicate, epoch)
    ) WITHOUT ROWID;
    CREATE TABLE test_openings (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        opened_by TEXT NOT NULL
    );
    CREATE TABLE notes (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        payload TEXT NOT NULL
    );
    """,
    # The same tables; settings may be told by what differs from others (`proposals`).
    "",
)
"""Script `k` brings a file from version `k` to `k + 1`; a new file passes through all."""

VERSION = len(MIGRATIONS)


def create(path: Path) -> Connection:
    """A new, empty record open for writing; what an unfinished creation left is taken over.

    Raises:
        RunError: Something else is there.
    """
    with _opened(path, "rwc") as connection:
        if _pragma(connection, "application_id") or _schema(connection):
            _check(connection, path)
        _prepare(connection)
        _migrate(connection)
        if connection.execute("SELECT 1 FROM segments UNION SELECT 1 FROM notes").fetchone():
            raise RunError(f"`{path}` must not exist yet, got a record; use another directory.")
        # From the log into the file: a log that is lost then costs what is in it, and no more.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return connection


def open_writer(path: Path) -> Connection:
    """An existing record, brought to this version, for reading and writing.

    Raises:
        RunError: It is missing, foreign, damaged, or of a later version.
    """
    with _opened(path, "rw") as connection:
        _check(connection, path)
        _prepare(connection)
        _migrate(connection)
        return connection


def open_reader(path: Path) -> Connection:
    """An existing record for reading only; errors as `open_writer`."""
    try:
        with _opened(path, "ro") as connection:
            _check(connection, path)
            return connection
    except RunError:
        if not path.exists() or path.with_name(path.name + "-wal").exists():
            raise
    # SQLite keeps notes beside a file it reads; where none can be made and nobody writes, it
    # can read without.
    with _opened(path, "ro&immutable=1") as connection:
        _check(connection, path)
        return connection


@contextmanager
def transaction(connection: Connection, path: Path) -> Iterator[None]:
    """Everything in the block is recorded, durably, or nothing is.

    Raises:
        RunError: The record cannot be written.
    """
    with reading(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def rows(connection: Connection, path: Path, query: str, *values: Any) -> list[Any]:
    """All rows of a query; a damaged file raises `RunError`."""
    with reading(path):
        return connection.execute(query, values).fetchall()


def damaged(path: Path, found: object) -> RunError:
    """The error for a record that cannot be what was written."""
    return RunError(
        f"`{path}` must be the record of a Fleetgrad run, got {found}; restore it from a copy, or "
        "start the run anew in another directory."
    )


@contextmanager
def _opened(path: Path, mode: str) -> Iterator[Connection]:
    address = f"{path.absolute().as_uri()}?mode={mode}"
    with reading(path):
        connection = sqlite3.connect(address, uri=True, timeout=_PATIENCE, isolation_level=None)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise


def _prepare(connection: Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")


def _migrate(connection: Connection, to: int | None = None) -> None:
    version = _pragma(connection, "user_version")
    for number, script in enumerate(MIGRATIONS[version:to], start=version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {script} PRAGMA application_id = {APPLICATION}; "
            f"PRAGMA user_version = {number}; COMMIT"
        )


def _check(connection: Connection, path: Path) -> None:
    if _pragma(connection, "application_id") != APPLICATION:
        raise damaged(path, "a database of another program")
    version = _pragma(connection, "user_version")
    if version > VERSION:
        raise RunError(
            f"`{path}` must be of version {VERSION} or older, got {version}; it was written by a "
            "later Fleetgrad: upgrade with `pip install --upgrade fleetgrad`."
        )
    if version < 1 or _schema(connection) != _expected_schema(version):
        raise damaged(path, "other tables")


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _schema(connection: Connection) -> list[Any]:
    return connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()


def _expected_schema(version: int) -> list[Any]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        _migrate(connection, to=version)
        return _schema(connection)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """A block in which what SQLite finds wrong with a file, or may not do, becomes a `RunError`."""
    try:
        yield
    except sqlite3.ProgrammingError:
        raise  # ours, no fault of the file
    except UnicodeDecodeError as error:  # in SQLite's own words about a file that is damaged
        raise damaged(path, error) from error
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        if code & 0xFF not in _REFUSALS:
            raise damaged(path, error) from error
        raise DiskError(
            f"`{path}` must be open to this user and its disk not full, got: {error}; free disk "
            "space, or mend the permissions."
        ) from error
