"""Whether deep stacks need residual connections: the loss of the same stack with and without them after equal training."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from forecast.networks.encoders.stacked import StackedRecurrent
from forecast.probing.recall import Reader, final_loss, train
from forecast.probing.results import StackResult
from forecast.probing.settings import ProbeSettings


def measure_stacks(settings: ProbeSettings) -> Iterator[StackResult]:
    """Yields the final loss of stacks of GRU layers on the recall task, each at the better one of the rates."""
    for layers in settings.layers:
        for residual in (True, False):
            losses = [_loss(layers, residual, rate, settings) for rate in settings.rates]
            yield StackResult(layers, residual, min(losses))


def _loss(layers: int, residual: bool, rate: float, settings: ProbeSettings) -> float:
    torch.manual_seed(settings.seed)
    size = settings.recall_size
    stack = StackedRecurrent(cell="gru", inputs=size, hidden_size=size, layers=layers, dropout=0.0)
    stack.residual = residual  # its own rule is by depth
    return final_loss(train(Reader(stack, size), settings.stack_steps, rate, settings))
