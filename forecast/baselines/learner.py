"""What a regression model must offer to forecast all series of a panel: fit a lag table, predict one, hand out its arrays."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np

from forecast.core.arrays import FloatArray
from forecast.core.forecaster import Weights
from forecast.windowing.lag_table import LagPlan, LagTable


class Learner(ABC):
    """A regression on lag tables. Holds what it learned as arrays; a row's prediction depends on that row alone, bitwise.

    kind: name in the registry.
    cost: what a fit costs.
    origins: how many origins a fit uses at most, over all series.
    predicts_median: whether a prediction is the median of the target, not its mean.
    """

    kind: str
    cost: str
    origins: int
    predicts_median: bool

    @abstractmethod
    def plan(self, horizon: int, season_lengths: tuple[int, ...]) -> LagPlan:
        """Returns the features that it wants."""

    @abstractmethod
    def fit(self, table: LagTable, seed: np.random.Generator) -> None:
        """Learns the table's targets; forgets what it learned before."""

    @abstractmethod
    def predict(self, table: LagTable) -> FloatArray:
        """Returns the predicted targets, scaled units. Shape [O, H]."""

    @abstractmethod
    def weights(self) -> Weights:
        """Returns what was learned."""

    @abstractmethod
    def restore(self, weights: Weights) -> None:
        """Takes back what `weights` gave; a missing array is a KeyError that the forecaster explains."""

    @abstractmethod
    def options(self) -> Mapping[str, Any]:
        """Returns the arguments that rebuild it, as JSON values."""
