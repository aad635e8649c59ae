"""Calendar steps as whole numbers: a Frequency maps time stamps to grid positions (ordinals) and back.

Inside the library time is an int64 ordinal on the frequency's own grid, so that "the next step" is +1 for hours, business days,
months and plain integers alike, and a stamp that lies off the grid is seen at once. It must not know series or values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal, final

import numpy as np

from forecast.core.arrays import AnyArray, BoolArray, IntArray
from forecast.core.errors import ConfigError

Kind = Literal["integer", "tick", "week", "month", "business"]

INTEGER_ALIAS = "integer"
_NANOSECONDS = {"s": 10**9, "min": 60 * 10**9, "h": 3600 * 10**9, "D": 86400 * 10**9}
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_RETIRED = {"H": "h", "T": "min", "M": "ME (month end) or MS (month start)", "Q": "QE or QS", "A": "YE or YS", "Y": "YE or YS",
            "AS": "YS", "S": "s", "BM": "ME"}  # fmt: skip
_PATTERN = re.compile(r"^(\d*)([A-Za-z]+)(?:-([A-Za-z]{3}))?$")
_SEASONS = {"s": (60,), "min": (60, 1440), "h": (24, 168), "D": (7,), "W": (52,), "MS": (12,), "ME": (12,), "QS": (4,),
            "QE": (4,), "YS": (), "YE": (), "B": (5,)}  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Frequency:
    """A grid of time steps with its season lengths, shortest first.

    Build it with `Frequency.parse`. `season_lengths` counts steps; an empty tuple means no season.
    """

    alias: str
    season_lengths: tuple[int, ...]
    kind: Kind
    width: int  # nanoseconds (tick), days (week), months (month), 1 otherwise
    phase: int  # position of the grid: weekday of the week, month of the year, 0 otherwise
    at_end: bool  # stamps lie on the last day of their step

    @classmethod
    def parse(cls, alias: str, season_lengths: tuple[int, ...] | None = None) -> Frequency:
        """Returns the frequency of a pandas alias (`h`, `30min`, `D`, `W-SUN`, `MS`, `QE-DEC`, `B`) or of `integer`.

        Args:
            alias: Current pandas alias, or `integer` for whole-number time.
            season_lengths: In steps; None takes the usual ones of the alias (`h`: 24 and 168).

        Raises:
            ConfigError: an alias that is unknown or retired, or a season length below 1.
        """
        if alias == INTEGER_ALIAS:
            return cls(alias, _seasons(season_lengths, ()), "integer", 1, 0, False)
        match = _PATTERN.match(alias)
        unit, anchor = (match[2], match[3]) if match else ("", None)
        count = int(match[1] or 1) if match else 0
        if not match or count < 1 or unit not in _SEASONS:
            raise ConfigError(_unknown(alias, unit))
        seasons = _seasons(season_lengths, _SEASONS[unit] if count == 1 else _shortened(unit, count))
        if unit in _NANOSECONDS:
            return cls(alias, seasons, "tick", count * _NANOSECONDS[unit], 0, False)
        if unit == "W":
            return cls(alias, seasons, "week", 7 * count, _position(alias, anchor or "SUN", _WEEKDAYS), False)
        if unit == "B":
            if count != 1:
                raise ConfigError(f"frequency {alias!r}: business days come one by one; use 'B'")
            return cls(alias, seasons, "business", 1, 0, False)
        months = {"M": 1, "Q": 3, "Y": 12}[unit[0]] * count
        default = "DEC" if unit[1] == "E" else "JAN"
        month = 0 if unit[0] == "M" else _position(alias, anchor or default, _MONTHS)
        return cls(alias, seasons, "month", months, month % months, unit[1] == "E")

    @property
    def season_length(self) -> int:
        """The shortest season, in steps; 1 where there is none."""
        return self.season_lengths[0] if self.season_lengths else 1

    @property
    def is_integer(self) -> bool:
        """True when time is whole numbers and not dates."""
        return self.kind == "integer"

    def ordinals(self, stamps: AnyArray) -> tuple[IntArray, BoolArray]:
        """Returns the grid position of each stamp, and whether it lies on the grid.

        Args:
            stamps: datetime64 or, for integer time, whole numbers. Shape [n].

        Returns:
            Ordinals [n] (of the step that holds the stamp, where off the grid) and a mask [n].
        """
        if self.kind == "integer":
            with np.errstate(invalid="ignore"):  # what no int64 can hold is not equal to it
                whole = stamps.astype(np.int64)
            return whole, np.asarray(whole == stamps, dtype=np.bool_)
        nanoseconds = stamps.astype("datetime64[ns]")
        ordinals = self._floor(nanoseconds)
        # What nanoseconds cannot hold (before 1678, after 2261) numpy wraps round by 2**64 ns, no whole number of seconds: off the grid.
        return ordinals, np.asarray(self.stamps(ordinals) == nanoseconds, dtype=np.bool_)

    def stamps(self, ordinals: IntArray) -> AnyArray:
        """Returns the time stamp of each ordinal: datetime64[ns], or int64 for integer time. Shape as given."""
        if self.kind == "integer":
            return ordinals
        if self.kind == "tick":
            return (ordinals * self.width).astype("datetime64[ns]")
        if self.kind == "week":
            days = ordinals * self.width + _monday_to(self.phase)
            return days.astype("datetime64[D]").astype("datetime64[ns]")
        if self.kind == "business":
            first = np.datetime64("1970-01-01", "D")
            return np.busday_offset(first, ordinals, roll="forward").astype("datetime64[ns]")
        months = ordinals * self.width + self.phase + int(self.at_end)
        days = months.astype("datetime64[M]").astype("datetime64[D]")
        return (days - np.timedelta64(int(self.at_end), "D")).astype("datetime64[ns]")

    def cutoff(self, run_date: date) -> int:
        """Returns the ordinal of the last step that ends before 00:00 of the run date.

        A step lasts from its stamp to the next one; with business days and with month, quarter or year ends, to the end of its day.

        Raises:
            ConfigError: integer time has no calendar.
        """
        if self.kind == "integer":
            raise ConfigError("a run date needs dates; this panel has integer time: give the cutoff as a number")
        midnight = np.array([np.datetime64(run_date, "ns")])
        ordinal = int(self._floor(midnight)[0])
        ends = self.stamps(np.array([ordinal]))[0] + np.timedelta64(1, "D")
        if self.at_end or self.kind == "business":
            return ordinal if ends <= midnight[0] else ordinal - 1
        return ordinal - 1

    def _floor(self, nanoseconds: AnyArray) -> IntArray:
        """The ordinal of the last grid stamp at or before each instant."""
        if self.kind == "tick":
            return nanoseconds.astype(np.int64) // self.width
        days = nanoseconds.astype("datetime64[D]")
        if self.kind == "week":
            return (days.astype(np.int64) - _monday_to(self.phase)) // self.width
        if self.kind == "business":
            first = np.datetime64("1970-01-01", "D")
            return np.asarray(np.busday_count(first, np.busday_offset(days, 0, roll="backward")), dtype=np.int64)
        later = days + np.timedelta64(int(self.at_end), "D")  # the last day of a month belongs to the next one, shifted
        return (later.astype("datetime64[M]").astype(np.int64) - int(self.at_end) - self.phase) // self.width


def _monday_to(weekday: int) -> int:
    """Days from 1970-01-01 (a Thursday) to the first given weekday on or before 1970-01-05."""
    return weekday - 3


def _position(alias: str, name: str, names: tuple[str, ...]) -> int:
    if name.upper() not in names:
        raise ConfigError(f"frequency {alias!r}: {name!r} is not one of {', '.join(names)}")
    return names.index(name.upper())


def _seasons(given: tuple[int, ...] | None, usual: tuple[int, ...]) -> tuple[int, ...]:
    seasons = usual if given is None else tuple(sorted({int(m) for m in given}))
    if any(m < 1 for m in seasons):
        raise ConfigError(f"season lengths {list(seasons)}: each must be at least 1 step")
    return tuple(m for m in seasons if m > 1)


def _shortened(unit: str, count: int) -> tuple[int, ...]:
    """The usual seasons of a multiple of a unit: a day and a week of 30-minute steps are 48 and 336."""
    day = _NANOSECONDS["D"]
    if unit in ("s", "min", "h") and day % (count * _NANOSECONDS[unit]) == 0:
        steps = day // (count * _NANOSECONDS[unit])
        return (steps, 7 * steps)
    return tuple(m // count for m in _SEASONS[unit] if m % count == 0 and m > count)


def _unknown(alias: str, unit: str) -> str:
    if unit in _RETIRED:
        return f"frequency {alias!r} is retired; use {_RETIRED[unit]}"
    return f"frequency {alias!r} is unknown; use one of {', '.join(_SEASONS)} (with a count or an anchor, as 30min, W-MON) or {INTEGER_ALIAS!r}"
