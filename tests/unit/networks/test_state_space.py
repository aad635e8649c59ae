"""S4D and Mamba equal plain NumPy loops written from the papers' equations, however the steps are cut into chunks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from forecast.networks.encoders import mamba, s4d
from forecast.networks.encoders.mamba import KERNEL, STATES, Mamba
from forecast.networks.encoders.s4d import CHUNK, OSCILLATORS, S4d

Floats = NDArray[np.float64]
ROWS, WIDTH = 2, 5


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(6)


def _shaken(module: nn.Module) -> None:
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.2 * torch.randn_like(weight))


def _numbers(tensor: Tensor) -> Floats:
    return tensor.detach().numpy().astype(np.float64)


def _affine(layer: nn.Linear, x: Floats) -> Floats:
    weights = {name: _numbers(weight) for name, weight in layer.named_parameters()}
    product: Floats = weights["weight"] @ x + weights.get("bias", 0.0)
    return product


def _sigmoid(x: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-x))
    return found


def _silu(x: Floats) -> Floats:
    return x * _sigmoid(x)


def _s4d() -> S4d:
    layer = S4d(hidden_size=WIDTH)
    _shaken(layer)
    with torch.no_grad():
        layer.log_step.add_(1.0)  # so that an oscillator turns a good deal within a chunk
    return layer


def _s4d_loop(layer: S4d, x: Floats, state: Floats) -> tuple[Floats, Floats]:
    """One series: x [T, D], state [D, N, 2]. Outputs [T, D] and the state after them."""
    step = np.exp(_numbers(layer.log_step))[:, None]
    a = -np.exp(_numbers(layer.log_decay)) + 1j * _numbers(layer.frequency)
    c = _numbers(layer.read)[..., 0] + 1j * _numbers(layer.read)[..., 1]
    held = np.exp(step * a)
    driven = (held - 1) / a
    h, out = state[..., 0] + 1j * state[..., 1], []
    for now in x:
        h = np.asarray(held * h + driven * now[:, None])
        y = 2 * (c * h).sum(axis=1).real + _numbers(layer.through) * now
        value, gate = np.split(_affine(layer.out, _silu(y)), 2)
        out.append(value * _sigmoid(gate))
    return np.stack(out), np.stack([h.real, h.imag], axis=-1)


def _mamba_loop(layer: Mamba, x: Floats, inputs: Floats, h: Floats) -> tuple[Floats, Floats, Floats]:
    """One series: x [T, D], inputs [KERNEL - 1, D], h [N, D]. Outputs and both states after them."""
    a, kernel = -np.exp(_numbers(layer.log_decay)), _numbers(layer.kernel)
    out = []
    for now in x:
        entered, gate = np.split(_affine(layer.given, now), 2)
        inputs = np.vstack([inputs, entered])
        u = _silu((kernel * inputs).sum(axis=0) + _numbers(layer.kernel_bias))
        inputs = inputs[1:]
        low, b, c = np.split(_affine(layer.select, u), [layer.rank, layer.rank + STATES])
        step = np.log1p(np.exp(_affine(layer.step, low)))
        h = np.exp(step * a) * h + step * b[:, None] * u
        y = c @ h + _numbers(layer.through) * u
        out.append(_affine(layer.out, y * _silu(gate)))
    return np.stack(out), inputs, h


@pytest.mark.parametrize("steps", [1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5])
def test_s4d_equals_the_recurrence_however_many_chunks_there_are(steps: int) -> None:
    layer, x, before = _s4d(), torch.randn(ROWS, steps, WIDTH), torch.randn(ROWS, WIDTH, OSCILLATORS, 2)
    y, (after,) = layer(x, (before,), None)
    for row in range(ROWS):
        expected, state = _s4d_loop(layer, _numbers(x[row]), _numbers(before[row]))
        np.testing.assert_allclose(_numbers(y[row]), expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(_numbers(after[row]), state, rtol=1e-4, atol=1e-5)


def test_s4d_is_the_convolution_with_its_kernel() -> None:
    """The kernel by itself, from the sum over the oscillators: section 3 of the paper, equation of the Vandermonde product."""
    layer, x = _s4d(), torch.randn(1, 50, WIDTH)
    y, _ = layer(x, layer.initial_state(1), None)
    step = np.exp(_numbers(layer.log_step))[:, None]
    a = -np.exp(_numbers(layer.log_decay)) + 1j * _numbers(layer.frequency)
    c = _numbers(layer.read)[..., 0] + 1j * _numbers(layer.read)[..., 1]
    weights = c * (np.exp(step * a) - 1) / a
    kernel = np.stack([2 * (weights * np.exp(step * a) ** k).sum(axis=1).real for k in range(50)], axis=1)
    for t in (0, 1, 31, 32, 49):
        terms = [kernel[:, k] * _numbers(x[0, t - k]) for k in range(t + 1)]
        read = np.sum(terms, axis=0) + _numbers(layer.through) * _numbers(x[0, t])
        value, gate = np.split(_affine(layer.out, _silu(read)), 2)
        np.testing.assert_allclose(_numbers(y[0, t]), value * _sigmoid(gate), rtol=1e-4, atol=1e-5)


def test_gradients_of_s4d_in_chunks_are_those_of_the_recurrence() -> None:
    layer, x = _s4d(), torch.randn(ROWS, CHUNK + 9, WIDTH, requires_grad=True)
    before = torch.randn(ROWS, WIDTH, OSCILLATORS, 2, requires_grad=True)
    leaves = [x, before, *layer.parameters()]
    y, (after,) = layer(x, (before,), None)
    at_once = torch.autograd.grad(y.square().sum() + after.square().sum(), leaves)
    state, total = (before,), torch.zeros(())
    for t in range(x.shape[1]):
        one, state = layer(x[:, t : t + 1], state, None)
        total = total + one.square().sum()
    for mine, expected in zip(at_once, torch.autograd.grad(total + state[0].square().sum(), leaves), strict=True):
        torch.testing.assert_close(mine, expected, rtol=2e-3, atol=2e-3 * float(expected.abs().max()))


def test_an_untrained_s4d_has_the_oscillators_of_the_paper() -> None:
    layer = S4d(hidden_size=64)
    assert torch.allclose(torch.exp(layer.log_decay), torch.tensor(0.5))
    assert layer.frequency[7].tolist() == pytest.approx([np.pi * n for n in range(OSCILLATORS)])
    assert s4d.SHORTEST_STEP <= torch.exp(layer.log_step).min() < 3e-3
    assert 0.03 < torch.exp(layer.log_step).max() <= s4d.LONGEST_STEP


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 16, 17, 40])
def test_mamba_equals_the_recurrence(steps: int) -> None:
    layer = Mamba(hidden_size=WIDTH)
    _shaken(layer)
    x, state = torch.randn(ROWS, steps, WIDTH), (torch.randn(ROWS, KERNEL - 1, WIDTH), torch.randn(ROWS, STATES, WIDTH))
    y, after = layer(x, state, None)
    for row in range(ROWS):
        expected = _mamba_loop(layer, _numbers(x[row]), *(_numbers(s[row]) for s in state))
        for found, wanted in zip((y, *after), expected, strict=True):
            np.testing.assert_allclose(_numbers(found[row]), wanted, rtol=1e-4, atol=1e-5)


def test_an_untrained_mamba_has_the_steps_and_the_decays_of_the_paper() -> None:
    layer = Mamba(hidden_size=64)
    steps = nn.functional.softplus(layer.step.bias)
    assert mamba.SHORTEST_STEP * 0.99 < steps.min() < 3e-3
    assert 0.03 < steps.max() <= mamba.LONGEST_STEP * 1.01
    assert torch.exp(layer.log_decay[:, 5]).tolist() == pytest.approx(list(range(1, STATES + 1)))


@pytest.mark.parametrize("make", [S4d, Mamba])
def test_each_rows_state_is_the_one_after_its_last_real_step(make: type[S4d] | type[Mamba]) -> None:
    lengths = (0, 1, 2, 3, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 70)
    layer = make(hidden_size=WIDTH)
    _shaken(layer)
    x, state = torch.randn(len(lengths), 70, WIDTH), tuple(torch.randn_like(s) for s in layer.initial_state(len(lengths)))
    planted = x.clone()
    for row, length in enumerate(lengths):
        planted[row, length:] = 1e6  # what is padding must not be seen at all
    _, after = layer(planted, state, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        own = tuple(s[row : row + 1] for s in state)
        expected = layer(x[row : row + 1, :length], own, None)[1] if length else own
        for mine, theirs in zip(after, expected, strict=True):
            torch.testing.assert_close(mine[row], theirs[0], rtol=1e-5, atol=1e-5)
            assert length or torch.equal(mine[row], theirs[0]), "a row without steps keeps its state to the bit"


@pytest.mark.parametrize("make", [S4d, Mamba])
def test_a_single_step_of_padding_keeps_the_state_to_the_bit(make: type[S4d] | type[Mamba]) -> None:
    layer = make(hidden_size=WIDTH)
    state = tuple(torch.randn_like(s) for s in layer.initial_state(2))
    x = torch.randn(2, 1, WIDTH)
    _, after = layer(x, state, torch.tensor([0, 1]))
    _, moved = layer(x, state, None)
    for before, mine, other in zip(state, after, moved, strict=True):
        assert torch.equal(mine[0], before[0])
        assert torch.equal(mine[1], other[1])


@pytest.mark.parametrize("make", [S4d, Mamba])
def test_8192_steps_at_once_stay_as_exact_as_single_precision_allows(make: type[S4d] | type[Mamba]) -> None:
    layer = make(hidden_size=2)
    x, zero = torch.randn(1, 8192, 2), layer.initial_state(1)
    y, after = layer(x, zero, None)
    if isinstance(layer, S4d):
        expected, *states = _s4d_loop(layer, _numbers(x[0]), _numbers(zero[0][0]))
    else:
        expected, *states = _mamba_loop(layer, _numbers(x[0]), *(_numbers(s[0]) for s in zero))
    np.testing.assert_allclose(_numbers(y[0]), expected, rtol=1e-3, atol=1e-4)
    for found, state in zip(after, states, strict=True):
        np.testing.assert_allclose(_numbers(found[0]), state, rtol=1e-3, atol=1e-4)


def test_autocast_leaves_the_oscillators_of_s4d_as_they_are_to_the_bit() -> None:
    layer, x = _s4d(), torch.randn(ROWS, 50, WIDTH)
    _, plain = layer(x, layer.initial_state(ROWS), None)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, cast = layer(x, layer.initial_state(ROWS), None)
    assert torch.equal(plain[0], cast[0])
    assert y.dtype is torch.bfloat16


def test_autocast_leaves_the_state_of_mamba_in_single_precision() -> None:
    layer, x = Mamba(hidden_size=WIDTH), torch.randn(ROWS, 50, WIDTH)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, (_, after) = layer(x, layer.initial_state(ROWS), None)
    assert after.dtype is torch.float32
    assert not torch.equal(after, after.to(torch.bfloat16).float()), "more digits than bfloat16 has"
