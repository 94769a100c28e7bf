"""One network's hyperparameters: checked once, never changed, lossless as plain values."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad import settings as module
from fleetgrad.errors import SettingsError
from fleetgrad.settings import NAMES, Settings, check_name
from spaces import SETTINGS

SHARES = ("momentum", "beta2", "warmup", "dropout", "input_dropout", "label_smoothing", "ema")
NOT_NEGATIVE = ("weight_decay", "input_noise", "gradient_clipping")
POSITIVE = ("init_scale", "learning_rate", "embedding_scale")
COUNTS = {"batch_size": 1, "epochs": 1, "embedding_size": 2, "embedding_waves": 1, "members": 1}
SWITCHED = ("bias", "front_scale", "parametric")
NAMED = {
    "activation": module.ACTIVATIONS,
    "embedding": module.EMBEDDINGS,
    "init": module.INITIALIZERS,
    "loss": module.LOSSES,
    "normalization": module.NORMALIZATIONS,
    "optimizer": module.OPTIMIZERS,
    "parametrization": module.PARAMETRIZATIONS,
    "precision": module.PRECISIONS,
    "schedule": module.SCHEDULES,
}
EVERY = (*SHARES, *NOT_NEGATIVE, *POSITIVE, *COUNTS, *SWITCHED, *NAMED, "augment", "hidden")


def test_these_tests_forget_no_name():
    assert set(EVERY) == set(NAMES)


def test_every_hyperparameter_is_explained():
    arguments = Settings.__doc__.split("Args:")[1]
    assert all(f"    {name}: " in arguments for name in NAMES)


@given(SETTINGS)
def test_settings_survive_json(settings):
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


@given(SETTINGS, SETTINGS)
def test_equal_settings_are_one_key(a, b):
    assert (a == b) == (len({a, b}) == 1)


def test_settings_never_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().learning_rate = 1.0


@pytest.mark.parametrize("name", SHARES)
@given(value=st.floats().filter(lambda value: not 0 <= value < 1))
def test_a_share_is_in_zero_to_one(name, value):
    with pytest.raises(SettingsError, match=rf"`{name}` must be in \[0, 1\)"):
        Settings(**{name: value})


@pytest.mark.parametrize("name", NOT_NEGATIVE)
@pytest.mark.parametrize("value", [-1e-9, math.inf, math.nan, "0.1", None, True])
def test_an_amount_is_zero_or_more(name, value):
    with pytest.raises(SettingsError, match=rf"`{name}` must be in \[0, inf\)"):
        Settings(**{name: value})


@pytest.mark.parametrize("name", POSITIVE)
@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, "0.1", None, [0.1]])
def test_a_rate_is_above_zero(name, value):
    with pytest.raises(SettingsError, match=rf"`{name}` must be in \(0, inf\)"):
        Settings(**{name: value})


@pytest.mark.parametrize(("name", "least"), COUNTS.items())
@pytest.mark.parametrize("value", [0, -3, 1.5, 32.0, "32", None, True])
def test_a_count_is_a_whole_number_of_one_or_more(name, least, value):
    with pytest.raises(SettingsError, match=f"`{name}` must be a whole number of at least {least}"):
        Settings(**{name: value})


@pytest.mark.parametrize(("name", "allowed"), NAMED.items())
def test_a_named_choice_suggests_the_nearest(name, allowed):
    for right in allowed:
        assert getattr(Settings(**{name: right}), name) == right
    with pytest.raises(SettingsError, match=f"`{name}` must be a known name.*`{allowed[0]}`"):
        Settings(**{name: allowed[0] + "x"})


@pytest.mark.parametrize("name", SWITCHED)
@pytest.mark.parametrize("value", [1, 0, "true", None])
def test_a_switch_is_true_or_false(name, value):
    with pytest.raises(SettingsError, match=f"`{name}` must be true or false"):
        Settings(**{name: value})


@pytest.mark.parametrize("value", ["128", None, 1.5, {"a": 1}, [0], [-1, 2], [1.5], ["64"], 0])
def test_widths_are_whole_numbers_of_one_or_more(value):
    with pytest.raises(SettingsError, match="`hidden` must be"):
        Settings(hidden=value)


@pytest.mark.parametrize("given_as", [64, [64], (64,), np.int64(64), [np.int32(64)]])
def test_widths_become_a_tuple_of_plain_integers(given_as):
    if isinstance(given_as, np.integer):
        given_as = given_as.item()
    assert Settings(hidden=given_as).hidden == (64,)


def test_a_linear_model_has_no_widths():
    assert Settings(hidden=()).hidden == ()


def test_what_disturbs_images_is_spelled_out_in_records():
    assert Settings().to_dict()["augment"] == "none"
    assert Settings(augment="shift").to_dict()["augment"] == {"shift": 2}
    assert Settings(augment="shift") == Settings(augment={"shift": 2, "rotation": 0})


def test_numbers_of_numpy_become_plain():
    settings = Settings(learning_rate=np.float32(0.5), batch_size=np.int64(8))
    assert type(settings.learning_rate) is float
    assert type(settings.batch_size) is int


def test_batch_normalization_needs_a_batch():
    assert Settings(normalization="layer", batch_size=1).batch_size == 1
    assert Settings(normalization="batch", batch_size=2).batch_size == 2
    with pytest.raises(SettingsError, match="`batch_size` must be at least 2 .* got 1, .*use 32"):
        Settings(normalization="batch", batch_size=1)


def test_settings_of_an_earlier_version_have_the_new_names_off():
    plain = Settings().to_dict()
    for name in ("normalization", "gradient_clipping", "ema"):
        del plain[name]
    found = Settings.from_dict(plain)
    assert (found.normalization, found.gradient_clipping, found.ema) == ("none", 0, 0)


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(SettingsError, match=r"`lerning_rate` is no hyper.*`learning_rate`\?"):
        Settings.from_dict({"lerning_rate": 0.1})
    with pytest.raises(SettingsError, match="did you mean"):
        check_name("batchsize")
