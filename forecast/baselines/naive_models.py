"""The naive family: last value, last season, drift, mean. Written out here because the fallback must not be able to fail.

They read missing values as missing: filling first, as the libraries ask for, would put zero differences into the spread and make
intervals too narrow. On complete series they equal statsforecast's forecasts and intervals (a test). Formulas of the spreads:
Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, 3rd ed., table 5.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from forecast.baselines.intervals import normal_quantiles
from forecast.baselines.local_model import LocalForecast, LocalModel, Question, TooShort
from forecast.core.arrays import FloatArray, IntArray

FAST = "microseconds per series"


@final
@dataclass(frozen=True, slots=True)
class NaiveModel(LocalModel):
    """The last observed value for every step."""

    kind = "naive"
    cost = FAST

    def forecast(self, y: FloatArray, question: Question) -> LocalForecast:
        """Returns the last observed value; spread of a random walk, sigma * sqrt(steps since that value)."""
        at = np.flatnonzero(np.isfinite(y))
        sigma = _spread(np.diff(y[at]) / np.sqrt(np.diff(at)), len(at) - 1)
        return _normal(np.full(question.horizon, y[at[-1]]), sigma * np.sqrt(_ahead(y, at, question.horizon)), question)


@final
@dataclass(frozen=True, slots=True)
class SeasonalNaiveModel(LocalModel):
    """The last observed value of each phase of the shortest season; without a season, the naive forecast."""

    kind = "seasonal_naive"
    cost = FAST

    def forecast(self, y: FloatArray, question: Question) -> LocalForecast:
        """Returns the phases' last values; spread sigma * sqrt(seasons since that value), so 1 + floor((h - 1) / m) seasons.

        A phase that was never observed takes the value of the phase before it.

        Raises:
            TooShort: no two observations one season apart.
        """
        m = question.season_length
        if m == 1:
            return NaiveModel().forecast(y, question)
        differences = y[m:] - y[:-m]
        differences = differences[np.isfinite(differences)]
        if not len(differences):
            raise TooShort(f"{len(y)} rows without two observations one season of {m} steps apart")
        steps = np.arange(question.horizon) % m
        source = _last_of_each_phase(y, m)[steps]
        seasons = np.ceil((len(y) + np.arange(question.horizon) - source) / m)
        return _normal(y[source], _spread(differences, len(differences)) * np.sqrt(seasons), question)


@final
@dataclass(frozen=True, slots=True)
class DriftModel(LocalModel):
    """The straight line through the first and the last observation (random walk with drift)."""

    kind = "drift"
    cost = FAST

    def forecast(self, y: FloatArray, question: Question) -> LocalForecast:
        """Returns the line; spread sigma * sqrt(h * (1 + h / length of the line)).

        Raises:
            TooShort: one observation.
        """
        at = np.flatnonzero(np.isfinite(y))
        if len(at) < 2:
            raise TooShort("one observed value, two are needed")
        length = at[-1] - at[0]
        slope = y[at[-1]] / length - y[at[0]] / length
        gaps, ahead = np.diff(at), _ahead(y, at, question.horizon)
        sigma = _spread((np.diff(y[at]) - slope * gaps) / np.sqrt(gaps), len(at) - 1)
        return _normal(y[at[-1]] + slope * ahead, sigma * np.sqrt(ahead * (1 + ahead / length)), question)


@final
@dataclass(frozen=True, slots=True)
class MeanModel(LocalModel):
    """The mean of all observed values."""

    kind = "mean"
    cost = FAST

    def forecast(self, y: FloatArray, question: Question) -> LocalForecast:
        """Returns the mean; spread sigma * sqrt(1 + 1 / n)."""
        values = y[np.isfinite(y)]
        largest = float(np.abs(values).max()) or 1.0
        mean = float(np.mean(values / largest)) * largest  # sums of huge values overflow
        spread = _spread(values - mean, len(values) - 1) * np.sqrt(1 + 1 / len(values))
        return _normal(np.full(question.horizon, mean), np.full(question.horizon, spread), question)


FALLBACK_CHAIN: tuple[LocalModel, ...] = (SeasonalNaiveModel(), NaiveModel(), MeanModel())


def fallback_forecast(y: FloatArray, question: Question) -> tuple[LocalForecast, str]:
    """Returns the first finite forecast of seasonal naive, naive, mean, and its kind.

    A single observation has no measurable spread: all its quantiles are that value, and the caller's status says fallback.

    Args:
        y: As in `LocalModel.forecast`; at least one observed value.
        question: What is asked.
    """
    for model in FALLBACK_CHAIN:
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                forecast = model.forecast(y, question)
        except TooShort:
            continue
        if np.isfinite(forecast.quantiles).all():
            return forecast, model.kind
    last = np.full(question.horizon, y[np.isfinite(y)][-1])  # spreads of values near 1e308 overflow
    return LocalForecast(last, np.repeat(last[:, None], len(question.levels), axis=1)), "naive without spread"


def _normal(mean: FloatArray, spread: FloatArray, question: Question) -> LocalForecast:
    return LocalForecast(mean, normal_quantiles(mean, spread, question.levels))


def _spread(residuals: FloatArray, degrees: int) -> float:
    """sqrt(sum of squares / degrees), computed relative to the largest, because squares overflow; 0 without degrees."""
    largest = float(np.abs(residuals).max()) if len(residuals) else 0.0
    if degrees < 1 or largest == 0.0:
        return 0.0
    return largest * float(np.sqrt(np.sum(np.square(residuals / largest)) / degrees))


def _ahead(y: FloatArray, at: IntArray, horizon: int) -> IntArray:
    """Steps from the last observation, at row `at[-1]`, to each step of the horizon. Shape [H]."""
    return np.asarray(np.arange(1, horizon + 1) + (len(y) - 1 - at[-1]), dtype=np.int64)


def _last_of_each_phase(y: FloatArray, m: int) -> IntArray:
    """Row of the last observation of each phase, beginning with the phase of step 1. Shape [m]."""
    rows = np.where(np.isfinite(y), np.arange(len(y)), -1)
    padded = np.concatenate([np.full(-len(y) % m, -1), rows]).reshape(-1, m)
    last = padded.max(axis=0)
    seen = np.flatnonzero(last >= 0)
    before = np.searchsorted(seen, np.arange(m), side="right") - 1  # -1, the last one, wraps around the season
    return np.asarray(last[seen[before]], dtype=np.int64)
