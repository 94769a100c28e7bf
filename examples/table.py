"""Learn from a table inside a scikit-learn pipeline, and judge it as any other estimator.

`python examples/table.py` takes two minutes or so.
"""

import sys

from sklearn.datasets import load_wine
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline

import fleetgrad as fg
from fleetgrad.estimators import FleetClassifier


def main(budget: str | fg.Budget = "10s", folds: int = 5) -> float:
    """Fit a pipeline, score it on rows it has not seen, and cross-validate it beside boosting."""
    wine = load_wine(as_frame=True)
    X, y = wine.data, wine.target_names[wine.target]
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

    model = make_pipeline(SelectKBest(k=10), FleetClassifier(budget, random_state=0))
    model.set_output(transform="pandas")
    score = model.fit(X_train, y_train).score(X_test, y_test)
    found = model[-1]
    print(f"{score:.1%} of {len(y_test)} rows, by one of {len(found.leaderboard_)} candidates")

    for name, one in (("pipeline", model), ("boosting", HistGradientBoostingClassifier())):
        scores = cross_val_score(one, X, y, cv=folds)
        print(f"{name:9s} {scores.mean():.1%} +- {scores.std(ddof=1) / len(scores) ** 0.5:.1%}")
    return float(score)


if __name__ == "__main__":
    main(*sys.argv[1:])
