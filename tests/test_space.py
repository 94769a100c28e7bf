"""What a space holds, what it refuses, and that nothing is lost in writing."""

import copy
import json
import math
import pickle
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetgrad.augmentation import Augmentation
from fleetgrad.errors import FleetgradError, SpaceError, UsageError
from fleetgrad.settings import NAMES, Settings
from fleetgrad.space import Choice, Float, Int, Space, default_space
from spaces import spaces

UNITS = st.floats(0, 1, exclude_max=True)
BOTH = (False, True)
RATE = Float(1e-4, 1e-1, log=True)


def points(space):
    return st.lists(UNITS, min_size=space.dimensions, max_size=space.dimensions)


@given(st.data(), spaces())
def test_every_point_decodes_to_valid_settings_within_the_ranges(data, space):
    values = space.decode(data.draw(points(space)))
    settings = Settings(**values)
    for name, span in space.ranges.items():
        assert name not in values or span.has(getattr(settings, name))
    assert {name: values[name] for name in space.fixed} == dict(space.fixed)


@given(st.data(), spaces())
def test_a_name_is_left_out_if_and_only_if_its_condition_fails(data, space):
    values = space.decode(data.draw(points(space)))
    for name, span in space.ranges.items():
        holds = all(values[parent] in allowed for parent, allowed in (span.when or {}).items())
        assert (name in values) == holds


@given(spaces(), st.integers(1, 300))
def test_a_grid_has_at_most_so_many_points_all_distinct_and_of_the_space(space, n):
    grid = space.grid(n)
    assert 1 <= len(grid) <= n
    assert len({Settings(**point) for point in grid}) == len(grid)
    assert all(space.ranges[name].has(point[name]) for point in grid for name in space.names
               if name in point)  # fmt: skip


@given(spaces())
def test_a_space_survives_json_toml_and_copying(tmp_path_factory, space):
    assert Space.from_dict(json.loads(json.dumps(space.to_dict()))) == space
    path = tmp_path_factory.mktemp("space") / "space.toml"
    path.write_text(space.to_toml(), encoding="utf-8")
    assert Space.from_toml(path) == space
    assert copy.deepcopy(space) == space
    assert hash(copy.copy(space)) == hash(space)


@given(spaces())
def test_the_order_of_writing_is_no_matter(space):
    turned = Space.from_dict(dict(reversed(space.to_dict().items())))
    assert turned == space
    assert turned.names == space.names == tuple(n for n in NAMES if n in space.ranges)


def test_a_space_can_be_sent_to_another_process():
    space = Space(learning_rate=RATE, batch_size=64)
    assert pickle.loads(pickle.dumps(space)) == space


def test_a_space_never_changes():
    space = Space(learning_rate=RATE)
    with pytest.raises(AttributeError):
        space.ranges = {}
    with pytest.raises(TypeError):
        space.ranges["momentum"] = Float(0, 0.5)


def test_fixed_values_are_held_as_settings_hold_them():
    space = Space(hidden=[100, 50], batch_size=np.int64(8), learning_rate=RATE)
    assert space.fixed == {"hidden": (100, 50), "batch_size": 8}
    assert space.names == ("learning_rate",)


@given(UNITS, UNITS)
def test_a_logarithmic_range_keeps_ratios_and_a_plain_one_differences(a, b):
    low, high = Float(1e-4, 1e-1, log=True).at(a), Float(1e-4, 1e-1, log=True).at(b)
    assert math.log(high / low) == pytest.approx((b - a) * math.log(1e3), abs=1e-9)
    assert Float(2, 5).at(b) - Float(2, 5).at(a) == pytest.approx(3 * (b - a), abs=1e-9)


@pytest.mark.parametrize("log", [False, True])
def test_every_whole_number_of_a_range_is_reached(log):
    units = np.linspace(0, 1, 20_001)[:-1]
    assert {Int(3, 9, log=log).at(unit) for unit in units} == set(range(3, 10))


def test_whole_numbers_are_equally_likely():
    found = [Int(3, 9).at(unit) for unit in np.linspace(0, 1, 7001)[:-1]]
    counts = np.bincount(found)[3:]
    assert abs(counts - 1000).max() <= 1


def test_choices_are_equally_likely_and_lists_become_tuples():
    choice = Choice([64], [128, 64], [256])
    found = [choice.at(unit) for unit in np.arange(300) / 300]
    assert [found.count(value) for value in ((64,), (128, 64), (256,))] == [100, 100, 100]


def test_conditions_may_hang_on_conditions():
    space = Space(
        optimizer=Choice("adam", "momentum"),
        schedule=Choice("constant", "one_cycle", when={"optimizer": "momentum"}),
        warmup=Float(0.1, 0.5, when={"schedule": "one_cycle"}),
    )
    assert space.names == ("optimizer", "schedule", "warmup")
    assert space.decode([0.0, 0.9, 0.5]) == {"optimizer": "adam"}
    assert space.decode([0.9, 0.0, 0.5]) == {"optimizer": "momentum", "schedule": "constant"}
    assert "warmup" in space.decode([0.9, 0.9, 0.5])


def test_conditions_may_hang_on_fixed_values_defaults_and_widths():
    Space(momentum=Float(0, 0.9, when={"optimizer": ("momentum", "sgd")}), optimizer="momentum")
    Space(dropout=Float(0, 0.5, when={"activation": "relu"}))  # the default
    Space(dropout=Float(0, 0.5, when={"batch_size": 64}), batch_size=Int(32, 128))
    space = Space(hidden=Choice((64,), (64, 64)), dropout=Float(0, 0.5, when={"hidden": [64, 64]}))
    assert "dropout" not in space.decode([0.0, 0.5])
    assert "dropout" in space.decode([0.9, 0.5])


def test_a_grid_is_fair_and_takes_all_of_a_choice():
    grid = Space(learning_rate=RATE, dropout=Float(0, 0.4), activation=Choice("relu", "tanh"))
    found = grid.grid(18)
    counts = {name: len({p[name] for p in found}) for name in grid.names}
    assert counts == {"activation": 2, "learning_rate": 3, "dropout": 3}


def test_a_grid_of_few_points_ends():
    assert len(Space(activation=Choice("relu", "tanh"), bias=Choice(*BOTH)).grid(99)) == 4


MISTAKES = {
    "got low = 0.5 and high = 0.5": lambda: Float(0.5, 0.5),
    "must be below `high`": lambda: Int(64, 32),
    "must stay above 0": lambda: Float(0, 1, log=True),
    "above 0, got low = -1": lambda: Int(-1, 3, log=True),
    "`high` of Float must be finite": lambda: Float(0, math.inf),
    "`low` of Float must be finite": lambda: Float(math.nan, 1),
    "`low` of Float must be a number": lambda: Float("0.1", 1),
    "`high` of Float must be a number": lambda: Float(0, BOTH[1]),
    "`low` of Int must be a whole": lambda: Int(1.5, 3),
    "`log` of Float must be true or false": lambda: Float(1, 2, log="yes"),
    "at least one value": Choice,
    "distinct": lambda: Choice("relu", "tanh", "relu"),
    "`when` must name": lambda: Float(0, 1, when="optimizer"),
    "at least one range": Space,
    "to search, got none": lambda: Space(learning_rate=0.1),
    "did you mean `learning_rate`": lambda: Space(learning_rte=RATE),
    "`learning_rte` is no": lambda: Space(learning_rte=0.1, dropout=Float(0, 0.1)),
    "range of `momentum` holds": lambda: Space(momentum=Float(0.5, 1)),
    "range of `epochs` holds": lambda: Space(epochs=Int(0, 5)),
    "did you mean `tanh`": lambda: Space(activation=Choice("relu", "tanj")),
    "range of `hidden` holds": lambda: Space(hidden=Choice((64,), (0, 3))),
    "got ((64,), (64,))": lambda: Space(hidden=Choice(64, (64,))),
    "cannot be searched by Int; use Float": lambda: Space(dropout=Int(0, 1)),
    "cannot be searched by Float; use Int": lambda: Space(batch_size=Float(1, 2)),
    "by Float; use Choice": lambda: Space(hidden=Float(1, 2)),
    "by Int; use Choice": lambda: Space(hidden=Int(1, 2)),
    "write a choice of them": lambda: Space(optimizer=["sgd", "adam"], learning_rate=RATE),
    "`optimiser`, which is no": lambda: Space(
        momentum=Float(0, 0.9, when={"optimiser": "momentum"})
    ),
    "cannot hold: `optimizer` must": lambda: Space(
        momentum=Float(0, 0.9, when={"optimizer": "momentun"})
    ),
    "which it never is": lambda: Space(momentum=Float(0, 0.9, when={"optimizer": "momentum"})),
    "`optimizer` = 'sgd', which": lambda: Space(
        momentum=Float(0, 0.9, when={"optimizer": "sgd"}), optimizer=Choice("adam", "momentum")
    ),
    "`dropout` = 0.2, which": lambda: Space(
        momentum=Float(0, 0.9, when={"dropout": 0.2}), dropout=Float(0, 0.9)
    ),
    "circle, got `optimizer`, `schedule`": lambda: Space(
        optimizer=Choice("adam", "sgd", when={"schedule": "linear"}),
        schedule=Choice("linear", "cosine", when={"optimizer": "sgd"}),
    ),
}


@pytest.mark.parametrize("part", MISTAKES)
def test_a_mistake_is_refused_and_the_message_says_what(part):
    with pytest.raises(SpaceError) as caught:
        MISTAKES[part]()
    assert part in str(caught.value)
    assert str(caught.value).endswith((".", "?"))


@pytest.mark.parametrize("unit", [[], [0.5, 0.5]])
def test_a_point_of_another_space_is_refused(unit):
    with pytest.raises(UsageError, match="has 1 numbers, got"):
        Space(learning_rate=RATE).decode(unit)


FILE = """\
# a comment
learning_rate = {{ low = 1e-4, high = 1e-1, log = true }}
optimizer = "adam"

{line}
"""

TOML_MISTAKES = {
    "dropout = 0.1": None,
    "dropout = { low = 0.5, high = 0.1 }": ":5: `dropout`: `low` must be below `high`",
    "dropout = { low = 0 }": ":5: `dropout`: a range needs `low` and `high`",
    "dropout = {}": "or `choice`, got nothing",
    "dropout = { lo = 0, high = 1 }": ":5: `dropout` has an unknown part `lo`; did you mean `low`",
    "dropout = { low = '0', high = 1 }": ":5: `dropout`: `low` of Float must be a number",
    "dropout = { low = 0, high = 1 }": ":5: the range of `dropout` holds a value it cannot take",
    "dropout = { low = 0, high = 0.1, log = 1 }": ":5: `dropout`: `log` of Float must be",
    "dropout = { low = 0, high = 0.5, when = 1 }": ":5: `dropout`: `when` must name",
    "dropout = '0.1'": ":5: `dropout` must be in [0, 1), got '0.1'",
    "dropout = [0.1, 0.2]": "write a choice of them",
    "dropout = { choice = 0.1 }": ":5: `dropout`: `choice` must be a list",
    "dropout = { choice = [] }": ":5: `dropout`: `Choice` must have at least one value",
    "dropout = { choice = [0.1], low = 0 }": "keep one or the other",
    "[dropout]\nlow = 0.5\nhigh = 0.1": ":5: `dropout`: `low` must be below",
    "[[dropout]]\nlow = 0.5": ":5: `dropout` must be in [0, 1), got [{",
    "[search]\ndropout = { low = 0, high = 0.5 }": ":5: `search` is no hyperparameter",
    "dropout = { low = { low = 0 }, high = 0.5 }": ":5: `dropout`: `low` of Float must be a number",
    "dropout = { low = 0.1, low = 0.2, high = 0.5 }": ":5: this is not TOML: Duplicate",
    "dropout = { low = 0.0, high = 0.5, log = true }": ":5: `dropout`: a logarithmic range must",
    "dropout = { low = 0.1, high = 0.5, when = { bias = [] } }":
        ":5: `dropout`: `when` must name a value of `bias` at least, got none",
    "hidden = { choice = { a = 1 } }": ":5: `hidden`: `choice` must be a list",
    "hidden = { choice = [[[3]], [4]] }": ":5: the range of `hidden` holds a value it cannot take",
    "drop_out = 0.1": ":5: `drop_out` is no hyperparameter; did you mean `dropout`",
    "'drop out' = 0.1": ":5: `drop out` is no hyperparameter",
    "batch_size = { low = 1.5, high = 9 }": ":5: `batch_size`: `low` of Int must be a whole",
    "momentum = { low = 0.5, high = 0.9, when = { optimizer = 'sgd' } }":
        ":5: the condition of `momentum` needs `optimizer` = 'sgd', which it never is",
    "momentum = { low = 0.5, high = 0.9, when = { optimiser = 'sgd' } }": ":5: the condition of",
    "dropout = ": ":5: this is not TOML",
    "optimizer = 'sgd'": ":5: this is not TOML",
    "x = [": ": this is not TOML",
}  # fmt: skip


@pytest.mark.parametrize("line", TOML_MISTAKES)
def test_a_mistake_in_a_file_names_file_and_line(tmp_path, line):
    path = tmp_path / "space.toml"
    path.write_text(FILE.format(line=line), encoding="utf-8")
    if TOML_MISTAKES[line] is None:
        assert Space.from_toml(path).fixed == {"optimizer": "adam", "dropout": 0.1}
        return
    with pytest.raises(SpaceError) as caught:
        Space.from_toml(str(path))
    assert str(caught.value).startswith(f"{path}:")
    assert TOML_MISTAKES[line] in str(caught.value)


@pytest.mark.parametrize(
    ("content", "part"),
    [(None, "can be read"), (b"\xff\xfe", "must be UTF-8"), (b"", "got none"),
     (b"dropout = 0.1\n", ":1: a space must have at least one range .* of dropout; add learning"),
     (b"# nothing\n", ":1: a space must have at least one range .* got none; add learning_rate ="),
     (b"bias = true\nloss = '\xe9'\n", ":2: TOML must be UTF-8 text, got the byte 0xe9"),
     (b"hidden = " + 3000 * b"[" + 3000 * b"]", ":1: a space is nested two or three deep"),
     (b"dropout = 0.1\ndropout = 0.2\n", ":2: this is not TOML: Cannot overwrite a value"),
     (b"dropout = \x00\n", "not TOML")],
)  # fmt: skip
def test_a_file_that_means_no_space_is_refused_by_name(tmp_path, content, part):
    path = tmp_path / "space.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpaceError, match=part) as caught:
        Space.from_toml(path)
    assert str(path) in str(caught.value)


def test_the_mark_that_some_editors_put_at_the_head_is_no_mistake(tmp_path):
    path = tmp_path / "space.toml"
    path.write_bytes(b"\xef\xbb\xbfbias = true\r\ndropout = { low = 0.0, high = 0.5 }\r\n")
    assert Space.from_toml(path) == Space(bias=True, dropout=Float(0.0, 0.5))


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(SpaceError, match="can be read"):
        Space.from_toml(tmp_path)


@given(st.text(max_size=80))
def test_any_text_is_a_space_or_a_clear_error(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(FleetgradError):
        Space.from_toml(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.sampled_from(["adam", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["low", "high", "log", "choice", "when", "hidden", "augment", "shift", "elastic"]
            ),
            inner,
        )
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*NAMES, "nonsense"]), JSON, max_size=3))
def test_any_values_are_a_space_or_a_clear_error(values):
    with suppress(SpaceError):
        space = Space.from_dict(values)
        assert Settings(**space.decode([0.5] * space.dimensions))


@pytest.mark.parametrize(
    ("rows", "features", "image_shape"),
    [(8, 4, None), (1_198, 64, (8, 8)), (13_333, 16, None), (50_000, 784, (28, 28))],
)
def test_the_default_space_searches_few_shapes(rows, features, image_shape):
    space = default_space(rows, features, image_shape)
    grid = [Settings(**point) for point in space.grid(2_000)]
    shapes = {(s.hidden, s.batch_size, s.optimizer, s.init, s.loss) for s in grid}
    assert len(shapes) <= 4
    assert all(settings.batch_size <= max(1, rows / 2) for settings in grid)
    assert ("augment" in space.names) == (image_shape is not None)
    for settings in grid:
        settings.augment.check(image_shape)
    assert space.dimensions >= 6


DISTURBED = (Augmentation(), Augmentation(shift=2), Augmentation(shift=3, rotation=10))


def test_disturbances_of_images_are_chosen_by_name_or_by_amounts(tmp_path):
    found = Space(augment=Choice("none", "shift", {"shift": 3, "rotation": 10}))
    assert found.ranges["augment"].values == DISTURBED
    assert [point["augment"] for point in found.grid(3)] == [*DISTURBED]
    path = tmp_path / "space.toml"
    path.write_text('augment = { choice = ["none", "shift", { shift = 3, rotation = 10 }] }')
    assert Space.from_toml(path) == found
    text = 'augment = { choice = ["none", { shift = 2 }, { shift = 3, rotation = 10.0 }] }\n'
    assert found.to_toml().endswith(text)


@pytest.mark.parametrize("text", ['augment = "shift"', "augment = { shift = 2 }",
                                  "[augment]\nshift = 2"])  # fmt: skip
def test_a_table_of_amounts_fixes_a_disturbance(tmp_path, text):
    path = tmp_path / "space.toml"
    path.write_text(f"dropout = {{ low = 0, high = 0.5 }}\n{text}\n")
    space = Space.from_toml(path)
    assert space == Space(dropout=Float(0, 0.5), augment={"shift": 2})
    assert space.fixed["augment"] == DISTURBED[1]
    assert Space.from_dict(json.loads(json.dumps(space.to_dict()))) == space


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("augment = { shfit = 2 }", ":2: .*'shfit'; .*`shift`"),
        ("augment = { choice = [{ shift = -1 }] }", ":2: the range of `augment` .* got -1"),
        ("augment = { low = 0, high = 2 }", ":2: .*use Choice"),
        ('augment = { choice = ["shift", { shift = 2 }] }', ":2: .*distinct"),
    ],
)
def test_a_wrong_disturbance_is_refused_by_line(tmp_path, text, part):
    path = tmp_path / "space.toml"
    path.write_text(f"dropout = {{ low = 0, high = 0.5 }}\n{text}\n")
    with pytest.raises(SpaceError, match=part):
        Space.from_toml(path)


@pytest.mark.parametrize("named", ["shift", {"shift": 2}, ("shift", "affine")])
def test_a_condition_knows_a_disturbance_by_any_of_its_names(named):
    space = Space(
        augment=Choice("none", {"shift": 2}), dropout=Float(0, 0.5, when={"augment": named})
    )
    where = space.names.index("augment")
    for unit, matters in ((0.0, False), (0.9, True)):
        point = [0.5, 0.5]
        point[where] = unit
        assert ("dropout" in space.decode(point)) == matters
    assert Space.from_dict(json.loads(json.dumps(space.to_dict()))) == space


def test_the_default_space_reads_as_a_person_would_write_it():
    text = default_space(50_000, 784, (28, 28)).to_toml()
    assert "learning_rate = { low = 0.0005, high = 0.02, log = true }\n" in text
    assert "hidden = { choice = [[256, 128], [512, 256], [512, 512], [1024, 512]] }\n" in text
    assert "{ shift = 2, rotation = 10.0, scale = 0.1, shear = 6.0, elastic = 1.0 }" in text
    assert 'optimizer = "adamw"\n' in text
    assert text.startswith("# ")


@pytest.mark.parametrize(
    "parts",
    [
        {"batch_size": Int(1, 64), "normalization": Choice("none", "batch")},
        {"batch_size": Choice(32, 1), "normalization": "batch"},
        {"batch_size": 1, "normalization": Choice("layer", "batch")},
    ],
)
def test_batch_normalization_never_meets_a_batch_of_one_row(parts):
    with pytest.raises(SpaceError, match="`batch_size` must be at least 2 .* got 1"):
        Space(**parts)


def test_batches_of_one_row_are_fine_without_batch_normalization():
    assert Space(batch_size=Int(1, 64), normalization=Choice("none", "layer")).dimensions == 2
    assert Space(batch_size=Choice(2, 64), normalization=Choice("none", "batch")).dimensions == 2
    assert Space(learning_rate=Float(0.1, 1.0), normalization="batch").dimensions == 1
