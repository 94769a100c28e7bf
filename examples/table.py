"""Learn from a table inside a scikit-learn pipeline, and judge it as any other estimator.

`python examples/table.py` tries a dozen candidates, as small data get by default;
`python examples/table.py 5m` searches for five minutes.
"""

import sys

from sklearn.datasets import load_wine
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fleetgrad as fg
from fleetgrad.estimators import FleetClassifier
from fleetgrad.finals import wilson


def main(budget: str | fg.Budget = "auto") -> dict[str, float]:
    """Fit a fleet and a plain model on the same rows; score both on rows that neither has seen."""
    wine = load_wine(as_frame=True)
    X, y = wine.data, wine.target_names[wine.target]
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.4, random_state=0, stratify=y
    )
    models = {
        "fleet": make_pipeline(SelectKBest(k=10), FleetClassifier(budget, random_state=0)),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
    }
    models["fleet"].set_output(transform="pandas")  # columns keep their names on the way
    scores = {}
    for name, model in models.items():
        model.fit(X_train, y_train)
        right = int((model.predict(X_test) == y_test).sum())
        low, high = wilson(right, len(y_test))
        scores[name] = right / len(y_test)
        print(f"{name:8s} {scores[name]:.1%} of {len(y_test)} rows, {low:.1%} to {high:.1%}")

    found = models["fleet"][-1]
    best = found.settings_
    print(
        f"the best of {len(found.leaderboard_)} candidates: hidden layers {best.hidden}, "
        f"{best.activation}, learning rate {best.learning_rate:.2g}, dropout {best.dropout:.2g}"
    )
    return scores


if __name__ == "__main__":
    main(*sys.argv[1:])
