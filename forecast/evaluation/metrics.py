"""The metrics by name: what each measures, on which forecast, and how rows become one number.

The losses are utilsforecast's; this module takes care of what they leave to the caller: missing targets are left out before anything is
counted, sMAPE is brought to the 0-200 scale, the quantile loss gets its factor 2, and errors are scaled by what was known at the cutoff.
Metrics of absolute error read the median (q0.5) where there is one and the mean otherwise; those of squared error and of bias read the
mean: each reads the forecast that minimises it. A new metric is one decorated function. This module must not know models or tasks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, final

import numpy as np
import pandas as pd
from utilsforecast import losses

from forecast.core.arrays import FloatArray
from forecast.core.forecast_frame import ForecastFrame, quantile_column

Better: TypeAlias = Literal["lower", "zero", "nominal", "none"]
_MEDIAN, _LOWER, _UPPER = 0.5, 0.1, 0.9


@final
@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """R forecasts beside what came, and the errors of the seasonal naive that scale them.

    observed: one row per observed target: `row` (0...R-1), `y`, `mean`, `median` and a column per level.
    scale, square_scale: mean absolute and mean squared seasonal difference up to the cutoff, NaN where there is none. Shape [R].
    shared: what several metrics need and is dear to compute, by name; filled in as they run. Shapes [R].
    """

    rows: int
    levels: tuple[float, ...]
    observed: pd.DataFrame
    scale: FloatArray
    square_scale: FloatArray
    shared: dict[str, FloatArray] = field(default_factory=dict)

    @classmethod
    def build(cls, frame: ForecastFrame, truth: FloatArray, scale: FloatArray, square_scale: FloatArray) -> Outcome:
        """Returns the forecasts of a frame beside their targets.

        Args:
            frame: R forecasts of H steps.
            truth: Targets, data units, NaN where missing. Shape [R, H].
            scale: See the class. Shape [R].
            square_scale: See the class. Shape [R].
        """
        row, step = np.nonzero(~np.isnan(truth))
        columns = {"row": row, "y": truth[row, step], "mean": frame.mean[row, step]}
        for position, level in enumerate(frame.levels):
            columns[quantile_column(level)] = frame.quantiles[row, step, position]
        columns["median"] = columns.get(quantile_column(_MEDIAN), columns["mean"])
        return cls(len(frame), frame.levels, pd.DataFrame(columns), scale, square_scale)

    def spread(self, loss: pd.DataFrame, column: str) -> FloatArray:
        """Returns a loss by `row` as an array, NaN for rows without an observed target. Shape [R]."""
        out = np.full(self.rows, np.nan)
        out[loss["row"].to_numpy()] = loss[column].to_numpy(dtype=np.float64)
        return out

    def sums(self, values: FloatArray) -> FloatArray:
        """Returns the sum of one value per observed target, by row. Shape [R]."""
        return np.bincount(self.observed["row"], weights=values, minlength=self.rows).astype(np.float64)

    def interval(self) -> tuple[FloatArray, FloatArray] | None:
        """Returns the ends of the central 80 % interval of each observed target; None where a level is not forecast."""
        names = quantile_column(_LOWER), quantile_column(_UPPER)
        if not set(names) <= set(self.observed.columns):
            return None
        return self.observed[names[0]].to_numpy(dtype=np.float64), self.observed[names[1]].to_numpy(dtype=np.float64)


Compute: TypeAlias = Callable[[Outcome], FloatArray]


@final
@dataclass(frozen=True, slots=True)
class Metric:
    """A metric: its name, how to read it, and how it is computed.

    better: `lower`; `zero` and `nominal` (0.8) where the best value is that one; `none` where it only describes.
    compute: the value of each forecast [R], or, where `weight` is given, the numerator of each.
    weight: the denominator of each forecast [R] of a pooled metric: over a panel, sum of numerators / sum of denominators. Metrics
        without a weight are averaged over the cutoffs of a series and then over series.
    """

    name: str
    title: str
    better: Better
    compute: Compute
    weight: Compute | None = None


_REGISTRY: dict[str, Metric] = {}
METRICS: Mapping[str, Metric] = _REGISTRY


def metric(title: str, better: Better = "lower", weight: Compute | None = None) -> Callable[[Compute], Compute]:
    """Returns the decorator that enters a function into `METRICS` under its own name."""

    def enter(compute: Compute) -> Compute:
        name = compute.__name__
        _REGISTRY[name] = Metric(name, title, better, compute, weight)
        return compute

    return enter


def score(outcome: Outcome, names: Sequence[str]) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Returns for each metric the numerator and the weight of each forecast, both [R].

    A row's own value is numerator / weight. Weights are 1 for metrics that are not pooled; both are 0 for a row without a target
    in a pooled metric, and the numerator is NaN in the others.
    """
    return {name: _tally(METRICS[name], outcome) for name in names}


def _tally(chosen: Metric, outcome: Outcome) -> tuple[FloatArray, FloatArray]:
    weight = np.ones(outcome.rows) if chosen.weight is None else chosen.weight(outcome)
    return chosen.compute(outcome), weight


def overall_weighted_average(smape: float, mase: float, naive2: tuple[float, float]) -> float:
    """Returns OWA: the mean of sMAPE and MASE, each relative to that of Naive2.

    The ratios are of averages over the group of series, not averages of ratios.

    Args:
        smape: Mean over series, 0-200.
        mase: Mean over series.
        naive2: sMAPE and MASE of Naive2 on the same group (M4 hourly: 18.383 and 2.395).

    Source: Makridakis, Spiliotis & Assimakopoulos (2020), International Journal of Forecasting 36(1).
    """
    return 0.5 * (smape / naive2[0] + mase / naive2[1])


def _absolute_target(outcome: Outcome) -> FloatArray:
    return outcome.sums(outcome.observed["y"].abs().to_numpy(dtype=np.float64))


def _targets(outcome: Outcome) -> FloatArray:
    return outcome.sums(np.ones(len(outcome.observed)))


def _over(values: FloatArray, scale: FloatArray) -> FloatArray:
    """values / scale, NaN where the scale is 0 or unknown: a constant history has no seasonal error to compare with."""
    return np.asarray(np.divide(values, scale, out=np.full(len(values), np.nan), where=scale > 0))


@metric("MAE")
def mae(outcome: Outcome) -> FloatArray:
    """Mean |y - median|, data units."""
    return outcome.spread(losses.mae(outcome.observed, ["median"], id_col="row"), "median")


@metric("RMSE")
def rmse(outcome: Outcome) -> FloatArray:
    """Square root of the mean of (y - mean)^2, data units."""
    return outcome.spread(losses.rmse(outcome.observed, ["mean"], id_col="row"), "mean")


@metric("sMAPE")
def smape(outcome: Outcome) -> FloatArray:
    """Mean of 200 |y - median| / (|y| + |median|), 0 where both are 0: the M competitions' scale of 0 to 200.

    utilsforecast's is on the scale 0 to 1, half a percent of it: hence the factor.
    """
    return 200 * outcome.spread(losses.smape(outcome.observed, ["median"], id_col="row"), "median")


@metric("MASE")
def mase(outcome: Outcome) -> FloatArray:
    """MAE over the mean absolute seasonal difference of the rows up to the cutoff.

    Source: Hyndman & Koehler (2006), International Journal of Forecasting 22(4).
    """
    return _over(mae(outcome), outcome.scale)


@metric("RMSSE")
def rmsse(outcome: Outcome) -> FloatArray:
    """RMSE over the root mean squared seasonal difference of the rows up to the cutoff (the M5 competition has season 1).

    Source: Makridakis, Spiliotis & Assimakopoulos (2022), International Journal of Forecasting 38(4).
    """
    return _over(rmse(outcome), np.sqrt(outcome.square_scale))


def _quantile_loss(outcome: Outcome) -> FloatArray:
    """Mean over levels q of 2 * mean over steps of max(q * (y - f), (q - 1) * (y - f)), NaN without levels."""
    if "quantile_loss" not in outcome.shared:
        total = np.full(outcome.rows, 0.0 if outcome.levels else np.nan)
        for level in outcome.levels:
            loss = losses.quantile_loss(outcome.observed, {"loss": quantile_column(level)}, q=level, id_col="row")
            total += 2 * outcome.spread(loss, "loss")
        outcome.shared["quantile_loss"] = total / max(len(outcome.levels), 1)
    return outcome.shared["quantile_loss"]


@metric("WQL", weight=_absolute_target)
def wql(outcome: Outcome) -> FloatArray:
    """Weighted quantile loss: mean over levels q of 2 * sum of pinball(q) / sum of |y|; this is the numerator.

    pinball(q) = max(q * (y - f), (q - 1) * (y - f)). With the factor 2 the loss of the median is the absolute error, so that WQL of
    a median alone is the normalised deviation.

    Source: Park et al. (2022), International Conference on Artificial Intelligence and Statistics; the factor as in GluonTS.
    """
    return np.asarray(np.where(_targets(outcome) > 0, _quantile_loss(outcome) * _targets(outcome), 0.0))


@metric("Scaled quantile loss")
def scaled_quantile_loss(outcome: Outcome) -> FloatArray:
    """Mean over levels and steps of 2 * pinball, over the mean absolute seasonal difference of the rows up to the cutoff."""
    return _over(_quantile_loss(outcome), outcome.scale)


@metric("Coverage of 80 %", better="nominal", weight=_targets)
def coverage_80(outcome: Outcome) -> FloatArray:
    """Share of targets inside [q0.1, q0.9], ends included; this is the number of them. NaN where a level is not forecast.

    A missing target is no miss: it is gone before the comparison (utilsforecast would count it as outside).
    """
    ends = outcome.interval()
    if ends is None:
        return np.full(outcome.rows, np.nan)
    frame = outcome.observed[["row", "y"]].assign(**{"f-lo-80": ends[0], "f-hi-80": ends[1]})
    share = outcome.spread(losses.coverage(frame, ["f"], level=80, id_col="row"), "f")
    return np.asarray(np.where(_targets(outcome) > 0, share * _targets(outcome), 0.0))


@metric("Width of 80 %", better="none")
def width_80(outcome: Outcome) -> FloatArray:
    """Mean width of [q0.1, q0.9] over observed targets, over the mean absolute seasonal difference of the rows up to the cutoff."""
    ends = outcome.interval()
    if ends is None:
        return np.full(outcome.rows, np.nan)
    count = _targets(outcome)
    return _over(_over(outcome.sums(ends[1] - ends[0]), count), outcome.scale)


@metric("Bias", better="zero")
def bias(outcome: Outcome) -> FloatArray:
    """Mean of (mean - y), data units: above zero the forecast is too high."""
    return outcome.spread(losses.bias(outcome.observed, ["mean"], id_col="row"), "mean")


@metric("Scaled bias", better="zero")
def scaled_bias(outcome: Outcome) -> FloatArray:
    """Bias over the mean absolute seasonal difference of the rows up to the cutoff: comparable across series."""
    return _over(bias(outcome), outcome.scale)
