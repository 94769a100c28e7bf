import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from fleetgrad import notebook
from fleetgrad.data import Dataset, load
from fleetgrad.errors import DataError, UsageError
from fleetgrad.machine import Machine
from fleetgrad.material import Material
from fleetgrad.population import Population
from fleetgrad.trainees import Member

MACHINE = Machine.here()
CONTRACT = {
    *("eta", "alpha", "epochs", "replicates", "loss_running_mean"),
    *("train_accuracy_running_mean", "test_accuracy_raw", "test_accuracy_scaled"),
    *("alive", "seconds"),
}


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """One machine for all tests, so that the program is compiled once."""
    monkeypatch.setattr(Machine, "here", lambda: MACHINE)


def images(rows, seed):
    """Blots in bytes with a fifth of the pixels inked, a blot of its own for each class."""
    draw = np.random.default_rng(seed)
    classes = np.random.default_rng(99).uniform(0, 1, (10, 28, 28)) < 0.2
    y = np.arange(rows) % 10
    ink = draw.integers(0, 256, (rows, 28, 28)) * (
        classes[y] ^ (draw.uniform(0, 1, (rows, 28, 28)) < 0.02)
    )
    return ink.astype(np.uint8), y


@pytest.fixture(scope="module")
def data():
    """MNIST's shape on a small scale: 230 images to learn from, of which 30 fill no batch."""
    return Dataset.from_arrays(*images(230, 0), *images(100, 1))


def logistic(z):
    return 1 / (1 + np.exp(-z))


def slope(z):
    return logistic(np.rint(z)) * (1 - logistic(np.rint(z)))


def transcribed(x, y, rate, epochs, replicate):
    """NOTEBOOK.md in NumPy and float64; running means of loss and accuracy, and the weights."""
    count = len(x) // 50
    batches = x[: count * 50].reshape(count, 50, -1).astype(float)
    low, high = batches.min(axis=0), batches.max(axis=0)
    batches = (batches - low) / np.where(high == low, 1, high - low)
    labels = np.eye(10)[y[: count * 50]].reshape(count, 50, 10)
    draw = np.random.RandomState(replicate)
    weights = [draw.randn(*size) for size in pairwise((x.shape[1], 100, 100, 10))]
    before, losses, right = [0.0] * 3, [], []
    for _ in range(epochs):
        for a1, y_ in zip(batches, labels, strict=True):
            z2 = a1 @ weights[0]
            z3 = logistic(z2) @ weights[1]
            z4 = logistic(z3) @ weights[2]
            a4 = logistic(z4)
            losses.append(-(y_ * np.log(a4) + (1 - y_) * np.log(1 - a4)).sum())
            right.append((a4.argmax(1) == y_.argmax(1)).mean())
            e4 = 2 * (y_ - a4) * slope(z4)
            e3 = (e4 @ weights[2].T) * slope(z3)
            e2 = (e3 @ weights[1].T) * slope(z2)
            steps = [rate * g for g in (a1.T @ e2, logistic(z2).T @ e3, logistic(z3).T @ e4)]
            for number, step in enumerate(steps):
                weights[number] = weights[number] + step + rate * before[number]
            before = steps
    return np.mean(losses), np.mean(right), weights


def predicted(x, weights):
    for weight in weights[:-1]:
        with np.errstate(over="ignore"):
            x = logistic(x @ weight)
    return (x @ weights[-1]).argmax(1)


@pytest.fixture(scope="module")
def result(data):
    """Two initial weights, a fiftieth of the epochs: 2, 2 and 1."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Machine, "here", lambda: MACHINE)
        return notebook.run(data, replicates=2, epochs_scale=0.02)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("replicate", [0, 1])
def test_the_engine_does_what_the_notebook_did(data, result, number, replicate):
    found = result["experiments"][number]
    loss, right, weights = transcribed(data.x, data.y, found["eta"], found["epochs"], replicate)
    assert found["loss_running_mean"][replicate] == pytest.approx(loss, rel=1e-4)
    assert found["train_accuracy_running_mean"][replicate] == pytest.approx(right, abs=0.005)
    x, y = images(100, 1)
    raw = x.reshape(100, -1).astype(float)
    for name, inputs in [("test_accuracy_raw", raw), ("test_accuracy_scaled", raw / 255)]:
        accuracy = (predicted(inputs, weights) == y).mean()
        assert found[name][replicate] == pytest.approx(accuracy, abs=0.011)


def test_weights_after_two_epochs_are_the_notebooks(data):
    settings = notebook.settings(0.01, 2)
    material = Material(data.x, data.y, 10, {0: notebook.view(data.x)})
    member = Member(0, 0)
    population = Population(material, {member: settings}, notebook.NotebookDraws(), MACHINE)
    assert population.advance(2)
    *_, weights = transcribed(data.x, data.y, 0.01, 2, 0)
    started = notebook.NotebookDraws().initial(settings, 0, 784, 10)
    for layer, expected, begun in zip(population.params(member), weights, started, strict=True):
        assert set(layer) == {"weight"}, "no biases"
        assert np.abs(expected - begun["weight"]).max() > 0.01, "it has learned something"
        np.testing.assert_allclose(layer["weight"], expected, atol=2e-3)


def test_initial_weights_are_those_of_the_reference():
    drawn = notebook.NotebookDraws().initial(notebook.settings(0.01, 1), 7, 784, 10)
    draw = np.random.RandomState(7)
    for layer, size in zip(drawn, [(784, 100), (100, 100), (100, 10)], strict=True):
        assert np.array_equal(layer["weight"], draw.randn(*size).astype(np.float32))


def test_rows_come_in_the_order_of_the_file():
    rows = np.arange(7)
    assert np.array_equal(notebook.NotebookDraws().order(rows, 3, 9), rows)


def test_each_position_and_pixel_is_scaled_by_its_own_extremes(data):
    view = notebook.view(data.x)
    assert np.array_equal(view.train, np.arange(200))
    batches = data.x[:200].reshape(4, 50, 784).astype(float)
    low, high = batches.min(axis=0), batches.max(axis=0)
    expected = (batches - low) / np.where(high == low, 1, high - low)
    np.testing.assert_allclose((batches - view.shift) * view.scale, expected, atol=1e-6)
    assert view.shift.shape == view.scale.shape == (50, 784)


def test_the_object_has_the_keys_of_the_contract_and_is_strict_json(result):
    found = json.loads(json.dumps(result, allow_nan=False))
    assert len(found["experiments"]) == 3
    for one, (rate, epochs) in zip(
        found["experiments"], [(0.01, 2), (0.001, 2), (0.01, 1)], strict=True
    ):
        assert set(one) >= CONTRACT
        assert (one["eta"], one["alpha"], one["epochs"], one["replicates"]) == (
            (rate, rate, epochs, 2)
        )
        for name in CONTRACT:
            assert not isinstance(one[name], list) or len(one[name]) == 2
    assert sum(one["seconds"] for one in found["experiments"]) == pytest.approx(found["seconds"])


def test_experiments_of_one_rate_begin_alike(data, result):
    first, _, third = result["experiments"]
    for replicate in (0, 1):
        loss, *_ = transcribed(data.x, data.y, 0.01, 1, replicate)
        assert third["loss_running_mean"][replicate] == pytest.approx(loss, rel=1e-4)
        assert first["loss_running_mean"][replicate] != third["loss_running_mean"][replicate]


def test_the_table_stands_beside_what_was_published(result):
    rows = notebook.table(result)
    assert [row["experiment"] for row in rows] == [1, 2, 3]
    assert [row["test_accuracy_published"] for row in rows] == [0.9424, 0.9145, 0.9403]
    for row, found in zip(rows, result["experiments"], strict=True):
        assert row["lowest_raw"] == min(found["test_accuracy_raw"])
        assert row["highest_raw"] == max(found["test_accuracy_raw"])
        assert row["alive"] == found["alive"]


def test_medians_are_of_those_alive_where_any_are():
    one = {
        "eta": 0.01, "epochs": 100, "replicates": 3, "alive": 1,
        "test_accuracy_raw": [0.94, 0.85, 0.6], "test_accuracy_scaled": [0.95, 0.9, 0.8],
        "loss_running_mean": [20.0, 40.0, 60.0], "train_accuracy_running_mean": [0.9, 0.8, 0.7],
    }  # fmt: skip
    dead = one | {"alive": 0, "test_accuracy_raw": [0.5, 0.6, 0.4]}
    first, _, third = notebook.table({"experiments": [one, dead, dead]})
    assert (first["test_accuracy_raw"], first["loss"]) == (0.94, 20)
    assert (third["test_accuracy_raw"], third["loss"]) == (0.5, 40)
    assert first["mean_raw"] == pytest.approx((0.94 + 0.85 + 0.6) / 3)


def test_alive_is_who_lost_no_output_unit(data, monkeypatch):
    experiments = tuple(one._replace(alive_above=-1.0) for one in notebook.EXPERIMENTS)
    monkeypatch.setattr(notebook, "EXPERIMENTS", experiments)
    found = notebook.run(data, replicates=1, epochs_scale=0.01)
    assert [one["alive"] for one in found["experiments"]] == [1, 1, 1]


def test_progress_is_reported(data):
    seen = []
    notebook.run(data, replicates=1, epochs_scale=0.01, report=seen.append)
    assert seen[0].phase == "notebook"
    assert seen[0].alive == 3


@pytest.mark.parametrize(("replicates", "scale"), [(0, 1), (16, 0), (16, -1), (16, float("inf"))])
def test_counts_out_of_range_are_refused(data, replicates, scale):
    with pytest.raises(UsageError, match="`replicates` must be at least 1 and `epochs_scale`"):
        notebook.run(data, replicates, scale)


def test_data_the_notebook_could_not_have_read_are_refused(data):
    floats = replace(data, x=data.x.astype(np.float32))
    few = Dataset.from_arrays(*images(40, 0), *images(10, 1))
    x, y = images(230, 0)
    two = Dataset.from_arrays(x, y % 2)
    for other in (floats, few, two):
        with pytest.raises(DataError, match="need at least 50 byte images of ten classes, got"):
            notebook.run(other, 1)


def test_real_images_are_learned_from_as_the_notebook_learned(shared_data):
    found = notebook.run(shared_data / "mnist", replicates=1, epochs_scale=0.01)
    first, second, third = found["experiments"]
    assert [one["epochs"] for one in found["experiments"]] == [1, 1, 1]
    # The notebook printed 254 and 288 after its first epochs at 0.01, from weights of its own,
    # and 375 at 0.001.
    assert 200 < first["loss_running_mean"][0] < 350
    assert first["loss_running_mean"] == third["loss_running_mean"]
    assert second["loss_running_mean"][0] > first["loss_running_mean"][0]
    assert first["train_accuracy_running_mean"][0] > 0.3


def test_without_being_told_the_data_are_mnist(monkeypatch, data):
    asked = []
    monkeypatch.setattr(notebook, "load", lambda source: asked.append(source) or data)
    notebook.run(replicates=1, epochs_scale=0.01)
    assert asked == ["mnist"]
    assert load is not notebook.load
