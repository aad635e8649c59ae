"""Days on which the world is not as usual: public holidays of countries, and events that the user names.

A panel carries them, as it carries its frequency: they are the same for all of its series, in the past and over the horizon. What
belongs to single series, such as a promotion of one shop, is a known covariate. This module must not know how days become features.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import final

import numpy as np

from forecast.core.arrays import IntArray
from forecast.core.errors import ConfigError

HOLIDAYS, EVENT = "holidays of ", "event "


@final
@dataclass(frozen=True, slots=True)
class EventCalendar:
    """countries: ISO codes, with a part of the country after a hyphen: `DE`, `US-CA`. events: name and days, ascending."""

    countries: tuple[str, ...] = ()
    events: tuple[tuple[str, tuple[date, ...]], ...] = ()

    @classmethod
    def of(cls, countries: Iterable[str] = (), events: Mapping[str, Iterable[date]] | None = None) -> EventCalendar:
        """Returns the calendar of some countries and events.

        Raises:
            ConfigError: an event without a day, or a name that cannot be kept apart from others.
        """
        given = {name: tuple(sorted(set(days))) for name, days in (events or {}).items()}
        empty = sorted(name for name, days in given.items() if not days)
        if empty:
            raise ConfigError(f"the events {empty[:5]} ({len(empty)} in all) have no day; give each its days, past and to come")
        commas = sorted(name for name in given if "," in name or not name.strip())
        if commas:
            raise ConfigError(f"the names of events {commas[:5]} have a comma or are empty; call them something else")
        return cls(tuple(dict.fromkeys(countries)), tuple(sorted(given.items())))

    @classmethod
    def from_json(cls, text: str) -> EventCalendar:
        """Returns the calendar that `to_json` wrote."""
        found = json.loads(text)
        return cls.of(
            found["countries"], {name: [date.fromisoformat(day) for day in days] for name, days in found["events"].items()}
        )

    def to_json(self) -> str:
        """Returns the calendar as text."""
        events = {name: [day.isoformat() for day in days] for name, days in self.events}
        return json.dumps({"countries": self.countries, "events": events})

    @property
    def names(self) -> tuple[str, ...]:
        """What models call its parts: `holidays of DE`, `event Black Friday`."""
        return (*(HOLIDAYS + country for country in self.countries), *(EVENT + name for name, _ in self.events))

    def days_of(self, event: str) -> IntArray:
        """Returns the days of an event, as days since 1970, ascending; none where the calendar does not have it."""
        return np.array([np.datetime64(day, "D").astype(np.int64) for day in dict(self.events).get(event, ())], dtype=np.int64)
