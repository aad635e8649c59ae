"""Deep stacks: what layer norm, residuals and variational dropout do, in numbers; eight layers learn."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from forecast.networks.encoders.fused import CellName, FusedRecurrent
from forecast.networks.encoders.stacked import StackedRecurrent

ROWS, STEPS, WIDTH = 4, 20, 6
every_cell = pytest.mark.parametrize("cell", ["elman", "lstm", "gru"])


def _read(encoder: StackedRecurrent, inputs: Tensor) -> Tensor:
    encoding, _ = encoder(inputs, torch.zeros(len(inputs), 1, dtype=torch.long))
    memory: Tensor = encoding.memory
    return memory


@every_cell
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_stack_is_its_layers_one_after_the_other_with_residuals_beyond_two(cell: CellName, layers: int) -> None:
    torch.manual_seed(0)
    encoder = StackedRecurrent(cell=cell, inputs=WIDTH, hidden_size=WIDTH, layers=layers, dropout=0.5).eval()
    inputs = torch.randn(ROWS, STEPS, WIDTH)
    current = inputs
    for layer in encoder.layers:
        assert isinstance(layer, FusedRecurrent)
        mean, deviation = current.mean(dim=-1, keepdim=True), current.var(dim=-1, keepdim=True, unbiased=False)
        output, _ = layer.kernel((current - mean) / torch.sqrt(deviation + 1e-5))
        current = current + output if layers > 2 else output
    torch.testing.assert_close(_read(encoder, inputs), current)


@every_cell
def test_layers_without_norm_and_residual_are_bare(cell: CellName) -> None:
    torch.manual_seed(0)
    encoder = StackedRecurrent(
        cell=cell, inputs=WIDTH, hidden_size=WIDTH, layers=3, dropout=0.0, residual=False, layer_norm=False
    ).eval()
    inputs = torch.randn(ROWS, STEPS, WIDTH)
    current = inputs
    for layer in encoder.layers:
        current, _ = layer.kernel(current)
    torch.testing.assert_close(_read(encoder, inputs), current)


def test_dropout_takes_the_same_units_at_every_step_of_a_segment_and_others_in_other_rows() -> None:
    torch.manual_seed(0)
    encoder = StackedRecurrent(cell="gru", inputs=WIDTH, hidden_size=64, layers=1, dropout=0.5).train()
    outputs = _read(encoder, torch.randn(200, STEPS, WIDTH))
    gone = outputs == 0
    assert (gone.all(dim=1) == gone.any(dim=1)).all(), "a unit is there for a whole segment or not at all"
    share = gone[:, 0].float().mean(dim=1)
    assert abs(float(share.mean()) - 0.5) < 0.05
    assert share.std() > 0, "rows draw masks of their own"
    kept = _read(encoder.eval(), torch.zeros(1, 1, WIDTH))
    assert torch.isfinite(kept).all()


def _loss_after_training(residual: bool) -> float:
    """Mean squared error of eight layers that shall give back what came three steps before."""
    torch.manual_seed(0)
    encoder = StackedRecurrent(
        cell="lstm", inputs=16, hidden_size=16, layers=8, dropout=0.0, residual=residual, layer_norm=residual
    ).train()
    into, out = nn.Linear(1, 16), nn.Linear(16, 1)
    optimizer = torch.optim.Adam([*encoder.parameters(), *into.parameters(), *out.parameters()], lr=1e-2)
    loss = torch.zeros(())
    for _ in range(60):
        values = torch.randn(16, 16, 1)
        loss = (out(_read(encoder, into(values)))[:, 3:] - values[:, :-3]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def test_eight_layers_learn_with_residuals_and_layer_norm_what_they_do_not_learn_without() -> None:
    assert _loss_after_training(residual=True) < 0.5
    assert _loss_after_training(residual=False) > 0.8
