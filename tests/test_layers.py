"""The plan of the house: who may import whom, and which library stays behind which border.

Imports are read from the source, those inside functions and for the type checker included.
"""

import ast
import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import fleetgrad

FLOORS = (
    "errors",
    (
        "augmentation cache checks clock durable kernels keys metrics parsimony payload settings"
        " stages views weights"
    ),
    (
        "activations augment batches data embeddings frames layers losses network normalization"
        " optimizers products scoring sharing space"
    ),
    (
        "candidates divergence earlier effects ends extrapolation forward graph inference intake"
        " proposals shapes states steps strategies trainees training trials validation"
    ),
    "programs",
    (
        "audit budget doubling evolving failures feeds finals lanes leaderboard machine material"
        " memory plan population rungs samplers selection spill timing underway"
    ),
    (
        "answers aside audits calibration database defaults directory distilled distilling"
        " ensemble ensembling fleet forecast growing heldout history insight lengthening lock"
        " model models pace plots predictor preparing probing pulse record recovery repeats result"
        " rounds rows saved search settled soundness standing store stretching study takeover"
        " temperatures unsealing verdict"
    ),
    (
        "__main__ api bench cli cluster dashboard display estimators folds limits notebook"
        " refitting report slices watch"
    ),
)
FLOOR = {name: floor for floor, names in enumerate(FLOORS) for name in names.split()}
TOP = len(FLOORS) - 1  # where the package itself stands: it offers everything

ARRAYS = (
    "activations augment batches bench embeddings failures kernels keys lanes limits losses machine"
    " material memory network normalization notebook optimizers population products scoring sharing"
    " soundness spill states steps training underway validation"
)
BORDERS = {  # library -> the modules that may name it
    "IPython": "display",
    "dask": "cluster",
    "distributed": "cluster",
    "jax": ARRAYS,
    "jaxlib": ARRAYS,
    "jinja2": "report",
    "narwhals": "data",
    "onnx": "graph",
    "optax": "optimizers steps",
    "optuna": "dashboard samplers",
    "optuna_dashboard": "dashboard",
    "pickle": "data",
    "plotly": "report",
    "rich": "cli display",
    "safetensors": "weights",
    "polars": "data frames",
    "sklearn": "data effects estimators",
    "sqlite3": "database record store",
    "starlette": "watch",
    "typer": "cli",
    "uvicorn": "watch",
}
SEARCH = (
    "audit audits budget calibration distilled distilling divergence doubling earlier effects ends"
    " ensembling evolving extrapolation finals insight leaderboard pace parsimony plan recovery"
    " repeats rounds rungs samplers search selection space standing strategies study temperatures"
    " timing trainees trials"
)
TRAINING = {
    "augment",
    "batches",
    "fleet",
    "lanes",
    "losses",
    "memory",
    "network",
    "optimizers",
    "population",
    "programs",
    "scoring",
    "shapes",
    "spill",
    "states",
    "training",
    "underway",
    "validation",
}

CONTRACT = {
    *("Budget", "Choice", "Dataset", "FleetgradError", "Float", "Int", "Model", "Settings"),
    *("Space", "load", "train", "tune"),
}

ROOT = Path(fleetgrad.__file__).parent
FILES = {path.relative_to(ROOT): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in FILES.items()}


def dotted(file: Path) -> str:
    parts = ("fleetgrad", *file.with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {dotted(file): tree for file, tree in TREES.items()}


def noun(module: str) -> str:
    """The name on the plan: `data` for all of `fleetgrad.data`."""
    return module.split(".")[1] if "." in module else ""


@cache
def imports(module: str) -> set[str]:
    """Everything a module imports, as dotted names; of our own, the very modules."""
    found = set()
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports by relative path"
            for alias in node.names:
                deeper = f"{node.module}.{alias.name}"
                found.add(deeper if deeper in MODULES else node.module)
    return found


@cache
def own(module: str) -> set[str]:
    return {name for name in imports(module) if name.split(".")[0] == "fleetgrad"}


INSIDE = [module for module in MODULES if noun(module)]


def test_every_module_has_its_place_on_the_plan():
    assert {noun(module) for module in INSIDE} <= set(FLOOR)


@pytest.mark.parametrize("module", INSIDE)
def test_a_module_imports_from_its_own_floor_or_a_lower_one(module):
    above = {name for name in own(module) if FLOOR.get(noun(name), TOP) > FLOOR[noun(module)]}
    assert not above


def test_nobody_imports_in_a_circle():
    graph = {module: own(module) - {module} for module in INSIDE}
    TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("library", BORDERS)
def test_a_library_stays_behind_its_border(library):
    users = {
        noun(module)
        for module in MODULES
        if any(name.split(".")[0] == library for name in imports(module))
    }
    assert users <= set(BORDERS[library].split())


@pytest.mark.parametrize("module", SEARCH.split())
def test_the_search_never_sees_training(module):
    used = set().union(*(own(file) for file in INSIDE if noun(file) == module))
    assert not {noun(name) for name in used} & TRAINING


def identifiers(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        for field in ("id", "attr", "arg", "name", "asname", "module"):
            value = getattr(node, field, None)
            if isinstance(value, str):
                found.add(value)
    return found


def words(identifier: str) -> set[str]:
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", identifier)}


@pytest.mark.parametrize("module", SEARCH.split())
def test_the_search_never_names_the_sealed_test_part(module):
    files = [name for name in INSIDE if noun(name) == module]
    named = set().union(*(identifiers(MODULES[name]) for name in files))
    assert not {name for name in named if words(name) & {"test", "sealed"}}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_evaluated_or_unpickled_by_the_way(module):
    calls = {
        ast.unparse(node.func) for node in ast.walk(MODULES[module]) if isinstance(node, ast.Call)
    }
    assert not calls & {"eval", "exec", "compile", "pickle.load", "pickle.loads", "__import__"}


@pytest.mark.parametrize("module", MODULES)
def test_arrays_from_a_file_never_admits_pickled_objects(module):
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            assert ast.unparse(node.value) == "False"


def test_the_public_list_is_sorted_and_keeps_the_contract():
    assert list(fleetgrad.__all__) == sorted(fleetgrad.__all__)
    assert set(fleetgrad.__all__) >= CONTRACT


def test_every_public_name_exists_and_no_other_is_shown():
    assert all(getattr(fleetgrad, name) is not None for name in fleetgrad.__all__)
    assert set(dir(fleetgrad)) >= set(fleetgrad.__all__)


def test_no_public_name_hides_a_module():
    # `from fleetgrad import train` would be the one before the first use and the other after.
    assert not set(fleetgrad.__all__) & {noun(module) for module in INSIDE}
