"""The arithmetic of the benchmarks of scale and of the soak, not their time and memory."""

import numpy as np
import pytest

import scale
import soak
from crowd import BEST_RATE, BROKEN_RATE, Crowd
from fleetgrad.settings import Settings
from fleetgrad.store import Run
from fleetgrad.trainees import Member
from scale_page import markdown
from soak import Reading


def test_a_crowd_goes_along_its_curves_and_back():
    rates = (BEST_RATE, 0.1, BROKEN_RATE)
    settings = {
        Member(n, 0): Settings(learning_rate=rate, epochs=4) for n, rate in enumerate(rates)
    }
    one, other = Crowd(2).populate(settings), Crowd(2).populate(settings)
    assert one.advance({Member(0, 0): 3, Member(1, 0): 2}, lambda: True)
    assert [len(one.curve(member)) for member in settings] == [3, 2, 0]
    assert one.advance(9, lambda: True)
    assert one.network_epochs == 12
    curves = [one.curve(member) for member in settings]
    assert [len(curve) for curve in curves] == [4, 4, 0]
    assert curves[0][-1, 3] > curves[1][-1, 3]
    assert [one.diverged_at(member) is None for member in settings] == [True, True, False]
    other.restore(one.state())
    assert np.array_equal(other.curve(Member(1, 0)), curves[1])


def test_a_study_of_nobody_trained_ends_with_everyone_on_its_record(tmp_path):
    found = scale.studied(tmp_path / "run", 40)
    assert found["study_seconds"] > 0
    with Run.open(tmp_path / "run", write=False) as run:
        assert sum(map(len, run.generations().values())) == 40
        assert run.segment("refit") is not None


def test_the_page_has_a_line_a_size():
    row = {
        "candidates": 1000,
        "study_seconds": 0.5,
        "ms_a_candidate": 0.5,
        "memory_bytes": 2e8,
        "bytes_a_candidate": 900.0,
        "database_bytes": 6e5,
        "database_bytes_a_candidate": 600.0,
        "verdict_seconds": 0.1,
    }
    machine = {"processor": "p", "cores": 2, "system": "s", "python": "3"}
    page = markdown(
        {"date": "d", "machine": machine, "lanes": 1000, "epochs": 9, "rows": [row, row]}
    )
    assert page.count("| 1,000 | 0.5 | 0.500 | 200 | 900 | 0.6 | 600 | 0.1 |") == 2


def readings(**growing):
    """Sixteen, in which these go up by so much each time."""
    return [
        Reading(float(n), *(100 + n * growing.get(name, 0) for name in Reading._fields[1:]))
        for n in range(16)
    ]


def test_what_stays_flat_has_not_grown():
    assert soak.grown(readings()) == {}
    assert soak.grown(readings(memory=1000)) == {}, "a little memory comes and goes"
    assert "grew" not in soak.table(readings())


@pytest.mark.parametrize("name", soak.SLACK)
def test_what_grows_is_found(name):
    each = 3 * soak.MEGABYTE if name == "memory" else 1
    found = readings(**{name: each})
    assert set(soak.grown(found)) == {name}
    assert soak.table(found).count("grew") == 1
