"""What is known of N series between two nights: where the network stands in each of them, and what it has read since a snapshot.

It must not read: that is `state_reading`'s.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, final

import numpy as np
import torch

from forecast.core.arrays import BoolArray, IntArray, TextArray
from forecast.core.panel import Panel
from forecast.core.panel_splice import joined
from forecast.core.row_digests import DigestArray
from forecast.networks.state import NetworkState
from forecast.neural.forecaster import NeuralForecaster


class Point(NamedTuple):
    """Where reading stands in each of N series.

    ends: ordinal of the last row that was read; the one before the first row where none was. Shape [N].
    digests: of all rows read so far. Shape [N].
    network: the network's state there.
    """

    ends: IntArray
    digests: DigestArray
    network: NetworkState

    def take(self, positions: IntArray) -> Point:
        """Returns the points of some of the series."""
        return Point(self.ends[positions], self.digests[positions], self.network.take(torch.from_numpy(positions)))

    def or_else(self, mask: BoolArray, other: Point) -> Point:
        """Returns this point of the series under the mask and the other one of the rest."""
        if mask.all() or not mask.any():
            return self if mask.all() else other
        some = torch.from_numpy(np.flatnonzero(mask))
        network = other.network.put(some, self.network.take(some))
        return Point(np.where(mask, self.ends, other.ends), np.where(mask, self.digests, other.digests), network)

    @staticmethod
    def concatenate(points: Sequence[Point]) -> Point:
        """Returns the points of several groups of series, end to end."""
        ends, digests, networks = zip(*points, strict=True)
        return Point(np.concatenate(ends), np.concatenate(digests), NetworkState.concatenate(networks))


@final
@dataclass(frozen=True, slots=True, eq=False)
class CarriedState:
    """What is carried of N series, from which forecasting goes on.

    recent: the rows that were read after the snapshot; at least one of each series.
    begins: ordinal of the first row that was ever read. Shape [N].
    now: after the last row. middle: some steps before; it becomes the snapshot in time.
    snapshot: `snapshot_steps` before the last row or more, up to three times as many: late corrections go back to here.
    model: digest of the weights and settings that the state belongs to.
    """

    recent: Panel
    begins: IntArray
    now: Point
    middle: Point
    snapshot: Point
    model: str
    snapshot_steps: int

    def __len__(self) -> int:
        return len(self.begins)

    @property
    def ids(self) -> TextArray:
        """Ascending. Shape [N]."""
        return self.recent.ids

    @property
    def ends(self) -> IntArray:
        """Ordinal of the last row that was read. Shape [N]."""
        return self.now.ends

    @property
    def counts(self) -> IntArray:
        """Steps read, missing ones too. Shape [N]."""
        return np.asarray(self.now.ends - self.begins + 1)

    @property
    def network(self) -> NetworkState:
        """What the network carries after the last row."""
        return self.now.network

    def take(self, positions: IntArray) -> CarriedState:
        """Returns the state of the series at the given positions, which must ascend."""
        now, middle, snapshot = (point.take(positions) for point in (self.now, self.middle, self.snapshot))
        recent, begins = self.recent.take(positions), self.begins[positions]
        return replace(self, recent=recent, begins=begins, now=now, middle=middle, snapshot=snapshot)

    @staticmethod
    def joined(states: Sequence[CarriedState]) -> CarriedState:
        """Returns several states of one model, no series twice, as one in the order of the ids."""
        if len(states) == 1:
            return states[0]
        recent, order = joined([state.recent for state in states])
        now, middle, snapshot = (
            Point.concatenate(points).take(order) for points in zip(*((s.now, s.middle, s.snapshot) for s in states), strict=True)
        )
        begins = np.concatenate([state.begins for state in states])[order]
        return replace(states[0], recent=recent, begins=begins, now=now, middle=middle, snapshot=snapshot)


def model_version(forecaster: NeuralForecaster) -> str:
    """Returns the SHA-256 of the weights and the settings of a forecaster: states of one version are of use to no other."""
    digest = hashlib.sha256(json.dumps(forecaster.recipe(), sort_keys=True).encode())
    for name, values in sorted(forecaster.weights().items()):
        digest.update(f"|{name}|{values.dtype}|{values.shape}|".encode())
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
