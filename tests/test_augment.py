"""Images disturbed: each by draws of its own, moved as the geometry says, read as they lie."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import reference
from fleetgrad import augment
from fleetgrad.augment import Draws, Form
from fleetgrad.augmentation import Augmentation

DIGITS = load_digits().images.astype(np.uint8)[:60]
KEY = jax.random.key(5)
BATCH = 4000
STILL = Draws(jnp.zeros((1, 2), jnp.int32), jnp.zeros(1), jnp.ones(1), jnp.zeros(1),
              jnp.zeros((1, 2, 25)))  # fmt: skip
ALL = {"shift": 3, "rotation": 20, "scale": 0.3, "shear": 10, "elastic": 2}
# Compiled whole, as they are in training, and not operation by operation.
disturbed = jax.jit(augment.disturbed, static_argnames="form")
images = jax.jit(augment.images, static_argnames="form")
draw = jax.jit(augment.draw, static_argnames=("form", "batch"))


def moved(image, kind="affine", **draws):
    """One image, with these draws and nothing else done to it."""
    image = np.asarray(image)
    rows, chosen = jnp.asarray(image.reshape(1, -1)), jnp.zeros(1, jnp.int32)
    drawn = STILL._replace(**{name: jnp.asarray([value]) for name, value in draws.items()})
    found = disturbed(rows, chosen, Form(kind, image.shape), drawn)
    assert found.dtype == jnp.float32
    return np.asarray(found).reshape(image.shape)


def drawn(amounts, key=KEY):
    given = Augmentation.of(amounts)
    form = augment.form_of(given, (8, 8))
    return draw(key, form, augment.amounts_of(given), BATCH)


def shifted(image, down, right):
    """By slices: what leaves is gone, what comes in is 0."""
    out = np.zeros_like(image)
    height, width = image.shape[:2]
    to = slice(max(0, down), height + min(0, down)), slice(max(0, right), width + min(0, right))
    source = (
        slice(max(0, -down), height - max(0, down)),
        slice(max(0, -right), width - max(0, right)),
    )
    out[to] = image[source]
    return out


def picture(height, width, channels=None, dtype=np.uint8):
    shape = (height, width) if channels is None else (height, width, channels)
    return np.random.default_rng(1).integers(0, 256, shape).astype(dtype)


# Geometry.


@pytest.mark.parametrize("kind", ["shift", "affine", "elastic"])
@pytest.mark.parametrize("image", [DIGITS[0], picture(5, 9), picture(6, 4, 3),
                                   picture(7, 7, dtype=np.float32)])  # fmt: skip
def test_a_shift_moves_whole_pixels_exactly(kind, image):
    for down in range(-3, 4):
        for right in range(-3, 4):
            found = moved(image, kind, shift=(down, right))
            np.testing.assert_array_equal(found, shifted(image, down, right))


@pytest.mark.parametrize("kind", ["shift", "affine", "elastic"])
@pytest.mark.parametrize("image", [DIGITS[0], picture(5, 8, 2, np.float32)])
def test_nothing_drawn_changes_nothing(kind, image):
    np.testing.assert_array_equal(moved(image, kind), image)


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("quarters", [-1, 1, 2, 3])
def test_quarter_turns_are_those_of_numpy(side, quarters):
    image = picture(side, side, 3)
    found = moved(image, angle=quarters * np.pi / 2)
    np.testing.assert_allclose(found, np.rot90(image, quarters), atol=0.01)


def test_twice_the_size_spreads_the_middle_over_the_image():
    image = np.zeros((5, 5), np.float32)
    image[2, 1:4] = (4, 8, 2)
    found = moved(image, factor=2.0)
    np.testing.assert_allclose(found[2], [4, 6, 8, 5, 2])
    np.testing.assert_allclose(found[1], found[2] / 2)
    np.testing.assert_allclose(found[0], 0)


def test_half_the_size_reads_every_other_pixel_and_black_around():
    image = picture(9, 9)
    expected = np.zeros((9, 9))
    expected[2:7, 2:7] = image[::2, ::2]
    np.testing.assert_allclose(moved(image, factor=0.5), expected, atol=1e-3)


def test_a_shear_slides_row_against_row():
    image = picture(5, 7)
    found = moved(image, slope=1.0)
    for row in range(5):
        np.testing.assert_allclose(found[row], shifted(image, 0, row - 2)[row], atol=1e-3)


def test_a_bend_alike_everywhere_is_a_shift():
    bend = np.broadcast_to(np.array([[1], [-2]], np.float32), (2, 25))
    image = picture(9, 6)
    np.testing.assert_allclose(moved(image, "elastic", bend=bend), shifted(image, -1, 2), atol=1e-3)


def test_one_corner_bends_its_cells_and_no_others():
    bend = np.zeros((2, 25), np.float32)
    bend[1, 6] = 1.0  # the corner one cell down and right of the upper left
    image = picture(9, 9)
    found = moved(image, "elastic", bend=bend)
    assert found[2, 2] == pytest.approx(image[2, 3])
    changed = np.argwhere(~np.isclose(found, image, atol=1e-3))
    assert changed.min() == 1
    assert changed.max() == 3


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=10)
@pytest.mark.parametrize("shape", [(8, 8), (5, 11), (6, 7, 3)])
def test_everything_at_once_is_what_the_definition_says(shape, seed):
    key, batch = jax.random.key(seed), 5
    rows = np.random.default_rng(seed).integers(0, 256, (9, int(np.prod(shape))), np.uint8)
    chosen = np.array([8, 0, 3, 3, 5], np.int32)
    one = Augmentation.of(ALL)
    form, amounts = augment.form_of(one, shape), augment.amounts_of(one)
    found = images(jnp.asarray(rows), jnp.asarray(chosen), key, form, amounts)
    draws = reference.each(draw(key, form, amounts, batch))
    for image, row, of_image in zip(found, chosen, draws, strict=True):
        expected = reference.warped(rows[row], of_image, shape)
        np.testing.assert_allclose(image, expected, atol=0.02)


def test_what_lies_far_outside_is_black():
    image = np.full((6, 6), 200, np.uint8)
    found = moved(image, "elastic", bend=np.full((2, 25), 3e9, np.float32), factor=1e-6)
    np.testing.assert_array_equal(found, 0)


# Draws.


@pytest.mark.parametrize("most", [0, 1, 2, 5])
def test_every_shift_up_to_the_amount_is_equally_likely(most):
    shift = np.asarray(drawn({"shift": most, "elastic": 1}).shift)
    values, counts = np.unique(shift, return_counts=True)
    assert values.tolist() == list(range(-most, most + 1))
    expected = shift.size / len(values)
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


@pytest.mark.parametrize(
    ("part", "field", "low", "high"),
    [
        ({"rotation": 30}, "angle", -np.pi / 6, np.pi / 6),
        ({"scale": 0.2}, "factor", 0.8, 1.2),
        ({"shear": 45}, "slope", -1, 1),
        ({"elastic": 1.5}, "bend", -1.5, 1.5),
    ],
)
def test_an_amount_is_reached_either_way_and_never_passed(part, field, low, high):
    found = np.asarray(getattr(drawn(part), field))
    width = high - low
    assert low - 1e-6 <= found.min() < low + 0.01 * width
    assert high - 0.01 * width < found.max() <= high + 1e-6
    assert abs(found.mean() - (low + high) / 2) < 0.03 * width


@pytest.mark.parametrize("amounts", [{"shift": 2}, {"rotation": 30}, {"scale": 0.3},
                                     {"shear": 20}, {"elastic": 2}])  # fmt: skip
def test_every_image_of_a_batch_has_draws_of_its_own(amounts):
    one = Augmentation.of(amounts)
    rows, chosen = jnp.asarray(DIGITS[:1].reshape(1, -1)), jnp.zeros(40, jnp.int32)
    form, most = augment.form_of(one, (8, 8)), augment.amounts_of(one)
    found = np.asarray(images(rows, chosen, KEY, form, most))
    assert len(np.unique(found, axis=0)) > 12  # of the 25 shifts, too
    again = np.asarray(images(rows, chosen, jax.random.key(6), form, most))
    assert (found != again).any(axis=1).mean() > 0.8


def test_turning_a_part_on_shifts_no_other_draws():
    whole = drawn(ALL)
    for part, amount in ALL.items():
        for found, expected in zip(drawn({part: amount}), whole, strict=True):
            neutral = found is None or np.ptp(found) == 0
            assert neutral or np.array_equal(found, expected)


def test_draws_of_different_parts_are_independent():
    found = drawn(ALL)
    columns = [*np.asarray(found.shift).T, found.angle, found.factor, found.slope,
               *np.asarray(found.bend).reshape(BATCH, -1).T]  # fmt: skip
    related = np.corrcoef(np.array(columns)) - np.eye(len(columns))
    assert np.abs(related).max() < 0.1


def test_its_key_is_no_layers():
    own = jax.random.key_data(jax.random.fold_in(KEY, augment.NUMBER))
    layers = jax.vmap(lambda layer: jax.random.key_data(jax.random.fold_in(KEY, layer)))
    assert not (np.asarray(layers(jnp.arange(1000))) == np.asarray(own)).all(1).any()


# What is compiled.


@pytest.mark.parametrize(
    ("amounts", "kind"),
    [("shift", "shift"), ({"rotation": 5}, "affine"), ({"scale": 0.1}, "affine"),
     ({"shear": 5}, "affine"), ({"elastic": 1}, "elastic"), (ALL, "elastic")],
)  # fmt: skip
def test_amounts_say_which_program_is_needed(amounts, kind):
    assert augment.form_of(Augmentation.of(amounts), (8, 8)) == Form(kind, (8, 8))


def test_nothing_to_disturb_needs_no_program_whatever_the_rows():
    assert augment.form_of(Augmentation(), None) is augment.form_of(Augmentation(), (8, 8)) is None
