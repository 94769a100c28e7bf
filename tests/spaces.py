"""Hypothesis strategies for ranges, spaces and settings."""

from hypothesis import strategies as st

from fleetgrad.augmentation import PRESETS, Augmentation
from fleetgrad.settings import (
    ACTIVATIONS,
    EMBEDDINGS,
    INITIALIZERS,
    NAMES,
    NORMALIZATIONS,
    OPTIMIZERS,
    PARAMETRIZATIONS,
    PRECISIONS,
    SCHEDULES,
    Settings,
)
from fleetgrad.space import Choice, Float, Int, Space

SHARES = ("beta2", "dropout", "ema", "input_dropout", "label_smoothing", "momentum", "warmup")
SWITCHED = ("bias", "front_scale", "parametric")
NAMED = {
    "activation": ACTIVATIONS,
    "embedding": EMBEDDINGS,
    "init": INITIALIZERS,
    "normalization": NORMALIZATIONS,
    "optimizer": OPTIMIZERS,
    "parametrization": PARAMETRIZATIONS,
    "precision": PRECISIONS,
    "schedule": SCHEDULES,
}
WIDTHS = st.lists(st.integers(1, 512), max_size=3).map(tuple)


AUGMENTS = st.sampled_from(sorted(PRESETS)) | st.fixed_dictionaries(
    {"shift": st.integers(0, 5)},
    optional={"rotation": st.floats(0, 180), "scale": st.floats(0, 0.9), "shear": st.floats(0, 60),
              "elastic": st.floats(0, 1e6)},
)  # fmt: skip


def distinct(values, most=4):
    return st.lists(values, min_size=1, max_size=most, unique=True)


@st.composite
def stretches(draw, low, high, *, log=False):
    ends = draw(st.lists(st.floats(low, high), min_size=2, max_size=2, unique=True))
    return Float(min(ends), max(ends), log=log and draw(st.booleans()))


@st.composite
def counts(draw):
    low = draw(st.integers(2, 300))  # batch normalization takes no single rows
    return Int(low, low + draw(st.integers(1, 300)), log=draw(st.booleans()))


def choices(values):
    return distinct(values).map(lambda found: Choice(*found))


RANGES = {
    **{name: stretches(0, 0.9) for name in SHARES},
    **{name: choices(st.sampled_from(allowed)) for name, allowed in NAMED.items()},
    "augment": choices(AUGMENTS.map(Augmentation.of)),
    "batch_size": counts() | choices(st.integers(2, 64)),
    **{name: choices(st.booleans()) for name in SWITCHED},
    "hidden": choices(WIDTHS),
    "learning_rate": stretches(1e-8, 1e3, log=True),
    "weight_decay": stretches(1e-12, 10, log=True),
}
FIXED = {
    "embedding_scale": st.floats(1e-3, 10),
    "embedding_size": st.integers(2, 9),
    "embedding_waves": st.integers(1, 99),
    "epochs": st.integers(1, 100),
    "gradient_clipping": st.floats(0, 100),
    "init_scale": st.floats(1e-3, 10),
    "input_noise": st.floats(0, 1),
    "members": st.integers(1, 9),
    "loss": st.just("squared_error"),
}


@st.composite
def spaces(draw):
    """A space of some searched and some fixed names; the momentum may have a condition."""
    names = draw(distinct(st.sampled_from(sorted(RANGES)), most=5))
    parts = {name: draw(RANGES[name]) for name in names}
    if {"momentum", "optimizer"} <= parts.keys() and draw(st.booleans()):
        span, parent = parts["momentum"], parts["optimizer"]
        allowed = draw(distinct(st.sampled_from(parent.values)))
        parts["momentum"] = Float(span.low, span.high, when={"optimizer": tuple(allowed)})
    fixed = draw(st.lists(st.sampled_from(sorted(FIXED)), unique=True))
    return Space(**parts, **{name: draw(FIXED[name]) for name in fixed})


SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        **{name: st.floats(0, 0.99) for name in SHARES},
        **{name: st.sampled_from(allowed) for name, allowed in NAMED.items()},
        **FIXED,
        "augment": AUGMENTS,
        "batch_size": st.integers(2, 4096),
        **{name: st.booleans() for name in SWITCHED},
        "hidden": WIDTHS,
        "learning_rate": st.floats(1e-12, 1e6),
        "weight_decay": st.floats(0, 1e3),
    },
).map(lambda values: Settings(**values))

assert {*RANGES, *FIXED} == set(NAMES)
