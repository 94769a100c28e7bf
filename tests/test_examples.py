"""The examples do what they say, with little to do."""

import importlib.util
import json

import pytest

import documents
import fleetgrad as fg

EXAMPLES = documents.ROOT / "examples"
FEW = fg.Budget(candidates=4, epochs=2)


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.usefixtures("one_machine")
def test_digits_are_read(tmp_path, capsys):
    result = example("digits").main(FEW, tmp_path / "run")
    told = capsys.readouterr().out
    assert f"test {result.test.value:.2%}" in told
    assert (tmp_path / "run" / "report.html").exists()


@pytest.mark.usefixtures("one_machine")
def test_a_table_goes_through_a_pipeline(capsys):
    scores = example("table").main(FEW)
    told = capsys.readouterr().out
    for name, score in scores.items():
        assert f"{name:8s} {score:.1%} of 72 rows" in told
    assert "the best of 4 candidates: hidden layers (" in told


@pytest.mark.usefixtures("one_machine")
def test_settings_are_compared_within_replicates(capsys):
    equal = example("compare").main(epochs=2, replicates=3)
    *ranked, verdict = capsys.readouterr().out.splitlines()
    assert len(ranked) == 4
    assert verdict.startswith("best: ")
    assert ("nobody" in verdict) == (not equal)


@pytest.fixture
def notebook():
    nbformat = pytest.importorskip("nbformat")
    return nbformat.read(EXAMPLES / "first_fleet.ipynb", as_version=4)


def test_the_notebook_runs_from_its_first_cell_to_its_last(notebook, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("FLEETGRAD_EXAMPLE", "4,2")
    client = nbclient.NotebookClient(notebook, resources={"metadata": {"path": tmp_path}})
    client.execute()
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    assert "Dataset('digits'" in outputs[0][0]["data"]["text/plain"]
    assert (tmp_path / "runs" / "digits-1" / "report.html").exists()


def test_the_notebook_is_kept_without_outputs(notebook):
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert "language_info" in json.loads((EXAMPLES / "first_fleet.ipynb").read_text())["metadata"]
