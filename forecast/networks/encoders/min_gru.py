"""The minimal GRU: a gated cell whose gate reads the input alone, so that all steps are one linear recurrence.

Feng et al. (2024), "Were RNNs all we needed?". It must not know how its layers are stacked.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from forecast.networks.encoders.residual_layer import SequenceLayer, last_real
from forecast.networks.interfaces import EncoderState
from forecast.networks.linear_scan import linear_scan
from forecast.networks.products import row_product

LONGEST_MEMORY = 64.0  # steps that the slowest unit of an untrained layer remembers


@final
class MinGru(SequenceLayer):
    """minGRU and a projection: y = W_o h. The state is h, D numbers.

    The paper keeps to positive candidates and logarithms (appendix B) for the sake of its scan; this scan is stable without, so
    the candidate is the plain one of section 3.1. The biases of the gate spread the memory of the units from 2 to LONGEST_MEMORY
    steps (Tallec & Ollivier 2018, "Can recurrent neural networks warp time?", section 2).

    Args:
        hidden_size: D.
    """

    def __init__(self, *, hidden_size: int) -> None:
        super().__init__()
        self.width = hidden_size
        self.given = nn.Linear(hidden_size, 2 * hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size)
        with torch.no_grad():
            self.given.bias.zero_()
            self.given.bias[:hidden_size] = -torch.log(torch.linspace(2.0, LONGEST_MEMORY, hidden_size) - 1)

    def initial_state(self, batch: int) -> EncoderState:
        """Returns zeros, [B, D]."""
        return (self.out.weight.new_zeros(batch, self.width),)

    def forward(self, x: Tensor, state: EncoderState, lengths: Tensor | None) -> tuple[Tensor, EncoderState]:
        """Returns the projected states; see `SequenceLayer.forward`. Section 3.1, "minGRU", line by line."""
        gate, candidate = row_product(x, self.given.weight, self.given.bias).float().chunk(2, dim=-1)
        z = torch.sigmoid(gate)  # z[t] = sigmoid(W_z x[t] + b_z)
        h = linear_scan(1 - z, z * candidate, state[0])  # h[t] = (1 - z[t]) h[t-1] + z[t] (W_h x[t] + b_h)
        return row_product(h, self.out.weight, self.out.bias), (last_real(h, state[0], lengths),)
