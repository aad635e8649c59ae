"""The minimal LSTM: forget and input gate read the input alone and share out one unit, so that all steps are one linear recurrence.

Feng et al. (2024), "Were RNNs all we needed?". It must not know how its layers are stacked.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from forecast.networks.encoders.residual_layer import SequenceLayer, last_real
from forecast.networks.interfaces import EncoderState
from forecast.networks.linear_scan import linear_scan
from forecast.networks.products import row_product

LONGEST_MEMORY = 64.0  # steps that the slowest unit of an untrained layer remembers


@final
class MinLstm(SequenceLayer):
    """minLSTM and a projection: y = W_o h. The state is h, D numbers; there is no cell state and no output gate.

    The gates are normalised, f' = f / (f + i), in the form with softplus of appendix B, which is exact where both gates underflow.
    The candidate is the plain one of section 3.2: this scan is stable without logarithms. The biases of the gates spread the
    memory of the units from 2 to LONGEST_MEMORY steps (Tallec & Ollivier 2018, section 2).

    Args:
        hidden_size: D.
    """

    def __init__(self, *, hidden_size: int) -> None:
        super().__init__()
        self.width = hidden_size
        self.given = nn.Linear(hidden_size, 3 * hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size)
        with torch.no_grad():
            self.given.bias.zero_()
            odds = torch.log(torch.linspace(2.0, LONGEST_MEMORY, hidden_size) - 1)
            self.given.bias[: 2 * hidden_size] = torch.cat([odds, -odds])  # sigmoid(v) / sigmoid(-v) = exp(v)

    def initial_state(self, batch: int) -> EncoderState:
        """Returns zeros, [B, D]."""
        return (self.out.weight.new_zeros(batch, self.width),)

    def forward(self, x: Tensor, state: EncoderState, lengths: Tensor | None) -> tuple[Tensor, EncoderState]:
        """Returns the projected states; see `SequenceLayer.forward`. Section 3.2, "minLSTM", and appendix B."""
        forget, let_in, candidate = row_product(x, self.given.weight, self.given.bias).float().chunk(3, dim=-1)
        # f = sigmoid(W_f x + b_f), i = sigmoid(W_i x + b_i): f / (f + i) = sigmoid(-d), i / (f + i) = sigmoid(d)
        difference = softplus(-forget) - softplus(-let_in)
        share = torch.sigmoid(difference)
        h = linear_scan(1 - share, share * candidate, state[0])  # h[t] = f'[t] h[t-1] + i'[t] (W_h x[t] + b_h)
        return row_product(h, self.out.weight, self.out.bias), (last_real(h, state[0], lengths),)
