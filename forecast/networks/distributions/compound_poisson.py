"""The compound Poisson-exponential distribution, which is Tweedie's with power 1.5: density and quantiles, float64.

A Poisson number of jumps of exponential size; 0 where there is no jump. For this power alone the density has a closed form.
"""

from __future__ import annotations

import torch
from torch import Tensor

_NODES = 160
_REACH = 7.0  # in the root of x, whose standard deviation is below 1
_AT_ONCE = 1 << 15  # distributions whose grids are held at a time


def log_density(x: Tensor, rate: Tensor) -> Tensor:
    """Returns the log density at x > 0 of a sum of Poisson(rate) exponential jumps of mean 1.

    f(x) = sqrt(rate / x) I_1(2 sqrt(rate x)) exp(-rate - x) (Jorgensen 1997, The Theory of Dispersion Models, section 4.2.4).
    """
    root = 2 * (rate * x).sqrt()
    scaled_bessel: Tensor = torch.special.i1e(root)
    return 0.5 * (rate / x).log() + scaled_bessel.log() - (rate.sqrt() - x.sqrt()) ** 2


def quantile(rate: Tensor, probability: Tensor) -> Tensor:
    """Returns x with P(X <= x) = probability, exactly 0 where no jump is at least as likely as that.

    The density is added up on a grid of sqrt(x) around sqrt(rate): within 1e-3 of probability; never crossing.

    Args:
        rate: Greater than 0. Shape [...].
        probability: Shape [..., Q].

    Returns:
        Shape [..., Q].
    """
    flat, wanted = rate.flatten(), probability.to(rate.dtype).expand(*rate.shape, probability.shape[-1]).flatten(0, -2)
    parts = [_on_grid(flat[i : i + _AT_ONCE], wanted[i : i + _AT_ONCE]) for i in range(0, len(flat), _AT_ONCE)]
    return torch.cat(parts).view(*rate.shape, probability.shape[-1]) if parts else wanted.view(*rate.shape, -1)


def _on_grid(rate: Tensor, probability: Tensor) -> Tensor:
    """The quantiles of some distributions: [n] and [n, Q] give [n, Q]."""
    centre = rate.sqrt()[:, None]
    start = (centre - _REACH).clamp(min=0.0)
    step = (centre + _REACH - start) / _NODES
    roots = start + step * torch.arange(_NODES + 1, dtype=rate.dtype, device=rate.device)
    points = roots.clamp(min=1e-9) ** 2
    density = log_density(points, rate[:, None]).exp() * 2 * roots  # of sqrt(x)
    none = torch.exp(-rate)[:, None]
    reached = torch.cat([torch.zeros_like(none), ((density[:, 1:] + density[:, :-1]) / 2 * step).cumsum(dim=1)], dim=1)
    # Scaling by what the grid missed makes the last node certain, so that every probability has a place.
    cumulative = none + reached * (-torch.expm1(-rate))[:, None] / reached[:, -1:].clamp(min=1e-300)
    right = torch.searchsorted(cumulative, probability.contiguous()).clamp(1, _NODES)
    below, above = cumulative.gather(1, right - 1), cumulative.gather(1, right)
    share = ((probability - below) / (above - below).clamp(min=1e-300)).clamp(0.0, 1.0)
    root = roots.gather(1, right - 1) + share * step
    return torch.where(probability <= none, 0.0, root**2)
