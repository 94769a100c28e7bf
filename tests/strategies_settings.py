"""Settings that Hypothesis draws for tests that train: small networks, rates that keep finite."""

from hypothesis import strategies as st

from fleetgrad.settings import (
    ACTIVATIONS,
    EMBEDDINGS,
    INITIALIZERS,
    NORMALIZATIONS,
    OPTIMIZERS,
    PARAMETRIZATIONS,
    SCHEDULES,
    Settings,
)
from fleetgrad.settings import CLASS_LOSSES as LOSSES

CALM = {"adam": 0.02, "adamw": 0.02, "rmsprop": 0.01}  # highest learning rates; others divide


def shares(high: float) -> st.SearchStrategy[float]:
    """0 often, else up to `high`."""
    return st.one_of(st.just(0.0), st.floats(0.01, high))


@st.composite
def rates(draw, optimizer: str, loss: str) -> dict:
    """Everything that needs no other program, with noise, clipping and averaging off."""
    most = CALM.get(optimizer, 0.001 if loss == "notebook" else 0.1)
    return {
        "learning_rate": draw(st.floats(most / 100, most)),
        "momentum": draw(st.floats(0, 0.9)),
        "beta2": draw(st.floats(0.5, 0.999)),
        "weight_decay": draw(shares(0.1)),
        "schedule": draw(st.sampled_from(SCHEDULES)),
        "warmup": draw(shares(0.9)),
        "init": draw(st.sampled_from(INITIALIZERS)),
        "init_scale": draw(st.floats(0.1, 1)),
        "label_smoothing": draw(shares(0.5)),
        "epochs": draw(st.integers(1, 20)),
    }


@st.composite
def trainable(draw) -> Settings:
    """Any settings at all, of a network small enough to train while one waits."""
    loss, optimizer = draw(st.sampled_from(LOSSES)), draw(st.sampled_from(OPTIMIZERS))
    parametrization = draw(st.sampled_from(PARAMETRIZATIONS))
    return Settings(
        hidden=draw(st.lists(st.integers(1, 9), max_size=3).map(tuple)),
        activation=draw(st.sampled_from(ACTIVATIONS)),
        # Outputs that start at 0 are ties, which 32 and 64 bits break differently once averaged.
        members=1 if parametrization == "ntk" else draw(st.integers(1, 3)),
        parametric=draw(st.booleans()),
        bias=draw(st.booleans()),
        parametrization=parametrization,
        front_scale=draw(st.booleans()),
        embedding=draw(st.sampled_from(EMBEDDINGS)),
        embedding_waves=draw(st.integers(1, 4)),
        embedding_size=draw(st.integers(2, 4)),
        normalization=draw(st.sampled_from(NORMALIZATIONS)),
        gradient_clipping=draw(shares(2.0)),
        ema=draw(shares(0.999)),
        loss=loss,
        optimizer=optimizer,
        batch_size=draw(st.integers(16, 60)),
        dropout=draw(shares(0.6)),
        input_dropout=draw(shares(0.6)),
        input_noise=draw(shares(0.5)),
        **draw(rates(optimizer, loss)),
    )
