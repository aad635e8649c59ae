"""What a network carries from one observation to the next: everything that a forecast needs of the past."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from forecast.networks.interfaces import EncoderState


class NetworkState(NamedTuple):
    """The carried state of B series.

    encoder: the encoder's tensors, each [B, ...].
    ring: the last L values, data units, float64, NaN where missing. Shape [B, L].
    statistics: count and mean of |y| over all observed values so far. Shape [B, 2].
    """

    encoder: EncoderState
    ring: Tensor
    statistics: Tensor

    def floats_per_series(self) -> int:
        """Returns how many numbers the state of one series has."""
        return sum(t[0].numel() for t in (*self.encoder, self.ring, self.statistics))

    def where(self, chosen: Tensor, other: NetworkState) -> NetworkState:
        """Returns this state for the chosen rows [B] and the other one for the rest."""

        def mix(mine: Tensor, theirs: Tensor) -> Tensor:
            return torch.where(chosen.reshape(-1, *(1,) * (mine.dim() - 1)), mine, theirs)

        encoder = tuple(mix(a, b) for a, b in zip(self.encoder, other.encoder, strict=True))
        return NetworkState(encoder, mix(self.ring, other.ring), mix(self.statistics, other.statistics))
