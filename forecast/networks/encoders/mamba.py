"""The selective state-space layer: a diagonal one whose step, input and reading depend on what is read.

Gu & Dao (2023), "Mamba: linear-time sequence modeling with selective state spaces". It must not know how its layers are stacked.
"""

from __future__ import annotations

from math import log
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import silu, softplus

from forecast.networks.encoders.residual_layer import SequenceLayer
from forecast.networks.interfaces import EncoderState
from forecast.networks.products import row_product
from forecast.networks.selective_scan import selective_scan
from forecast.networks.timeline import gather_steps

STATES = 8  # N, numbers of state of a channel
KERNEL = 4  # steps of the convolution
SHORTEST_STEP, LONGEST_STEP = 1e-3, 1e-1  # of an untrained layer


@final
class Mamba(SequenceLayer):
    """The block of figure 3, its inside as wide as its outside: convolution, selective state space (algorithm 2), gate, projection.

    The state is the last KERNEL - 1 inputs of the convolution [B, KERNEL - 1, D] and the state space's own [B, N, D].

    Args:
        hidden_size: D.
    """

    tensors = 2

    def __init__(self, *, hidden_size: int) -> None:
        super().__init__()
        self.width, self.rank = hidden_size, -(-hidden_size // 16)
        self.given = nn.Linear(hidden_size, 2 * hidden_size)
        self.kernel = nn.Parameter((torch.rand(KERNEL, hidden_size) * 2 - 1) * KERNEL**-0.5)
        self.kernel_bias = nn.Parameter(torch.zeros(hidden_size))
        self.select = nn.Linear(hidden_size, self.rank + 2 * STATES, bias=False)
        self.step = nn.Linear(self.rank, hidden_size)
        self.log_decay = nn.Parameter(torch.log(torch.arange(1.0, STATES + 1)).repeat(hidden_size, 1).t().contiguous())  # S4D-Real
        self.through = nn.Parameter(torch.ones(hidden_size))
        self.out = nn.Linear(hidden_size, hidden_size)
        with torch.no_grad():
            wanted = torch.exp(torch.rand(hidden_size) * (log(LONGEST_STEP) - log(SHORTEST_STEP)) + log(SHORTEST_STEP))
            self.step.bias.copy_(wanted + torch.log(-torch.expm1(-wanted)))  # section 3.6: softplus of the bias is the wanted step

    def initial_state(self, batch: int) -> EncoderState:
        """Returns zeros, [B, KERNEL - 1, D] and [B, N, D]."""
        return self.through.new_zeros(batch, KERNEL - 1, self.width), self.through.new_zeros(batch, STATES, self.width)

    def forward(self, x: Tensor, state: EncoderState, lengths: Tensor | None) -> tuple[Tensor, EncoderState]:
        """Returns the block's outputs; see `SequenceLayer.forward`."""
        entered, gate = row_product(x, self.given.weight, self.given.bias).chunk(2, dim=-1)
        window = torch.cat([state[0], entered.float()], dim=1)
        u = silu(_convolved(window, self.kernel, self.kernel_bias))
        low, b, c = row_product(u, self.select.weight, None).split([self.rank, STATES, STATES], dim=-1)
        step = softplus(row_product(low, self.step.weight, self.step.bias).float())  # algorithm 2, line 4
        if lengths is not None:  # a step of length 0 keeps the state
            step = step * (torch.arange(x.shape[1], device=x.device) < lengths[:, None])[..., None]
        y, after = selective_scan(u, step, -torch.exp(self.log_decay), b.float(), c.float(), state[1])
        y = (y + self.through * u) * silu(gate.float())
        return row_product(y, self.out.weight, self.out.bias), (_last_inputs(window, lengths), after)


def _convolved(window: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """The causal convolution of each channel by itself. window [B, KERNEL - 1 + T, D]. Shape [B, T, D]."""
    steps, out = window.shape[1] - KERNEL + 1, bias
    for k in range(KERNEL):
        out = torch.addcmul(out, window[:, k : k + steps], kernel[k])
    return out


def _last_inputs(window: Tensor, lengths: Tensor | None) -> Tensor:
    """The inputs of the convolution before the step after each row's last real one. Shape [B, KERNEL - 1, D]."""
    if lengths is None:
        return window[:, 1 - KERNEL :]
    return gather_steps(window, lengths[:, None] + torch.arange(KERNEL - 1, device=window.device))
