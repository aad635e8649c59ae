"""What a step is told of holidays and events: how many of its days are one, and how near the last and the next one are.

It must not know series or values.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from forecast.core.arrays import FloatArray, IntArray
from forecast.core.errors import ConfigError
from forecast.core.event_calendar import EVENT, HOLIDAYS, EventCalendar
from forecast.core.frequency import Frequency

EVENT_PARTS = ("days", "ahead", "behind")
REACH = 14  # days before and after an event that can be told from others
_DAY_OF_1970 = 1970


def event_features(frequency: Frequency, ordinals: IntArray, name: str, calendar: EventCalendar) -> FloatArray:
    """Returns days, ahead and behind of one name of an event calendar for each step.

    days: number of its days inside the step (a whole day of it counts for each of its hours). ahead, behind: 1 - d / REACH, at least
    0, where d is the number of days from the step to the next and from the last day outside the step.

    Args:
        frequency: The grid; whole-number time has no days.
        ordinals: Positions on it. Shape [n].
        name: As `EventCalendar.names` has it.
        calendar: Days of events; holidays come with the country.

    Returns:
        Shape [n, 3].

    Raises:
        ConfigError: a country or part of one that is not known.
    """
    if frequency.is_integer or not len(ordinals):
        return np.zeros((len(ordinals), len(EVENT_PARTS)))
    first, last = _extent(frequency, ordinals)
    if name.startswith(HOLIDAYS):
        days = holidays_between(name.removeprefix(HOLIDAYS), int(first.min()) - REACH, int(last.max()) + REACH)
    else:
        days = calendar.days_of(name.removeprefix(EVENT))
    begin, end = np.searchsorted(days, first), np.searchsorted(days, last, side="right")
    far = np.array([np.iinfo(np.int32).min, *days, np.iinfo(np.int32).max], dtype=np.int64)
    ahead, behind = far[end + 1] - last, first - far[begin]
    near = [np.clip(1.0 - distance / REACH, 0.0, 1.0) for distance in (ahead, behind)]
    return np.stack([(end - begin).astype(np.float64), *near], axis=1)


def holidays_between(country: str, first: int, last: int) -> IntArray:
    """Returns the public holidays of a country, or of a part of one, between two days since 1970. Ascending.

    Raises:
        ConfigError: a country or part of one that is not known.
    """
    years = [int(np.datetime64(day, "D").astype("datetime64[Y]").astype(np.int64)) + _DAY_OF_1970 for day in (first, last)]
    return np.array(
        [day for year in range(years[0], years[1] + 1) for day in _holidays_of(country, year) if first <= day <= last], np.int64
    )


@cache
def _holidays_of(country: str, year: int) -> tuple[int, ...]:
    import holidays  # a second of import that few runs need

    code, _, part = country.partition("-")
    try:
        found = holidays.country_holidays(code, subdiv=part or None, years=year)
    except NotImplementedError as error:
        raise ConfigError(
            f"no holidays are known for {country!r} ({error}); give an ISO code such as DE, or US-CA for a part of a country"
        ) from error
    return tuple(sorted(int(np.datetime64(day, "D").astype(np.int64)) for day in found))


def _extent(frequency: Frequency, ordinals: IntArray) -> tuple[IntArray, IntArray]:
    """First and last day of each step, as days since 1970."""
    if frequency.at_end:
        first = frequency.stamps(ordinals - 1).astype("datetime64[D]").astype(np.int64) + 1
        return first, frequency.stamps(ordinals).astype("datetime64[D]").astype(np.int64)
    begin, following = (frequency.stamps(ordinals + shift) for shift in (0, 1))
    first = begin.astype("datetime64[D]").astype(np.int64)
    if frequency.kind == "business":
        return first, first
    last = (following - np.timedelta64(1, "ns")).astype("datetime64[D]").astype(np.int64)
    return first, last
