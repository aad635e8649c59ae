"""What a network carries from one observation to the next: everything that a forecast needs of the past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from forecast.networks.interfaces import EncoderState


class NetworkState(NamedTuple):
    """The carried state of B series.

    encoder: the encoder's tensors, each [B, ...].
    ring: the last L values, data units, float64, NaN where missing. Shape [B, L].
    statistics: what the normaliser carries; first count and mean of |y| over all observed values so far. Shape [B, its width].
    """

    encoder: EncoderState
    ring: Tensor
    statistics: Tensor

    def floats_per_series(self) -> int:
        """Returns how many numbers the state of one series has."""
        return sum(t[0].numel() for t in (*self.encoder, self.ring, self.statistics))

    def take(self, rows: slice) -> NetworkState:
        """Returns the state of some of the series."""
        return NetworkState(tuple(t[rows] for t in self.encoder), self.ring[rows], self.statistics[rows])

    def to(self, device: torch.device) -> NetworkState:
        """Returns the state on a device."""
        return NetworkState(tuple(t.to(device) for t in self.encoder), self.ring.to(device), self.statistics.to(device))

    def detached(self) -> NetworkState:
        """Returns the state without the graph that it was computed by: no gradient goes further back."""
        return NetworkState(tuple(t.detach() for t in self.encoder), self.ring.detach(), self.statistics.detach())

    def put_first(self, other: NetworkState) -> NetworkState:
        """Returns the state with the other's series in the place of its first ones."""
        count = len(other.ring)
        pairs = zip((*self.encoder, self.ring, self.statistics), (*other.encoder, other.ring, other.statistics), strict=True)
        *encoder, ring, statistics = (torch.cat([theirs, mine[count:]]) for mine, theirs in pairs)
        return NetworkState(tuple(encoder), ring, statistics)

    @staticmethod
    def concatenate(states: Sequence[NetworkState]) -> NetworkState:
        """Returns the states of several groups of series, end to end."""
        encoder = tuple(torch.cat(tensors) for tensors in zip(*(s.encoder for s in states), strict=True))
        return NetworkState(encoder, torch.cat([s.ring for s in states]), torch.cat([s.statistics for s in states]))


def goes_on(continues: Tensor, before: EncoderState, start: EncoderState) -> EncoderState:
    """Returns the rows of `before` that go on and those of `start` elsewhere, in the numbers of `start`. continues [B]."""
    pairs = zip(before, start, strict=True)
    return tuple(torch.where(continues.view(-1, *(1,) * (s.dim() - 1)), b.to(s.dtype), s) for b, s in pairs)
