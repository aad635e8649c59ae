"""What residual recurrent networks have in common: blocks one after the other, each with a state of its own.

It must not know what a block computes: sLSTM, mLSTM and RWKV differ in their blocks alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast, final

import torch
from torch import Tensor, nn

from forecast.networks.interfaces import Encoder, EncoderState, Encoding
from forecast.networks.products import full_precision, row_product
from forecast.networks.timeline import gather_steps

NOTHING = -1e30  # the stabiliser of a memory without content: below every gate, and finite, so that differences are numbers


class Block(nn.Module, ABC):
    """A residual block: reads [B, T, D] and returns it with what it found added.

    states: tensors of its state.
    """

    states: int

    @abstractmethod
    def forward(self, x: Tensor, state: EncoderState, lengths: Tensor | None) -> tuple[Tensor, EncoderState]:
        """Returns the output of every step and the state after each row's last real step; see `Encoder.forward`."""

    @abstractmethod
    def initial_state(self, batch: int) -> EncoderState:
        """Returns the state of `batch` rows that have read nothing. Each tensor [B, ...], float32."""


@final
class BlockStack(Encoder):
    """Pre-norm residual blocks one after the other, and a layer norm at the end. Their states follow each other.

    Args:
        blocks: First to last.
        width: D of inputs and outputs.
    """

    causal = True

    def __init__(self, *, blocks: Sequence[Block], width: int) -> None:
        super().__init__()
        self.width = width
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)

    def initial_state(self, batch: int) -> EncoderState:
        """Returns the states of all blocks, one after the other."""
        return tuple(state for block in self.blocks for state in cast(Block, block).initial_state(batch))

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        """Returns the normed outputs of the last block as memory and at the origins as summary; see `Encoder.forward`."""
        before = self.initial_state(len(inputs)) if state is None else state
        after: EncoderState = ()
        current = inputs.float()  # what is added up stays float32 under autocast
        for block in self.blocks:
            own = before[len(after) : len(after) + cast(Block, block).states]
            current, new = block(current, own, lengths)
            after = after + new
        memory = self.norm(current)
        return Encoding(memory, None, gather_steps(memory, origins)), after


def real_steps(steps: int, lengths: Tensor) -> Tensor:
    """Returns which steps are no padding. lengths [B]. Shape [B, T]."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def product(layer: nn.Linear, x: Tensor) -> Tensor:
    """Returns a layer's product in the precision of the moment, as float32."""
    return row_product(x, layer.weight, layer.bias).float()


def exact_product(layer: nn.Linear, x: Tensor) -> Tensor:
    """Returns a layer's product computed in float32 whatever the precision of the moment: exponents have no digits to lose."""
    with full_precision(x):
        return row_product(x.float(), layer.weight, layer.bias)
