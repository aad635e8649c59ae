"""From a panel to a regression table: what tree and linear models read of a series at an origin, and what they have to say.

Every number comes from the context, the last rows up to the origin, and is in scaled units: relative to the origin's own level and
spread, so that series of all sizes share one model. The target is what the seasonal naive forecast leaves over, so a model that has
learned nothing is that forecast. This module must not know the models.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from forecast.core.arrays import FloatArray, IntArray
from forecast.core.panel import Panel
from forecast.windowing.calendar import calendar_features

SHORTEST_CONTEXT = 24  # fewer rows make the scale a matter of luck
REPEATS = 3  # how many seasons back the lags of a target step go


@final
@dataclass(frozen=True, slots=True)
class LagPlan:
    """Which rows before an origin become features.

    horizon: H. season_lengths: above 1, shortest first.
    lags: the last `lags` values as they are. windows: lengths of rolling means that end at the origin.
    largest: scaled values are clipped here: a jump after a flat stretch must not outweigh all other rows.
    """

    horizon: int
    season_lengths: tuple[int, ...]
    lags: int
    windows: tuple[int, ...]
    largest: float

    @property
    def context(self) -> int:
        """Rows that are read up to an origin: no older row can change a forecast."""
        return max(self.lags, *self.windows, *(REPEATS * m for m in self.season_lengths), self.season_length + 1, SHORTEST_CONTEXT)

    @property
    def season_length(self) -> int:
        """The shortest season, 1 where there is none."""
        return self.season_lengths[0] if self.season_lengths else 1


@final
@dataclass(frozen=True, slots=True)
class LagTable:
    """O origins: features [O, F] of each step through `features(step)`, and the targets.

    names: the F features.
    scale: mean absolute seasonal difference of the context, data units; NaN where no two values can be compared. Shape [O].
    base: the seasonal naive forecast, data units. Shape [O, H].
    residual: (observation - base) / scale; NaN where unknown, or where the scale is zero. Shape [O, H].
    """

    names: tuple[str, ...]
    scale: FloatArray
    base: FloatArray
    residual: FloatArray
    _context: FloatArray
    _level: FloatArray
    _at_origin: FloatArray
    _at_target: FloatArray
    _plan: LagPlan

    def __len__(self) -> int:
        return len(self.scale)

    @property
    def target(self) -> FloatArray:
        """What a model learns: the residual, clipped at `largest` * sqrt(seasons from base to target), as a random walk grows. Shape [O, H]."""
        seasons = -(-np.arange(1, self._plan.horizon + 1) // self._plan.season_length)
        bound = self._plan.largest * np.sqrt(seasons)
        return np.asarray(np.clip(self.residual, -bound, bound))

    def features(self, step: int) -> FloatArray:
        """Returns the features of one step, 1...H, NaN where missing. Shape [O, F]."""
        base = self.base[:, step - 1, None]
        lags = self._context[:, _target_lags(self._plan, step)]
        largest = self._plan.largest
        beyond = _scaled(lags - base, self.scale, largest)
        number = np.full((len(self), 1), float(step))
        return np.concatenate([self._at_origin, _scaled(base - self._level, self.scale, largest), beyond, number,
                               self._at_target[:, step - 1]], axis=1)  # fmt: skip


def lag_table(panel: Panel, series: IntArray, rows: IntArray, plan: LagPlan, known_future: FloatArray | None = None) -> LagTable:
    """Returns the table of some origins.

    Args:
        panel: Where values come from. For the targets of the last rows, `known_future` may replace what it does not hold.
        series: Position of each origin's series. Shape [O].
        rows: Row of each origin inside its series; features see this row and those before it. Shape [O].
        plan: Which features.
        known_future: Known covariates of the H steps; None takes them from the panel. Shape [O, H, K].
    """
    at = panel.offsets[series] + rows
    context = _gather(panel.y[:, None], at, rows + 1, -np.arange(plan.context))[:, :, 0]
    ahead = np.arange(1, plan.horizon + 1)
    left = panel.lengths[series] - 1 - rows
    known = _gather(panel.known, at, left, ahead) if known_future is None else known_future
    level, scale, base = _level(context, plan), _scale(context, plan), _base(context, plan)
    truth = _gather(panel.y[:, None], at, left, ahead)[:, :, 0]
    origin_names, at_origin = _origin_features(panel, series, at, context, level, scale, plan)
    stamps = (panel.starts[series] + rows)[:, None] + ahead
    calendar_names, calendar = calendar_features(panel.frequency, stamps.reshape(-1), events=panel.calendar)
    at_target = np.concatenate([calendar.reshape(*stamps.shape, -1), known], axis=2)
    lag_names = [f"season {m} x {repeat} - base" for m in plan.season_lengths for repeat in range(1, REPEATS + 1)]
    names = (*origin_names, "base - level", *lag_names, "step", *calendar_names, *panel.roles.known)
    positive = np.where(scale > 0, scale, np.nan)[:, None]
    return LagTable(names, scale, base, (truth - base) / positive, context, level, at_origin, at_target, plan)


def _gather(values: FloatArray, at: IntArray, reach: IntArray, shifts: IntArray) -> FloatArray:
    """values[at + shift] where |shift| is within reach (back: below it, ahead: up to it), else NaN. Shape [O, shifts, columns]."""
    inside = np.where(shifts > 0, shifts <= reach[:, None], -shifts < reach[:, None])
    out = np.full((len(at), len(shifts), values.shape[1]), np.nan)
    out[inside] = values[(at[:, None] + shifts)[inside]]
    return out


def _mean(values: FloatArray) -> FloatArray:
    """Mean of the observed values of each row, NaN where there is none. Shape [O, n] -> [O]."""
    observed = np.isfinite(values)
    count = observed.sum(axis=1)
    total = np.where(observed, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _level(context: FloatArray, plan: LagPlan) -> FloatArray:
    """Mean of the last season (of three rows at least), or of the whole context where that is missing. Shape [O, 1]."""
    recent = _mean(context[:, : max(plan.season_length, 3)])
    return np.where(np.isfinite(recent), recent, _mean(context))[:, None]


def _scale(context: FloatArray, plan: LagPlan) -> FloatArray:
    """Mean absolute seasonal difference; of one step where no season is observed; NaN without any pair. Shape [O]."""
    seasonal = _mean(np.abs(context[:, : -plan.season_length] - context[:, plan.season_length :]))
    return np.where(np.isfinite(seasonal), seasonal, _mean(np.abs(np.diff(context, axis=1))))


def _scaled(values: FloatArray, scale: FloatArray, largest: float) -> FloatArray:
    """Values in units of the scale, clipped; a scale of zero gives zeros, since it stands for no variation at all."""
    divisor = np.where(scale == 0, np.inf, scale)[:, None]
    return np.asarray(np.clip(values / divisor, -largest, largest))


def _target_lags(plan: LagPlan, step: int) -> IntArray:
    """Columns of the context that hold the target's own phase: 1 to REPEATS times each season before it."""
    back = [m * (-(-step // m) + repeat) - step for m in plan.season_lengths for repeat in range(REPEATS)]
    return np.array(back, dtype=np.int64)


def _base(context: FloatArray, plan: LagPlan) -> FloatArray:
    """The target's phase one, two, three shortest seasons before; the last observed value where all are missing. Shape [O, H]."""
    observed = np.isfinite(context)
    last = context[np.arange(len(context)), observed.argmax(axis=1)]
    base = np.repeat(last[:, None], plan.horizon, axis=1)
    if plan.season_lengths:
        for step in range(1, plan.horizon + 1):
            for column in _target_lags(plan, step)[REPEATS - 1 :: -1]:
                base[:, step - 1] = np.where(observed[:, column], context[:, column], base[:, step - 1])
    return base


def _origin_features(
    panel: Panel, series: IntArray, at: IntArray, context: FloatArray, level: FloatArray, scale: FloatArray, plan: LagPlan
) -> tuple[list[str], FloatArray]:
    """Lags, rolling means, level in units of the scale, share of observed rows, past and static covariates. Shape [O, ...]."""
    means = np.stack([_mean(context[:, :window]) for window in plan.windows], axis=1)
    observed = np.isfinite(context[:, : plan.lags])
    values = np.concatenate([context[:, : plan.lags] - level, means - level, level], axis=1)
    parts = [_scaled(values, scale, plan.largest),
             observed.mean(axis=1, keepdims=True), panel.past[at], panel.static[series]]  # fmt: skip
    names = [*(f"lag {lag}" for lag in range(plan.lags)), *(f"mean of {window}" for window in plan.windows), "level / scale", "observed",
             *panel.roles.past, *panel.roles.static]  # fmt: skip
    return names, np.concatenate(parts, axis=1)
