"""What a network carries from one observation to the next: everything that a forecast needs of the past."""

from __future__ import annotations

import math
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

    def named(self) -> dict[str, Tensor]:
        """Returns the tensors by name: `encoder.0` and so on, `ring`, `statistics`. Each [B, ...]."""
        return {f"encoder.{number}": tensor for number, tensor in enumerate(self.encoder)} | {
            "ring": self.ring,
            "statistics": self.statistics,
        }

    def spec(self) -> dict[str, tuple[int, ...]]:
        """Returns the shape of what is carried of one series by name, see `named`."""
        return {name: tuple(tensor.shape[1:]) for name, tensor in self.named().items()}

    def floats_per_series(self) -> int:
        """Returns how many numbers the state of one series has."""
        return sum(math.prod(shape) for shape in self.spec().values())

    def take(self, rows: slice | Tensor) -> NetworkState:
        """Returns the state of some of the series: a slice, or their positions."""
        return NetworkState.of([tensor[rows] for tensor in self.named().values()])

    def put(self, rows: slice | Tensor, other: NetworkState) -> NetworkState:
        """Returns the state with the other's series in the place of some; this one stays as it is."""
        tensors = [mine.clone() for mine in self.named().values()]
        for mine, theirs in zip(tensors, other.named().values(), strict=True):
            mine[rows] = theirs
        return NetworkState.of(tensors)

    def to(self, device: torch.device) -> NetworkState:
        """Returns the state on a device."""
        return NetworkState(tuple(t.to(device) for t in self.encoder), self.ring.to(device), self.statistics.to(device))

    def detached(self) -> NetworkState:
        """Returns the state without the graph that it was computed by: no gradient goes further back."""
        return NetworkState(tuple(t.detach() for t in self.encoder), self.ring.detach(), self.statistics.detach())

    def put_first(self, other: NetworkState) -> NetworkState:
        """Returns the state with the other's series in the place of its first ones."""
        count = len(other.ring)
        if count == len(self.ring):
            return other
        pairs = zip(self.named().values(), other.named().values(), strict=True)
        return NetworkState.of([torch.cat([theirs, mine[count:]]) for mine, theirs in pairs])

    @staticmethod
    def of(tensors: Sequence[Tensor]) -> NetworkState:
        """Returns the state of tensors in the order of `named`."""
        *encoder, ring, statistics = tensors
        return NetworkState(tuple(encoder), ring, statistics)

    @staticmethod
    def concatenate(states: Sequence[NetworkState]) -> NetworkState:
        """Returns the states of several groups of series, end to end."""
        if len(states) == 1:
            return states[0]
        return NetworkState.of([torch.cat(tensors) for tensors in zip(*(s.named().values() for s in states), strict=True)])


def goes_on(continues: Tensor, before: EncoderState, start: EncoderState) -> EncoderState:
    """Returns the rows of `before` that go on and those of `start` elsewhere, in the numbers of `start`. continues [B]."""
    pairs = zip(before, start, strict=True)
    return tuple(torch.where(continues.view(-1, *(1,) * (s.dim() - 1)), b.to(s.dtype), s) for b, s in pairs)
