import json

import jax
import numpy as np
import pytest

from fleetgrad import bench, limits
from fleetgrad.machine import Machine
from fleetgrad.settings import Settings
from fleetgrad.slices import EPOCHS

HALF = Settings(hidden=(8,), precision="bfloat16", batch_size=256, epochs=EPOCHS)
CASES = [bench.notebook_case(2), bench.Case(HALF, 1)]


@pytest.fixture(scope="module")
def measured():
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.setattr(limits, "SIZES", {"cpu": 64})
    reports = []
    yield bench.run(CASES, reports.append, rows=2_000, seconds=0.05), reports
    monkeypatch.undo()


def test_a_row_says_what_was_measured_and_how_fast_it_was(measured):
    row, half = measured[0]["rows"]
    assert (row["hidden"], row["batch_size"], row["optimizer"]) == ([100, 100], 50, "sgd")
    assert (row["population"], row["precision"]) == (2, "float32")
    assert row["network_epochs_per_s"] > 0
    assert row["compile_s"] > 0
    assert half["precision"] == "bfloat16"


def test_the_share_of_the_peak_is_that_of_the_same_run_in_the_same_precision(measured):
    peak = measured[0]["peak_gflops"]
    for row in measured[0]["rows"]:
        share = row["gflops"] / peak[row["precision"]]
        assert row["fraction_of_peak"] == pytest.approx(share)


def test_the_arithmetic_of_an_epoch_is_counted(measured):
    row, half = measured[0]["rows"]
    forward = 784 * 100 + 100 * 100 + 100 * 10
    flops = 2 * 60_000 * (3 * forward - 784 * 100)  # no gradient of the first layer's inputs
    assert row["gflops"] == pytest.approx(row["network_epochs_per_s"] * flops * 1e-9)
    flops = 2 * 60_000 * (2 * 784 * 8 + 3 * 8 * 10)  # also of the rows that fill no batch
    assert half["gflops"] == pytest.approx(half["network_epochs_per_s"] * flops * 1e-9)


def test_the_answer_is_plain_json_and_names_the_machine(measured):
    machine = json.loads(json.dumps(measured[0]))["machine"]
    assert machine["processor"]
    assert machine["cores"] >= 1


def test_progress_is_told(measured):
    assert measured[1]
    assert {(one.phase, one.rung, one.rungs) for one in measured[1]} == {
        ("bench", 1, 2),
        ("bench", 2, 2),
    }


def test_the_images_are_as_inked_as_mnist():
    material = bench.images(500)
    assert material.x.dtype == np.uint8
    assert np.count_nonzero(material.x) / material.x.size == pytest.approx(0.191, abs=0.005)


def test_the_bench_measures_wide_networks_in_both_precisions():
    wide = [case.settings for case in bench.usual_cases() if case.settings.hidden[0] > 256]
    assert {(one.hidden, one.precision) for one in wide} == {
        ((512, 512), "float32"),
        ((512, 512), "bfloat16"),
        ((1024, 1024), "float32"),
    }
    assert {(one.optimizer, one.batch_size) for one in wide} == {("adamw", 256)}
    assert all(case.settings.epochs == EPOCHS for case in bench.all_cases())


def test_the_long_bench_goes_from_one_member_to_many():
    every = bench.all_cases()
    notebook = [case.population for case in every if case.settings.hidden == (100, 100)]
    assert notebook == [1, 2, 16, 64, 256]
    assert set(bench.usual_cases()) < set(every)


def test_compilations_are_real_and_what_the_user_set_stays(tmp_path):
    def compiled():
        before = len(list(tmp_path.iterdir()))
        jax.clear_caches()
        jax.jit(lambda x: x * 3 + 1)(np.ones(3))
        return len(list(tmp_path.iterdir())) - before

    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    try:
        jax.config.update(names[0], str(tmp_path))
        jax.config.update(names[1], 0)
        with bench.compiling():
            Machine.here()
            assert compiled() == 0
        assert jax.config.jax_enable_compilation_cache
        assert jax.config.jax_compilation_cache_dir == str(tmp_path)
        assert compiled() > 0  # and JAX keeps programs again
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        bench.compilation_cache.reset_cache()
