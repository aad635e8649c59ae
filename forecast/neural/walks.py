"""Batches that walk through series in consecutive segments: truncated back-propagation through time with a carried state.

A row of a batch goes on where that row of the batch before ended; at the end of its series another one begins anew. Which segments a
batch has depends on the seed and its number alone. It must not know networks; the state itself is carried by `module`.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple, final

import numpy as np
import torch
from torch.utils.data import IterableDataset

from forecast.core.arrays import BoolArray, IntArray
from forecast.core.panel import Panel
from forecast.networks.interfaces import Batch
from forecast.neural.data import SegmentPlan, to_batch, units
from forecast.windowing.segments import SegmentReader


class Places(NamedTuple):
    """Where the rows of a batch stand: series [B], first row of the segment [B], and whether they go on there [B]."""

    series: IntArray
    first: IntArray
    continues: BoolArray


@final
class WalkBatches(IterableDataset[Batch]):
    """An endless stream of batches from batch number `first` on, whose rows walk through series.

    Every series is as likely as any other to be begun. The first walks begin at any row, so that rows do not end together; later ones
    at the first.

    Args:
        panel: The training part.
        plan: What a batch is; its steps are those after which the gradient is cut.
        first: Number of the first batch.
    """

    def __init__(self, panel: Panel, plan: SegmentPlan, first: int = 0) -> None:
        super().__init__()
        self.plan, self.first = plan, first
        self.reader = SegmentReader.of(panel, plan.calendar)
        self.series, self.lengths = np.flatnonzero(panel.lengths > 1), panel.lengths
        self.steps = int(min(plan.steps, max(int(self.lengths.max()) - 1, 1)))
        self.unit = units(panel, plan.season_length)

    def __iter__(self) -> Iterator[Batch]:
        for number, places in islice(enumerate(self.places()), self.first, None):
            yield self._batch(number, places)

    def places(self) -> Iterator[Places]:
        """Yields where the rows of each batch stand, from the first batch on."""
        rows, rng = self.plan.batch_size, np.random.default_rng([self.plan.seed, 0])
        series = rng.choice(self.series, rows)
        first = (rng.random(rows) * (self.lengths[series] - 1)).astype(np.int64)  # a target is left after the first step
        continues, number = np.zeros(rows, dtype=bool), 0
        while True:
            yield Places(series, first, continues)
            number += 1
            first = first + self.steps
            continues = first < self.lengths[series] - 1
            others = np.random.default_rng([self.plan.seed, number]).choice(self.series, rows)
            series, first = np.where(continues, series, others), np.where(continues, first, 0)

    def _batch(self, number: int, places: Places) -> Batch:
        plan, stride = self.plan, min(self.plan.stride, self.steps)
        origins = np.arange(np.random.default_rng([plan.seed, number, 1]).integers(stride), self.steps, stride)
        segments = self.reader.read(places.series, places.first, lead=plan.lead, steps=self.steps, horizon=plan.horizon)
        everyone = np.ascontiguousarray(np.broadcast_to(origins, (plan.batch_size, len(origins))))
        batch = to_batch(segments, self.steps, everyone, self.unit[places.series])
        return batch._replace(continues=torch.from_numpy(places.continues))
