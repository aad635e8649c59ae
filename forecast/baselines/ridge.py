"""Ridge regression on lags: one linear model per step, shared by all series. It must not know panels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np

from forecast.baselines.learner import Learner
from forecast.core.arrays import BoolArray, FloatArray
from forecast.core.errors import UsageError
from forecast.core.forecaster import Weights
from forecast.windowing.lag_table import LagPlan, LagTable

MOST_LAGS = 168
LARGEST = 5.0  # squares follow outliers: on M4 Hourly's validation part 5 was better than 10 and 30


@final
class RidgeLearner(Learner):
    """Least squares with a squared penalty on the coefficients of standardised features.

    A missing feature is 0 after standardising, its mean, beside a mask column that tells so (for the features that were ever
    missing at `fit`).
    """

    kind = "ridge"
    predicts_median = False
    cost = "10 s for 16,000 origins, 48 steps and 200 features, fitted twice"

    def __init__(self, penalty: float, origins: int) -> None:
        """Args: `penalty` per training row, relative to features of variance 1; `origins` as in Learner."""
        if penalty <= 0:
            raise UsageError(f"penalty is {penalty}: it must be above 0, such as 0.001")
        self.penalty, self.origins = float(penalty), int(origins)
        self._weights: dict[str, Any] = {}

    def plan(self, horizon: int, season_lengths: tuple[int, ...]) -> LagPlan:
        """Returns a plan with two of the shortest seasons, or one of the longest up to 168 rows, as lags."""
        shortest, longest = (season_lengths[0], season_lengths[-1]) if season_lengths else (4, 8)
        lags = max(min(2 * shortest, MOST_LAGS), min(longest, MOST_LAGS))
        return LagPlan(horizon, season_lengths, lags, (*sorted({shortest, longest}),), LARGEST)

    def fit(self, table: LagTable, seed: np.random.Generator) -> None:
        """Fits one regression per step on the rows whose target is known; a step without any predicts 0, the base itself."""
        steps = table.target.shape[1]
        matrices = [self._statistics(table.features(step)) for step in (1, steps)]
        masked: BoolArray = matrices[0][2] | matrices[1][2]
        width = len(table.names)
        self._weights = {"masked": masked, "centre": np.zeros((steps, width)), "spread": np.ones((steps, width)),
                         "coefficients": np.zeros((steps, width + int(masked.sum()))), "intercepts": np.zeros(steps)}  # fmt: skip
        for step in range(1, steps + 1):
            self._fit_step(table, step)

    def _fit_step(self, table: LagTable, step: int) -> None:
        from sklearn.linear_model import Ridge

        target = table.target[:, step - 1]
        known = np.isfinite(target)
        if not known.any():
            return
        features = table.features(step)[known]
        self._weights["centre"][step - 1], self._weights["spread"][step - 1], _ = self._statistics(features)
        model = Ridge(alpha=self.penalty * int(known.sum()), solver="cholesky").fit(
            self._standardised(features, step), target[known]
        )
        self._weights["coefficients"][step - 1], self._weights["intercepts"][step - 1] = model.coef_, model.intercept_

    @staticmethod
    def _statistics(features: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Mean and standard deviation of the observed values of each feature (1 where it does not vary), and whether any is missing."""
        observed: BoolArray = np.isfinite(features)
        count = np.maximum(observed.sum(axis=0), 1)
        centre: FloatArray = np.where(observed, features, 0.0).sum(axis=0) / count
        spread: FloatArray = np.sqrt(np.where(observed, (features - centre) ** 2, 0.0).sum(axis=0) / count)
        missing: BoolArray = ~np.asarray(observed.all(axis=0))
        return centre, np.where(spread > 1e-12 * np.abs(centre), spread, 1.0), missing

    def _standardised(self, features: FloatArray, step: int) -> FloatArray:
        """Features in units of their own spread, 0 where missing, then the mask columns. Shape [O, F + masked]."""
        values = (features - self._weights["centre"][step - 1]) / self._weights["spread"][step - 1]
        missing = ~np.isfinite(values)
        return np.concatenate([np.where(missing, 0.0, values), missing[:, self._weights["masked"]]], axis=1)

    def predict(self, table: LagTable) -> FloatArray:
        """Returns features times coefficients, summed row by row: a matrix product would let companions move the last bit."""
        out = np.empty((len(table), len(self._weights["intercepts"])))
        for step in range(1, out.shape[1] + 1):
            products = self._standardised(table.features(step), step) * self._weights["coefficients"][step - 1]
            out[:, step - 1] = products.sum(axis=1) + self._weights["intercepts"][step - 1]
        return out

    def weights(self) -> Weights:
        """Returns coefficients, intercepts and the statistics of the features, per step."""
        return dict(self._weights)

    def restore(self, weights: Weights) -> None:
        """Takes the arrays back."""
        self._weights = {name: weights[name] for name in ("masked", "centre", "spread", "coefficients", "intercepts")}

    def options(self) -> Mapping[str, Any]:
        """Returns penalty and origins."""
        return {"penalty": self.penalty, "origins": self.origins}
