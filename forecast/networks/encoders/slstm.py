"""The sLSTM block of xLSTM: a scalar memory with exponential gates, whose heads mix within themselves."""

from __future__ import annotations

from math import gcd
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu

from forecast.networks.encoders.block_stack import NOTHING, Block, exact_product, product, real_steps
from forecast.networks.encoders.slstm_pass import Cells, slstm_pass, slstm_step
from forecast.networks.interfaces import EncoderState
from forecast.networks.products import full_precision

HEADS = 4
WIDENING = 4 / 3  # of the gated network behind the cell, the paper's
_FORGET_GATE = 1  # the gates are in the order input, forget, cell input, output


@final
class ScalarMemoryBlock(Block):
    """x + norm_heads(sLSTM(norm(x))), then x + W (gelu(U norm(x)) * V norm(x)).

    Source: Beck et al. (2024), "xLSTM: Extended Long Short-Term Memory", section 2.2; the block with the network behind the cell is that
    of section 2.4 and figure 9, without its convolution over the last four steps: the lag vector has those. The heads are four, or
    as many of them as D can be divided by. The state is c, n, m and h, 4 D numbers.

    Args:
        width: D.
    """

    states = 4

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.heads, inner = gcd(HEADS, width), round(WIDENING * width)
        size = width // self.heads
        self.norm, self.gates = nn.LayerNorm(width), nn.Linear(width, 4 * width)
        self.mixing = nn.Parameter(torch.empty(self.heads, size, 4 * size))
        self.head_norm = nn.GroupNorm(self.heads, width)
        self.wide_norm, self.widen, self.narrow = nn.LayerNorm(width), nn.Linear(width, 2 * inner), nn.Linear(inner, width)
        for gate in self.mixing.data.unflatten(-1, (4, size)).unbind(2):
            for head in gate:
                nn.init.orthogonal_(head)
        biases = self.gates.bias.data.view(self.heads, 4, size)
        biases.zero_()
        biases[:, _FORGET_GATE] = torch.linspace(1, 5, size)  # memories of a few steps and of some hundred

    def initial_state(self, batch: int) -> EncoderState:
        """Returns c, n and h of zeros and an m that is below every gate, each [B, D]."""
        zero = self.gates.weight.new_zeros(batch, self.gates.in_features)
        return zero, zero, torch.full_like(zero, NOTHING), zero

    def forward(self, x: Tensor, state: EncoderState, lengths: Tensor | None) -> tuple[Tensor, EncoderState]:
        """Returns the output of every step and c, n, m and h after each row's last real step; see `Block.forward`."""
        hidden, after = self._recur(exact_product(self.gates, self.norm(x)), state, lengths)
        x = x + self.head_norm(hidden.flatten(0, 1)).view_as(x)
        value, gate = product(self.widen, self.wide_norm(x)).chunk(2, dim=-1)
        return x + product(self.narrow, gelu(gate) * value), after

    def _recur(self, given: Tensor, state: EncoderState, lengths: Tensor | None) -> tuple[Tensor, EncoderState]:
        """Hidden states [B, T, D] and the state; given [B, T, 4D], the gates within the heads."""
        c, n, m, h = (s.unflatten(-1, (self.heads, -1)).transpose(0, 1) for s in state)
        cells = Cells(torch.stack([c, n], dim=2), m.contiguous(), h.contiguous())
        steps = given.unflatten(-1, (self.heads, -1)).permute(1, 2, 0, 3)  # [T, J, B, 4E]
        with full_precision(given):
            if torch.is_grad_enabled() and lengths is None:
                hidden, cells = slstm_pass(steps, cells, self.mixing)
            else:
                hidden, cells = _one_by_one(steps, cells, self.mixing, lengths)
        memory = cells.memory.unbind(2)
        after = tuple(s.transpose(0, 1).flatten(1) for s in (*memory, cells.m, cells.h))
        return hidden.permute(2, 0, 1, 3).flatten(2), after


def _one_by_one(given: Tensor, cells: Cells, mixing: Tensor, lengths: Tensor | None) -> tuple[Tensor, Cells]:
    """The pass step by step, each row's state standing still where the row has ended."""
    real = None if lengths is None else real_steps(len(given), lengths).t()[:, None, :, None]
    hidden = []
    for t, step in enumerate(given):
        new = slstm_step(step, cells, mixing)
        hidden.append(new.h)
        if real is not None:
            here = real[t]
            new = Cells(
                torch.where(here[..., None], new.memory, cells.memory),
                *(torch.where(here, a, b) for a, b in zip(new[1:], cells[1:], strict=True)),
            )
        cells = new
    return torch.stack(hidden), cells
