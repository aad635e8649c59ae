"""The RWKV block: weighted averages of all that was read, whose weights decay with a rate of each channel, and a gated network.

Neither reads the state to make its gates, so training is parallel in time but for one scan.
"""

from __future__ import annotations

from typing import NamedTuple, final

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from forecast.networks.encoders.block_stack import NOTHING, Block, exact_product, product, real_steps
from forecast.networks.encoders.stabilised_scan import linear_scan, maximum_scan
from forecast.networks.interfaces import EncoderState
from forecast.networks.products import full_precision

WIDENING = 2  # of the channel mix; the paper's language models have 4


class Average(NamedTuple):
    """What the weighted averages carry: numerator and denominator over e^p. sums [B, 2, D]; p, the stabiliser [B, D]."""

    sums: Tensor
    p: Tensor


@final
class ReceptanceBlock(Block):
    """x + time_mix(norm(x)), then x + channel_mix(norm(x)).

    Source: Peng et al. (2023), "RWKV: Reinventing RNNs for the Transformer Era", section 3.1, equations 11 to 18, the stabilised
    recurrence of appendix D and the first values of appendix E. The state is the last normed input of both mixes, numerator,
    denominator and stabiliser: 5 D numbers.

    Args:
        width: D.
    """

    states = 4

    def __init__(self, *, width: int) -> None:
        super().__init__()
        inner = WIDENING * width
        self.time_norm, self.channel_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        place = torch.arange(width) / max(width - 1, 1)
        self.time_share = nn.Parameter(torch.stack([0.5 * place, place, place]))  # of r, k, v: how much of the step's own input
        self.channel_share = nn.Parameter(torch.stack([place, place]))  # of r', k'
        self.rate = nn.Parameter(-5 + 8 * place**0.7)  # w = e^rate: memories of half a step to 150 steps
        self.bonus = nn.Parameter(0.5 * ((torch.arange(width) + 1) % 3 - 1) - 1.2)  # u
        self.receptance, self.key, self.value, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.gate = nn.Linear(width, width, bias=False)
        self.widen, self.narrow = nn.Linear(width, inner, bias=False), nn.Linear(inner, width, bias=False)

    def initial_state(self, batch: int) -> EncoderState:
        """Returns zeros for the last inputs [B, D], for the sums [B, 2, D], and a p that is below every key [B, D]."""
        zero = self.out.weight.new_zeros(batch, self.out.in_features)
        return zero, zero[:, None].repeat(1, 2, 1), torch.full_like(zero, NOTHING), zero

    def forward(self, x: Tensor, state: EncoderState, lengths: Tensor | None) -> tuple[Tensor, EncoderState]:
        """Returns the output of every step and the state after each row's last real step; see `Block.forward`."""
        last, sums, p, last_wide = state
        normed = self.time_norm(x).float()
        r, k, v = _mixed(normed, last, self.time_share)  # the insides of 11, 12, 13
        keys, values = exact_product(self.key, k), product(self.value, v)
        with full_precision(x):
            found, average = weighted_averages(keys, values, self.rate, self.bonus, Average(sums, p), lengths)
        x = x + product(self.out, torch.sigmoid(product(self.receptance, r)) * found)  # 17
        wide = self.channel_norm(x).float()
        r, k = _mixed(wide, last_wide, self.channel_share)  # the insides of 14, 15
        x = x + torch.sigmoid(product(self.gate, r)) * product(self.narrow, relu(product(self.widen, k)) ** 2)  # 18
        return x, (_last(normed, last, lengths), *average, _last(wide, last_wide, lengths))


def weighted_averages(
    keys: Tensor, values: Tensor, rate: Tensor, bonus: Tensor, before: Average, lengths: Tensor | None
) -> tuple[Tensor, Average]:
    """Returns the average of the values at every step, and what is carried after each row's last real one.

    A value s steps back counts e^(k - (s - 1) w), the step's own counts e^(k + u): equation 16. The stabiliser counts as a constant in
    the backward pass: it cancels in the ratio.

    Args:
        keys, values: k and v. Shape [B, T, D].
        rate, bonus: The logarithm of w, and u. Shape [D].
        before: What is carried.
        lengths: Real steps of each row; None: all.
    """
    k, v = keys.transpose(0, 1), values.transpose(0, 1)  # time first from here on
    own, decay, start = k + bonus, -torch.exp(rate).expand_as(k), before.sums.transpose(0, 1)
    if lengths is not None:  # padding brings nothing and forgets nothing
        padding = ~real_steps(len(k), lengths).t()[..., None]
        k, decay = k.masked_fill(padding, -torch.inf), decay.masked_fill(padding, 0.0)
    p = maximum_scan(decay, k, before.p) if len(k) > 1 else torch.maximum(decay + before.p, k)
    p_before = torch.cat([before.p[None], p[:-1]])
    kept, taken = torch.exp(p_before + decay - p), torch.exp(k - p)
    fed = torch.stack([taken * v, taken], dim=1)
    sums = linear_scan(kept, fed, start) if len(k) > 1 else kept[:, None] * start + fed
    sums_before = torch.cat([start[None], sums[:-1]])
    q = torch.maximum(p_before, own)
    past, present = torch.exp(p_before - q)[:, None] * sums_before, torch.exp(own - q)
    found = (past[:, 0] + present * v) / (past[:, 1] + present)
    return found.transpose(0, 1), Average(sums[-1].transpose(0, 1), p[-1])


def _mixed(x: Tensor, last: Tensor, shares: Tensor) -> list[Tensor]:
    """Each share of a step's own input and the rest of the input before it: the token shift. Each [B, T, D]."""
    before = torch.cat([last[:, None], x[:, :-1]], dim=1)
    return [torch.lerp(before, x, share) for share in shares]


def _last(x: Tensor, last: Tensor, lengths: Tensor | None) -> Tensor:
    """Each row's last real step, or what was carried where there is none. Shape [B, D]."""
    if lengths is None:
        return x[:, -1]
    here = x.gather(1, (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, x.shape[2]))[:, 0]
    return torch.where(lengths[:, None] > 0, here, last)
