"""Fleetgrad as scikit-learn knows it.

FleetClassifier, FleetRegressor    `fit` searches, `predict` is the winner
FleetSearchCV                      a list, or a space, over the folds of a cross-validation
"""

from fleetgrad.estimators.cross_validation import FleetSearchCV
from fleetgrad.estimators.fleet import FleetClassifier, FleetRegressor

__all__ = ["FleetClassifier", "FleetRegressor", "FleetSearchCV"]
