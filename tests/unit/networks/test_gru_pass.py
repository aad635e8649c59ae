"""The own pass of the GRU gives torch's states and gradients, and products on oneDNN give torch's products."""

from __future__ import annotations

from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn

from forecast.networks.encoders import fused
from forecast.networks.encoders.fused import FusedRecurrent
from forecast.networks.encoders.gru_pass import gru_pass
from forecast.networks.products import row_product

ROWS, STEPS, INPUTS, WIDTH = 3, 11, 5, 7


def _world(dtype: torch.dtype) -> tuple[nn.GRU, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    layer = nn.GRU(INPUTS, WIDTH, batch_first=True).to(dtype)
    inputs, before = torch.randn(ROWS, STEPS, INPUTS, dtype=dtype), torch.randn(ROWS, WIDTH, dtype=dtype)
    return layer, inputs.requires_grad_(), before.requires_grad_(), torch.randn(ROWS, STEPS, WIDTH, dtype=dtype)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
def test_states_and_all_gradients_are_those_of_torch(dtype: torch.dtype, tolerance: float) -> None:
    layer, inputs, before, gradient = _world(dtype)
    theirs, ours = layer(inputs, before[None])[0], gru_pass(inputs, before, *layer.all_weights[0])
    torch.testing.assert_close(ours, theirs, rtol=0, atol=tolerance)
    leaves = [inputs, before, *layer.parameters()]
    for mine, expected in zip(
        torch.autograd.grad(ours, leaves, gradient), torch.autograd.grad(theirs, leaves, gradient), strict=True
    ):
        torch.testing.assert_close(mine, expected, rtol=tolerance, atol=tolerance)


def test_a_gru_takes_its_own_pass_only_while_it_learns() -> None:
    encoder, inputs = FusedRecurrent(cell="gru", inputs=INPUTS, hidden_size=WIDTH), torch.randn(ROWS, STEPS, INPUTS)
    every = torch.arange(STEPS).expand(ROWS, -1)
    with patch.object(fused, "gru_pass", wraps=gru_pass) as passed:
        learnt, (after,) = encoder(inputs, every)
        assert passed.call_count == 1
        with torch.no_grad():
            read, (same,) = encoder(inputs, every)
        assert passed.call_count == 1
    torch.testing.assert_close(learnt.memory, read.memory)
    torch.testing.assert_close(after, same)


@pytest.mark.parametrize("rows", [(12,), (4, 3)])
def test_a_product_of_rows_is_torchs_linear_with_its_gradients(rows: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    leaves = [torch.randn(*rows, INPUTS), torch.randn(WIDTH, INPUTS), torch.randn(WIDTH)]
    inputs, weight, bias = (leaf.requires_grad_() for leaf in leaves)
    ours, theirs = row_product(inputs, weight, bias), nn.functional.linear(inputs, weight, bias)
    torch.testing.assert_close(ours, theirs)
    gradient = torch.randn_like(theirs)
    for mine, expected in zip(
        torch.autograd.grad(ours, leaves, gradient), torch.autograd.grad(theirs, leaves, gradient), strict=True
    ):
        torch.testing.assert_close(mine, expected)


def test_a_product_of_doubles_keeps_their_precision() -> None:
    inputs, weight = torch.tensor([[1.0, 2.0**-40]], dtype=torch.float64), torch.ones(1, 2, dtype=torch.float64)
    assert row_product(inputs, weight, None).item() == 1.0 + 2.0**-40
