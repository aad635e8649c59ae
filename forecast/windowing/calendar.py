"""Where each step stands in its day, week, month and year, as numbers that a model can use: points on circles; and what is near.

A position x of a cycle of length m becomes (sin 2*pi*x/m, cos 2*pi*x/m), so that the last hour of a day lies beside the first one.
It must not know series or values: calendars are the same for all series of a grid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import final

import numpy as np

from forecast.core.arrays import AnyArray, FloatArray, IntArray
from forecast.core.event_calendar import EventCalendar
from forecast.core.frequency import Frequency
from forecast.windowing.events import EVENT_PARTS, event_features

_DAY = 86400 * 10**9  # nanoseconds
REPEATS = 1.5


def calendar_features(
    frequency: Frequency, ordinals: IntArray, chosen: tuple[str, ...] | None = None, events: EventCalendar | None = None
) -> tuple[tuple[str, ...], FloatArray]:
    """Returns the names of the features and their values: a sine and a cosine for each cycle that the grid passes through, and three
    numbers for each name of the event calendar, see `event_features`.

    Hours have hour_of_day, day_of_week, day_of_month and day_of_year; days the same without the hour; weeks day_of_year; months
    month_of_year and quarter_of_year; quarters quarter_of_year; years and whole-number time none.

    Args:
        frequency: The grid.
        ordinals: Positions on it. Shape [n].
        chosen: Names of cycles and of the event calendar; None for all.
        events: Holidays and events; None for none.

    Returns:
        Names, F of them, and values [n, F].
    """
    events = events or EventCalendar()
    names = (*cycles(frequency), *events.names) if chosen is None else chosen
    stamps = frequency.stamps(ordinals) if names else np.zeros(0)
    parts = [np.empty((len(ordinals), 0))]
    for name in names:
        if name in _POSITIONS:
            angle = 2.0 * np.pi * _POSITIONS[name](stamps)
            parts.append(np.stack([np.sin(angle), np.cos(angle)], axis=1))
        else:
            parts.append(event_features(frequency, ordinals, name, events))
    return tuple(f"{name}_{part}" for name in names for part in _parts(name)), np.concatenate(parts, axis=1)


def feature_count(names: tuple[str, ...]) -> int:
    """Returns how many numbers a step is told of some cycles and events."""
    return sum(len(_parts(name)) for name in names)


def _parts(name: str) -> tuple[str, ...]:
    return ("sin", "cos") if name in _POSITIONS else EVENT_PARTS


def cycles(frequency: Frequency) -> tuple[str, ...]:
    """Returns the names of the cycles that steps of the grid move through, shortest first."""
    if frequency.kind == "tick":
        within_day = ("hour_of_day",) if frequency.width % _DAY else ()
        within_week = ("day_of_week",) if frequency.width % (7 * _DAY) else ()
        within_month = ("day_of_month",) if frequency.width < 28 * _DAY else ()
        return (*within_day, *within_week, *within_month, "day_of_year")
    if frequency.kind == "business":
        return ("day_of_week", "day_of_month", "day_of_year")
    if frequency.kind == "week":
        return ("day_of_year",)
    if frequency.kind == "month" and frequency.width % 12:
        return ("quarter_of_year",) if frequency.width % 3 == 0 else ("month_of_year", "quarter_of_year")
    return ()


def repeated_cycles(frequency: Frequency, steps: float) -> tuple[str, ...]:
    """Returns the cycles that a history of some steps passes through at least REPEATS times: of the others nothing can be learned."""
    names = cycles(frequency)
    if not names:
        return ()
    first = frequency.stamps(np.arange(2, dtype=np.int64))
    step = float((first[1] - first[0]).astype("timedelta64[s]").astype(np.int64))
    return tuple(name for name in names if steps * step >= REPEATS * _SECONDS[name])


@final
class CalendarTable:
    """The calendar's features of the steps of a grid, worked out once for each step that is asked for.

    Args:
        frequency: The grid.
        names: Cycles, as `cycles` names them, and names of the event calendar.
        events: Holidays and events.
    """

    def __init__(self, frequency: Frequency, names: tuple[str, ...], events: EventCalendar | None = None) -> None:
        self.frequency, self.names, self.events = frequency, names, events
        self._first, self._table = 0, np.zeros((0, feature_count(names)))

    def beside(self, known: FloatArray, ordinals: IntArray) -> FloatArray:
        """Returns known covariates with the features behind them. known [B, n, K], ordinals [B, n]; the result [B, n, K + F]."""
        if not self.names or not ordinals.size:
            return known
        low, high = int(ordinals.min()), int(ordinals.max())
        if low < self._first or high >= self._first + len(self._table):
            self._grow(low, high)
        return np.concatenate([known, self._table[ordinals - self._first]], axis=-1)

    def _grow(self, low: int, high: int) -> None:
        """Works out the steps from low to high and some more on both sides, beside those that are there."""
        if len(self._table):
            low, high = min(low, self._first), max(high, self._first + len(self._table) - 1)
        spare = (high - low + 1) // 4 + 16
        self._first = low - spare
        _, self._table = calendar_features(self.frequency, np.arange(low - spare, high + spare + 1), self.names, self.events)


def _hour(stamps: AnyArray) -> FloatArray:
    return np.asarray((stamps - stamps.astype("datetime64[D]")).astype(np.int64) / _DAY)


def _weekday(stamps: AnyArray) -> FloatArray:
    return np.asarray((stamps.astype("datetime64[D]").astype(np.int64) + 3) % 7 / 7)  # 1970-01-01 was a Thursday; Monday is 0


def _day_of_month(stamps: AnyArray) -> FloatArray:
    return _share(stamps, "M")


def _day_of_year(stamps: AnyArray) -> FloatArray:
    return _share(stamps, "Y")


def _share(stamps: AnyArray, unit: str) -> FloatArray:
    """Whole days since the month or year began, as a share of its days."""
    period = stamps.astype(f"datetime64[{unit}]")
    first, following = period.astype("datetime64[D]"), (period + 1).astype("datetime64[D]")
    return np.asarray((stamps.astype("datetime64[D]") - first) / (following - first))


def _month(stamps: AnyArray) -> FloatArray:
    return np.asarray(stamps.astype("datetime64[M]").astype(np.int64) % 12 / 12)


def _quarter(stamps: AnyArray) -> FloatArray:
    return np.asarray(stamps.astype("datetime64[M]").astype(np.int64) % 12 // 3 / 4)


_POSITIONS: Mapping[str, Callable[[AnyArray], FloatArray]] = MappingProxyType(
    {"hour_of_day": _hour, "day_of_week": _weekday, "day_of_month": _day_of_month, "day_of_year": _day_of_year,
     "month_of_year": _month, "quarter_of_year": _quarter}
)  # fmt: skip
_SECONDS: Mapping[str, float] = MappingProxyType(
    {"hour_of_day": 86400.0, "day_of_week": 7 * 86400.0, "day_of_month": 30 * 86400.0, "day_of_year": 365 * 86400.0,
     "month_of_year": 365 * 86400.0, "quarter_of_year": 365 * 86400.0}
)  # fmt: skip
