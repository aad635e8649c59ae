"""Batches of random segments of a panel, one gather each, with no Python per series, and the data module that hands batches on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, IterableDataset

from forecast.core.arrays import IntArray
from forecast.core.panel import Panel
from forecast.core.seasonal_error import seasonal_errors
from forecast.networks.interfaces import Batch
from forecast.windowing.segments import SegmentReader, Segments


@final
@dataclass(frozen=True, slots=True)
class SegmentPlan:
    """What a training batch is.

    lead, horizon: L and H of the network. batch_size: B. steps: T at most. stride: every k-th step is an origin, from a random
    phase on. season_length: of the unit of loss. seed: batch i is drawn from (seed, i) alone. calendar: Cycles
    that the network is told of.
    """

    lead: int
    horizon: int
    batch_size: int
    steps: int
    stride: int
    season_length: int
    seed: int
    calendar: tuple[str, ...] = ()


def to_batch(segments: Segments, steps: int, origins: IntArray, unit: torch.Tensor, lengths: IntArray | None = None) -> Batch:
    """Returns the segments as tensors; observations and statistics stay float64."""
    return Batch(steps, torch.from_numpy(segments.y), torch.from_numpy(segments.known), torch.from_numpy(segments.past),
                 torch.from_numpy(segments.static), torch.from_numpy(origins), None if lengths is None else torch.from_numpy(lengths),
                 torch.from_numpy(segments.statistics), unit)  # fmt: skip


def units(panel: Panel, season_length: int) -> torch.Tensor:
    """Returns the unit of loss of each series: its seasonal error up to its end, 0 where there is none. Shape [N]."""
    return torch.from_numpy(np.nan_to_num(seasonal_errors(panel, panel.ends[:, None], season_length).absolute[:, 0]))


@final
class SegmentBatches(IterableDataset[Batch]):
    """An endless stream of batches from batch number `first` on.

    Every series is as likely as any other; the segment's start is uniform over those with a target after their first step.
    """

    def __init__(self, panel: Panel, plan: SegmentPlan, first: int = 0) -> None:
        super().__init__()
        self.plan, self.first = plan, first
        self.reader = SegmentReader.of(panel, plan.calendar)
        self.series = np.flatnonzero(panel.lengths > 1)
        self.lengths = panel.lengths
        self.steps = int(min(plan.steps, max(int(self.lengths.max()) - 1, 1)))
        self.unit = units(panel, plan.season_length)

    def __iter__(self) -> Iterator[Batch]:
        number = self.first
        while True:
            yield self.batch(number)
            number += 1

    def batch(self, number: int) -> Batch:
        """Returns batch `number`."""
        plan, rng = self.plan, np.random.default_rng([self.plan.seed, number])
        series = rng.choice(self.series, plan.batch_size)
        last = np.maximum(self.lengths[series] - 1 - self.steps, 0)
        first = (rng.random(plan.batch_size) * (last + 1)).astype(np.int64)
        stride = min(plan.stride, self.steps)
        origins = np.arange(rng.integers(stride), self.steps, stride)
        segments = self.reader.read(series, first, lead=plan.lead, steps=self.steps, horizon=plan.horizon)
        everyone = np.ascontiguousarray(np.broadcast_to(origins, (plan.batch_size, len(origins))))
        return to_batch(segments, self.steps, everyone, self.unit[series])


@final
class SegmentData(pl.LightningDataModule):
    """Hands an endless stream of batches to the trainer."""

    def __init__(self, batches: IterableDataset[Batch]) -> None:
        super().__init__()
        self.batches = batches

    def train_dataloader(self) -> DataLoader[Batch]:
        """Returns the loader: whole batches, made in this process."""
        return DataLoader(self.batches, batch_size=None, num_workers=0)
