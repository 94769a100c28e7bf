"""A longer last training is restrained more where validation rows allow it."""

from dataclasses import replace

import numpy as np
import pytest

import fleetgrad as fg
from fleetgrad.augmentation import Augmentation
from fleetgrad.lengthening import Lengthened, Restraint, on_record
from fleetgrad.plan import Plan
from fleetgrad.settings import Settings
from fleetgrad.space import Choice, Float, Space
from fleetgrad.store import Run
from fleetgrad.stretching import rows_of, stronger_than
from simulated import SOUND, Crash, World, memory_after, search
from test_ensembling import Various
from test_study import segments, somewhere, told

WEAK, MIDDLE, STRONG = {"shift": 1}, {"shift": 2}, {"shift": 2, "rotation": 10.0}
SPACE = Space(learning_rate=Float(1e-3, 1e-1, log=True), augment=Choice(WEAK, STRONG))
ADAMW = Space(**SPACE.ranges, optimizer="adamw", batch_size=128)
LONG = Settings(
    optimizer="adamw", learning_rate=7e-3, weight_decay=1e-4, batch_size=128, epochs=200
)
TIMED = Plan((9,), 4, seconds=160.0, last_epochs=40)


@pytest.fixture
def place():
    with somewhere() as place:
        yield place


class Sensitive(World):
    """Strong disturbance costs accuracy while searching, and `harm` rows of 200 in the trial."""

    def __init__(self, harm=0):
        super().__init__(lanes=2, noise=0.0)
        self.harm = harm

    def row(self, settings, replicate, epoch):
        found = super().row(settings, replicate, epoch)
        return found if settings.augment.rotation == 0 else tuple(part - 0.3 for part in found)

    def probabilities(self, settings, params):
        wrong = 20 + self.harm * (settings.augment.rotation > 0)
        shares = np.where(np.arange(200) < 200 - wrong, 0.9, 0.2)
        return np.stack([1 - shares, shares], axis=1)


def studied(place, world, plan=TIMED, space=SPACE):
    if not (place / "config.json").exists():
        with Run.create(place, {"seed": 0, "space": space.to_dict()}) as run:
            run.commit("plan", payload={"plan": plan.to_dict()})
    return search(place, world, plan, space=space)


@pytest.mark.parametrize(("harm", "taken"), [(0, "stronger"), (40, "own")])
def test_the_last_training_is_disturbed_more_unless_that_does_harm(place, harm, taken):
    outcome = studied(place, Sensitive(harm))
    (done,) = segments(place, "stretch")
    assert 6 <= done["epochs"] <= 12
    assert done["taken"] == taken
    assert done["errors"]["own"] == pytest.approx(0.1)
    assert done["errors"]["stronger"] == pytest.approx(0.1 + harm / 200)
    expected = Augmentation.of(WEAK if harm else STRONG)
    assert outcome.winner.settings.augment == expected
    assert outcome.leaderboard[outcome.winner.candidate].settings.augment == Augmentation.of(WEAK)
    assert outcome.winner.settings.epochs > TIMED.epochs
    with Run.open(place, write=False) as run:
        assert on_record(run) == Lengthened(outcome.winner.settings.epochs, 4, stronger=harm == 0)


def test_those_who_predict_together_are_disturbed_alike(place):
    class Both(Sensitive, Various):
        def probabilities(self, settings, params, view=None):
            return Various.probabilities(self, settings, params)

    plan = replace(TIMED, seconds=400.0, ensemble=3)
    outcome = studied(place, Both(), plan)
    assert outcome.partners
    (done,) = segments(place, "stretch")
    assert done["taken"] == "stronger"
    strong = Augmentation.of(STRONG)
    assert all(one.settings.augment == strong for one in outcome.partners)


def test_who_joins_is_disturbed_no_less_than_the_winner(place):
    class Middling(Sensitive, Various):
        def row(self, settings, replicate, epoch):
            found = super().row(settings, replicate, epoch)
            worse = replicate > 0 and settings.augment == Augmentation.of(WEAK)
            return tuple(part - 0.1 for part in found) if worse else found

        def probabilities(self, settings, params, view=None):
            if settings.augment.rotation > 0:
                return np.full((200, 2), 0.5)
            return Various.probabilities(self, settings, params)

    space = Space(learning_rate=SPACE.ranges["learning_rate"], augment=Choice(WEAK, MIDDLE, STRONG))
    plan = replace(TIMED, seconds=400.0, ensemble=3)
    outcome = studied(place, Middling(), plan, space)
    (done,) = segments(place, "stretch")
    assert done["taken"] != "stronger"
    assert outcome.winner.settings.augment == Augmentation.of(MIDDLE)
    searched = [outcome.leaderboard[one.candidate].settings.augment for one in outcome.partners]
    assert Augmentation.of(WEAK) in searched
    assert all(one.settings.augment == Augmentation.of(MIDDLE) for one in outcome.partners)
    with Run.open(place, write=False) as run:
        assert not on_record(run).stronger


def test_without_a_longer_training_nothing_is_tried(place):
    studied(place, Sensitive(), replace(TIMED, last_epochs=None))
    assert segments(place, "stretch") == []


def test_without_time_for_a_trial_nothing_is_tried(place):
    outcome = studied(place, Sensitive(), replace(TIMED, seconds=60.0))
    assert segments(place, "stretch") == []
    assert outcome.winner.settings.augment == Augmentation.of(WEAK)


def test_a_run_that_stops_anywhere_learns_at_last_from_the_same_images(place):
    plan = replace(TIMED, seconds=None)
    world = Sensitive()
    whole = studied(place, world, plan)
    assert whole.winner.settings.augment == Augmentation.of(STRONG)
    for back in (1, 2, 4, 20, 60, 100):
        with somewhere() as here:
            broken = Sensitive().breaks(world.calls - back, Crash)
            with pytest.raises(Crash):
                studied(here, broken, plan)
            again = studied(here, Sensitive(), plan)
        assert told(again) == told(whole)
        assert again.winner.settings == whole.winner.settings
        assert again.winner.params[0]["weight"][0, 0] == memory_after(40)


def test_the_next_stronger_goes_beyond_in_every_way_and_no_further_than_it_must():
    much = {"shift": 3, "rotation": 9.0}
    space = {"augment": {"choice": [much, "none", {"shift": 1}, {"shift": 2, "rotation": 9.0}]}}
    assert stronger_than(Augmentation(shift=1), space) == Augmentation(shift=2, rotation=9.0)
    assert stronger_than(Augmentation(shift=2, rotation=9.0), space) == Augmentation.of(much)
    assert stronger_than(Augmentation.of(much), space) is None
    either = {"augment": {"choice": [{"shift": 2}, {"shift": 1, "rotation": 9.0}, {"shift": 1}]}}
    assert stronger_than(Augmentation(shift=1), either) is None
    assert stronger_than(Augmentation(), {"learning_rate": {"low": 0.1, "high": 0.2}}) is None
    assert stronger_than(Augmentation(), None) is None


def test_whoever_is_disturbed_more_already_stays_so():
    restraint = Restraint(Augmentation.of(STRONG))
    for own in (Augmentation(shift=3, rotation=10.0), Augmentation.of(STRONG)):
        assert restraint.on(replace(LONG, augment=own)).augment == own


def test_decay_grows_to_what_a_long_training_forgets_in_time():
    restraint = Restraint(Augmentation.of(STRONG), rows=60_000)
    shown = replace(LONG, augment=Augmentation.of(WEAK))
    longer = restraint.on(shown)
    assert longer.augment == Augmentation.of(STRONG)
    steps = 200 * 60_000 / 128
    assert longer.weight_decay * longer.learning_rate * steps == pytest.approx(12)
    assert restraint.on(replace(shown, weight_decay=0.3)).weight_decay == 0.3
    assert restraint.on(replace(shown, optimizer="momentum")).weight_decay == 1e-4
    assert Restraint(Augmentation.of(STRONG)).on(shown).weight_decay == 1e-4
    assert restraint.on(LONG) == LONG


@pytest.mark.parametrize(("harm", "taken"), [(0, "stronger"), (40, "decay")])
def test_the_trial_is_under_the_decay_of_its_own_length(place, harm, taken):
    class Decaying(Sensitive):
        def __init__(self):
            super().__init__(harm)
            self.decays = set()

        def populate(self, settings):
            found = {(one.epochs, one.weight_decay) for one in settings.values()}
            self.decays |= {pair for pair in found if pair[1] > 0}
            return super().populate(settings)

    world, rows = Decaying(), {"rows": 1000}
    with Run.create(place, {"seed": 0, "space": ADAMW.to_dict(), "dataset": rows}) as run:
        run.commit("plan", payload={"plan": TIMED.to_dict()})
    outcome = search(place, world, TIMED, space=ADAMW)
    (done,) = segments(place, "stretch")
    assert done["taken"] == taken
    assert [*done["errors"]] == ["own", "decay", "stronger"]
    winner = outcome.winner.settings
    rate = outcome.leaderboard[outcome.winner.candidate].settings.learning_rate
    (tried,) = world.decays
    assert tried == (done["epochs"], pytest.approx(12 * 128 / (rate * 800 * done["epochs"])))
    assert winner.weight_decay == pytest.approx(12 * 128 / (rate * 1000 * winner.epochs))
    assert winner.augment == Augmentation.of(WEAK if harm else STRONG)


def test_a_real_run_knows_from_how_many_rows_it_learns(tmp_path, world):
    budget = fg.Budget(candidates=3, epochs=2)
    fg.tune("digits", SOUND, budget, out=tmp_path / "run", page=False)
    with Run.open(tmp_path / "run", write=False) as run:
        assert rows_of(run) == fg.load("digits").rows
