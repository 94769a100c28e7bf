"""Where data comes from: a name, a folder or a file, and one function that loads any of them."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from fleetgrad import cache
from fleetgrad.data import archives, catalog, download, folders, pickles, tables, targets
from fleetgrad.data.columns import Names
from fleetgrad.data.dataset import Dataset
from fleetgrad.data.download import Watcher
from fleetgrad.data.targets import AUTO
from fleetgrad.errors import DataError, UsageError, suggestion
from fleetgrad.metrics import REGRESSION

NAMES = ("digits", *catalog.SETS)
READERS: dict[str, Callable[[Path, str], Dataset]] = {
    ".npz": archives.read,
    ".pickle": lambda path, _: pickles.read(path),
    ".pkl": lambda path, _: pickles.read(path),
}
KINDS = f"{', '.join(NAMES)}, a folder of the four IDX files, .npz, .pkl, .csv, .csv.gz or .parquet"


def load(
    source: str | os.PathLike[str],
    *,
    target: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    progress: Watcher | None = None,
    task: str = AUTO,
    ignore: Names = (),
) -> Dataset:
    """A dataset by name, or from a folder or a file.

    Args:
        source: One of `NAMES` (use `./mnist` for a folder that has such a name), a folder of the
            four IDX files, or a file: `.npz` with X, y[, X_test, y_test] or x_train, y_train,
            x_test, y_test; `.pkl`, as the notebook wrote; `.csv` or `.csv.gz` with a header row;
            `.parquet`.
        target: The label column of a table; the last one by default.
        data_dir: Where named sets are looked for first, itself or its subfolder of the set's name;
            FLEETGRAD_DATA where not given. Then the cache is asked, then the mirrors.
        progress: Told of a download's every piece.
        task: "classification", "regression" or "auto", of tables and `.npz`; as for
            `Dataset.from_arrays`.
        ignore: Columns of a table not to learn from, a name or several.

    Raises:
        DataError: The source is unknown, or what it holds cannot be learned from.
        DownloadError: A named set is nowhere here and cannot be fetched.
        UsageError: `target` or `ignore` was given for what is no table.
    """
    targets.check_task(task)
    path = Path(source)
    if str(source) not in NAMES and tables.is_table(path):
        return tables.read(path, target, ignore, task=task)
    _check_no_columns(source, target, ignore)
    if task == REGRESSION and (str(source) in NAMES or path.suffix.lower() != ".npz"):
        raise UsageError(
            f"`task` must be that of the data, got {task!r} for `{source}`, which has classes; "
            "leave it out, or give a table or an .npz file."
        )
    if str(source) == "digits":
        return _digits()
    if str(source) in catalog.SETS:
        return _named(str(source), data_dir, progress)
    return _from_path(path, task)


def fetch(
    name: str,
    *,
    mirrors: Sequence[str] | None = None,
    progress: Watcher | None = None,
    timeout: float = download.TIMEOUT,
) -> Path:
    """The folder in the user's cache that holds a named set, fetched where it is not there yet.

    Args:
        name: A key of `catalog.SETS`.
        mirrors: Addresses to ask instead of the usual ones.
        progress: Told of every piece that arrives.
        timeout: Seconds to wait for a mirror to say anything.

    Raises:
        DataError: No such name, or the cache cannot be written.
        DownloadError: Every mirror failed.
    """
    if name not in catalog.SETS:
        raise DataError(
            f"only named sets can be fetched, got {name!r}; {suggestion(name, catalog.SETS)}"
        )
    named, folder = catalog.SETS[name], cache.folder() / name
    for remote in named.files:
        download.fetch(remote, mirrors or named.mirrors, folder, progress=progress, timeout=timeout)
    return folder


def _check_no_columns(source: str | os.PathLike[str], target: str | None, ignore: Names) -> None:
    """Refuse names of columns for what has none."""
    given = {"target": target, "ignore": ignore or None}
    for option, names in given.items():
        if names is not None:
            raise UsageError(
                f"`{option}` must name a column of a table, got {names!r} for `{source}`, which is "
                "none; leave it out."
            )


def _digits() -> Dataset:
    from sklearn.datasets import load_digits  # noqa: PLC0415 - a second, for this set alone

    digits = load_digits()
    return Dataset.from_arrays(digits.images.astype("uint8"), digits.target, name="digits")


def _named(name: str, data_dir: str | os.PathLike[str] | None, progress: Watcher | None) -> Dataset:
    given = data_dir or os.environ.get("FLEETGRAD_DATA")
    files = _in_data_dir(name, Path(given)) if given else None
    return folders.read(files or _fetched(name, progress), name)


def _fetched(name: str, progress: Watcher | None) -> tuple[Path, ...]:
    folder = fetch(name, progress=progress)
    return tuple(folder / remote.name for remote in catalog.SETS[name].files)


def _in_data_dir(name: str, folder: Path) -> tuple[Path, ...] | None:
    if not folder.is_dir():
        raise DataError(
            f"`data_dir` (or FLEETGRAD_DATA) must be a folder, got `{folder}`, which is none; "
            "check the path, or leave it out to use the cache and the mirrors."
        )
    files = folders.find(folder / name) or folders.find(folder)
    held = catalog.recognized(files[1]) if files else None
    if held not in {None, name}:
        raise DataError(
            f"`{folder}` must hold `{name}`, got the files of `{held}`; load `{held}`, or name "
            f"another `data_dir`."
        )
    return files


def _from_path(path: Path, task: str) -> Dataset:
    if path.is_dir():
        files = folders.find(path)
        if files is None:
            raise DataError(
                f"`{path}` must hold the four IDX files ({folders.FILES[0]}[.gz] and so on), got "
                "none of them; check the folder."
            )
        return folders.read(files, path.resolve().name)
    reader = READERS.get(path.suffix.lower())
    if path.exists() and reader is not None:
        return reader(path, task)
    found = "a file of another kind" if path.exists() else "no such file or folder"
    raise DataError(
        f"data must be one of: {KINDS}; got `{path}`, {found}; {suggestion(str(path), NAMES)}"
    )
