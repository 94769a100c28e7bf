"""Say whether dropout helps on these data, or that the data cannot tell.

`python examples/compare.py` trains 40 small networks for 20 epochs each.
"""

import sys
from dataclasses import replace

import fleetgrad as fg
from fleetgrad.finals import mean_interval, rank, ties

PLAIN = fg.Settings(hidden=(64,), learning_rate=3e-3, batch_size=32)
SETTINGS = {
    "plain": PLAIN,
    "dropout 0.3": replace(PLAIN, dropout=0.3),
    "wider": replace(PLAIN, hidden=(256,)),
    "a high rate": replace(PLAIN, learning_rate=0.1),
}


def main(epochs: int | str = 20, replicates: int | str = 10) -> tuple[int, ...]:
    """Train each from several seeds on the same splits; compare within a replicate."""
    curves = fg.train(
        fg.load("digits"), [*SETTINGS.values()], epochs=int(epochs), replicates=int(replicates)
    )
    scores = curves.validation_accuracy[:, :, -1]  # (settings, replicates), after the last epoch
    names = [*SETTINGS]
    for place in rank(scores):
        difference = scores[place] - scores[0]
        interval = mean_interval(difference)
        assert interval is not None  # there are two replicates or more
        beside = f"{difference.mean():+.2%}, {interval.low:+.2%} to {interval.high:+.2%}"
        print(f"{names[place]:12s} {scores[place].mean():.2%}   less plain: {beside}")
    best, equal = names[rank(scores)[0]], [names[place] for place in ties(scores, seed=0)]
    print(f"best: {best}; the data cannot tell it from: {', '.join(equal) or 'nobody'}")
    return ties(scores, seed=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
