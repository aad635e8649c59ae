"""What a forecast chart shows of one series: its last history, what came, the forecast and its fan. Numbers only, no drawing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from forecast.core.arrays import AnyArray, FloatArray, IntArray
from forecast.core.errors import UsageError
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.panel import Panel
from forecast.evaluation.evaluation import Evaluation
from forecast.evaluation.tally import truth_after

_HORIZONS_OF_HISTORY = 3
_LEAST_HISTORY = 24


@final
@dataclass(frozen=True, slots=True, eq=False)
class Fan:
    """One forecast with its surroundings, data units.

    history: observations up to the cutoff, NaN where missing, at `history_stamps`. Shape [L].
    truth: what came, NaN where missing or not there, at `stamps`. Shape [H].
    quantiles: Shape [H, Q]. median: the q0.5, or the mean without one. Shape [H].
    others: medians of other models by name. Shapes [H].
    """

    unique_id: str
    model: str
    history_stamps: AnyArray
    history: FloatArray
    stamps: AnyArray
    truth: FloatArray
    median: FloatArray
    quantiles: FloatArray
    levels: tuple[float, ...]
    others: Mapping[str, FloatArray]

    def bands(self) -> list[tuple[float, FloatArray, FloatArray]]:
        """Returns the central intervals, widest first: nominal share, lower end [H], upper end [H]."""
        found = []
        for low, level in enumerate(self.levels):
            high = next((i for i, other in enumerate(self.levels) if abs(level + other - 1) < 1e-9), None)
            if level < 0.5 and high is not None:
                found.append((1 - 2 * level, self.quantiles[:, low], self.quantiles[:, high]))
        return sorted(found, key=lambda band: -band[0])


def fan_of(panel: Panel, frame: ForecastFrame, unique_id: str, others: Mapping[str, ForecastFrame] | None = None) -> Fan:
    """Returns the last forecast of a series with three horizons of history.

    Args:
        panel: With the series, and what came after the cutoff where it is known.
        frame: The forecasts.
        unique_id: A series that both have.
        others: Forecasts of other models by name; only those of the same series and cutoff are shown.

    Raises:
        UsageError: the panel or the frame does not have the series.
    """
    own = np.flatnonzero(frame.ids == unique_id)
    place = np.flatnonzero(panel.ids == unique_id)
    if not len(own) or not len(place):
        raise UsageError(
            f"no forecast of series {unique_id!r} to show: {frame.model} has {len(frame)} forecasts, the panel {len(panel)} series"
        )
    row = own[np.argmax(frame.cutoffs[own])]
    cutoff, series, horizon = int(frame.cutoffs[row]), place[:1], frame.horizon
    wanted = max(_HORIZONS_OF_HISTORY * horizon, _LEAST_HISTORY)
    history = panel.take(series).until(cutoff).tail(wanted)
    ordinals = np.arange(history.rows, dtype=np.int64) + history.starts[0]
    truth = truth_after(panel, series, np.array([cutoff]), horizon)[0]
    steps: IntArray = cutoff + np.arange(1, horizon + 1)
    seen = {
        name: other.take(np.flatnonzero((other.ids == unique_id) & (other.cutoffs == cutoff)))
        for name, other in (others or {}).items()
    }
    return Fan(unique_id, frame.model, frame.frequency.stamps(ordinals), history.y, frame.frequency.stamps(steps), truth,
               median_of(frame)[row], frame.quantiles[row], frame.levels,
               {name: median_of(other)[0] for name, other in seen.items() if len(other)})  # fmt: skip


def median_of(frame: ForecastFrame) -> FloatArray:
    """Returns the q0.5 of each forecast, the mean where there is none. Shape [R, H]."""
    return frame.quantiles[:, :, frame.levels.index(0.5)] if 0.5 in frame.levels else frame.mean


def telling_series(evaluation: Evaluation, count: int) -> list[tuple[str, str, float]]:
    """Returns series to show, with `best`, `typical` or `worst` and the task's first metric: a quarter best, a quarter worst.

    The typical ones are spread evenly over the middle half of the ranking, so that the choice flatters nobody. Empty where no series can be measured.
    """
    scores = evaluation.per_series(evaluation.task.metrics[0]).dropna().sort_values(kind="stable")
    size = len(scores)
    if not size:
        return []
    edge = max(count // 4, 1)
    typical = np.linspace(0.25, 0.75, max(count - 2 * edge, 0)) * (size - 1)
    chosen = dict.fromkeys(range(min(edge, size)), "best") | {max(size - 1 - i, 0): "worst" for i in range(min(edge, size - edge))}
    for position in np.round(typical).astype(int).tolist():
        chosen.setdefault(position, "typical")
    return [(str(scores.index[i]), chosen[i], float(scores.iloc[i])) for i in sorted(chosen)]
