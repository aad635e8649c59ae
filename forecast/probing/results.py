"""What the probe found, as plain values for tables, plots and claims. No torch in here: whoever draws needs none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from forecast.probing.settings import ProbeSettings

ATTENTION = "attention"


@final
@dataclass(frozen=True, slots=True)
class Recall:
    """How well a marked value can be read off the state, by its age.

    ages: In steps, from 1, rising. explained: Share of the value's variance that is explained, R^2, one for each age. horizon: The
    greatest age that is recalled, 0 for none. capped: Whether that is the greatest age tested. rate: The learning rate that learned
    more. loss: What it ended at, as a share of the variance.
    """

    ages: tuple[int, ...]
    explained: tuple[float, ...]
    horizon: int
    capped: bool
    rate: float
    loss: float


@final
@dataclass(frozen=True, slots=True)
class Growth:
    """Processor seconds of reading one series at once, by its length. slope: Of their logarithms, over the longer half."""

    lengths: tuple[int, ...]
    seconds: tuple[float, ...]
    slope: float


@final
@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one series that is read step by step, after as many steps.

    kept: The state between two steps. peak: All tensors that live at once within a step, weights left out.
    """

    lengths: tuple[int, ...]
    kept: tuple[int, ...]
    peak: tuple[int, ...]

    def constant(self) -> bool:
        """Returns whether reading more takes no more."""
        return len(set(self.kept)) == len(set(self.peak)) == 1


@final
@dataclass(frozen=True, slots=True)
class CellResult:
    """All about one cell.

    name: Of the encoder. same: Other models that read with the same encoder. parameters: Count. state: Floats of a new state.
    microseconds: Of one carried step of one series. training: Seconds of 1,000 training steps. recall: None where it is not asked.
    """

    name: str
    same: tuple[str, ...]
    parameters: int
    state: int
    microseconds: float
    training: float
    growth: Growth
    memory: Memory
    recall: Recall | None


@final
@dataclass(frozen=True, slots=True)
class StackResult:
    """What a stack of layers, with or without residual connections, ended at; the loss is a share of the variance."""

    layers: int
    residual: bool
    loss: float


@final
@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Everything that was measured in one run.

    machine: Processor and torch, in words. cells: Attention is the last one. bidirectional: Parameters of a layer that reads one way and
    of one that reads both ways. seconds: What it all took.
    """

    settings: ProbeSettings
    machine: str
    cells: tuple[CellResult, ...]
    stacks: tuple[StackResult, ...]
    bidirectional: tuple[int, int]
    seconds: float

    def cell(self, name: str) -> CellResult | None:
        """Returns a cell by name, None if it was not measured."""
        return next((cell for cell in self.cells if cell.name == name), None)

    def recurrent(self) -> tuple[CellResult, ...]:
        """Returns the cells that carry a state of fixed size."""
        return tuple(cell for cell in self.cells if cell.name != ATTENTION)
