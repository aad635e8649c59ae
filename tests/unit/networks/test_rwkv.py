"""RWKV equals a plain NumPy loop written from the equations of Peng et al. (2023) without their stabiliser."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from forecast.networks.encoders import stabilised_scan
from forecast.networks.encoders.rwkv import Average, ReceptanceBlock, weighted_averages
from forecast.networks.encoders.stabilised_scan import linear_scan, maximum_scan
from forecast.networks.interfaces import EncoderState

Floats = NDArray[np.float64]
ROWS, STEPS, WIDTH = 2, 37, 6


def _block() -> ReceptanceBlock:
    torch.manual_seed(7)
    block = ReceptanceBlock(width=WIDTH)
    with torch.no_grad():
        for weight in block.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return block.eval()


def _numbers(tensor: Tensor) -> Floats:
    return tensor.detach().double().numpy()


def _sigmoid(x: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-x))
    return found


def _loop(block: ReceptanceBlock, xs: Floats) -> Floats:
    """The outputs of one row: equations 11 to 18, the sums of 16 written out."""
    w = {name.removesuffix(".weight"): _numbers(weight) for name, weight in block.named_parameters()}
    rate, last, last_wide = np.exp(w["rate"]), np.zeros(WIDTH), np.zeros(WIDTH)
    ks: list[Floats] = []
    vs: list[Floats] = []
    out = []
    for t, x in enumerate(xs):
        normed = (x - x.mean()) / np.sqrt(x.var() + 1e-5) * w["time_norm"] + w["time_norm.bias"]
        r, k, v = (
            w[name] @ (mu * normed + (1 - mu) * last)
            for name, mu in zip(("receptance", "key", "value"), w["time_share"], strict=True)
        )
        over, under = np.exp(w["bonus"] + k) * v, np.exp(w["bonus"] + k)
        for i in range(t):
            weight = np.exp(-(t - 1 - i) * rate + ks[i])
            over, under = over + weight * vs[i], under + weight
        ks.append(k)
        vs.append(v)
        x = x + w["out"] @ (_sigmoid(r) * over / under)
        wide = (x - x.mean()) / np.sqrt(x.var() + 1e-5) * w["channel_norm"] + w["channel_norm.bias"]
        gate, key = (
            w[name] @ (mu * wide + (1 - mu) * last_wide) for name, mu in zip(("gate", "widen"), w["channel_share"], strict=True)
        )
        out.append(x + _sigmoid(gate) * (w["narrow"] @ np.maximum(key, 0) ** 2))
        last, last_wide = normed, wide
    return np.array(out)


@pytest.mark.parametrize("enough", [1, 10**9], ids=["one block of steps", "many blocks"])
def test_rwkv_is_the_papers_recurrence_and_stabilising_changes_nothing(enough: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stabilised_scan, "ENOUGH", enough)
    block, x = _block(), torch.randn(ROWS, STEPS, WIDTH)
    out, _ = block(x, block.initial_state(ROWS), None)
    for row in range(ROWS):
        np.testing.assert_allclose(_numbers(out[row]), _loop(block, _numbers(x[row])), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("steps", [1, 2, 16, 17, 50])
@pytest.mark.parametrize("enough", [1, 10**9], ids=["one block of steps", "many blocks"])
def test_scans_and_their_gradients_are_those_of_loops(steps: int, enough: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stabilised_scan, "ENOUGH", enough)
    torch.manual_seed(0)
    a, x, start = (torch.rand(s, dtype=torch.float64).requires_grad_() for s in ((steps, 3, 4), (steps, 2, 3, 4), (2, 3, 4)))
    current, largest, loop, maxima = start, start[0], [], []
    for t in range(steps):
        current, largest = a[t] * current + x[t], torch.maximum(a[t] + largest, x[t, 0])
        loop.append(current)
        maxima.append(largest)
    found, expected = linear_scan(a, x, start), torch.stack(loop)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(maximum_scan(a, x[:, 0], start[0]), torch.stack(maxima).detach(), rtol=1e-12, atol=1e-12)
    gradient = torch.randn_like(found)
    leaves = [a, x, start]
    for mine, theirs in zip(*(torch.autograd.grad(y, leaves, gradient) for y in (found, expected)), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-11, atol=1e-11)


def test_a_wide_step_is_one_block_and_a_narrow_one_is_cut_into_the_square_root() -> None:
    assert stabilised_scan.block_length(torch.empty(100, stabilised_scan.ENOUGH)) == 100
    assert stabilised_scan.block_length(torch.empty(100, stabilised_scan.ENOUGH - 1)) == 10


@pytest.mark.parametrize("cuts", [(1, 2), (5, 30), (36, 36)])
def test_pieces_with_the_carried_state_equal_one_pass(cuts: tuple[int, int]) -> None:
    block, x = _block(), torch.randn(ROWS, STEPS, WIDTH)
    with torch.no_grad():
        whole, after = block(x, block.initial_state(ROWS), None)
        state: EncoderState = block.initial_state(ROWS)
        parts = []
        for first, last in zip((0, *cuts), (*cuts, STEPS), strict=True):
            if last > first:
                part, state = block(x[:, first:last], state, None)
                parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-5, atol=1e-5)
    for mine, theirs in zip(state, after, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-5)


def test_padding_keeps_the_state_of_the_last_real_step() -> None:
    block, x, lengths = _block(), torch.randn(4, STEPS, WIDTH), torch.tensor([20, 1, 0, STEPS])
    before = block(torch.randn(4, 3, WIDTH), block.initial_state(4), None)[1]
    _, padded = block(x, before, lengths)
    for row, length in enumerate(lengths.tolist()):
        own = tuple(s[row : row + 1] for s in before)
        expected = block(x[row : row + 1, :length], own, None)[1] if length else own
        for mine, theirs in zip(padded, expected, strict=True):
            torch.testing.assert_close(mine[row], theirs[0], rtol=1e-5, atol=1e-5)


def test_the_averages_have_the_gradients_of_the_sums_written_out() -> None:
    torch.manual_seed(2)
    k, v = (torch.randn(ROWS, 9, WIDTH, dtype=torch.float64).requires_grad_() for _ in range(2))
    rate, bonus = (torch.randn(WIDTH, dtype=torch.float64).requires_grad_() for _ in range(2))
    zero = torch.zeros(ROWS, WIDTH, dtype=torch.float64)
    empty = Average(torch.stack([zero, zero], dim=1), zero - 1e30)
    first, state = weighted_averages(k[:, :4], v[:, :4], rate, bonus, empty, None)
    second, _ = weighted_averages(k[:, 4:], v[:, 4:], rate, bonus, state, None)
    found, expected = torch.cat([first, second], dim=1), []
    for t in range(9):
        steps = (t - 1 - torch.arange(t))[:, None]
        exponents = torch.cat([k[:, :t] - steps * rate.exp(), (bonus + k[:, t])[:, None]], dim=1)
        expected.append((torch.softmax(exponents, dim=1) * v[:, : t + 1]).sum(dim=1))
    direct = torch.stack(expected, dim=1)
    torch.testing.assert_close(found, direct, rtol=1e-9, atol=1e-9)
    gradient = torch.randn_like(found)
    for mine, theirs in zip(*(torch.autograd.grad(y, [k, v, rate, bonus], gradient) for y in (found, direct)), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-7, atol=1e-9)


def test_8192_steps_stay_finite_and_go_on_to_react() -> None:
    block = _block()
    with torch.no_grad():
        out, state = block(torch.randn(1, 8192, WIDTH), block.initial_state(1), None)
    assert all(torch.isfinite(tensor).all() for tensor in (out, *state))
    assert out[:, -100:].std() > 0.01


@pytest.mark.parametrize("size", [1e2, 1e4])
def test_keys_far_beyond_what_exponentials_can_hold_stay_finite_with_their_gradients(size: float) -> None:
    block = _block()
    with torch.no_grad():
        block.key.weight.mul_(size)
    x = torch.randn(ROWS, STEPS, WIDTH, requires_grad=True)
    out, state = block(x, block.initial_state(ROWS), None)
    assert state[2].abs().max() > 89, "the largest power of e in float32 is the 88th"
    gradients = torch.autograd.grad(out.square().sum(), [x, *block.parameters()])
    assert all(torch.isfinite(tensor).all() for tensor in (out, *state, *gradients))


def test_under_bfloat16_keys_and_sums_keep_the_digits_of_float32() -> None:
    block, x = _block(), torch.randn(ROWS, STEPS, WIDTH)
    with torch.no_grad():
        exact, wanted = block(x, block.initial_state(ROWS), None)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out, state = block(x, block.initial_state(ROWS), None)
    assert {tensor.dtype for tensor in (out, *state)} == {torch.float32}
    torch.testing.assert_close(state[2], wanted[2], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(state[1][:, 1], wanted[1][:, 1], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(out, exact, rtol=0.1, atol=0.3)
    assert not torch.equal(out, exact)
