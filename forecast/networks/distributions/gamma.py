"""The gamma distribution's quantile, for parameters that are tensors."""

from __future__ import annotations

import torch
from torch import Tensor

_BISECTIONS = 44  # of an interval of log x: the last is 1e-11 wide
_NORMAL_ENDS = 8.0  # standard deviations of a large shape that the search looks at


def quantile(shape: Tensor, probability: Tensor) -> Tensor:
    """Returns x with P(G <= x) = probability for G ~ Gamma(shape, 1), by bisection of log x: always bracketed, never crossing.

    Args:
        shape: Greater than 0, float64.
        probability: Between 0 and 1, of a shape that broadcasts with it.
    """
    shape, probability = torch.broadcast_tensors(shape, probability)
    # P(G <= x) <= x^a / Gamma(a + 1), so the quantile is at least (p Gamma(a + 1))^(1/a).
    low = (probability.log() + torch.lgamma(shape + 1)) / shape
    high = torch.log(shape + _NORMAL_ENDS * shape.sqrt() + 4 * _NORMAL_ENDS)
    low = torch.minimum(low.clamp(min=-700.0), high)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        below = torch.special.gammainc(shape, middle.exp()) < probability
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return high.exp()
