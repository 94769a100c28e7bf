"""What is searched where nobody says: the default space of a dataset, as a value and as a text."""

from os import PathLike

from fleetgrad import soundness
from fleetgrad.data import AUTO, Dataset, load
from fleetgrad.data.columns import Names
from fleetgrad.metrics import REGRESSION
from fleetgrad.space import NAMED, Space, default_toml, meaning, named_toml

Path_ = str | PathLike[str]


def default_space(
    data: Dataset | Path_,
    *,
    target: str | None = None,
    data_dir: Path_ | None = None,
    task: str = AUTO,
    ignore: Names = (),
) -> Space:
    """What `tune` searches in these data if it is told no space.

    Args:
        data: A dataset, what `load` takes, or "notebook" for the network of the notebook.
        target: The column to predict, for tables.
        data_dir: Where named sets lie.
        task: "classification", "regression" or "auto", of data to load.
        ignore: Columns of a table to load not to learn from.

    Raises:
        FleetgradError: The data cannot be loaded.
    """
    return meaning(default_text(data, target=target, data_dir=data_dir, task=task, ignore=ignore))


def default_text(
    data: Dataset | Path_,
    *,
    target: str | None = None,
    data_dir: Path_ | None = None,
    task: str = AUTO,
    ignore: Names = (),
) -> str:
    """The same as TOML, with a reason for each line; arguments as for `default_space`.

    Images are multiplied in whichever precision is faster here.

    Raises:
        FleetgradError: The data cannot be loaded.
    """
    if not isinstance(data, Dataset):
        if str(data) in NAMED:
            return named_toml(str(data))
        data = load(data, target=target, data_dir=data_dir, task=task, ignore=ignore)
    precision = "float32"
    if data.image_shape is not None:
        precision = soundness.here().arithmetic("auto", filled=1.0).precision
    return default_toml(
        data.rows,
        data.features,
        data.image_shape,
        precision,
        len(data.classes),
        numbers=data.task == REGRESSION,
    )
