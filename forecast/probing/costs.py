"""What a cell costs: parameters, the time of one carried step, of training, and of reading longer and longer series.

Times are seconds of the processor, not of the clock, so that a busy machine does not decide; the best of some repetitions counts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from forecast.networks.interfaces import Encoder
from forecast.probing.cells import build_cell, origins_of
from forecast.probing.recall import Reader, marked_stream, train_step
from forecast.probing.results import Growth
from forecast.probing.settings import ProbeSettings

_MICRO = 1e6
_THOUSAND = 1000
_BLOCK = 20  # carried steps between two looks at the processor's clock


def count_parameters(module: nn.Module) -> int:
    """Returns the number of weights that are learned."""
    return sum(weight.numel() for weight in module.parameters())


def state_floats(encoder: Encoder) -> int:
    """Returns how many numbers the state of one series has that has read nothing."""
    return sum(tensor.numel() for tensor in encoder.initial_state(1))


def best_seconds(call: Callable[[], object], repeats: int) -> float:
    """Returns the least processor time of a call; one call before the first is not counted."""
    call()
    found = []
    for _ in range(repeats):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return max(min(found), 1e-9)


@torch.no_grad()
def step_microseconds(encoder: Encoder, hidden_size: int, repeats: int) -> float:
    """Returns the time of one step of one series whose state is carried."""
    encoder.eval()
    one = torch.randn(1, 1, hidden_size)
    origins = origins_of(one)

    def some_steps() -> None:
        state = encoder.initial_state(1)
        for _ in range(_BLOCK):
            _, state = encoder(one, origins, state)

    return best_seconds(some_steps, 4 * repeats) / _BLOCK * _MICRO


def training_seconds(name: str, settings: ProbeSettings) -> float:
    """Returns the time of 1,000 training steps: forward, backward and optimiser on a batch of the recall task."""
    reader = Reader(build_cell(name, settings.hidden_size), settings.hidden_size)
    optimiser = torch.optim.Adam(reader.parameters(), lr=1e-4)
    stream = marked_stream(settings.batch, settings.length, settings.longest_gap, torch.Generator().manual_seed(settings.seed))
    return best_seconds(lambda: train_step(reader, optimiser, stream), settings.repeats) * _THOUSAND


@torch.no_grad()
def measure_growth(encoder: Encoder, settings: ProbeSettings) -> Growth:
    """Returns the time of reading one series at once at each length."""
    encoder.eval()
    seconds = []
    for length in settings.lengths:
        inputs = torch.randn(1, length, settings.hidden_size)
        origins = origins_of(inputs)
        seconds.append(best_seconds(lambda x=inputs, o=origins: encoder(x, o), settings.repeats))  # type: ignore[misc]
    return Growth(settings.lengths, tuple(seconds), log_slope(settings.lengths, seconds))


def log_slope(lengths: Sequence[int], seconds: Sequence[float]) -> float:
    """Returns the least-squares slope of log seconds on log length over the longer half: 1 is linear, 2 quadratic."""
    half = len(lengths) // 2
    slope, _ = np.polyfit([math.log(n) for n in lengths[half:]], [math.log(s) for s in seconds[half:]], 1)
    return float(slope)


def bidirectional_parameters(hidden_size: int) -> tuple[int, int]:
    """Returns the weights of a GRU layer that reads one way, and of one that reads both ways."""
    one, both = (nn.GRU(hidden_size, hidden_size, bidirectional=both) for both in (False, True))
    return count_parameters(one), count_parameters(both)
