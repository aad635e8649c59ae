"""What networks, classical baselines and ensembles share: the Forecaster contract, and the ports that outer layers fill in.

A forecaster holds no data. It must not know files, MLflow or the command line.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np

from forecast.core.arrays import AnyArray, IntArray
from forecast.core.errors import ModelError
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel

Recipe: TypeAlias = Mapping[str, Any]
Weights: TypeAlias = Mapping[str, AnyArray]

DEFAULT_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Forecaster(ABC):
    """Learns across series with `fit`, forecasts each series from the history it is handed with `predict`.

    name: shown in leaderboards and in the `model` column.
    horizon: H, the number of steps of a forecast.
    levels: quantile levels, ascending.
    history_limit: rows of each series that `predict` can use at most; None for all. Callers may cut longer histories.
    carries_state: it can be fed what is new, from a state that it was left with; see `forecast.start`.
    burn_in: measured steps after which it no longer matters where such a state began; None where that was never seen.
    """

    name: str
    horizon: int
    levels: tuple[float, ...]
    history_limit: int | None = None
    carries_state: ClassVar[bool] = False
    burn_in: int | None = None

    @abstractmethod
    def fit(self, panel: Panel) -> None:
        """Learns what is common to all series of the panel; forgets what an earlier fit learned.

        Raises:
            ModelError: the panel cannot be learned from; the message says why.
        """

    @abstractmethod
    def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
        """Returns the forecasts of steps 1...H after the end of each series of the history: one row per series, in its order.

        Args:
            history: May hold series that `fit` never saw. Every series is conditioned on its own rows only.
            known_future: Known covariates of the H steps, where the panel has known covariates.

        Raises:
            ModelError: not fitted, or another frequency or roles than at `fit`.
        """

    def backtest(self, panel: Panel, cutoffs: IntArray) -> Iterator[ForecastFrame]:
        """Yields the forecasts at each cutoff, a block of series and cutoffs at a time, without fitting again.

        At cutoff c a series is conditioned on its rows with ordinal <= c; where a series has no row at c it gets no forecast for
        c. Known covariates of the horizon are taken from the panel. Blocks may come in any grouping.

        Args:
            panel: N series, also holding what comes after the cutoffs.
            cutoffs: Ordinals of the last known step, W for each series. Shape [N, W].
        """
        for column in cutoffs.T:
            inside = np.flatnonzero((column >= panel.starts) & (column <= panel.ends))
            if not len(inside):
                continue
            chosen, cutoff = panel.take(inside), column[inside]
            known = chosen.known_future(after=cutoff) if panel.roles.known else None
            yield self.predict(chosen.until(cutoff), known)

    def choices(self) -> Mapping[str, Mapping[str, object]]:
        """Returns what the last fit measured and chose by itself: events for a log with their facts; empty where it chose nothing."""
        return {}

    @property
    def state_floats(self) -> Mapping[str, int] | None:
        """How many numbers the carried state of one series has, by part; None where nothing is carried."""
        return None

    @abstractmethod
    def recipe(self) -> Recipe:
        """Returns what rebuilds this forecaster: {"kind": name in the closed registry, ...plain JSON values}."""

    @abstractmethod
    def weights(self) -> Weights:
        """Returns what `fit` learned, as arrays by name; empty where nothing is learned.

        Raises:
            ModelError: not fitted.
        """

    @abstractmethod
    def restore(self, weights: Weights) -> None:
        """Takes back what `weights` gave: forecasts are bitwise the same afterwards.

        Raises:
            ModelError: arrays missing or of another shape.
        """


class MetricSink(Protocol):
    """Where a training run reports its numbers; `pipelines` injects the tracker behind it."""

    def log(self, name: str, value: float, step: int) -> None:
        """Records one number at one step."""
        ...


class Progress(Protocol):
    """Whoever waits for a long fit; `pipelines` injects the terminal behind it."""

    def advance(self, share: float, seconds_left: float | None) -> None:
        """Hears which share of the work is done, 0 to 1, and about how long the rest takes (None: not known yet)."""
        ...


class ModelSource(Protocol):
    """Where a job gets its model; `pipelines` injects the registry or a folder behind it."""

    def fetch(self) -> tuple[Forecaster, str]:
        """Returns the verified forecaster and its version.

        Raises:
            ModelNotFound: the registry cannot be reached and no valid copy is at hand.
        """
        ...


def require(condition: bool, message: str) -> None:
    """Raises ModelError with the message unless the condition holds."""
    if not condition:
        raise ModelError(message)
