"""Averages of the weights along a training, which are what is used in the end: a single step's weights are noisier.

It must not train, nor know networks: weights are tensors by name.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from typing import Any, final

import torch
from torch import Tensor

Named = Mapping[str, Tensor]


class WeightAverage(ABC):
    """An average of the weights after each step so far."""

    @abstractmethod
    def add(self, step: int, weights: Named) -> None:
        """Takes in the weights after step number `step`, from 1 on; they are copied."""

    @abstractmethod
    def weights(self) -> dict[str, Tensor]:
        """Returns the average."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes what a checkpoint kept."""

    @abstractmethod
    def to(self, device: torch.device) -> None:
        """Moves to where the weights are."""


@final
class RunningAverage(WeightAverage):
    """average = decay average + (1 - decay) weights; early on it forgets faster, not to remember the start.

    Args:
        decay: 0 for the last weights alone.
        start: The weights before the first step.
    """

    def __init__(self, decay: float, start: Named) -> None:
        self.decay = decay
        self._average = {name: value.detach().clone() for name, value in start.items()}

    def add(self, step: int, weights: Named) -> None:
        """Moves the average towards the weights."""
        decay = min(self.decay, step / (step + 9))
        torch._foreach_lerp_([self._average[name] for name in weights], list(weights.values()), 1 - decay)

    def weights(self) -> dict[str, Tensor]:
        """Returns the average."""
        return self._average

    def state_dict(self) -> dict[str, Any]:
        """Returns the average."""
        return self._average

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes the average back."""
        self._average = state

    def to(self, device: torch.device) -> None:
        """Moves the average."""
        self._average = {name: value.to(device) for name, value in self._average.items()}


@final
class MeanOfLast(WeightAverage):
    """The plain mean of the weights after each of the last n steps, of which it keeps n copies.

    Izmailov et al. (2018), "Averaging weights leads to wider optima and better generalization", with steps for epochs.

    Args:
        count: n.
        start: The weights before the first step.
    """

    def __init__(self, count: int, start: Named) -> None:
        self._kept: deque[dict[str, Tensor]] = deque(
            [{name: value.detach().clone() for name, value in start.items()}], maxlen=count
        )

    def add(self, step: int, weights: Named) -> None:
        """Keeps a copy; the start itself is no step."""
        if step == 1:
            self._kept.clear()
        self._kept.append({name: value.detach().clone() for name, value in weights.items()})

    def weights(self) -> dict[str, Tensor]:
        """Returns the mean of the copies."""
        return {name: torch.stack([copy[name] for copy in self._kept]).mean(dim=0) for name in self._kept[0]}

    def state_dict(self) -> dict[str, Any]:
        """Returns the copies."""
        return {"kept": list(self._kept)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes the copies back."""
        self._kept = deque(state["kept"], maxlen=self._kept.maxlen)

    def to(self, device: torch.device) -> None:
        """Moves the copies."""
        moved = ({name: value.to(device) for name, value in copy.items()} for copy in self._kept)
        self._kept = deque(moved, maxlen=self._kept.maxlen)
