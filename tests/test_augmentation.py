"""How far images may be disturbed: what is meant, what is refused, what is written."""

import json
import math

import numpy as np
import pytest
from hypothesis import given

from fleetgrad.augmentation import PARTS, PRESETS, Augmentation
from fleetgrad.errors import SettingsError
from spaces import AUGMENTS


@pytest.mark.parametrize("given_as", [None, "none", {}, {"shift": 0}, {"elastic": 0.0}])
def test_nothing_is_none_however_it_is_said(given_as):
    found = Augmentation.of(given_as)
    assert found == Augmentation()
    assert not found
    assert (found.plain(), str(found)) == ("none", "none")


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_its_amounts(name):
    assert Augmentation.of(name) == Augmentation(**PRESETS[name])
    assert bool(Augmentation.of(name)) == (name != "none")


@given(AUGMENTS)
def test_an_augmentation_survives_json(given_as):
    found = Augmentation.of(given_as)
    assert Augmentation.of(json.loads(json.dumps(found.plain()))) == found
    assert len({found, Augmentation.of(found.plain()), Augmentation.of(found)}) == 1


def test_it_reads_as_its_parts():
    assert str(Augmentation(shift=2, scale=0.1)) == "shift 2, scale 0.1"
    assert Augmentation(shift=2, scale=0.1).plain() == {"shift": 2, "scale": 0.1}


def test_numbers_of_numpy_become_plain():
    found = Augmentation(shift=np.int64(2), rotation=np.float32(0.5))
    assert (type(found.shift), type(found.rotation)) == (int, float)


@pytest.mark.parametrize("value", [-1, 1.5, 2.0, "2", True, None, math.nan, [1]])
def test_a_shift_is_whole_pixels(value):
    with pytest.raises(SettingsError, match="a whole number of at least 0 as shift, got"):
        Augmentation(shift=value)


@pytest.mark.parametrize("part", PARTS[1:])
@pytest.mark.parametrize("value", [-0.1, math.inf, math.nan, "1", True, None, [1]])
def test_an_amount_is_a_finite_number_of_at_least_0(part, value):
    with pytest.raises(SettingsError, match=rf"`augment` must have a {part} in \[0, .* got"):
        Augmentation.of({part: value})


@pytest.mark.parametrize(("part", "most"), [("rotation", 180), ("scale", 0.9), ("shear", 60)])
def test_an_amount_leaves_something_of_the_image(part, most):
    Augmentation(**{part: most})
    with pytest.raises(SettingsError, match=rf"a {part} in \[0, {most}\], got {most + 0.1}"):
        Augmentation(**{part: most + 0.1})


def test_what_is_unknown_suggests_the_nearest():
    with pytest.raises(SettingsError, match=r"got 'shfit'; .*`shift`"):
        Augmentation.of({"shfit": 2})
    with pytest.raises(SettingsError, match=r"a known name .* got 'afine'; .*`affine`"):
        Augmentation.of("afine")
    for wrong in (2, True, ["shift"], 0.1):
        with pytest.raises(SettingsError, match='known name or a table .*; use "shift"'):
            Augmentation.of(wrong)


def test_it_is_refused_where_rows_are_no_images_or_too_small_ones():
    for name in PRESETS:
        Augmentation.of(name).check((28, 28, 3))
    Augmentation().check(None)
    with pytest.raises(SettingsError, match='must be "none" where rows are no images, got shift 2'):
        Augmentation(shift=2).check(None)
    for part in ("shift", "elastic"):
        Augmentation(**{part: 7}).check((8, 28))
        with pytest.raises(SettingsError, match=f"a {part} below the 8 pixels .* got 8; use at mo"):
            Augmentation(**{part: 8}).check((28, 8))
