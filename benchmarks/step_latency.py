"""Microseconds that a fitted network takes for one more observation of one series, beside torch's bare cell in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypeAlias, final

import numpy as np
import torch
from torch import nn

from forecast.core.errors import ModelError
from forecast.core.panel import Panel
from forecast.neural.carried_state import start, step
from forecast.neural.forecaster import NeuralForecaster

Way: TypeAlias = Literal["step", "predict"]

TIMES, TURN = 1000, 50  # calls of each, and how many of them follow each other
LONGEST_SECONDS = 10.0  # a network that draws paths is not asked a thousand times


@final
@dataclass(frozen=True, slots=True)
class Latency:
    """Medians in microseconds. way: `step` from a carried state, or `predict` from the last window where none can be carried."""

    way: Way
    network: float
    bare: float
    calls: int


def step_latency(forecaster: NeuralForecaster, panel: Panel, times: int = TIMES) -> Latency:
    """Returns the latency of the panel's first series.

    Args:
        forecaster: Fitted on a panel without covariates.
        panel: Its first series has a row for every step of the network's lead.
        times: Calls; fewer where they take longer than LONGEST_SECONDS.
    """
    one = panel.take(np.zeros(1, dtype=np.int64))
    levels = len(forecaster.levels)
    way, call = _next_observation(forecaster, one)
    bare = bare_cell(forecaster.settings.hidden_size, forecaster.horizon * levels)
    took, beside = _in_turns(call, bare, times)
    return Latency(way, 1e6 * median(took), 1e6 * median(beside), len(took))


def bare_cell(hidden_size: int, outputs: int) -> Callable[[], object]:
    """Returns one step of torch's GRUCell for one series, with the product that makes the outputs of its state."""
    cell, product = nn.GRUCell(hidden_size, hidden_size), nn.Linear(hidden_size, outputs)
    inputs, state = torch.randn(1, hidden_size), torch.zeros(1, hidden_size)

    def call() -> object:
        with torch.inference_mode():
            return product(cell(inputs, state))

    return call


def _next_observation(forecaster: NeuralForecaster, one: Panel) -> tuple[Way, Callable[[], object]]:
    """How a forecast after one more observation is made, and one call of it; every call feeds the next value of the series again."""
    try:
        state = start(forecaster, one).network
    except ModelError:  # it reads its whole window and says so
        window = one.until(one.ends)
        return "predict", lambda: forecaster.predict(window)
    values, begin = one.y[-max(forecaster.network.lead, 1) :], int(one.ends[0])
    count = 0

    def call() -> object:
        nonlocal state, count
        value = values[count % len(values)]
        count += 1
        mean, _, state = step(forecaster, state, np.array([value]), np.array([begin + count]))
        return mean

    return "step", call


def _in_turns(call: Callable[[], object], bare: Callable[[], object], times: int) -> tuple[list[float], list[float]]:
    """Seconds of each call of both, some calls of one after some of the other, so that a busy machine is busy for both."""
    took, beside = list[float](), list[float]()
    began = time.perf_counter()
    while not took or (len(took) < times and time.perf_counter() - began < LONGEST_SECONDS):
        turn = min(TURN, times - len(took))
        beside += [_seconds(bare) for _ in range(turn)]
        took += _some(call, turn, began + LONGEST_SECONDS)
    return took, beside


def _some(call: Callable[[], object], most: int, deadline: float) -> list[float]:
    out = [_seconds(call)]
    while len(out) < most and time.perf_counter() < deadline:
        out.append(_seconds(call))
    return out


def _seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began
