"""The input of a windowed encoder, taken apart: the encoder treats the lag vector as its sequence.

A windowed model is a function of the last D values alone. It carries nothing but the ring that they are read from, so it keeps every
law of carried state without a state of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from forecast.networks.interfaces import Batch
from forecast.networks.phases import phases

STEPS_AT_ONCE = 1 << 18  # of all windows that are read together; with states 128 wide, 128 MB


class LagWindow(NamedTuple):
    """What is known at O origins of B series.

    values: the last D values, oldest first, in the origin's scaled units, 0 where missing. Shape [B, O, D].
    seen: 1 where a value was observed. Shape [B, O, D].
    context: log of the spread as a share of the level, then the origin's known, past and static covariates. Shape [B, O, C - 2D].
    """

    values: Tensor
    seen: Tensor
    context: Tensor

    @classmethod
    def of(cls, inputs: Tensor, lags: int) -> LagWindow:
        """Returns the parts of inputs [B, O, C] with lag vectors of length `lags`."""
        return cls(*inputs.split([lags, lags, inputs.shape[-1] - 2 * lags], dim=-1))

    def since_last(self) -> Tensor:
        """Returns the values less the last observed one, 0 where missing: the loc of the network cancels. Shape [B, O, D]."""
        place = (self.seen * torch.arange(self.seen.shape[-1], device=self.seen.device)).amax(dim=-1, keepdim=True)
        return (self.values - self.values.gather(-1, place.long())) * self.seen

    def as_steps(self, seasons: Sequence[int]) -> Tensor:
        """Returns what an encoder reads that goes from step to step, oldest first. Shape [B, O, D, `step_width(seasons)`].

        Of each step: sign(z) log(1 + |z|) of its value z, whether it was observed, and its phases counted from the origin.
        """
        values, seen = self.values, self.seen
        lags = torch.arange(1 - values.shape[-1], 1, device=values.device)
        places = phases(lags, seasons).to(values.dtype).expand(*values.shape, -1)
        return torch.cat([torch.stack([values.sign() * values.abs().log1p(), seen], dim=-1), places], dim=-1)


def step_width(seasons: Sequence[int]) -> int:
    """Returns the width of one step of `LagWindow.as_steps`."""
    return 2 + 2 * len(seasons)


def few_windows(batch: Batch, lags: int) -> list[Batch]:
    """Returns the batch as batches of some of its origins each, so that the memory for windows of `lags` steps is bounded.

    Where no origin is wanted at all there is one batch without origins.
    """
    if batch.wanted is not None and not batch.wanted.any():
        return [batch._replace(origins=batch.origins[:, :0], wanted=batch.wanted[:, :0])]
    at_once = max(STEPS_AT_ONCE // (len(batch.origins) * lags), 1)
    return [batch._replace(origins=part, wanted=None) for part in batch.origins.split(at_once, dim=1)]
