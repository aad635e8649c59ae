"""What a model must find again in a panel that it forecasts: the frequency and the names of the covariates. It must not know values."""

from __future__ import annotations

import json
from dataclasses import replace

from forecast.core.event_calendar import EventCalendar
from forecast.core.forecaster import require
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles


def panel_schema(panel: Panel) -> str:
    """Returns frequency and covariates as a text that two panels share if a model may go from one to the other."""
    roles = panel.roles
    schema = {"frequency": panel.frequency.alias, "known": roles.known, "past": roles.past, "static": roles.static}
    return json.dumps(schema | ({"categorical": roles.categorical} if roles.categorical else {}))


def with_calendar(panel: Panel, trained: EventCalendar, model: str) -> Panel:
    """Returns the panel with holidays and events: its own, or those of the training panel where it brings none.

    Raises:
        ModelError: it brings others than those that the model was trained with.
    """
    if panel.calendar.names == trained.names:
        return panel
    brought = list(panel.calendar.names)
    require(not brought, f"{model} was trained with {list(trained.names)}, the panel brings {brought}: give the same, or none")
    return replace(panel, calendar=trained)


def roles_in(schema: str) -> Roles:
    """Returns the covariates of a schema."""
    found = json.loads(schema)
    return Roles(tuple(found["known"]), tuple(found["past"]), tuple(found["static"]), tuple(found.get("categorical", ())))


def frequency_in(schema: str) -> Frequency:
    """Returns the frequency of a schema, with the seasons that its alias stands for."""
    return Frequency.parse(json.loads(schema)["frequency"])
