"""What heads for data that cannot be negative share: a mean that is positive by construction, and refusals of other data."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import softplus

from forecast.core.errors import ModelError
from forecast.networks.interfaces import HeadInput

_SHARPNESS = 2.0  # softplus of the level is 0.35 scaled units where the level is 0, and the level itself from 2 units on


def scaled_mean(given: HeadInput) -> Tensor:
    """Returns softplus of the shifted centre (its distance from 0 instead of loc), in scaled units, float64. Shape [B, O, H]."""
    shift = given.loc / torch.where(given.scale > 0, given.scale, 1.0)
    return softplus(given.centre.to(shift.dtype) + shift, beta=_SHARPNESS)


def refuse_negative(head: str, values: Tensor) -> None:
    """Raises ModelError where observed values, data units, are below 0."""
    wrong = values[values < 0]
    if len(wrong):
        found = f"{len(wrong)} of {len(values)} observed values are negative, the least {float(wrong.min()):g}"
        raise ModelError(f"{head}: {found}; take `quantile` or `student_t`")


def refuse_fractions(head: str, values: Tensor) -> None:
    """Raises ModelError where observed values, data units, are no whole numbers."""
    wrong = values[values != values.round()]
    if len(wrong):
        found = f"{len(wrong)} of {len(values)} observed values are no whole numbers, the first {float(wrong[0]):g}"
        raise ModelError(f"{head}: {found}; take `tweedie` or `nonnegative_quantile`")
