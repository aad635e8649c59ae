"""The minimal GRU and LSTM equal plain NumPy loops written from the paper's equations, and so does the stack around them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from forecast.networks.encoders.block_stack import BlockStack
from forecast.networks.encoders.min_gru import MinGru
from forecast.networks.encoders.min_lstm import MinLstm
from forecast.networks.encoders.residual_layer import ResidualLayer, SequenceLayer

Floats = NDArray[np.float64]
ROWS, STEPS, WIDTH = 3, 18, 5
CELLS: dict[str, type[MinGru] | type[MinLstm]] = {"min_gru": MinGru, "min_lstm": MinLstm}
every_cell = pytest.mark.parametrize("name", sorted(CELLS))


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(4)


def _shaken(module: nn.Module) -> None:
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.3 * torch.randn_like(weight))


def _cell(name: str) -> SequenceLayer:
    cell = CELLS[name](hidden_size=WIDTH)
    _shaken(cell)
    return cell


def _numbers(tensor: Tensor) -> Floats:
    return tensor.detach().numpy().astype(np.float64)


def _affine(layer: nn.Module, x: Floats) -> Floats:
    assert isinstance(layer, nn.Linear)
    product: Floats = _numbers(layer.weight) @ x + _numbers(layer.bias)
    return product


def _sigmoid(x: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-x))
    return found


def _after(name: str, cell: nn.Module, x: Floats, h: Floats) -> Floats:
    """The state after one step: sections 3.1 and 3.2 of the paper."""
    assert isinstance(cell.given, nn.Linear)
    if name == "min_gru":
        gate, candidate = np.split(_affine(cell.given, x), 2)
        z = _sigmoid(gate)
        return (1 - z) * h + z * candidate
    forget, let_in, candidate = np.split(_affine(cell.given, x), 3)
    f, i = _sigmoid(forget), _sigmoid(let_in)
    return f / (f + i) * h + i / (f + i) * candidate


@every_cell
def test_states_and_outputs_equal_the_loop(name: str) -> None:
    cell, x, before = _cell(name), torch.randn(ROWS, STEPS, WIDTH), torch.randn(ROWS, WIDTH)
    y, (after,) = cell(x, (before,), None)
    for row in range(ROWS):
        h = _numbers(before[row])
        for t in range(STEPS):
            h = _after(name, cell, _numbers(x[row, t]), h)
            np.testing.assert_allclose(_numbers(y[row, t]), _affine(cell.out, h), rtol=1e-4, atol=1e-5)  # type: ignore[arg-type]
        np.testing.assert_allclose(_numbers(after[row]), h, rtol=1e-4, atol=1e-5)


@every_cell
def test_each_rows_state_is_the_one_after_its_last_real_step(name: str) -> None:
    cell, x, before = _cell(name), torch.randn(4, STEPS, WIDTH), torch.randn(4, WIDTH)
    _, (after,) = cell(x, (before,), torch.tensor([0, 1, 7, STEPS]))
    assert torch.equal(after[0], before[0]), "a row without steps keeps its state to the bit"
    for row, length in ((1, 1), (2, 7), (3, STEPS)):
        _, (expected,) = cell(x[row : row + 1, :length], (before[row : row + 1],), None)
        torch.testing.assert_close(after[row], expected[0])


@every_cell
def test_gates_that_are_both_shut_still_share_out_one_unit(name: str) -> None:
    cell, before = _cell(name), torch.randn(ROWS, WIDTH)
    with torch.no_grad():
        cell.given.bias[: -1 * WIDTH] = -500.0  # type: ignore[union-attr, operator]
    y, (after,) = cell(torch.randn(ROWS, STEPS, WIDTH), (before,), None)
    assert torch.isfinite(y).all()
    if name == "min_gru":
        torch.testing.assert_close(after, before)
    else:
        assert not torch.isnan(after).any()
        assert (after != 0).any()


@every_cell
def test_an_untrained_cell_has_units_that_remember_2_to_64_steps(name: str) -> None:
    cell = CELLS[name](hidden_size=8)
    zero = torch.zeros(1, 1, 8)
    _, (after,) = cell(zero, (torch.ones(1, 8),), None)
    memory = 1 / (1 - after[0])
    torch.testing.assert_close(memory, torch.linspace(2, 64, 8), rtol=1e-3, atol=0)


@every_cell
def test_autocast_leaves_gates_and_recurrence_in_single_precision(name: str) -> None:
    """Gates of bfloat16 could not remember more than some hundred steps: there is nothing between 1 and 1 - 1/256."""
    cell, x = _cell(name), torch.zeros(1, 400, WIDTH)
    with torch.no_grad():
        cell.given.bias.zero_()  # type: ignore[union-attr, operator]
        gates = [-7.0] if name == "min_gru" else [7.0, -7.0]
        cell.given.bias[: len(gates) * WIDTH] = torch.tensor(gates).repeat_interleave(WIDTH)  # type: ignore[union-attr, operator]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, (after,) = cell(x, (torch.ones(1, WIDTH),), None)
    odds = np.exp(7.0)
    assert after.dtype is torch.float32
    torch.testing.assert_close(after, torch.full((1, WIDTH), float((1 - 1 / (1 + odds)) ** 400)), rtol=1e-4, atol=1e-30)


def test_a_stack_adds_every_layers_reading_of_the_normed_sum_and_norms_the_end() -> None:
    layers = [_cell("min_gru"), _cell("min_lstm")]
    blocks = [ResidualLayer(layer=layer, width=WIDTH, dropout=0.5) for layer in layers]
    stack = BlockStack(blocks=blocks, width=WIDTH).eval()
    _shaken(stack)
    x, origins = torch.randn(ROWS, STEPS, WIDTH), torch.tensor([[0, 17], [3, 3], [16, 2]])
    encoding, state = stack(x, origins)
    current, states = x, list[Tensor]()
    for block, layer in zip(blocks, layers, strict=True):
        branch, after = layer(block.norm(current), layer.initial_state(ROWS), None)
        current, states = current + branch, [*states, *after]
    torch.testing.assert_close(encoding.memory, stack.norm(current))
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(state, states, strict=True))
    for row, column in np.ndindex(ROWS, 2):
        assert torch.equal(encoding.summary[row, column], encoding.memory[row, origins[row, column]])


def test_a_stack_drops_the_same_numbers_of_a_branch_at_every_step() -> None:
    block = ResidualLayer(layer=_cell("min_gru"), width=WIDTH, dropout=0.5).train()
    with torch.no_grad():  # every branch is 1
        block.layer.out.weight.zero_()  # type: ignore[union-attr, operator]
        block.layer.out.bias.fill_(1.0)  # type: ignore[union-attr, operator]
    output, _ = block(torch.zeros(64, STEPS, WIDTH), block.initial_state(64), None)
    assert (output == output[:, :1]).all()
    assert set(output.unique().tolist()) == {0.0, 2.0}
