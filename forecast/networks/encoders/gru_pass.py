"""The GRU over whole segments with its own backward pass, for training; states and gradients are those of `torch.nn.GRU`.

torch unrolls its GRU into a dozen small operations a step and records each of them for the backward pass. Here a step is one product
and four operations in place, and whatever of the backward pass does not wait for the step after it is computed for all steps at once.
"""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from forecast.networks.products import row_product

_sigmoid_backward = torch.ops.aten.sigmoid_backward  # (g, s) -> g s (1 - s)
_tanh_backward = torch.ops.aten.tanh_backward  # (g, t) -> g (1 - t^2)


@torch.compiler.disable  # type: ignore[untyped-decorator]  # a compiled graph would unroll its loop
def gru_pass(inputs: Tensor, before: Tensor, weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor, bias_hh: Tensor) -> Tensor:
    """Returns the hidden state after every step, [B, T, D].

    With r, z and n the reset gate, the update gate and the candidate (Cho et al. 2014, equations 5 to 8, with the reset gate applied
    after the product as in cuDNN), in torch's order of the gates:

        r = sigmoid(W_r x + U_r h + b_r)    z = sigmoid(W_z x + U_z h + b_z)    n = tanh(W_n x + b_n + r (U_n h + c))
        h' = n + z (h - n)

    Args:
        inputs: Shape [B, T, C].
        before: The state before the first step. Shape [B, D].
        weight_ih, weight_hh, bias_ih, bias_hh: Of `torch.nn.GRU`. Shapes [3D, C], [3D, D], [3D], [3D].
    """
    gates = 2 * before.shape[1]
    bias = bias_ih + torch.cat([bias_hh[:gates], torch.zeros_like(bias_hh[gates:])])
    given = row_product(inputs.transpose(0, 1).contiguous(), weight_ih, bias)
    states: Tensor = _Recurrence.apply(given, before, weight_hh, bias_hh[gates:])  # type: ignore[no-untyped-call]
    return states.transpose(0, 1)


@final
class _Recurrence(torch.autograd.Function):
    """All steps of the recurrence, given the products of the inputs. Time comes first in here."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, before: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Returns the states [T, B, D]. given: W x + b [T, B, 3D]; before [B, D]; weight: U [3D, D]; bias: c [D]."""
        steps, rows, width = given.shape[0], *before.shape
        states, n = given.new_empty(steps + 1, rows, width), given.new_empty(steps, rows, width)
        sums = given.clone()
        sums[..., 2 * width :] = bias
        states[0] = before
        transposed = weight.t()
        gates, hidden, x = sums[..., : 2 * width], sums[..., 2 * width :], given[..., 2 * width :]
        r, z = sums[..., :width], sums[..., width : 2 * width]
        for t in range(steps):
            h = states[t]
            sums[t].addmm_(h, transposed)
            gates[t].sigmoid_()
            torch.addcmul(x[t], r[t], hidden[t], out=n[t]).tanh_()
            torch.lerp(n[t], h, z[t], out=states[t + 1])  # h' = n + z (h - n)
        ctx.save_for_backward(states, sums, n, weight)
        return states[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns the gradients of the four arguments. Every gate's gradient is that of h' times a factor that is known before."""
        states, sums, n, weight = ctx.saved_tensors
        steps, rows, width = n.shape
        h, (r, z, hidden) = states[:-1], sums.split(width, dim=-1)
        to_n = _tanh_backward(1 - z, n)  # d h' / d (argument of tanh)
        factors = n.new_empty(steps, rows, 3, width)
        _sigmoid_backward(to_n * hidden, r, grad_input=factors[:, :, 0])
        _sigmoid_backward(h - n, z, grad_input=factors[:, :, 1])
        torch.mul(to_n, r, out=factors[:, :, 2])
        whole, carried = (
            torch.empty_like(n),
            torch.zeros_like(n[0]),
        )  # gradients of every h', and what a step hands to the one before
        flat = factors.flatten(2)
        for t in range(steps - 1, -1, -1):
            torch.add(gradient[t], carried, out=whole[t])
            factors[t].mul_(whole[t][:, None])  # from now on the gradient of U h + c
            torch.mul(whole[t], z[t], out=carried).addmm_(flat[t], weight)
        every = flat.flatten(0, 1)
        to_weight, to_bias = every.t() @ h.flatten(0, 1), flat[..., 2 * width :].sum(dim=(0, 1))
        torch.mul(whole, to_n, out=factors[:, :, 2])
        return flat, carried, to_weight, to_bias
