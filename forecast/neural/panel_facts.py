"""What a network must know of the panel that it was trained on, beside its weights: schema, calendar, names and gaps of covariates.

It is kept with the weights, as JSON in bytes. It must not know how networks are made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np

from forecast.core.arrays import AnyArray, FloatArray
from forecast.core.categories import Vocabulary, recoded, vocabulary_of
from forecast.core.event_calendar import EventCalendar
from forecast.core.forecaster import Weights, require
from forecast.core.panel import Panel
from forecast.core.panel_schema import panel_schema, roles_in, with_calendar
from forecast.networks.covariates import AMOUNT, GAPPY, Columns
from forecast.windowing.calendar import feature_count, repeated_cycles

_SCHEMA, _CALENDAR, _COVARIATES = "schema", "calendar", "covariates"
KEYS = frozenset({_SCHEMA, _CALENDAR, _COVARIATES})
_NOTHING: Mapping[str, Any] = {"vocabulary": {}, "gappy": (), "events": EventCalendar().to_json()}


@final
@dataclass(frozen=True, slots=True)
class PanelFacts:
    """schema: See `panel_schema`. calendar: Cycles, holidays and events that the network is told of. vocabulary: Names of each
    categorical covariate. gappy: Amounts that were missing in rows with an observation. events: The training panel's own, which
    stand in where a panel brings none."""

    schema: str
    calendar: tuple[str, ...] = ()
    vocabulary: Vocabulary = field(default_factory=dict)
    gappy: tuple[str, ...] = ()
    events: EventCalendar = field(default_factory=EventCalendar)

    @classmethod
    def of(cls, panel: Panel, calendar: bool) -> PanelFacts:
        """Returns the facts of a training panel; without `calendar` the network is told of no cycle."""
        cycles = repeated_cycles(panel.frequency, float(np.median(panel.lengths))) if calendar else ()
        return cls(panel_schema(panel), (*cycles, *panel.calendar.names), vocabulary_of(panel), _gappy(panel), panel.calendar)

    @classmethod
    def kept(cls, weights: Weights, name: str) -> PanelFacts:
        """Returns the facts that `weights` were saved with.

        Raises:
            ModelError: there are none.
        """
        require(
            _SCHEMA in weights and _CALENDAR in weights,
            f"{name}: the weights do not say which frequency and covariates they were trained with",
        )
        cycles = _text(weights[_CALENDAR])
        more = json.loads(_text(weights[_COVARIATES])) if _COVARIATES in weights else _NOTHING
        names = {column: tuple(texts) for column, texts in more["vocabulary"].items()}
        return cls(_text(weights[_SCHEMA]), tuple(cycles.split(",")) if cycles else (), names, tuple(more["gappy"]),
                   EventCalendar.from_json(more["events"]))  # fmt: skip

    def arrays(self) -> dict[str, AnyArray]:
        """Returns the facts as arrays of bytes, to be saved with the weights."""
        texts = {_SCHEMA: self.schema, _CALENDAR: ",".join(self.calendar)}
        if self.vocabulary or self.gappy or self.events.names:
            more = {"vocabulary": dict(self.vocabulary), "gappy": self.gappy, "events": self.events.to_json()}
            texts[_COVARIATES] = json.dumps(more)
        return {name: np.frombuffer(text.encode(), dtype=np.uint8).copy() for name, text in texts.items()}

    def columns(self) -> Columns:
        """Returns the kinds of the covariates; what a step is told of the calendar follows the known ones."""
        roles = roles_in(self.schema)
        known, past, static = (tuple(self._kind(name) for name in names) for names in (roles.known, roles.past, roles.static))
        return Columns((*known, *(AMOUNT,) * feature_count(self.calendar)), past, static)

    def read(self, panel: Panel, name: str) -> Panel:
        """Returns a panel with the places of its names in the lists of training.

        Raises:
            ModelError: another frequency, other covariates or other holidays and events than in training.
        """
        found = panel_schema(panel)
        require(found == self.schema, f"{name} was trained on {self.schema}, the panel has {found}: give the same columns")
        return recoded(with_calendar(panel, self.events, name), self.vocabulary)

    def scales(self, panel: Panel) -> tuple[FloatArray, FloatArray]:
        """Returns mean and standard deviation of every amount, known, past and static; 1 where it is constant.

        Names, and the calendar's features between the known and the past ones, stay as they are. Shape [K + F + P + S].
        """
        loc, scale = [], []
        for values, kinds in zip((panel.known, panel.past, panel.static), self.columns(), strict=True):
            for column, kind in enumerate(kinds):
                amount = kind in (AMOUNT, GAPPY) and column < values.shape[1]
                mean, deviation = _moments(values[:, column]) if amount else (0.0, 1.0)
                loc.append(mean)
                scale.append(deviation)
        return np.array(loc), np.array(scale)

    def _kind(self, name: str) -> int:
        names = self.vocabulary.get(name)
        if names is not None:
            return max(len(names), 1)  # a column without any name is one of a name that never comes
        return GAPPY if name in self.gappy else AMOUNT


def _gappy(panel: Panel) -> tuple[str, ...]:
    """Amounts that are missing somewhere: in a row with an observation, or for a series."""
    seen, roles = ~np.isnan(panel.y), panel.roles
    rows: dict[str, FloatArray] = {name: panel.known[seen, i] for i, name in enumerate(roles.known)}
    rows = rows | {name: panel.past[seen, i] for i, name in enumerate(roles.past)}
    rows = rows | {name: panel.static[:, i] for i, name in enumerate(roles.static)}
    return tuple(name for name, values in rows.items() if name not in roles.categorical and np.isnan(values).any())


def _moments(values: FloatArray) -> tuple[float, float]:
    seen = values[~np.isnan(values)]
    deviation = float(seen.std()) if len(seen) else 0.0
    return float(seen.mean()) if len(seen) else 0.0, deviation if deviation > 0 else 1.0


def _text(array: AnyArray) -> str:
    return np.asarray(array, dtype=np.uint8).tobytes().decode()
