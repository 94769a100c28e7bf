"""Law 8: every sampler passes one shared contract; then what each is for."""

import math
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from fleetgrad import samplers
from fleetgrad.candidates import Candidates
from fleetgrad.errors import UsageError
from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Float, Int, Space
from spaces import spaces

BOTH = (False, True)
ROOMY = Space(
    learning_rate=Float(1e-4, 1e-1, log=True),
    hidden=Choice((64,), (128, 64), (256,)),
    optimizer=Choice("adam", "momentum"),
    momentum=Float(0.5, 0.99, when={"optimizer": "momentum"}),
    batch_size=Int(16, 256, log=True),
    dropout=Float(0, 0.5),
)
SMALL = Space(activation=Choice("relu", "tanh", "gelu"), bias=Choice(*BOTH))
every_sampler = pytest.mark.parametrize("name", samplers.NAMES)


def start(name, space=ROOMY, seed=0, **rest):
    return samplers.make(name, space, seed=seed, epochs=rest.pop("epochs", 9), **rest)


def quality(settings: Settings) -> float:
    """A planted truth: best at a rate of 0.01 with two layers, and NaN where it diverges."""
    if settings.optimizer == "momentum" and settings.learning_rate > 0.05:
        return math.nan
    return -abs(math.log10(settings.learning_rate) + 2) - 0.3 * (settings.hidden != (128, 64))


def play(sampler, batches, score=quality):
    """Ask and tell in batches of these sizes; everyone proposed, in order."""
    everyone = []
    for size in batches:
        candidates = sampler.ask(size)
        sampler.tell(candidates, [score(settings) for settings in candidates.settings])
        everyone += list(candidates)
    return everyone


class TestEverySampler:
    """The contract: what the study relies on, whichever sampler it was given."""

    @every_sampler
    @examples(max_examples=25)
    @given(space=spaces(), seed=st.integers(0, 2**31), size=st.integers(1, 12))
    def test_proposes_settings_of_the_space(self, name, space, seed, size):
        for _, settings in play(start(name, space, seed), [size, size]):
            values = space.build(lambda name, _, settings=settings: getattr(settings, name))
            assert all(space.ranges[n].has(values[n]) for n in space.names if n in values)
            assert settings == Settings(**{"epochs": 9, **values})

    @every_sampler
    @examples(max_examples=10)
    @given(seed=st.integers(0, 2**31), sizes=st.lists(st.integers(0, 20), max_size=4))
    def test_replays_the_same_asks_and_tells(self, name, seed, sizes):
        assert play(start(name, seed=seed), sizes) == play(start(name, seed=seed), sizes)

    @every_sampler
    def test_counts_ids_up_from_the_first(self, name):
        sampler = start(name, first_id=40)
        ids = sampler.ask(12).ids + sampler.ask(3).ids
        assert ids == tuple(range(40, 40 + len(ids)))
        assert len(ids) >= 8

    @every_sampler
    def test_never_proposes_the_same_settings_twice(self, name):
        found = [settings for _, settings in play(start(name), [20, 20, 20])]
        assert len(set(found)) == len(found)

    @every_sampler
    def test_gives_all_of_a_small_space_then_fewer_then_none(self, name):
        sampler = start(name, SMALL)
        sizes = [len(play(sampler, [size])) for size in (20, 20, 1)]
        assert sizes == [6, 0, 0]

    @every_sampler
    def test_asked_for_nobody_gives_nobody(self, name):
        sampler = start(name)
        assert sampler.ask(0) == Candidates((), ())
        assert len(sampler.ask(8)) >= 4

    @every_sampler
    def test_lives_with_diverged_ones_and_nothing_else(self, name):
        found = play(start(name, SMALL), [1, 2, 3], score=lambda _: math.nan)
        assert 1 <= len(found) <= 6
        play(start(name), [12, 12], score=lambda _: math.nan)

    @every_sampler
    def test_may_be_told_late_and_again(self, name):
        sampler = start(name)
        first = sampler.ask(12)
        second = sampler.ask(12)
        for candidates in (second, first, second):
            sampler.tell(candidates, [0.5] * len(candidates))
        assert len(sampler.ask(4)) in {0, 4}

    @every_sampler
    def test_puts_the_full_training_in_all_settings(self, name):
        assert {s.epochs for _, s in play(start(name, epochs=27), [5])} == {27}
        space = Space(epochs=Int(3, 4), dropout=Float(0, 0.5))
        assert {s.epochs for _, s in play(start(name, space, epochs=27), [16])} == {3, 4}

    @every_sampler
    def test_refuses_scores_that_do_not_belong(self, name):
        sampler = start(name)
        with pytest.raises(UsageError, match=r"one score a candidate, got 1 for \d"):
            sampler.tell(sampler.ask(8), [0.5])
        with pytest.raises(UsageError, match="got -1"):
            sampler.ask(-1)

    @pytest.mark.parametrize("name", [name for name in samplers.NAMES if name != "grid"])
    def test_goes_elsewhere_with_another_seed(self, name):
        assert play(start(name, seed=0), [8]) != play(start(name, seed=1), [8])

    @pytest.mark.parametrize("name", [name for name in samplers.NAMES if name != "grid"])
    def test_gives_as_many_as_were_asked_for(self, name):
        assert [len(play(start(name), [size])) for size in (1, 7, 33)] == [1, 7, 33]

    @every_sampler
    def test_says_nothing(self, name, capfd):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            play(start(name), [11, 5])
        assert capfd.readouterr() == ("", "")


def test_an_unknown_sampler_suggests_the_nearest():
    with pytest.raises(UsageError, match=r"`sobl` is no sampler; did you mean `sobol`\?"):
        start("sobl")


@pytest.mark.parametrize("name", ["random", "sobol"])
def test_a_sequence_does_not_depend_on_how_it_is_cut(name):
    assert play(start(name), [30]) == play(start(name), [1, 2, 3, 10, 14])


def test_a_grid_is_as_fine_as_the_first_ask():
    sampler = start("grid", Space(dropout=Float(0, 0.5), input_dropout=Float(0, 0.2)))
    found = [settings for _, settings in play(sampler, [9, 9])]
    assert len(found) == 9
    assert sorted({s.dropout for s in found}) == pytest.approx([1 / 12, 3 / 12, 5 / 12])


def unit(found, space):
    low, high = space.ranges["dropout"].low, space.ranges["dropout"].high
    return np.array([[(s.dropout - low) / (high - low), s.momentum] for _, s in found])


def test_sobol_covers_more_evenly_than_chance():
    from scipy.stats import qmc

    space = Space(dropout=Float(0, 0.5), momentum=Float(0, 0.999999))
    spread = {
        name: np.mean(
            [qmc.discrepancy(unit(play(start(name, space, s), [64]), space)) for s in range(5)]
        )
        for name in ("sobol", "random")
    }
    assert spread["sobol"] < spread["random"] / 4


def test_random_points_are_uniform_on_the_scale_of_the_range():
    from scipy.stats import kstest

    space = Space(learning_rate=Float(1e-4, 1e-1, log=True))
    found = [math.log10(s.learning_rate) for _, s in play(start("random", space), [2000])]
    assert kstest(found, "uniform", args=(-4, 3)).pvalue > 0.01


def test_tpe_learns_where_the_good_settings_are():
    wins = 0
    for seed in range(3):
        learned = [quality(s) for _, s in play(start("tpe", seed=seed), [16] * 5)][-32:]
        chance = [quality(s) for _, s in play(start("random", seed=seed), [16] * 5)][-32:]
        wins += np.nanmedian(learned) > np.nanmedian(chance) + 0.2
        assert sum(map(math.isnan, learned)) <= sum(map(math.isnan, chance))
    assert wins == 3


def test_tpe_avoids_what_diverged():
    def score(settings):
        return math.nan if settings.learning_rate > 3e-3 else 0.5

    later = [s for _, s in play(start("tpe"), [20, 20, 20], score)][20:]
    assert sum(math.isnan(score(s)) for s in later) < len(later) / 4


def test_a_batch_of_tpe_spreads():
    sampler = start("tpe")
    play(sampler, [20])
    rates = [math.log10(settings.learning_rate) for settings in sampler.ask(32).settings]
    assert np.std(rates) > 0.1


def test_tpe_learns_from_candidates_of_an_earlier_run():
    """Those outside the space are passed over; the rest count as if they had been asked for."""
    inside = Candidates.numbered(
        [Settings(learning_rate=10**-x, epochs=3, hidden=(128, 64), batch_size=64)
         for x in np.linspace(1, 4, 24)]
    )  # fmt: skip
    outside = Candidates.numbered([Settings(learning_rate=5.0), Settings(hidden=(7,))], first=90)
    sampler = start("tpe")
    sampler.tell(inside, [quality(settings) for settings in inside.settings])
    sampler.tell(outside, [1.0, 1.0])
    found = [quality(settings) for settings in sampler.ask(16).settings]
    assert np.median(found) > -0.7
    assert sampler.ask(1).ids == (16,)


def test_optuna_keeps_the_voice_its_owner_gave_it():
    import optuna

    before = optuna.logging.get_verbosity()
    play(start("tpe"), [12, 4])
    assert optuna.logging.get_verbosity() == before


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys; from fleetgrad import samplers, space, rungs, finals, leaderboard; "
        "samplers.make('tpe', space.default_space(9, 9), seed=0, epochs=1); "
        "print({'jax', 'optuna', 'scipy', 'sklearn', 'pandas'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
