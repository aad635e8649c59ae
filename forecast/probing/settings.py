"""How much the probe measures, as plain values. It must not measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """Sizes of all measurements; every cell gets the same.

    hidden_size: D where costs are measured. recall_size: D where something is learned. steps, batch, length, rates: Training steps,
    rows and time steps of a batch, and the learning rates of which the better one counts. longest_gap: Steps between two marked values
    while training, at most. oldest: The greatest age that is tested. rows: Rows of the test. lengths: Time steps of the growth and of the
    memory, rising. repeats: Times that a cost is measured. layers: Depths of the stacks. stack_steps: Their training steps.
    seed: Of weights and data.
    """

    hidden_size: int = 128
    recall_size: int = 32
    steps: int = 300
    batch: int = 32
    length: int = 256
    rates: tuple[float, ...] = (0.003, 0.01)
    longest_gap: int = 128
    oldest: int = 4096
    rows: int = 128
    lengths: tuple[int, ...] = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
    repeats: int = 5
    layers: tuple[int, ...] = (2, 4, 8)
    stack_steps: int = 100
    seed: int = 0

    def small(self) -> bool:
        """Returns whether cells are trained too little for what they recall to mean anything."""
        return self.steps < ProbeSettings().steps


QUICK = ProbeSettings(hidden_size=16, recall_size=8, steps=6, batch=4, length=24, rates=(0.01,), longest_gap=8, oldest=64, rows=8,
                      lengths=(16, 32, 64, 128), repeats=1, layers=(2, 4), stack_steps=3)  # fmt: skip
