import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetgrad.candidates import Candidates
from fleetgrad.errors import RunError
from fleetgrad.settings import ACTIVATIONS, LOSSES, OPTIMIZERS, SCHEDULES, Settings
from fleetgrad.store import CurvePoint, Run
from runs import TWO, point, raw

rates = st.floats(1e-9, 1e9)


shares = st.floats(0, 1, exclude_max=True)


some_settings = st.builds(
    Settings,
    hidden=st.lists(st.integers(1, 4096), max_size=4).map(tuple),
    activation=st.sampled_from(ACTIVATIONS),
    bias=st.booleans(),
    loss=st.sampled_from(LOSSES),
    optimizer=st.sampled_from(OPTIMIZERS),
    learning_rate=rates,
    weight_decay=rates,
    momentum=shares,
    schedule=st.sampled_from(SCHEDULES),
    batch_size=st.integers(1, 10**6),
    dropout=shares,
)


proposals = st.lists(
    st.lists(st.tuples(st.integers(0, 2**62), some_settings), min_size=1, max_size=4),
    max_size=3,
).filter(lambda all_: len({i for g in all_ for i, _ in g}) == sum(map(len, all_)))


@given(proposals)
@settings(max_examples=20)
def test_any_candidates_come_back_in_their_order(generations):
    expected = {
        number: Candidates(*map(tuple, zip(*members, strict=True)))
        for number, members in enumerate(generations)
    }
    with tempfile.TemporaryDirectory() as folder, Run.create(Path(folder, "run"), {}) as run:
        for number, candidates in expected.items():
            run.put_candidates(number, candidates)
        assert run.generations() == expected


def test_the_same_proposal_again_changes_nothing_and_another_is_refused(place):
    with Run.open(place) as run:
        run.put_candidates(0, TWO)
        with pytest.raises(RunError, match="generation 0 .* other candidates; resume with"):
            run.put_candidates(0, Candidates.numbered([Settings(), Settings()]))
        with pytest.raises(RunError, match="candidates once"):
            run.put_candidates(1, Candidates.numbered([Settings()], first=1))
        assert run.generations() == {0: TWO}


def test_curves_come_ordered_by_candidate_replicate_and_epoch_and_keep_nan(tmp_path):
    diverged = CurvePoint("search", 1, 0, 1, math.nan, 0.1, math.inf, math.nan)
    numpy_point = CurvePoint("search", np.int64(0), np.int32(2), 1, *np.float32([1, 0, 1, 0]))
    with Run.create(tmp_path / "run", {}) as run:
        run.commit("search/0", payload={}, curves=[diverged, numpy_point])
        run.commit("search/1", payload={}, curves=[point(0, 2)])
        curves = run.curves()
    assert [one[:4] for one in curves] == [
        ("search", 0, 0, 2),
        ("search", 0, 2, 1),
        ("search", 1, 0, 1),
    ]
    assert math.isnan(curves[2].train_loss)
    assert curves[2].validation_loss == math.inf
    assert math.isnan(curves[2].validation_score)


def test_every_opening_of_the_test_part_is_counted_and_stays(place):
    for number, opener in enumerate(["tune", "a curious person"], start=1):
        with Run.open(place) as run:
            assert run.open_test(opener) == number
    with Run.open(place, write=False) as run:
        assert [one[::2] for one in run.test_openings()] == [(1, "tune"), (2, "a curious person")]


def test_notes_come_in_their_order_with_their_particulars(place):
    with Run.open(place) as run:
        run.note("diverged", {"candidate": 1, "loss": math.inf})
        run.note("interrupted", {})
        assert [(one.kind, one.payload) for one in run.notes()] == [
            ("diverged", {"candidate": 1, "loss": math.inf}),
            ("interrupted", {}),
        ]


@pytest.mark.parametrize(
    ("change", "read"),
    [
        ("UPDATE segments SET payload = '{'", lambda run: run.segment("search/0")),
        ("UPDATE segments SET payload = '3'", lambda run: run.segment("search/0")),
        ("UPDATE segments SET payload = x'ff'", lambda run: run.segment("search/0")),
        ("UPDATE segments SET payload = CAST(x'ff' AS TEXT)", lambda run: run.segment("search/0")),
        ("UPDATE segments SET size = 'x'", lambda run: run.weights("search/0")),
        ("UPDATE candidates SET settings = '{\"hiden\": [1]}'", Run.generations),
        ('UPDATE candidates SET settings = \'{"hidden": {"a": 1}}\'', Run.generations),
        ("UPDATE candidates SET settings = '{\"batch_size\": 1e999}'", Run.generations),
        ("UPDATE candidates SET settings = '[[]]'", Run.generations),
        ("UPDATE candidates SET settings = 5", Run.generations),
        ("UPDATE curves SET train_loss = 'x'", Run.curves),
        ("UPDATE curves SET epoch = 'x'", Run.curves),
    ],
)
def test_rows_that_we_cannot_have_written_are_a_damaged_record(place, change, read):
    with raw(place) as record:
        record.execute(change)
    with Run.open(place, write=False) as run, pytest.raises(RunError, match="must be the record"):
        read(run)
