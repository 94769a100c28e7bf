import json

import numpy as np
import pytest

from fleetgrad import bench

CASE = bench.notebook_case(2)


@pytest.fixture(scope="module")
def measured():
    reports = []
    return bench.run([CASE], reports.append, rows=2_000), reports


def test_a_row_says_what_was_measured_and_how_fast_it_was(measured):
    (row,) = measured[0]["rows"]
    assert (row["hidden"], row["batch_size"], row["optimizer"]) == ([100, 100], 50, "sgd")
    assert (row["population"], row["precision"]) == (2, "float32")
    assert row["network_epochs_per_s"] > 0
    assert row["compile_s"] > 0


def test_the_share_of_the_peak_is_that_of_the_same_run(measured):
    (row,), peak = measured[0]["rows"], measured[0]["peak_gflops"]
    assert row["fraction_of_peak"] == pytest.approx(row["gflops"] / peak["float32"])
    assert peak["bfloat16"] > 0


def test_the_arithmetic_of_an_epoch_is_counted(measured):
    (row,) = measured[0]["rows"]
    forward = 784 * 100 + 100 * 100 + 100 * 10
    flops = 2 * 60_000 * (3 * forward - 784 * 100)  # no gradient of the first layer's inputs
    assert row["gflops"] == pytest.approx(row["network_epochs_per_s"] * flops * 1e-9)


def test_the_answer_is_plain_json_and_names_the_machine(measured):
    machine = json.loads(json.dumps(measured[0]))["machine"]
    assert machine["processor"]
    assert machine["cores"] >= 1


def test_progress_is_told(measured):
    assert measured[1]
    assert {one.phase for one in measured[1]} == {"bench"}


def test_the_images_are_as_inked_as_mnist():
    material = bench.images(500)
    assert material.x.dtype == np.uint8
    assert np.count_nonzero(material.x) / material.x.size == pytest.approx(0.191, abs=0.005)


def test_the_long_bench_goes_from_one_member_to_many():
    populations = [case.population for case in bench.all_cases()]
    assert populations == [1, 2, 16, 64, 256, 16]
