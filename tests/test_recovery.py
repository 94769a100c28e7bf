"""Weights that came to harm are trained again, and nobody can tell from the result."""

from contextlib import suppress
from itertools import count, cycle

import pytest

from fleetgrad import recovery
from fleetgrad.recovery import recovered
from fleetgrad.store import Run
from simulated import SOUND, Crash, World, counted, search
from test_distilling import DISTILL, School
from test_ensembling import Various
from test_rounds import POPULATION, Evolving, pbt, thaw
from test_study import somewhere
from test_study import told as told_alone


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


HARM = {"bits flipped": flipped, "cut short": truncated, "gone": lambda path: path.unlink()}

STUDIES = {  # plan, who proposes, where
    "one generation": (counted(5, 3, replicates=3), lambda: "tpe", World),
    "two generations": (counted(8, 4, 2, replicates=2, last_epochs=9), lambda: "tpe", World),
    "an ensemble": (
        counted(12, 4, replicates=2, ensemble=4, last_epochs=7),
        lambda: "sobol",
        Various,
    ),
    "rounds": (DISTILL, thaw, School),
    "a population that evolves": (POPULATION, pbt, Evolving),
}


def told(outcome):
    """All that must not depend on what came to harm."""
    partners = [
        (one.candidate, one.weight, one.params[0]["weight"][0, 0]) for one in outcome.partners
    ]
    return told_alone(outcome), partners, outcome.distilled, outcome.calibration


def run(place, kind, world):
    plan, proposer, _ = STUDIES[kind]
    return search(place, world, plan, proposer(), space=SOUND)


def weights(place):
    return sorted((place / "weights").glob("*.safetensors"))


@pytest.mark.parametrize("kind", STUDIES)
def test_a_run_whose_weights_came_to_harm_anywhere_ends_like_one_that_was_spared(kind, faults):
    world = STUDIES[kind][2]
    with somewhere() as whole:
        expected = told(run(whole, kind, world()))
    seen = set()
    for at, harm in zip(count(7, 41), cycle(HARM)):
        with somewhere() as place:
            broken = world().breaks(at, Crash)
            with suppress(Crash):
                run(place, kind, broken)
            with Run.open(place):
                files = weights(place)  # what a crash left over is swept
            for file in files:
                HARM[harm](file)
            with faults.against(f"weights: {harm}"):
                assert told(run(place, kind, world())) == expected
            with Run.open(place, write=False) as record:
                named = {name.replace("/", "-") + ".safetensors" for name in recovered(record)}
                assert named == {file.name for file in files}
                assert record.damaged() == {}
                seen |= {name.split("/")[0] for name in recovered(record)}
            if broken.calls < at:
                break
    assert seen >= {"search", "refit"}
    assert ("audit" in seen) == (kind == "rounds")
    assert ("ensemble" in seen) == (STUDIES[kind][0].ensemble > 0)
    assert ("distill" in seen) == STUDIES[kind][0].distill


def test_the_log_says_what_was_wrong_with_which_segment():
    with somewhere() as place:
        run(place, "one generation", World())
        (file,) = [one for one in weights(place) if "refit" in one.name]
        truncated(file)
        size = file.stat().st_size
        run(place, "one generation", World())
        with Run.open(place, write=False) as record:
            (note,) = record.notes()
            assert note.kind == recovery.KIND
            assert note.payload["segment"] == "refit"
            assert note.payload["reason"].startswith(f"{size} bytes instead of ")


def test_only_those_still_wanted_from_a_round_are_trained_again():
    """Whoever went on since has its weights in a later round's file."""
    with somewhere() as place:
        world = STUDIES["rounds"][2]()
        with pytest.raises(Crash):
            run(place, "rounds", world.breaks(150, Crash))
        with Run.open(place) as record:
            held = {}
            for name in (one for one in record.segments() if one.startswith("search/")):
                done = record.segment(name)
                held = {one: where for one, where in held.items() if one in done["held"]}
                held |= dict.fromkeys(done["kept"], name)
            assert len(set(held.values())) > 1
            for file in weights(place):
                file.unlink()
        again = STUDIES["rounds"][2]()
        trained = []
        plain = again.populate
        again.populate = lambda settings: trained.append(set(settings)) or plain(settings)
        with pytest.raises(KeyboardInterrupt):
            run(place, "rounds", again.breaks(3 * len(set(held.values())), KeyboardInterrupt))
        assert {member.candidate for one in trained for member in one} <= set(held)
        assert sum(map(len, trained)) <= len(held)
