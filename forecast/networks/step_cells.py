"""One step of the Elman, LSTM and GRU cells in numpy. sigmoid(x) = (1 + tanh(x / 2)) / 2, with the halves in the weights.

It must not know what a cell is fed with.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import final

import numpy as np

from forecast.networks.one_step import Affine, Cell, Weights

States = tuple[Weights, ...]


class CellStep(ABC):
    """One step: states [B, D] and input [B, D] to the next states, the output first."""

    @abstractmethod
    def __call__(self, x: Weights, states: States) -> States:
        """Returns the states after the step."""


@final
class ElmanStep(CellStep):
    """h' = tanh(W x + U h + b). Elman (1990)."""

    def __init__(self, inputs: Affine, recurrent: Affine) -> None:
        self.inputs, self.recurrent = _packed(inputs.weight), _packed(recurrent.weight)
        self.bias = inputs.bias + recurrent.bias

    def __call__(self, x: Weights, states: States) -> States:
        """Returns h'."""
        total = np.dot(x, self.inputs)
        total += np.dot(states[0], self.recurrent)
        total += self.bias
        return (np.tanh(total, out=total),)


@final
class LstmStep(CellStep):
    """c' = f c + i g, h' = o tanh(c'), gates in the order i, f, g, o. Hochreiter & Schmidhuber (1997), Gers et al. (2000)."""

    def __init__(self, inputs: Affine, recurrent: Affine) -> None:
        width = len(recurrent.weight)
        halves = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], np.float32), width)
        self.inputs, self.recurrent = _packed(inputs.weight * halves), _packed(recurrent.weight * halves)
        self.bias, self.width = (inputs.bias + recurrent.bias) * halves, width

    def __call__(self, x: Weights, states: States) -> States:
        """Returns h' and c'."""
        width, gates = self.width, np.dot(x, self.inputs)
        gates += np.dot(states[0], self.recurrent)
        gates += self.bias
        np.tanh(gates, out=gates)
        candidate = gates[:, 2 * width : 3 * width].copy()
        gates += 1.0
        gates *= 0.5
        cell = gates[:, width : 2 * width] * states[1]
        candidate *= gates[:, :width]
        cell += candidate
        return np.tanh(cell) * gates[:, 3 * width :], cell


@final
class GruStep(CellStep):
    """n = tanh(W_n x + b_n + r (U_n h + c)), h' = n + z (h - n), gates in the order r, z, n. Cho et al. (2014), cuDNN's form."""

    def __init__(self, inputs: Affine, recurrent: Affine) -> None:
        width = len(recurrent.weight)
        gates = 2 * width
        # All of U h is halved: that of the gates because sigmoid is written with tanh, that of n because r is (1 + t) / 2.
        halves = np.repeat(np.array([0.5, 0.5, 1.0], np.float32), width)
        self.inputs, self.recurrent = _packed(inputs.weight * halves), _packed(recurrent.weight * np.float32(0.5))
        self.input_bias, self.bias, self.width, self.gates = (
            inputs.bias[gates:].copy(),
            recurrent.bias * np.float32(0.5),
            width,
            gates,
        )
        self.bias[:gates] += inputs.bias[:gates] * np.float32(0.5)

    def __call__(self, x: Weights, states: States) -> States:
        """Returns h'."""
        width, gates, h = self.width, self.gates, states[0]
        given, past = np.dot(x, self.inputs), np.dot(h, self.recurrent)
        past += self.bias
        both = given[:, :gates]
        both += past[:, :gates]
        np.tanh(both, out=both)
        both += 1.0  # twice the gates
        n = past[:, gates:]
        n *= both[:, :width]
        n += given[:, gates:]
        n += self.input_bias
        np.tanh(n, out=n)
        after = h - n
        after *= both[:, width:]
        after *= np.float32(0.5)
        after += n
        return (after,)


def _packed(weight: Weights) -> Weights:
    return np.ascontiguousarray(weight, dtype=np.float32)


CELL_STEPS: Mapping[Cell, Callable[[Affine, Affine], CellStep]] = {"elman": ElmanStep, "lstm": LstmStep, "gru": GruStep}
