"""What `import fleetgrad` gives: exactly the public names, and nothing slow before it is used."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import fleetgrad

SLOW = ("jax", "optax", "optuna", "scipy", "sklearn", "PIL", "safetensors", "rich", "typer")
LISTED = [name for name in fleetgrad.__all__ if not name.startswith("_")]


def loaded_by(statement):
    """Which slow libraries a fresh process has after a statement."""
    script = f"{statement}; import sys; print(*(set(sys.modules) & {set(SLOW)}))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_importing_the_package_loads_nothing_slow():
    assert loaded_by("import fleetgrad; dir(fleetgrad); fleetgrad.__version__") == set()


def test_writing_a_space_and_a_budget_down_loads_nothing_slow():
    statement = "import fleetgrad as fg; fg.Space(dropout=fg.Float(0, 0.5)); fg.Budget(seconds=9)"
    assert loaded_by(statement) == set()


@pytest.mark.parametrize("name", LISTED)
def test_a_public_name_is_documented_and_comes_from_where_it_is_said_to(name):
    found = getattr(fleetgrad, name)
    assert inspect.getdoc(found)
    assert found.__name__ == name
    assert found.__module__.startswith(f"fleetgrad.{fleetgrad._HOMES[name]}")


def test_the_list_is_sorted_and_the_same_wherever_it_is_kept():
    assert fleetgrad.__all__ == sorted(fleetgrad.__all__)
    assert list(fleetgrad._HOMES) == fleetgrad.__all__
    tree = ast.parse(Path(fleetgrad.__file__).read_text(encoding="utf-8"))
    typed = {
        (alias.name, node.module)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module != "typing"
        for alias in node.names
    }
    assert typed == {(name, f"fleetgrad.{home}") for name, home in fleetgrad._HOMES.items()}


def test_dir_shows_the_public_names_and_the_version():
    assert set(dir(fleetgrad)) == {*fleetgrad.__all__, "__version__"}


def test_a_star_brings_them_all():
    space = {}
    exec("from fleetgrad import *", space)
    assert set(space) - {"__builtins__"} == set(fleetgrad.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match="`fleetgrad` has no attribute `tunes`"):
        fleetgrad.tunes  # noqa: B018
    with pytest.raises(ImportError, match="tunes"):
        exec("from fleetgrad import tunes")


def test_errors_can_be_caught_by_one_public_name():
    with pytest.raises(fleetgrad.FleetgradError):
        fleetgrad.Budget(candidates=0, epochs=0)
