"""sLSTM and mLSTM equal plain NumPy loops written from the equations of Beck et al. (2024) without their stabiliser."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from forecast.networks.encoders.block_stack import Block, BlockStack
from forecast.networks.encoders.matrix_memory import CHUNK, Memory, Reads, memory_pass, memory_step
from forecast.networks.encoders.mlstm import MatrixMemoryBlock
from forecast.networks.encoders.slstm import ScalarMemoryBlock
from forecast.networks.encoders.slstm_pass import Cells, slstm_pass, slstm_step
from forecast.networks.interfaces import EncoderState

Floats = NDArray[np.float64]
ROWS, WIDTH, HEADS = 2, 8, 4
BLOCKS: dict[str, type[ScalarMemoryBlock] | type[MatrixMemoryBlock]] = {"slstm": ScalarMemoryBlock, "mlstm": MatrixMemoryBlock}
NAMES = sorted(BLOCKS)


def _block(name: str, width: int = WIDTH, gates: float = 1.0) -> Block:
    """A block with random weights, those of the gates times a factor."""
    torch.manual_seed(7)
    block = BLOCKS[name](width=width)
    with torch.no_grad():
        for weight in block.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
        block.gates.weight.mul_(gates)
    return block.eval()


def _stack(name: str) -> BlockStack:
    return BlockStack(blocks=[_block(name), _block(name)], width=WIDTH).eval()


def _numbers(tensor: Tensor) -> Floats:
    return tensor.detach().double().numpy()


def _weights(block: nn.Module) -> dict[str, Floats]:
    return {name: _numbers(weight) for name, weight in block.named_parameters()}


def _sigmoid(x: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-x))
    return found


def _norm(x: Floats, w: dict[str, Floats], name: str, groups: int = 1) -> Floats:
    parts = x.reshape(groups, -1)
    normed = (parts - parts.mean(axis=1, keepdims=True)) / np.sqrt(parts.var(axis=1, keepdims=True) + 1e-5)
    found: Floats = normed.reshape(-1) * w[f"{name}.weight"] + w[f"{name}.bias"]
    return found


def _affine(x: Floats, w: dict[str, Floats], name: str) -> Floats:
    found: Floats = w[f"{name}.weight"] @ x + w[f"{name}.bias"]
    return found


def _gelu(x: Floats) -> Floats:
    return np.array([0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x])


def _slstm(block: Block, xs: Floats) -> tuple[Floats, Floats, Floats]:
    """The outputs of one row, and c and n afterwards: equations 8 to 14."""
    w, size = _weights(block), WIDTH // HEADS
    c, n, h, out = np.zeros((HEADS, size)), np.zeros((HEADS, size)), np.zeros((HEADS, size)), []
    for x in xs:
        gates = _affine(_norm(x, w, "norm"), w, "gates").reshape(HEADS, 4 * size)
        for head in range(HEADS):
            i, f, z, o = np.split(gates[head] + h[head] @ w["mixing"][head], 4)
            c[head] = _sigmoid(f) * c[head] + np.exp(i) * np.tanh(z)
            n[head] = _sigmoid(f) * n[head] + np.exp(i)
            h[head] = _sigmoid(o) * c[head] / n[head]
        x = x + _norm(h.reshape(-1), w, "head_norm", HEADS)
        value, gate = np.split(_affine(_norm(x, w, "wide_norm"), w, "widen"), 2)
        out.append(x + _affine(_gelu(gate) * value, w, "narrow"))
    return np.array(out), c.reshape(-1), n.reshape(-1)


def _mlstm(block: Block, xs: Floats) -> tuple[Floats, Floats, Floats]:
    """The outputs of one row, and C and n afterwards: equations 19 to 27."""
    w, size = _weights(block), 16
    memory, n, out = np.zeros((HEADS, size, size)), np.zeros((HEADS, size)), []
    for x in xs:
        normed, found = _norm(x, w, "norm"), np.zeros((HEADS, size))
        q, k, v = _affine(normed, w, "read").reshape(3, HEADS, size)
        i, f = _affine(normed, w, "gates").reshape(2, HEADS)
        for head in range(HEADS):
            key = k[head] / math.sqrt(size)
            memory[head] = _sigmoid(f[head]) * memory[head] + np.exp(i[head]) * np.outer(v[head], key)
            n[head] = _sigmoid(f[head]) * n[head] + np.exp(i[head]) * key
            found[head] = memory[head] @ q[head] / max(abs(n[head] @ q[head]), 1.0)
        gated = _sigmoid(_affine(normed, w, "output")) * _norm(found.reshape(-1), w, "head_norm", HEADS)
        out.append(x + _affine(gated, w, "out"))
    return np.array(out), memory, n


@pytest.mark.parametrize("learns", [True, False])
def test_slstm_is_the_papers_recurrence_and_stabilising_changes_nothing(learns: bool) -> None:
    block, x = _block("slstm"), torch.randn(ROWS, 40, WIDTH)
    with torch.set_grad_enabled(learns):
        out, (c, n, m, _) = block(x, block.initial_state(ROWS), None)
    for row in range(ROWS):
        expected, memory, norm = _slstm(block, _numbers(x[row]))
        np.testing.assert_allclose(_numbers(out[row]), expected, rtol=1e-4, atol=1e-4)
        power = np.exp(_numbers(m[row]))
        np.testing.assert_allclose(_numbers(c[row]) * power, memory, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(_numbers(n[row]) * power, norm, rtol=1e-4)


@pytest.mark.parametrize("steps", [1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK + 6])
def test_mlstm_is_the_papers_recurrence_wherever_chunks_end(steps: int) -> None:
    block, x = _block("mlstm"), torch.randn(ROWS, steps, WIDTH)
    out, (content, m) = block(x, block.initial_state(ROWS), None)
    for row in range(ROWS):
        expected, memory, norm = _mlstm(block, _numbers(x[row]))
        np.testing.assert_allclose(_numbers(out[row]), expected, rtol=1e-3, atol=1e-3)
        power = np.exp(_numbers(m[row]))[:, None, None]
        np.testing.assert_allclose(_numbers(content[row, ..., :-1]) * power, memory.transpose(0, 2, 1), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(_numbers(content[row, ..., -1]) * power[..., 0], norm, rtol=1e-4, atol=1e-5)


def _compare(outputs: tuple[Tensor, Tensor], leaves: list[Tensor], tolerance: float) -> None:
    """Both ways have the same outputs, and the same gradients of them."""
    torch.testing.assert_close(*outputs, rtol=tolerance, atol=tolerance)
    gradient = torch.randn_like(outputs[0])
    both = (torch.autograd.grad(out, leaves, gradient, retain_graph=True) for out in outputs)
    for mine, expected in zip(*both, strict=True):
        torch.testing.assert_close(mine, expected, rtol=10 * tolerance, atol=10 * tolerance)


def test_the_own_pass_of_slstm_has_the_gradients_of_its_steps_also_through_the_state_that_it_leaves() -> None:
    torch.manual_seed(1)
    shape = (HEADS, ROWS, 3)
    given, mixing = (torch.randn(s, dtype=torch.float64).requires_grad_() for s in ((11, HEADS, ROWS, 12), (HEADS, 3, 12)))
    c, n, h = (torch.rand(shape, dtype=torch.float64).requires_grad_() for _ in range(3))
    start = Cells(torch.stack([c, 1 + n], dim=2), torch.zeros(shape, dtype=torch.float64), h)
    first, middle = slstm_pass(given[:5], start, mixing)
    last, _ = slstm_pass(given[5:], middle, mixing)
    cells, steps = start, []
    for step in given:
        cells = slstm_step(step, cells, mixing)
        steps.append(cells.h)
    _compare((torch.cat([first, last]), torch.stack(steps)), [given, mixing, c, n, h], 1e-10)


def test_the_chunks_of_mlstm_have_the_gradients_of_its_steps() -> None:
    torch.manual_seed(1)
    steps, size = CHUNK + 9, 3
    q, k, v = (torch.randn(ROWS, HEADS, steps, size, dtype=torch.float64).requires_grad_() for _ in range(3))
    i, gate = (torch.randn(ROWS, HEADS, steps, dtype=torch.float64).requires_grad_() for _ in range(2))
    reads = Reads(q, k, v, i, nn.functional.logsigmoid(gate))
    start = torch.randn(ROWS, HEADS, size, size + 1, dtype=torch.float64).requires_grad_()
    memory = Memory(start, torch.zeros(ROWS, HEADS, dtype=torch.float64))
    at_once, _ = memory_pass(reads, memory)
    found = []
    for t in range(steps):
        one, memory = memory_step(Reads(*(x[:, :, t : t + 1] for x in reads)), memory)
        found.append(one)
    _compare((at_once, torch.cat(found, dim=2)), [q, k, v, i, gate, start], 1e-4)  # weights of steps are float32 in chunks


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cuts", [(1, 2), (CHUNK, CHUNK + 1), (CHUNK + 5, 2 * CHUNK + 3)])
def test_pieces_with_the_carried_state_equal_one_pass(name: str, cuts: tuple[int, int]) -> None:
    stack, steps = _stack(name), 2 * CHUNK + 10
    x, every = torch.randn(ROWS, steps, WIDTH), torch.arange(steps).expand(ROWS, -1)
    with torch.no_grad():
        whole, after = stack(x, every)
        state: EncoderState | None = None
        memories = []
        for first, last in zip((0, *cuts), (*cuts, steps), strict=True):
            encoding, state = stack(x[:, first:last], every[:, : last - first], state)
            memories.append(encoding.memory)
    assert state is not None
    torch.testing.assert_close(torch.cat(memories, dim=1), whole.memory, rtol=1e-4, atol=1e-4)
    for mine, theirs in zip(state, after, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("learns", [True, False])
def test_padding_across_chunks_keeps_the_state_of_the_last_real_step(name: str, learns: bool) -> None:
    block, steps = _block(name), 2 * CHUNK
    x, lengths = torch.randn(4, steps, WIDTH), torch.tensor([CHUNK + 3, CHUNK, 0, steps])
    before = block(torch.randn(4, 3, WIDTH), block.initial_state(4), None)[1]
    with torch.set_grad_enabled(learns):
        _, padded = block(x, before, lengths)
        for row, length in enumerate(lengths.tolist()):
            own = tuple(s[row : row + 1] for s in before)
            expected = block(x[row : row + 1, :length], own, None)[1] if length else own
            for mine, theirs in zip(padded, expected, strict=True):
                torch.testing.assert_close(mine[row], theirs[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_8192_steps_stay_finite(name: str) -> None:
    block = _block(name)
    with torch.no_grad():
        out, state = block(torch.randn(1, 8192, WIDTH), block.initial_state(1), None)
    assert all(torch.isfinite(tensor).all() for tensor in (out, *state))
    assert out[:, -100:].std() > 0.01


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1e2, 1e4])
def test_gates_far_beyond_what_exponentials_can_hold_stay_finite_with_their_gradients(name: str, size: float) -> None:
    block = _block(name, gates=size)
    x = torch.randn(ROWS, CHUNK + 9, WIDTH, requires_grad=True)
    out, state = block(x, block.initial_state(ROWS), None)
    assert state[-1 if name == "mlstm" else 2].abs().max() > 89, "the largest power of e in float32 is the 88th"
    gradients = torch.autograd.grad(out.square().sum(), [x, *block.parameters()])
    assert all(torch.isfinite(tensor).all() for tensor in (out, *state, *gradients))


@pytest.mark.parametrize("name", NAMES)
def test_the_first_step_is_remembered_alike_whatever_its_input_gate(name: str) -> None:
    """An initial stabiliser of 0 would lose what comes in with e^-100."""
    block = _block(name)
    x = torch.randn(ROWS, 1, WIDTH)
    with torch.no_grad():
        block.get_parameter("gates.weight").zero_()
        block.get_parameter("gates.bias").zero_()
        inputs = block.get_parameter("gates.bias").view(HEADS if name == "slstm" else 1, 4 if name == "slstm" else 2, -1)[:, 0]
        inputs.fill_(-200.0)
        _, state = block(x, block.initial_state(ROWS), None)
    brought = state[1] if name == "slstm" else state[0].abs().amax(dim=(-2, -1))
    assert (brought > 0.05).all()
    m = state[2] if name == "slstm" else state[1]
    assert (m == -200).all()


@pytest.mark.parametrize("name", NAMES)
def test_under_bfloat16_gates_and_memories_keep_the_digits_of_float32(name: str) -> None:
    block, x = _block(name), torch.randn(ROWS, CHUNK + 9, WIDTH)
    place = 2 if name == "slstm" else 1
    with torch.no_grad():
        exact, wanted = block(x, block.initial_state(ROWS), None)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            out, state = block(x, block.initial_state(ROWS), None)
    assert {tensor.dtype for tensor in (out, *state)} == {torch.float32}
    torch.testing.assert_close(state[place], wanted[place], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(out, exact, rtol=0.1, atol=0.3)
    assert not torch.equal(out, exact)
