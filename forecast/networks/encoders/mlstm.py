"""The mLSTM block of xLSTM: a matrix memory with exponential gates that do not read the state, so that training is parallel in time."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from forecast.networks.encoders.block_stack import NOTHING, Block, exact_product, product, real_steps
from forecast.networks.encoders.matrix_memory import Memory, Reads, memory_pass, memory_step
from forecast.networks.interfaces import EncoderState
from forecast.networks.products import full_precision

HEADS, SIZE = 4, 16  # J and E: 1,092 numbers of state


@final
class MatrixMemoryBlock(Block):
    """x + W (o * norm_heads(mLSTM(norm(x)))).

    Source: Beck et al. (2024), "xLSTM: Extended Long Short-Term Memory", section 2.3. The heads are small whatever D is, because the state
    has their square: J (E (E + 1) + 1) numbers. The paper's block widens before the cell and convolves over the last four steps; here
    the lag vector has those.

    Args:
        width: D.
    """

    states = 2

    def __init__(self, *, width: int) -> None:
        super().__init__()
        inner = HEADS * SIZE
        self.norm = nn.LayerNorm(width)
        self.read, self.gates, self.output = nn.Linear(width, 3 * inner), nn.Linear(width, 2 * HEADS), nn.Linear(width, inner)
        self.head_norm, self.out = nn.GroupNorm(HEADS, inner), nn.Linear(inner, width)
        biases = self.gates.bias.data
        biases[:HEADS] = -2.0  # what is little beside the 1 of equation 21 is not divided by a sum that may cancel
        biases[HEADS:] = torch.linspace(3, 6, HEADS)  # forget gates: memories of twenty to four hundred steps

    def initial_state(self, batch: int) -> EncoderState:
        """Returns an empty memory and an m that is below every gate: [B, J, E, E + 1] and [B, J]."""
        zero = self.out.weight.new_zeros(batch, HEADS, SIZE, SIZE + 1)
        return zero, torch.full_like(zero[..., 0, 0], NOTHING)

    def forward(self, x: Tensor, state: EncoderState, lengths: Tensor | None) -> tuple[Tensor, EncoderState]:
        """Returns the output of every step and the memory after each row's last real step; see `Block.forward`."""
        normed = self.norm(x)
        reads = self._reads(normed, lengths)
        with full_precision(x):
            found, memory = (memory_step if x.shape[1] == 1 else memory_pass)(reads, Memory(*state))
        heads = self.head_norm(found.transpose(1, 2).flatten(0, 1).flatten(1)).unflatten(0, x.shape[:2])
        return x + product(self.out, torch.sigmoid(product(self.output, normed)) * heads), tuple(memory)  # 21, 27

    def _reads(self, normed: Tensor, lengths: Tensor | None) -> Reads:
        q, k, v = product(self.read, normed).unflatten(-1, (3, HEADS, SIZE)).permute(2, 0, 3, 1, 4)  # 22, 23, 24
        i, forget = exact_product(self.gates, normed).unflatten(-1, (2, HEADS)).permute(2, 0, 3, 1)
        forget = logsigmoid(forget)  # 26
        if lengths is not None:  # padding brings nothing and forgets nothing
            padding = ~real_steps(normed.shape[1], lengths)[:, None]
            i, forget = i.masked_fill(padding, -torch.inf), forget.masked_fill(padding, 0.0)
        return Reads(q, k * SIZE**-0.5, v, i, forget)
