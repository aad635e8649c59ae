"""Histogram gradient boosting on lags: one model for all series and steps, stored as plain arrays. It must not know panels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import numpy as np

from forecast.baselines.learner import Learner
from forecast.core.arrays import AnyArray, FloatArray
from forecast.core.forecaster import Weights
from forecast.windowing.lag_table import LagPlan, LagTable

LARGEST = 30.0
PAIRS_PER_ORIGIN = 6  # more origins with some steps each say more than few origins with all steps
NODE_FIELDS = ("feature_idx", "num_threshold", "missing_go_to_left", "left", "right", "is_leaf", "value")


@final
class TreesLearner(Learner):
    """scikit-learn's HistGradientBoostingRegressor with the absolute error; missing features go the way that helps in training."""

    kind = "hist_gradient_boosting"
    predicts_median = True
    cost = "5 s for 100,000 rows, 50 features and 200 trees, fitted twice"

    def __init__(self, trees: int, learning_rate: float, leaves: int, rows: int) -> None:
        """Args: `rows` is how many pairs of origin and step a fit uses at most; the others are scikit-learn's."""
        self.trees, self.learning_rate, self.leaves = int(trees), float(learning_rate), int(leaves)
        self.rows, self.origins = int(rows), max(1, int(rows) // PAIRS_PER_ORIGIN)
        self._weights: dict[str, Any] = {}

    def plan(self, horizon: int, season_lengths: tuple[int, ...]) -> LagPlan:
        """Returns a plan with few lags and means over several lengths: trees choose, they do not add up."""
        seasons = season_lengths or (4,)
        windows = {3, *seasons, *(2 * m for m in seasons), max(2, seasons[0] // 2)}
        return LagPlan(horizon, season_lengths, min(8, 2 * seasons[0]), (*sorted(windows),), LARGEST)

    def fit(self, table: LagTable, seed: np.random.Generator) -> None:
        """Fits the trees on a seeded draw of (origin, step) pairs with a known target."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        known = np.isfinite(table.target)
        share = min(1.0, self.rows / max(1, int(known.sum())))
        chosen = known & (seed.random(known.shape) < share)
        parts = [table.features(step)[chosen[:, step - 1]] for step in range(1, known.shape[1] + 1)]
        features, target = np.concatenate(parts), table.target.T[chosen.T]
        if not len(target):
            self._weights = _no_trees()
            return
        model = HistGradientBoostingRegressor(
            loss="absolute_error", max_iter=self.trees, learning_rate=self.learning_rate, max_leaf_nodes=self.leaves,
            early_stopping=False, random_state=0,
        ).fit(features, target)  # fmt: skip
        self._weights = tree_arrays(model)

    def predict(self, table: LagTable) -> FloatArray:
        """Returns the sum of the leaves that each row falls into."""
        steps = table.target.shape[1]
        return np.stack([tree_sum(self._weights, table.features(step)) for step in range(1, steps + 1)], axis=1)

    def weights(self) -> Weights:
        """Returns the nodes of all trees end to end."""
        return dict(self._weights)

    def restore(self, weights: Weights) -> None:
        """Takes the nodes back."""
        self._weights = {name: weights[name] for name in ("baseline", "roots", *NODE_FIELDS)}

    def options(self) -> Mapping[str, Any]:
        """Returns the size of the model and of its draw."""
        return {"trees": self.trees, "learning_rate": self.learning_rate, "leaves": self.leaves, "rows": self.rows}


def tree_arrays(model: Any) -> dict[str, AnyArray]:
    """Returns a fitted HistGradientBoostingRegressor as arrays: a column per node field, all trees end to end.

    `left` and `right` become positions in the whole, `roots` holds the first node of each tree.
    """
    trees = [predictor.nodes for (predictor,) in model._predictors]
    sizes = np.array([len(nodes) for nodes in trees], dtype=np.int64)
    roots = np.cumsum(sizes) - sizes
    arrays = {name: np.concatenate([nodes[name] for nodes in trees]) for name in NODE_FIELDS}
    shift = np.repeat(roots, sizes)
    for side in ("left", "right"):
        arrays[side] = arrays[side].astype(np.int64) + shift
    arrays["missing_go_to_left"], arrays["is_leaf"] = arrays["missing_go_to_left"].astype(bool), arrays["is_leaf"].astype(bool)
    return {"baseline": np.asarray(model._baseline_prediction, dtype=np.float64).reshape(1), "roots": roots, **arrays}


def tree_sum(arrays: Mapping[str, Any], features: FloatArray) -> FloatArray:
    """Returns the model's prediction: all rows walk down each tree side by side. Shape [O, F] -> [O]."""
    total = np.repeat(arrays["baseline"], len(features))
    rows = np.arange(len(features))
    for root in arrays["roots"]:
        node = np.full(len(features), root)
        walking = rows[~arrays["is_leaf"][node]]
        while len(walking):
            here = node[walking]
            value = features[walking, arrays["feature_idx"][here]]
            to_left = np.where(np.isnan(value), arrays["missing_go_to_left"][here], value <= arrays["num_threshold"][here])
            node[walking] = np.where(to_left, arrays["left"][here], arrays["right"][here])
            walking = walking[~arrays["is_leaf"][node[walking]]]
        total += arrays["value"][node]
    return total


def _no_trees() -> dict[str, AnyArray]:
    """A model of no trees: it predicts 0, the base itself."""
    kinds = {"missing_go_to_left": bool, "is_leaf": bool, "num_threshold": np.float64, "value": np.float64}
    empty = {name: np.zeros(0, dtype=kinds.get(name, np.int64)) for name in NODE_FIELDS}
    return {"baseline": np.zeros(1), "roots": np.zeros(0, dtype=np.int64), **empty}
