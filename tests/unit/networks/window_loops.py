"""Windows with gaps and plain NumPy cells, for the loops that windowed parts are compared with."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.float64]
BATCH, ORIGINS, LAGS, CONTEXT, SEASONS = 2, 3, 10, 4, (4, 7)


def shaken(module: nn.Module) -> nn.Module:
    """Returns the module in evaluation mode, its weights moved at random: what starts at zero would hide mistakes."""
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return module.eval()


def gapped_inputs() -> Tensor:
    """Returns windows with the last value, the oldest ones, one in the middle, and all values missing; 0 where missing. [B, O, C]."""
    seen = torch.ones(BATCH, ORIGINS, LAGS)
    seen[0, 1, -1], seen[1, 0, :6], seen[1, 2, 4], seen[1, 1] = 0, 0, 0, 0
    values = 3 * torch.randn(BATCH, ORIGINS, LAGS) * seen
    return torch.cat([values, seen, torch.randn(BATCH, ORIGINS, CONTEXT)], dim=-1)


def read_steps(inputs: Floats) -> Floats:
    """Returns the steps of one origin's inputs [C] as an encoder is told them, oldest first. Shape [LAGS, 2 + 2 * seasons]."""
    steps = []
    for place in range(LAGS):
        lag, value, seen = LAGS - 1 - place, inputs[place], inputs[LAGS + place]
        phases = [f(2 * np.pi * -lag / season) for season in SEASONS for f in (np.sin, np.cos)]
        steps.append([np.sign(value) * np.log1p(abs(value)), seen, *phases])
    return np.array(steps)


def numbers(tensor: Tensor) -> Floats:
    """Returns a tensor as an array."""
    return tensor.detach().numpy().astype(np.float64)


def affine(layer: nn.Module, x: Floats) -> Floats:
    """Returns W x + b of a linear layer, without b where it has none."""
    weights = {name: numbers(weight) for name, weight in layer.named_parameters()}
    product: Floats = weights["weight"] @ x + weights.get("bias", 0.0)
    return product


def sigmoid(x: Floats) -> Floats:
    """Returns 1 / (1 + exp(-x))."""
    found: Floats = 1 / (1 + np.exp(-x))
    return found


def cell_step(kernel: nn.Module, suffix: str, x: Floats, state: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """Returns hidden and cell state after one step of a GRU (which leaves the cell alone) or an LSTM, in torch's order of gates."""
    weights = {name: numbers(weight) for name, weight in kernel.named_parameters()}
    h, c = state
    given = weights[f"weight_ih{suffix}"] @ x + weights[f"bias_ih{suffix}"]
    carried = weights[f"weight_hh{suffix}"] @ h + weights[f"bias_hh{suffix}"]
    if len(given) == 4 * len(h):
        i, f, g, o = np.split(given + carried, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c
    (xr, xz, xn), (hr, hz, hn) = np.split(given, 3), np.split(carried, 3)
    z, fresh = sigmoid(xz + hz), np.tanh(xn + sigmoid(xr + hr) * hn)
    return (1 - z) * fresh + z * h, c


def assert_close(found: Tensor, expected: Floats) -> None:
    """Compares a tensor with what a loop gives, within float32."""
    np.testing.assert_allclose(numbers(found), expected, rtol=1e-4, atol=1e-5)
