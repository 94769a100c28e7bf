"""A Gaussian process over settings and epochs: what partial curves say of everybody's end."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

ROOT5 = 5**0.5
JITTER = 1e-6


class Data(NamedTuple):
    """Where observations lie, in arrays of length n.

    Args:
        features: (n, columns) of the candidates' settings.
        time: Log epochs, 1 at the end of training.
        who: Candidates.
        task: Whose they are: 0 of this search, 1 and so on of earlier runs.
    """

    features: np.ndarray
    time: np.ndarray
    who: np.ndarray
    task: np.ndarray

    def only(self, some: np.ndarray) -> "Data":
        """Some of them."""
        return Data(*(part[some] for part in self))

    def and_of(self, other: "Data") -> "Data":
        """These and others."""
        return Data(*map(np.concatenate, zip(self, other, strict=True)))


class Curves:
    """A Gaussian process over settings and epochs.

        k = M(settings) (a + b M(time)) + c M(time) + e [same candidate] + n [same observation]

    with Matern-5/2 kernels M, a length for each hyperparameter and one for time: a surface that
    holds at all epochs, one that changes with them, a course common to all, what is particular to
    a candidate (its seed), and noise. Parameters are logarithms, fitted with weak normal priors.
    What two tasks have in common is the product of what each has in common with the first (the
    intrinsic model of coregionalization: Bonilla, Chai and Williams 2008; Swersky, Snoek and Adams
    2013), so the first three terms are multiplied by that.

    Args:
        groups: (columns,) which length belongs to each column of the features.
        alike: (tasks,) the correlation of each task with the first, itself among them.
    """

    def __init__(self, groups: np.ndarray, alike: Sequence[float] = (1.0,)) -> None:
        self.groups = groups
        self.shared = np.outer(alike, alike)
        np.fill_diagonal(self.shared, 1.0)
        lengths = int(groups.max()) + 1
        self.prior = np.log([*[0.7] * lengths, 0.5, 0.6, 0.4, 0.5, 0.01, 0.01])
        self.deviation = np.array([*[1.0] * lengths, 0.7, *[1.0] * 5])

    @property
    def noise(self) -> float:
        """Variance of an observation."""
        return float(np.exp(self.theta[-1])) + JITTER

    def fit(self, theta: np.ndarray, data: Data, values: np.ndarray, steps: int) -> np.ndarray:
        """The most plausible parameters, sought from `theta`."""
        bounds = np.stack([self.prior - 3.5 * self.deviation, self.prior + 3.5 * self.deviation], 1)
        options = {"maxiter": steps, "maxfun": steps + 10}
        args = (data, values)
        found = minimize(
            self.loss, theta, args, "L-BFGS-B", jac=True, bounds=bounds, options=options
        )
        fitted: np.ndarray = found.x
        return fitted

    def loss(self, theta: np.ndarray, data: Data, values: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the logarithm of the posterior of the parameters, and its gradient."""
        d = int(self.groups.max()) + 1
        a, b, c, e, n = np.exp(theta[d + 1 :])
        near, r, er = _matern(self._distance(theta, data.features, data.features))
        time, q, eq = _matern(np.abs(data.time[:, None] - data.time) / np.exp(theta[d]))
        same = data.who[:, None] == data.who
        shared = self.shared[data.task[:, None], data.task]
        covariance = (near * (a + b * time) + c * time) * shared + e * same
        covariance[np.diag_indices_from(covariance)] += n + JITTER
        try:
            lower = cholesky(covariance, lower=True, check_finite=False)
        except LinAlgError:
            return 1e10, np.zeros_like(theta)
        inverse = cho_solve((lower, True), np.eye(len(values)), check_finite=False)
        alpha = inverse @ values
        slope = 0.5 * (inverse - np.outer(alpha, alpha))  # of the loss by the covariance
        gradient = np.empty_like(theta)
        gradient[d + 4] = e * slope[same].sum()
        gradient[d + 5] = n * np.trace(slope)
        slope *= shared
        pull = slope * (a + b * time) * (5 / 3) * (1 + ROOT5 * r) * er
        features = data.features
        moved = 2 * (pull.sum(1) @ features**2 - np.einsum("ij,ij->j", features, pull @ features))
        gradient[:d] = np.bincount(self.groups, moved, minlength=d) / np.exp(2 * theta[:d])
        gradient[d] = (slope * (b * near + c) * (5 / 3) * q**2 * (1 + ROOT5 * q) * eq).sum()
        gradient[d + 1] = a * (slope * near).sum()
        gradient[d + 2] = b * (slope * near * time).sum()
        gradient[d + 3] = c * (slope * time).sum()
        pulled = (theta - self.prior) / self.deviation
        loss = 0.5 * values @ alpha + np.log(np.diag(lower)).sum() + 0.5 * pulled @ pulled
        return float(loss), gradient + pulled / self.deviation

    def conditioned(self, theta: np.ndarray, data: Data, values: np.ndarray) -> Self:
        """This model, told of observations."""
        self.theta, self.data = theta, data
        covariance = self.covariance(data, data)
        covariance[np.diag_indices_from(covariance)] += self.noise
        self.lower = cholesky(covariance, lower=True, check_finite=False)
        self.alpha = cho_solve((self.lower, True), values, check_finite=False)
        return self

    def covariance(self, one: Data, other: Data) -> np.ndarray:
        """Between two sets of places."""
        d = int(self.groups.max()) + 1
        a, b, c, e, _ = np.exp(self.theta[d + 1 :])
        near = _matern(self._distance(self.theta, one.features, other.features))[0]
        # epochs are few, so their kernel is computed once for each pair of them
        times, at = np.unique(one.time, return_inverse=True)
        others, place = np.unique(other.time, return_inverse=True)
        time = _matern(np.abs(times[:, None] - others) / np.exp(self.theta[d]))[0]
        found: np.ndarray = (
            near * (a + b * time)[at[:, None], place] + (c * time)[at[:, None], place]
        )
        if len(self.shared) > 1:
            found *= self.shared[one.task[:, None], other.task]
        found += e * (one.who[:, None] == other.who)
        return found

    def mean(self, features: np.ndarray, who: np.ndarray | None = None) -> np.ndarray:
        """Expected value at the end of training; `who` is -1, or None, for nobody known."""
        found: np.ndarray = self.covariance(self._end(features, who), self.data) @ self.alpha
        return found

    def each(self, features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What is expected of unknown ones at the end of training, and its standard deviation."""
        cross = self.covariance(self._end(features, None), self.data)
        known = solve_triangular(self.lower, cross.T, lower=True, check_finite=False)
        variance = np.exp(self.theta[-5:-1]).sum() - (known**2).sum(0)
        return cross @ self.alpha, np.sqrt(np.maximum(variance, 1e-12))

    def joint(self, features: np.ndarray, who: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected values at the end of training, and their covariance."""
        places = self._end(features, who)
        cross = self.covariance(places, self.data)
        known = solve_triangular(self.lower, cross.T, lower=True, check_finite=False)
        return cross @ self.alpha, self.covariance(places, places) - known.T @ known

    def _end(self, features: np.ndarray, who: np.ndarray | None) -> Data:
        nobody = np.full(len(features), -1)
        nothing = np.zeros(len(features), int)
        return Data(features, np.ones(len(features)), nobody if who is None else who, nothing)

    def _distance(self, theta: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        lengths = np.exp(theta[self.groups])
        one, other = one / lengths, other / lengths
        square = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
        found: np.ndarray = np.sqrt(np.maximum(square, 0.0))
        return found


def _matern(r: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Matern-5/2 of a distance, the distance, and its exponential."""
    decay = np.exp(-ROOT5 * r)
    return (1 + ROOT5 * r + 5 / 3 * r * r) * decay, r, decay
