"""The documentation: it builds without a warning, and says what is."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

import documents
import fleetgrad as fg
from fleetgrad import estimators, settings
from fleetgrad.cli import app
from test_layers import FLOORS

DOCS = documents.ROOT / "docs"
COMPARING = ("corrected", "mean_interval", "rank", "ties", "wilson")
MEASURED = ("throughput", "search-quality", "tables", "scale")  # written by their scripts
PAGES = [path for path in documents.PAGES if path.is_relative_to(DOCS)]
WRITTEN = [path for path in PAGES if path.stem not in {*MEASURED, "index"} or path.parent != DOCS]
API = "".join(path.read_text() for path in (DOCS / "reference").glob("*.md"))


def hooks():
    """What fills in the pages as they are built."""
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def filled(page):
    """A page as MkDocs reads it."""
    return hooks().on_page_markdown((DOCS / page).read_text())


def test_the_pages_build_without_a_warning_and_ask_nobody_else_for_anything(tmp_path):
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        check=False,
        cwd=documents.ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    pages = [page.read_text() for page in tmp_path.rglob("*.html")]
    assert len(pages) > len(PAGES)  # one says that there is no such page
    for page in pages:
        fetched = re.findall(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=\"?([^\" >]+)", page)
        assert fetched
        assert not [one for one in fetched if "//" in one]


def test_code_on_a_page_is_that_of_the_source():
    page = filled("explanation/gradients.md")
    assert 'title="src/fleetgrad/products.py"' in page
    assert "return slope @ weight.T, barrier(x.T) @ slope" in page
    assert "```source" not in page


def test_a_part_that_is_not_there_cannot_be_shown():
    for wanted in ("fleetgrad.losses.hinge", "fleetgrad.losses.huber\nnothing ... at all", "a.b"):
        with pytest.raises(LookupError):
            hooks().lines(wanted)


def test_the_house_on_the_page_is_the_house():
    floors = filled("explanation/design.md").split("### Floor ")[1:]
    assert [re.findall(r"^\| `(\w+)` \| \S", floor, re.MULTILINE) for floor in floors] == [
        sorted(names.split()) for names in FLOORS
    ]


def test_every_command_and_hyperparameter_is_in_the_reference():
    page = filled("reference/command-line.md")
    assert re.findall(r"^## fleetgrad (.*)$", page, re.MULTILINE) == [*leaves(get_command(app))]
    names = re.findall(r"^\| `(\w+)` \| `", filled("reference/toml.md"), re.MULTILINE)
    assert tuple(names) == settings.NAMES


def leaves(command, before=""):
    """The commands that do something, by their whole names."""
    for name, sub in command.commands.items():
        if hasattr(sub, "commands"):
            yield from leaves(sub, f"{name} ")
        else:
            yield before + name


def test_every_page_is_in_the_navigation_and_the_other_way_round():
    def leaves(part):
        if isinstance(part, str):
            yield part
        else:
            for one in part.values() if isinstance(part, dict) else part:
                yield from leaves(one)

    text = (documents.ROOT / "mkdocs.yml").read_text()
    assert sorted(leaves(yaml.safe_load(text)["nav"])) == sorted(
        str(page.relative_to(DOCS)) for page in PAGES
    )


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.stem)
def test_a_page_begins_with_what_one_can_do_after_it(page):
    title, opening = page.read_text().split("\n\n")[:2]
    assert title.startswith("# ")
    assert opening.startswith("*After this page you can ")
    assert opening.endswith(".*")


def test_every_public_name_is_in_the_reference_once():
    shown = re.findall(r"^::: fleetgrad\.([\w.]+)$", API, re.MULTILINE)
    homes = {"estimators": estimators.__all__, "finals": COMPARING, "plots": ("Plots",)}
    others = [f"{home}.{name}" for home, names in homes.items() for name in names]
    assert sorted(shown) == sorted([*fg.__all__, *others])


def test_the_keys_of_a_result_are_those_in_the_reference(digits, world, tmp_path):
    result = fg.tune(digits, budget=fg.Budget(candidates=3, epochs=2), out=tmp_path, page=False)
    tune = (DOCS / "reference/json.md").read_text().split("## ")[1]
    assert re.findall(r"^\| `(\w+)`", tune, re.MULTILINE) == list(result.to_dict())


@pytest.fixture
def digits():
    return fg.load("digits")


def test_laws_are_kept_by_tests_that_there_are():
    named = re.findall(r"`(test_\w+)`", (DOCS / "explanation/design.md").read_text())
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    assert named
    for name in named:
        assert f"def {name}(" in tests


def test_variables_on_the_page_are_those_that_are_read():
    page = (DOCS / "reference/command-line.md").read_text()
    sources = "".join(path.read_text() for path in (documents.ROOT / "src").rglob("*.py"))
    assert set(re.findall(r"FLEETGRAD_[A-Z]+", page)) == set(
        re.findall(r"FLEETGRAD_[A-Z]+", sources)
    )


def test_links_from_the_readme_lead_somewhere():
    for page in (documents.ROOT / "README.md", documents.ROOT / "CONTRIBUTING.md"):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert "//" in link or (documents.ROOT / link).exists()


def test_pictures_are_there_for_light_and_for_dark_and_all_are_shown():
    shown = set()
    for page in documents.PAGES:
        for picture in re.findall(r"(?:srcset|src)=\"([^\"]+)\"", page.read_text()):
            shown.add((page.parent / picture).resolve())
    kept = {path.resolve() for path in (DOCS / "images").iterdir()}
    assert shown == kept
    assert {path.stem.rpartition("-")[2] for path in kept} == {"light", "dark"}
