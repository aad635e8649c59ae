"""Attention behind the encoder's contract, so that the probe can measure it beside the recurrent cells.

It must not become a model: its state grows with every step, which is what it is here to show.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from forecast.networks.interfaces import Encoder, EncoderState, Encoding
from forecast.networks.timeline import gather_steps

HEADS = 4


@final
class CausalAttention(Encoder):
    """Attention with several heads that sees no step after its own: y = x + W_o attention(W_q x, W_k x, W_v x).

    Vaswani et al. (2017), "Attention is all you need", section 3.2.2, without the feed-forward layers of a transformer, whose cost is
    linear. No position is told, as nothing here asks for one. Every row has the same length. The state is the keys and values of all steps
    read so far, two tensors [B, t, D].

    Args:
        hidden_size: C and D.
    """

    causal = True

    def __init__(self, *, hidden_size: int) -> None:
        super().__init__()
        self.width = hidden_size
        self.project, self.join = nn.Linear(hidden_size, 3 * hidden_size), nn.Linear(hidden_size, hidden_size)

    def initial_state(self, batch: int) -> EncoderState:
        """Returns no keys and no values, each [B, 0, D]."""
        none = self.join.weight.new_zeros(batch, 0, self.width)
        return none, none

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        """Returns the outputs of all steps as memory and at the origins as summary; see `Encoder.forward`."""
        query, key, value = self.project(inputs).chunk(3, dim=-1)
        before = 0 if state is None else state[0].shape[1]
        if state is not None:
            key, value = torch.cat([state[0], key], dim=1), torch.cat([state[1], value], dim=1)
        q, k, v = (x.unflatten(-1, (HEADS, -1)).transpose(1, 2) for x in (query, key, value))
        read = scaled_dot_product_attention(q, k, v, attn_mask=self._seen(inputs.shape[1], before), is_causal=before == 0)  # eq. 1
        outputs = inputs + self.join(read.transpose(1, 2).flatten(2))
        return Encoding(outputs, None, gather_steps(outputs, origins)), (key, value)

    def _seen(self, steps: int, before: int) -> Tensor | None:
        """Which of the steps before and of the new ones each new one may look at; None says the usual triangle or all."""
        if before == 0 or steps == 1:
            return None
        return torch.ones(steps, before + steps, dtype=torch.bool, device=self.join.weight.device).tril(before)
