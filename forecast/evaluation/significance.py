"""Whether one model is better than another, or only looked better on these series.

The unit is the series: errors of one series at several cutoffs and steps hang together and are averaged first. What the methods here take
for granted is that series are exchangeable; where they share their shocks, intervals are too narrow. It must not run a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd

from forecast.core.arrays import FloatArray
from forecast.core.errors import UsageError
from forecast.evaluation.evaluation import Evaluation
from forecast.evaluation.leaderboard import require_comparable
from forecast.evaluation.metrics import METRICS

_BLOCK = 2_000_000  # series drawn at once


@final
@dataclass(frozen=True, slots=True)
class Comparison:
    """A model against another on the same series.

    difference: mean over series of the first one's metric minus the other's: below zero the first one is better.
    low, high: ends of the bootstrap interval of the difference.
    p_value: of Wilcoxon's signed-rank test that neither is better.
    better_share: share of series on which the first one is strictly better.
    series: number of series that both were measured on.
    """

    model: str
    other: str
    metric: str
    difference: float
    low: float
    high: float
    p_value: float
    better_share: float
    series: int

    @property
    def verdict(self) -> str:
        """`better`, `worse` or `no difference shown`: whether the interval of the difference lies on one side of zero."""
        if self.high < 0:
            return "better"
        return "worse" if self.low > 0 else "no difference shown"


@final
@dataclass(frozen=True, slots=True)
class Relative:
    """One model's metric over another's on the same series.

    ratio: below one the first model is better. low, high: ends of the bootstrap interval of the ratio.
    series: number of series that both were measured on.
    """

    model: str
    other: str
    metric: str
    ratio: float
    low: float
    high: float
    series: int


@final
@dataclass(frozen=True, slots=True, eq=False)
class Ranks:
    """Average rank of each model over series, best first.

    ranks: 1 is best on every series. Shape [models].
    critical_difference: ranks that differ by less are not shown to differ (Nemenyi, at the 5 % level).
    p_value: of Friedman's test that all models are equal; NaN for two models.
    """

    models: tuple[str, ...]
    ranks: FloatArray
    critical_difference: float
    series: int
    p_value: float

    def groups(self) -> list[tuple[int, int]]:
        """Returns the longest runs of models whose ranks are not shown to differ, as first and last position."""
        last = [int(np.flatnonzero(self.ranks - rank < self.critical_difference).max()) for rank in self.ranks]
        return [(first, end) for first, end in enumerate(last) if end > first and (first == 0 or last[first - 1] < end)]


def compare(
    model: Evaluation,
    other: Evaluation,
    metric: str | None = None,
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Returns the paired comparison of two models over series.

    Args:
        model: The first one.
        other: The one it is compared with.
        metric: Any whose lower values are better; by default the task's first.
        resamples: Draws of the bootstrap.
        confidence: Of the interval, two-sided.
        seed: Of the draws: the same seed gives the same interval.

    Raises:
        UsageError: tasks or panels that differ, fewer than two series measured, or a metric whose lower values are not better.
    """
    require_comparable([model, other])
    name = _rankable(model, metric)
    difference = _measured([model, other], name).to_numpy(dtype=np.float64) @ np.array([1.0, -1.0])
    if len(difference) < 2:
        raise UsageError(
            f"{model.model} and {other.model} share {len(difference)} series with {name}: a comparison needs at least two"
        )
    low, high = np.quantile(_resampled_means(difference, resamples, seed), [(1 - confidence) / 2, (1 + confidence) / 2])
    return Comparison(model.model, other.model, name, float(difference.mean()), float(low), float(high), _wilcoxon(difference),
                      float((difference < 0).mean()), len(difference))  # fmt: skip


def relative(
    model: Evaluation,
    other: Evaluation,
    metric: str | None = None,
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Relative:
    """Returns the ratio of two models' metrics over a panel, with the interval of the paired bootstrap over series.

    It is the ratio of the panels' numbers (of means over series; of pooled sums for pooled metrics), never a mean of ratios: a series
    on which the other model is nearly exact does not decide it. It is NaN where the other's number is 0.

    Args:
        model: The first one.
        other: The one it is measured against.
        metric: Any whose lower values are better; by default the task's first.
        resamples: Draws of the bootstrap.
        confidence: Of the interval, two-sided.
        seed: Of the draws: the same seed gives the same interval.

    Raises:
        UsageError: tasks or panels that differ, fewer than two series measured, or a metric whose lower values are not better.
    """
    require_comparable([model, other])
    name = _rankable(model, metric)
    totals = pd.concat([_totals(e, name) for e in (model, other)], axis=1).dropna().to_numpy(dtype=np.float64)
    if len(totals) < 2:
        raise UsageError(f"{model.model} and {other.model} share {len(totals)} series with {name}: an interval needs at least two")
    draws = [_resampled_means(column, resamples, seed) for column in totals.T]  # the same draws of series for both
    low, high = np.quantile(_ratio(*draws), [(1 - confidence) / 2, (1 + confidence) / 2])
    ratio = float(_ratio(totals[:, 0].mean(keepdims=True), totals[:, 1].mean(keepdims=True))[0])
    return Relative(model.model, other.model, name, ratio, float(low), float(high), len(totals))


def average_ranks(evaluations: Sequence[Evaluation], metric: str | None = None) -> Ranks:
    """Returns the average ranks of the models that have scores, ties shared, with Nemenyi's critical difference at the 5 % level.

    Args:
        evaluations: Of one task and panel; those without scores are left out.
        metric: Any whose lower values are better; by default the task's first.

    Raises:
        UsageError: fewer than two models with scores, or fewer than two series on which all were measured.

    Source: Demšar (2006), Journal of Machine Learning Research 7.
    """
    require_comparable(evaluations)
    working = [e for e in evaluations if e.ok]
    name = _rankable(evaluations[0], metric)
    values = _measured(working, name) if len(working) > 1 else pd.DataFrame()
    if len(values) < 2:
        raise UsageError(
            f"{len(working)} models with scores share {len(values)} series with {name}: ranks need at least two of both"
        )
    ranks = values.rank(axis=1).mean().sort_values(kind="stable")
    return Ranks(tuple(ranks.index), ranks.to_numpy(dtype=np.float64), critical_difference(len(ranks), len(values)), len(values),
                 _friedman(values))  # fmt: skip


def critical_difference(models: int, series: int) -> float:
    """Returns Nemenyi's critical difference of average ranks at the 5 % level: q * sqrt(k (k + 1) / (6 N)).

    q is the 95 % point of the studentised range of k models with infinite degrees of freedom, over sqrt(2).

    Source: Demšar (2006), Journal of Machine Learning Research 7, section 3.2.2.
    """
    from scipy.stats import studentized_range  # half a second of start-up

    q = float(studentized_range.ppf(0.95, models, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(models * (models + 1) / (6 * series)))


def _rankable(evaluation: Evaluation, metric: str | None) -> str:
    name = metric or evaluation.task.metrics[0]
    if name not in evaluation.task.metrics or METRICS[name].better != "lower":
        usable = [m for m in evaluation.task.metrics if METRICS[m].better == "lower"]
        raise UsageError(f"models cannot be ranked by {name!r}; this task has {usable}")
    return name


def _measured(evaluations: Sequence[Evaluation], metric: str) -> pd.DataFrame:
    """One column per model, one row per series on which all are measured."""
    return pd.concat({e.model: e.per_series(metric) for e in evaluations}, axis=1).dropna()


def _totals(evaluation: Evaluation, metric: str) -> pd.Series:
    """What each series adds to the panel's number, up to a factor that all models share."""
    if METRICS[metric].weight is None:
        return evaluation.per_series(metric)
    chosen = evaluation.scores[evaluation.scores["metric"] == metric]
    return chosen.groupby("unique_id", sort=True)["total"].sum(min_count=1)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    return np.asarray(np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0))


def _resampled_means(values: FloatArray, resamples: int, seed: int) -> FloatArray:
    """Means of draws with replacement, in blocks, so that 100,000 series fit into memory."""
    chance, size = np.random.default_rng(seed), len(values)
    block = max(1, _BLOCK // size)
    counts = [min(block, resamples - first) for first in range(0, resamples, block)]
    return np.concatenate([values[chance.integers(0, size, (count, size))].mean(axis=1) for count in counts])


def _wilcoxon(difference: FloatArray) -> float:
    from scipy.stats import wilcoxon  # half a second of start-up

    return float(wilcoxon(difference, zero_method="zsplit").pvalue) if difference.any() else 1.0


def _friedman(values: pd.DataFrame) -> float:
    from scipy.stats import friedmanchisquare  # half a second of start-up

    distinct = (values.nunique(axis=1) > 1).any()
    if values.shape[1] < 3 or not distinct:
        return float("nan") if values.shape[1] < 3 else 1.0
    return float(friedmanchisquare(*values.to_numpy(dtype=np.float64).T).pvalue)
