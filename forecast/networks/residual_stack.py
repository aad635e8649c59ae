"""A stack of residual blocks around causal layers: how cells whose gates do not see the state before become deep enough to be useful.

It must not know what is inside a layer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast, final

import torch
from torch import Tensor, nn

from forecast.networks.interfaces import Encoder, EncoderState, Encoding
from forecast.networks.timeline import gather_steps


class SequenceLayer(nn.Module, ABC):
    """Reads x [B, T, D] into y [B, T, D], step t from the steps <= t alone; T steps at once equal T single steps.

    tensors: how many tensors its state has.
    """

    tensors: int = 1

    @abstractmethod
    def forward(self, x: Tensor, state: EncoderState, lengths: Tensor | None) -> tuple[Tensor, EncoderState]:
        """Returns y and the state after each row's last real step.

        Args:
            x: Shape [B, T, D].
            state: Before the first step.
            lengths: Real steps of each row, 0 keeps the row's state; None: all T. Shape [B].
        """

    @abstractmethod
    def initial_state(self, batch: int) -> EncoderState:
        """Returns the state of `batch` rows that have read nothing. Each tensor [B, ...]."""


@final
class ResidualStack(Encoder):
    """Blocks x <- x + drop(layer(norm(x))), and a norm at the end.

    The norm stands inside the branch (Xiong et al. 2020, "On layer normalization in the transformer architecture", figure 1b), so the
    gradient has a way past every block. The dropout mask is drawn once for a segment and held over time (Gal & Ghahramani 2016).

    Args:
        layers: First to last; each reads and writes D numbers a step.
        hidden_size: D, also the width of the inputs.
        dropout: Share of the numbers of each branch that a segment goes without.
    """

    causal = True

    def __init__(self, *, layers: Sequence[SequenceLayer], hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.width, self.dropout = hidden_size, dropout
        self.layers = nn.ModuleList(layers)
        self.norms = nn.ModuleList(nn.LayerNorm(hidden_size) for _ in layers)
        self.last = nn.LayerNorm(hidden_size)

    def initial_state(self, batch: int) -> EncoderState:
        """Returns the states of all layers, one after the other."""
        return tuple(tensor for layer in self.layers for tensor in _layer(layer).initial_state(batch))

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        """Returns the normed sum of all branches as memory and at the origins as summary; see `Encoder.forward`."""
        before = self.initial_state(len(inputs)) if state is None else state
        after: EncoderState = ()
        current = inputs
        for norm, module in zip(self.norms, self.layers, strict=True):
            layer = _layer(module)
            branch, new = layer(norm(current), before[len(after) : len(after) + layer.tensors], lengths)
            current = current + self._drop(branch)
            after = after + new
        memory = self.last(current)
        return Encoding(memory, None, gather_steps(memory, origins)), after

    def _drop(self, branch: Tensor) -> Tensor:
        if not self.training or self.dropout == 0:
            return branch
        keep = torch.rand(branch.shape[0], 1, branch.shape[2], device=branch.device) >= self.dropout
        return branch * keep / (1 - self.dropout)


def _layer(module: nn.Module) -> SequenceLayer:
    return cast(SequenceLayer, module)


def last_real(states: Tensor, before: Tensor, lengths: Tensor | None) -> Tensor:
    """Returns each row's state after its last real step, out of the states after every step.

    Args:
        states: Shape [B, T, ...].
        before: The state before the first step, kept by rows without steps. Shape [B, ...].
        lengths: None: all T. Shape [B].
    """
    if lengths is None:
        return states[:, -1]
    last = gather_steps(states, (lengths - 1).clamp(min=0)[:, None])[:, 0]
    return torch.where((lengths > 0).reshape(-1, *(1,) * (last.dim() - 1)), last, before)
