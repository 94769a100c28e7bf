"""The spaces that work without thought: each file means a space, and fits the data at hand."""

import tomllib

import numpy as np
import pytest

import fleetgrad as fg
from fleetgrad.errors import SpaceError
from fleetgrad.space import defaults

KINDS = {
    "tables-small": (5_000, 16, None),
    "tables": (50_000, 16, None),
    "small-images": (1_198, 64, (8, 8)),
    "images": (50_000, 784, (28, 28)),
}


def test_every_file_is_read_for_some_data_or_by_its_name():
    files = {path.stem for path in defaults._PRESETS.glob("*.toml")}
    assert files == {*KINDS, *defaults.NAMED}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_data_gets_its_file_with_the_reasons_kept(kind):
    text = defaults.default_toml(*KINDS[kind], precision="bfloat16")
    written = defaults._text(kind)
    reasons = [line for line in written.splitlines() if line.startswith("#")]
    assert [line for line in text.splitlines() if line.startswith("#")] == reasons
    space = defaults.default_space(*KINDS[kind], precision="bfloat16")
    assert fg.Space.from_dict(tomllib.loads(text)) == space
    assert tomllib.loads(text).keys() == tomllib.loads(written).keys()


def test_what_large_images_are_searched_in_stays():
    space = defaults.default_space(*KINDS["images"])
    assert space.names == (
        "hidden", "learning_rate", "weight_decay", "warmup", "dropout", "label_smoothing", "augment"
    )  # fmt: skip
    assert space.fixed["normalization"] == "batch"
    assert space.fixed["batch_size"] == 128


def test_shifts_grow_with_the_pictures():
    space = defaults.default_space(50_000, 56 * 56, (56, 56))
    assert {one.shift for one in space.ranges["augment"].values} == {4}


def test_many_classes_get_wide_last_layers():
    def narrowest(classes):
        space = defaults.default_space(5_000, 16, classes=classes)
        return min(widths[-1] for widths in space.ranges["hidden"].values)

    assert [narrowest(classes) for classes in (2, 128, 129, 9_999)] == [128, 128, 256, 512]


def test_the_notebooks_momentum_matters_only_to_rules_that_have_it():
    space = defaults.named_space("notebook")
    for point in space.grid(100):
        assert ("momentum" in point) == (point["optimizer"] != "sgd")
    assert space == fg.default_space("notebook")


def test_a_space_of_no_known_name_is_refused():
    with pytest.raises(SpaceError, match="did you mean `notebook`"):
        defaults.named_space("notebok")


def test_a_dataset_has_a_default_space():
    x, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 3
    data = fg.Dataset.from_arrays(x, y)
    expected = defaults.default_space(data.rows, data.features, classes=3)
    assert fg.default_space(data) == expected
