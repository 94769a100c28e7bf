"""Scores on the rows held out: each row once, whatever the blocks."""

import dataclasses

import numpy as np
import pytest

import reference
from fleetgrad import validation
from test_training import FEED, MATERIAL, ROWS, SMALL, VALUES, started


@pytest.mark.parametrize("block", [1, 7, 39, 40, 1000])
def test_validation_rows_are_scored_once_whatever_the_blocks(block, monkeypatch):
    shape, state = started(SMALL)
    monkeypatch.setattr(validation, "ROWS", block)
    found = validation.validate(shape, state, VALUES, FEED, ROWS)
    rows = MATERIAL.views[0].validation
    logits = reference.Network(state.params, SMALL, 1).logits(MATERIAL.x[rows] / 16)
    shares = reference.softmax(logits)[np.arange(len(rows)), MATERIAL.y[rows]]
    expected = [-np.log(shares).mean(), (logits.argmax(1) == MATERIAL.y[rows]).mean()]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_without_validation_rows_the_scores_are_unknown():
    shape, state = started(SMALL)
    shape = dataclasses.replace(shape, validation_rows=0)
    assert np.isnan(validation.validate(shape, state, VALUES, FEED, ROWS)).all()


@pytest.mark.parametrize("block", [1, 7, 39, 40, 1000])
def test_so_are_rows_that_are_kept_to_be_ranked(block, monkeypatch):
    shape, state = started(SMALL)
    shape = dataclasses.replace(shape, metric="auc")
    monkeypatch.setattr(validation, "ROWS", block)
    found = validation.validate(shape, state, VALUES, FEED, ROWS)
    rows = MATERIAL.views[0].validation
    logits, truth = (
        reference.Network(state.params, SMALL, 1).logits(MATERIAL.x[rows] / 16),
        MATERIAL.y[rows],
    )
    expected = reference.scored("auc", "cross_entropy", logits, truth, np.ones(len(rows)), 1.0)
    assert found[1] == pytest.approx(expected, abs=1e-5)
