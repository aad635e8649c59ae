"""A carried state as plain arrays and back, for whoever stores it. It must not know files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from forecast.core.arrays import AnyArray
from forecast.core.errors import ConfigError, StateDamaged
from forecast.core.event_calendar import EventCalendar
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles
from forecast.networks.state import NetworkState
from forecast.neural.state_value import CarriedState, Point

_POINTS = ("now", "middle", "snapshot")
_PANEL = ("ids", "offsets", "starts", "y", "known", "past", "static")


def state_arrays(state: CarriedState) -> dict[str, AnyArray]:
    """Returns all numbers and texts of a state by name; `recent.ids` is text."""
    arrays: dict[str, AnyArray] = {f"recent.{name}": getattr(state.recent, name) for name in _PANEL} | {"begins": state.begins}
    for name in _POINTS:
        point: Point = getattr(state, name)
        arrays |= {f"{name}.ends": point.ends, f"{name}.digests": point.digests}
        arrays |= {f"{name}.{part}": tensor.numpy() for part, tensor in point.network.named().items()}
    return arrays


def state_facts(state: CarriedState) -> dict[str, Any]:
    """Returns what belongs to the whole state, as JSON values."""
    frequency, roles = state.recent.frequency, state.recent.roles
    return {
        "model": state.model, "snapshot_steps": state.snapshot_steps, "series": len(state), "parts": list(state.network.named()),
        "frequency": frequency.alias, "season_lengths": list(frequency.season_lengths),
        "roles": {"known": list(roles.known), "past": list(roles.past), "static": list(roles.static),
                  "categorical": list(roles.categorical)},
        "categories": state.recent.categories, "calendar": state.recent.calendar.to_json(),
    }  # fmt: skip


def state_from(arrays: Mapping[str, AnyArray], facts: Mapping[str, Any], where: str) -> CarriedState:
    """Returns the state of what `state_arrays` and `state_facts` gave.

    Raises:
        StateDamaged: something is missing, or does not fit the rest.
    """
    try:
        frequency = Frequency.parse(facts["frequency"], tuple(facts["season_lengths"]))
        roles = Roles(**{kind: tuple(names) for kind, names in facts["roles"].items()})
        columns = {name: arrays[f"recent.{name}"] for name in _PANEL}
        recent = Panel(frequency=frequency, roles=roles, categories=tuple(map(tuple, facts["categories"])),
                       calendar=EventCalendar.from_json(facts["calendar"]), **columns)  # fmt: skip
        now, middle, snapshot = (_point(arrays, name, facts["parts"]) for name in _POINTS)
        state = CarriedState(recent, arrays["begins"], now, middle, snapshot, facts["model"], int(facts["snapshot_steps"]))
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise StateDamaged(f"{where} does not hold a state ({error!r})", advice="nothing of it was used; start again") from error
    lengths = {len(values) for name, values in arrays.items() if name.split(".")[0] != "recent"} | {len(recent)}
    if lengths != {facts["series"]}:
        raise StateDamaged(f"{where} holds arrays of {sorted(lengths)} series", advice="nothing of it was used; start again")
    return state


def _point(arrays: Mapping[str, AnyArray], name: str, parts: list[str]) -> Point:
    tensors = [torch.from_numpy(np.array(arrays[f"{name}.{part}"])) for part in parts]
    return Point(arrays[f"{name}.ends"], arrays[f"{name}.digests"], NetworkState.of(tensors))
