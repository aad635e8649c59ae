"""What the grid of a table is, seen from its time stamps: for people who do not say it.

The finest grid that every stamp of every series lies on, and that most neighbouring stamps are one step of, is the answer.
It must not guess where that leaves a doubt: then the user is asked.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from forecast.core.arrays import AnyArray, IntArray
from forecast.core.errors import DataError
from forecast.core.frequency import INTEGER_ALIAS, Frequency
from forecast.core.series_ids import coded_ids

_ENOUGH = 0.5  # share of neighbours that must be one step apart: gaps are allowed, a grid of gaps is not
_NANOSECONDS = {"D": 86_400_000_000_000, "h": 3_600_000_000_000, "min": 60_000_000_000, "s": 1_000_000_000}
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def infer_frequency(frame: pd.DataFrame, season_lengths: tuple[int, ...] | None = None) -> Frequency:
    """Returns the grid of a long frame's time stamps.

    Args:
        frame: unique_id and ds, in any order.
        season_lengths: As in `Frequency.parse`.

    Raises:
        DataError: no two stamps in any series, or no grid that holds them all.
    """
    stamps = frame["ds"].to_numpy()
    if np.issubdtype(stamps.dtype, np.integer):
        return Frequency.parse(INTEGER_ALIAS, season_lengths)
    codes = coded_ids(frame["unique_id"])[0]
    order = np.lexsort((stamps, codes))
    steps = np.diff(stamps[order].astype("datetime64[ns]").astype(np.int64))[np.diff(codes[order]) == 0]
    steps = steps[steps > 0]
    if not len(steps):
        raise DataError(
            f"no series has two different time stamps ({len(frame)} rows), so that no frequency can be seen; give it with --freq"
        )
    for alias in _candidates(int(np.gcd.reduce(steps)), stamps):
        if _fits(alias, stamps[order], codes[order]):
            return Frequency.parse(alias, season_lengths)
    shown = [str(pd.Timedelta(int(step), unit="ns")) for step in np.unique(steps)[:5]]
    raise DataError(
        f"the time stamps lie on no grid that is known: neighbours are {', '.join(shown)} apart; give the frequency with --freq"
    )


def _candidates(divisor: int, stamps: AnyArray) -> Iterator[str]:
    """Aliases worth trying, coarse before fine: a monthly series also lies on the grid of days."""
    first = pd.Timestamp(stamps.min())
    month = _MONTHS[first.month - 1]
    yield from (f"YS-{month}", f"YE-{month}", f"QS-{month}", f"QE-{month}", "MS", "ME")
    if divisor % (7 * _NANOSECONDS["D"]) == 0:
        yield f"W-{_WEEKDAYS[first.dayofweek]}"
    for unit, width in _NANOSECONDS.items():
        if divisor % width == 0:
            count = divisor // width
            if (unit, count) == ("D", 1):
                yield "B"
            yield unit if count == 1 else f"{count}{unit}"
            return


def _fits(alias: str, stamps: AnyArray, codes: IntArray) -> bool:
    """Whether all stamps, ordered by series and time, lie on a grid, and most neighbours are one step apart."""
    ordinals, on_grid = Frequency.parse(alias).ordinals(stamps)
    if not on_grid.all():
        return False
    steps = np.diff(ordinals)[np.diff(codes) == 0]
    return bool((steps[steps > 0] == 1).mean() > _ENOUGH)
