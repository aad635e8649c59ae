"""The guarded call of a model: what it does to one series cannot harm the others, nor the run.

This is the one place outside the command line that catches every exception; each catch is counted as a series with a reason. It
must not know files.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from forecast.baselines.filling import trimmed
from forecast.baselines.local_model import Question
from forecast.baselines.naive_models import fallback_forecast
from forecast.core.arrays import BoolArray, FloatArray, IntArray, TextArray
from forecast.core.forecast_frame import FALLBACK, ForecastFrame
from forecast.core.forecaster import Forecaster, require
from forecast.core.panel import Panel
from forecast.scoring.events import Events
from forecast.scoring.preparation import Prepared
from forecast.scoring.request import Bounds

ABSURD = "absurd forecast"
OUT_OF_REACH = "no value within the model's reach"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Forecasts:
    """Finished forecasts of B series in the order of their ids, data units.

    mean [B, H], quantiles [B, H, Q]; model, status and reason: text, [B].
    """

    ids: TextArray
    mean: FloatArray
    quantiles: FloatArray
    model: TextArray
    status: TextArray
    reason: TextArray

    @classmethod
    def empty(cls, ids: TextArray, horizon: int, levels: int) -> Forecasts:
        """Returns forecasts that are still to be filled in."""
        text = [np.full(len(ids), "", dtype=object) for _ in range(3)]
        return cls(ids, np.full((len(ids), horizon), np.nan), np.full((len(ids), horizon, levels), np.nan), *text)

    def put(self, positions: IntArray, frame: ForecastFrame) -> None:
        """Fills in a model's forecasts."""
        self.mean[positions], self.quantiles[positions] = frame.mean, frame.quantiles
        self.model[positions], self.status[positions], self.reason[positions] = frame.model, frame.status, frame.reason


@final
class GuardedModel:
    """Forecasts batches with a model, and with the fallback chain the series for which the model fails."""

    def __init__(self, forecaster: Forecaster, prepared: Prepared, bounds: Bounds, events: Events) -> None:
        self._forecaster = forecaster
        self._future = prepared.future
        self._no_model = prepared.no_model
        self._bounds = bounds
        self._events = events

    def forecast(self, batch: Panel) -> Forecasts:
        """Returns a complete, finite, ordered forecast for every series of the batch.

        Args:
            batch: All series end at the run's cutoff and have an observed value.
        """
        out = Forecasts.empty(batch.ids, self._forecaster.horizon, len(self._forecaster.levels))
        failures = self._not_asked(batch)
        asked = np.array([i for i in range(len(batch)) if i not in failures], dtype=np.int64)
        failures |= self._ask_counted(batch, asked, out)
        done = np.array([i for i in asked if i not in failures], dtype=np.int64)
        failures |= {int(i): ABSURD for i in done[_absurd(batch.take(done), out.quantiles[done], out.mean[done], self._bounds)]}
        for position, reason in sorted(failures.items()):
            self._fall_back(batch, position, reason, out)
        return out

    def _not_asked(self, batch: Panel) -> dict[int, str]:
        """The reason for each series that the model is not asked for. One it cannot see a value of would fail, and delay the others."""
        limit = self._forecaster.history_limit
        unseen = {} if limit is None else {
            i: OUT_OF_REACH for i in range(len(batch)) if not np.isfinite(batch.series(i)[-limit:]).any()}  # fmt: skip
        return unseen | {i: self._no_model[name] for i, name in enumerate(batch.ids) if name in self._no_model}

    def _ask_counted(self, batch: Panel, positions: IntArray, out: Forecasts) -> dict[int, str]:
        """As `_ask`, with one event for all that went wrong in the batch."""
        errors: list[Exception] = []
        failures = self._ask(batch, positions, out, errors)
        if errors:
            self._events.model_failed([str(batch.ids[i]) for i in sorted(failures)], errors[0], len(errors))
        return failures

    def _ask(self, batch: Panel, positions: IntArray, out: Forecasts, errors: list[Exception]) -> dict[int, str]:
        """Fills in the model's forecasts; returns the reason for each series that the model cannot forecast even alone.

        A failing batch is halved until the guilty series stand alone. A series that fails alone gets one more try.
        """
        if not len(positions) or self._answers(batch, positions, out, errors):
            return {}
        if len(positions) == 1:
            again = self._answers(batch, positions, out, errors)
            return {} if again else {int(positions[0]): f"the model raised {type(errors[-1]).__name__}"}
        middle = len(positions) // 2
        return self._ask(batch, positions[:middle], out, errors) | self._ask(batch, positions[middle:], out, errors)

    def _answers(self, batch: Panel, positions: IntArray, out: Forecasts, errors: list[Exception]) -> bool:
        """Fills in the model's forecasts of some series, or keeps the error; returns whether it went well."""
        history = batch.take(positions)
        limit = self._forecaster.history_limit
        try:
            frame = self._forecaster.predict(history if limit is None else history.tail(limit), self._future)
            _require_answer(frame, history, self._forecaster)
        except Exception as error:
            errors.append(error)
            return False
        out.put(positions, frame)
        return True

    def _fall_back(self, batch: Panel, position: int, reason: str, out: Forecasts) -> None:
        question = Question(self._forecaster.horizon, self._forecaster.levels, batch.frequency.season_lengths)
        with np.errstate(over="ignore", invalid="ignore"):  # the chain itself takes what is finite
            forecast, kind = fallback_forecast(trimmed(batch.series(position)), question)
        out.mean[position] = forecast.mean
        out.quantiles[position] = np.sort(forecast.quantiles, axis=1)
        out.model[position], out.status[position], out.reason[position] = kind, FALLBACK, reason


def _require_answer(frame: ForecastFrame, history: Panel, forecaster: Forecaster) -> None:
    """The forecaster contract: the series asked for, in their order, from their last row, for all steps and levels."""
    same = len(frame) == len(history) and bool((frame.ids == history.ids).all()) and bool((frame.cutoffs == history.ends).all())
    require(same, f"{forecaster.name}: the forecasts are not those of the series and cutoffs asked for")
    shape = (frame.horizon, frame.levels) == (forecaster.horizon, tuple(forecaster.levels))
    require(shape, f"{forecaster.name}: {frame.horizon} steps and levels {frame.levels} are not what was asked for")


def _absurd(batch: Panel, quantiles: FloatArray, mean: FloatArray, bounds: Bounds) -> BoolArray:
    """Forecasts that leave the series' own range by more than the declared factor. Shape [B]."""
    low = np.array([np.nanmin(batch.series(i)) for i in range(len(batch))])
    high = np.array([np.nanmax(batch.series(i)) for i in range(len(batch))])
    # Halves first: the width of a range can overflow where its ends do not.
    width = np.maximum.reduce([high / 2 - low / 2, np.abs(low) / 2, np.abs(high) / 2, np.full(len(low), bounds.absurd_floor / 2)])
    with np.errstate(over="ignore"):
        allowed = 2 * np.minimum(bounds.absurd_factor * width, np.finfo(np.float64).max / 8)
    numbers = np.concatenate([mean[:, :, None], quantiles], axis=2)
    below, above = numbers.min(axis=(1, 2), initial=np.inf), numbers.max(axis=(1, 2), initial=-np.inf)
    return np.asarray((below < low - allowed) | (above > high + allowed), dtype=np.bool_)
