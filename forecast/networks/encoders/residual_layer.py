"""A causal layer as a residual block: how cells whose gates do not see the state before become deep enough to be useful.

It must not know what is inside a layer.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor, nn

from forecast.networks.encoders.block_stack import Block
from forecast.networks.interfaces import EncoderState
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
class ResidualLayer(Block):
    """x + drop(layer(norm(x))).

    The norm stands inside the branch (Xiong et al. 2020, "On layer normalization in the transformer architecture", figure 1b), so the
    gradient has a way past every block. The dropout mask is drawn once for a segment and held over time (Gal & Ghahramani 2016).

    Args:
        layer: Reads and writes D numbers a step.
        width: D.
        dropout: Share of the numbers of the branch that a segment goes without.
    """

    def __init__(self, *, layer: SequenceLayer, width: int, dropout: float) -> None:
        super().__init__()
        self.states, self.dropout = layer.tensors, dropout
        self.norm, self.layer = nn.LayerNorm(width), layer

    def initial_state(self, batch: int) -> EncoderState:
        """Returns the layer's."""
        return self.layer.initial_state(batch)

    def forward(self, x: Tensor, state: EncoderState, lengths: Tensor | None) -> tuple[Tensor, EncoderState]:
        """Returns the sum and the layer's state; see `Block.forward`."""
        branch, after = self.layer(self.norm(x), state, lengths)
        return x + self._drop(branch), after

    def _drop(self, branch: Tensor) -> Tensor:
        if not self.training or self.dropout == 0:
            return branch
        keep = torch.rand(branch.shape[0], 1, branch.shape[2], device=branch.device) >= self.dropout
        return branch * keep / (1 - self.dropout)


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
