"""The negative binomial distribution in mean and dispersion: log probability and quantiles, float64.

Variance = mean + dispersion mean^2, as Salinas et al. (2020), "DeepAR", International Journal of Forecasting 36(3), section 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor

from forecast.networks.distributions import gamma

SUMMED = 64  # quantiles below it are exact
_LEAST_MEAN, _LEAST_DISPERSION = 1e-12, 1e-6  # below: as good as zero, as good as Poisson


def log_probability(count: Tensor, mean: Tensor, dispersion: Tensor) -> Tensor:
    """Returns log P(N = count); counts that are no whole numbers get the value of the continued formula.

    Args:
        count: At least 0.
        mean: At least 0.
        dispersion: At least 0; below 1e-6 it is 1e-6.
    """
    mean, dispersion = mean.clamp(min=_LEAST_MEAN), dispersion.clamp(min=_LEAST_DISPERSION)
    size, product = 1 / dispersion, dispersion * mean
    ways = torch.lgamma(count + size) - torch.lgamma(count + 1) - torch.lgamma(size)
    # Salinas et al. (2020), section 3.1, l_NB
    return ways - size * torch.log1p(product) + count * (product.log() - torch.log1p(product))


def quantile(mean: Tensor, dispersion: Tensor, probability: Tensor) -> Tensor:
    """Returns the smallest count k with P(N <= k) >= probability.

    Exact below SUMMED, where probabilities are added up. Beyond, the count is that of a shifted gamma distribution with the same
    mean, variance and skewness (Pearson's type III): within 1 % of a standard deviation, and one count of rounding.

    Args:
        mean: At least 0.
        dispersion: At least 0.
        probability: Between 0 and 1; the three broadcast. At or below 0 the count is 0.
    """
    mean, dispersion = torch.broadcast_tensors(mean.clamp(min=0.0), dispersion.clamp(min=_LEAST_DISPERSION))
    probability = probability.to(mean.dtype)
    product = dispersion * mean
    odds = mean / (1 + product)
    term = torch.exp(-torch.log1p(product) / dispersion)
    reached, counts = term, (term < probability).to(mean.dtype)
    for k in range(1, SUMMED):
        term = term * (1 + (k - 1) * dispersion) * odds / k
        reached = reached + term
        below = reached < probability
        counts += below
        if not below.any():
            return counts
    beyond = counts == SUMMED
    parts = [x.expand(counts.shape)[beyond] for x in (mean, dispersion, probability)]
    counts[beyond] = _shifted_gamma(parts[0], parts[1], parts[2]).clamp(min=SUMMED)
    return counts


def _shifted_gamma(mean: Tensor, dispersion: Tensor, probability: Tensor) -> Tensor:
    """The count at a probability by moments, with the correction for continuity."""
    product = dispersion * mean
    shift = mean / (1 + 2 * product)  # mean - 2 deviation / skewness = -shift
    shape = 4 * shift * (1 + product) / (1 + 2 * product)  # 4 / skewness^2
    return torch.ceil((mean + shift) * (gamma.quantile(shape, probability) / shape) - shift - 0.5)
