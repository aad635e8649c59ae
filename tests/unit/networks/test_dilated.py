"""The dilated stack: folding time into the batch equals a plain loop over steps, whatever the pieces and lengths."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from forecast.networks.encoders.dilated import DilatedRecurrent, default_dilations
from forecast.networks.encoders.fused import CellName
from forecast.networks.interfaces import EncoderState

WIDTH, STEPS, ROWS = 5, 23, 3
BLOCKS = ((1, 3), (4, 30))
every_cell = pytest.mark.parametrize("cell", ["lstm", "gru"])


def _stack(cell: CellName) -> tuple[DilatedRecurrent, Tensor]:
    torch.manual_seed(0)
    return DilatedRecurrent(cell=cell, inputs=WIDTH, hidden_size=WIDTH, dilations=BLOCKS).eval(), torch.randn(ROWS, STEPS, WIDTH)


def _read(
    stack: DilatedRecurrent, x: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
) -> tuple[Tensor, EncoderState]:
    encoding, after = stack(x, torch.arange(x.shape[1]).expand(len(x), -1), state, lengths)
    return encoding.summary, after


def _one_step(kernel: nn.Module, cell: CellName) -> nn.LSTMCell | nn.GRUCell:
    """The kernel's weights in torch's cell of one step."""
    single = nn.LSTMCell(WIDTH, WIDTH) if cell == "lstm" else nn.GRUCell(WIDTH, WIDTH)
    single.load_state_dict({name.removesuffix("_l0"): value for name, value in kernel.state_dict().items()})
    return single


@every_cell
def test_every_layer_reads_its_state_of_d_steps_before(cell: CellName) -> None:
    stack, x = _stack(cell)
    current, cells = x, iter(stack.cells)
    for number, block in enumerate(BLOCKS):
        start = current
        for dilation in block:
            single = _one_step(next(cells).kernel, cell)  # type: ignore[arg-type]
            zero, outputs = torch.zeros(ROWS, WIDTH), list[Tensor]()
            states: list[Any] = []
            for t in range(STEPS):
                before = states[t - dilation] if t >= dilation else ((zero, zero) if cell == "lstm" else zero)
                states.append(single(current[:, t], before))
                outputs.append(states[-1][0] if cell == "lstm" else states[-1])
            current = torch.stack(outputs, dim=1)
        current = current + start if number else current
    torch.testing.assert_close(_read(stack, x)[0], current, rtol=1e-5, atol=1e-6)


@every_cell
@pytest.mark.parametrize("size", [1, 2, 7, 12])
def test_pieces_with_the_carried_state_equal_one_pass(cell: CellName, size: int) -> None:
    stack, x = _stack(cell)
    whole, end = _read(stack, x)
    parts, state = [], None
    for start in range(0, STEPS, size):
        part, state = _read(stack, x[:, start : start + size], state)
        parts.append(part)
    torch.testing.assert_close(torch.cat(parts, dim=1), whole, rtol=1e-5, atol=1e-6)
    assert state is not None
    for mine, theirs in zip(state, end, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


@every_cell
def test_each_rows_state_is_that_of_its_own_last_step(cell: CellName) -> None:
    stack, x = _stack(cell)
    _, warm = _read(stack, x + 1)
    lengths = torch.tensor([0, 5, STEPS])
    outputs, ragged = _read(stack, x, warm, lengths)
    whole, _ = _read(stack, x, warm)
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(outputs[row, :length], whole[row, :length], rtol=1e-5, atol=1e-6)
        expected = warm if not length else _read(stack, x[:, :length], warm)[1]
        for mine, theirs in zip(ragged, expected, strict=True):
            torch.testing.assert_close(mine[row], theirs[row], rtol=1e-5, atol=1e-6)


def test_the_state_holds_the_last_d_states_of_each_layer() -> None:
    stack, _ = _stack("lstm")
    assert [tuple(s.shape) for s in stack.initial_state(2)] == [(2, d, WIDTH) for d in (1, 1, 3, 3, 4, 4, 30, 30)]


@pytest.mark.parametrize(
    ("seasons", "expected"),
    [((24, 168), ((1, 4), (24, 168))), ((12,), ((1, 3), (6, 12))), ((4,), ((1, 2), (4, 8))), ((7,), ((1, 2), (7, 14))), ((), ((1, 2), (2, 6)))],
)  # fmt: skip
def test_the_usual_dilations_follow_the_seasons(seasons: tuple[int, ...], expected: object) -> None:
    assert default_dilations(seasons) == expected
