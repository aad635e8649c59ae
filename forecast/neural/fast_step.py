"""Single steps in microseconds: a forecaster's network laid out once, then one observation of each series at a time.

What it answers is what `carried_state.step` answers by the general way. It must not learn, and knows no panels.
"""

from __future__ import annotations

from typing import final
from weakref import WeakKeyDictionary

import numpy as np
import torch

from forecast.core.arrays import FloatArray, IntArray
from forecast.core.event_calendar import EventCalendar
from forecast.core.forecaster import require
from forecast.core.frequency import Frequency
from forecast.core.panel_schema import frequency_in, roles_in
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.one_step import Weights, lay_out, obstacles
from forecast.networks.state import NetworkState
from forecast.networks.step_program import StepInput, StepProgram
from forecast.neural.forecaster import NeuralForecaster
from forecast.windowing.calendar import calendar_features

STRETCH = 1024  # steps of the calendar that are worked out on both sides of those asked for


def has_fast_step(forecaster: NeuralForecaster) -> bool:
    """Returns whether a Stepper can be made of a fitted forecaster: elman, lstm or gru, direct, without covariates."""
    roles = roles_in(forecaster.schema)
    return not obstacles(forecaster.settings) and not (roles.known or roles.past or roles.static)


@final
class _Calendar:
    """What a network is told of the steps of a grid, worked out for a stretch at a time: streams move on by single steps."""

    def __init__(
        self, frequency: Frequency, cycles: tuple[str, ...], events: EventCalendar, horizon: int, program: StepProgram
    ) -> None:
        self._frequency, self._cycles, self._events, self._program = frequency, cycles, events, program
        self._ahead = np.arange(1, horizon + 1)
        self._first, self._last = 0, -1

    def at(self, ordinals: IntArray) -> tuple[Weights, Weights]:
        """Returns the context of each step [B, F], and what the decoder is told of the H steps after it [B, H, E]."""
        low, high = (int(ordinals[0]),) * 2 if len(ordinals) == 1 else (int(ordinals.min()), int(ordinals.max()))
        if low < self._first or high > self._last:
            self._grow(low, high)
        here = ordinals - self._first
        return self._context[here], self._told[here[:, None] + self._ahead]

    def _grow(self, low: int, high: int) -> None:
        self._first, self._last = low - STRETCH, high + STRETCH
        ordinals = np.arange(self._first, self._last + 1 + len(self._ahead))
        _, features = calendar_features(self._frequency, ordinals, self._cycles, self._events)
        self._context, told = self._program.context(features), self._program.told(features)
        assert told is not None  # for the type checker: the network has known covariates
        self._told = told


@final
class Stepper:
    """Steps of one fitted forecaster, whose weights it has copied: after another `fit` it is out of date.

    Args:
        forecaster: Fitted, without covariates.

    Raises:
        ModelError: parts or covariates that no fast step was written for; see `has_fast_step`.
    """

    def __init__(self, forecaster: NeuralForecaster) -> None:
        roles = roles_in(forecaster.schema)
        named = [*roles.known, *roles.past, *roles.static]
        require(not named, f"{forecaster.name} was trained with {named}: a step takes observations alone; use update")
        self.name, self.cycles = forecaster.name, forecaster.network.calendar
        self.program = StepProgram(lay_out(forecaster.network, forecaster.settings))
        self._calendar = _Calendar(
            frequency_in(forecaster.schema), self.cycles, forecaster.facts.events, forecaster.horizon, self.program
        )

    def step(
        self, state: NetworkState, y: FloatArray, ordinals: IntArray | None = None
    ) -> tuple[FloatArray, FloatArray, NetworkState]:
        """Returns mean [B, H], quantiles [B, H, Q] and the state after the observation; the given state stays as it was.

        Args:
            state: Of B series.
            y: The next observation, data units, NaN where missing. Shape [B].
            ordinals: Where the observations stand on the grid; a network that is told the calendar needs them. Shape [B].
        """
        context = told = None
        if self.cycles:
            require(ordinals is not None, f"{self.name} is told the calendar ({', '.join(self.cycles)}): give the ordinals")
            assert ordinals is not None  # for the type checker
            context, told = self._calendar.at(ordinals)
        states = tuple(part.numpy() for part in state.encoder)
        out = self.program.run(StepInput(states, state.ring.numpy(), state.statistics.numpy(), y, context, told))
        ring, statistics = torch.from_numpy(out.ring), torch.from_numpy(out.statistics)
        return out.mean, out.quantiles, NetworkState(tuple(map(torch.from_numpy, out.states)), ring, statistics)


_MADE: WeakKeyDictionary[ForecastingNetwork, tuple[list[torch.Tensor], int, Stepper]] = WeakKeyDictionary()


def stepper_of(forecaster: NeuralForecaster) -> Stepper:
    """Returns the forecaster's Stepper, made at the first call and again after its weights have changed."""
    network = forecaster.network
    found = _MADE.get(network)
    if found is not None and found[1] == sum([tensor._version for tensor in found[0]]):
        return found[2]
    tensors = [*network.parameters(), *network.buffers()]
    made = Stepper(forecaster)
    _MADE[network] = (tensors, sum(tensor._version for tensor in tensors), made)
    return made
