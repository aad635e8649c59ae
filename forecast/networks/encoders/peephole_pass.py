"""The LSTM with peepholes over whole segments, with its own backward pass: no fused kernel has it.

A step is one product and a few operations in place; whatever of the backward pass does not wait for the step after it is computed for
all steps at once. It must not know how weights are started or named.
"""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from forecast.networks.interfaces import EncoderState
from forecast.networks.products import row_product

_sigmoid_backward = torch.ops.aten.sigmoid_backward  # (g, s) -> g s (1 - s)
_tanh_backward = torch.ops.aten.tanh_backward  # (g, t) -> g (1 - t^2)


@torch.compiler.disable  # type: ignore[untyped-decorator]  # a compiled graph would unroll its loop
def peephole_pass(inputs: Tensor, before: EncoderState, weights: list[Tensor], peepholes: Tensor) -> EncoderState:
    """Returns the output and the cell after every step, each [B, T, D].

    Gers & Schmidhuber (2000), "Recurrent nets that time and count", in the form of Greff et al. (2017), "LSTM: A search space
    odyssey", section II, with p_i, p_f and p_o the peepholes:

        i = sigmoid(W_i x + R_i h + p_i c + b_i)    f = sigmoid(W_f x + R_f h + p_f c + b_f)    z = tanh(W_z x + R_z h + b_z)
        c' = z i + c f                              o = sigmoid(W_o x + R_o h + p_o c' + b_o)   h' = tanh(c') o

    Args:
        inputs: Shape [B, T, C].
        before: h and c before the first step, each [B, D].
        weights: W, R and the two biases in the order of `torch.nn.LSTM`, whose gates are i, f, z, o.
        peepholes: p_i, p_f and p_o. Shape [3, D].
    """
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    given = row_product(inputs.transpose(0, 1).contiguous(), weight_ih, bias_ih + bias_hh)
    h, c = before
    outputs, cells = _Recurrence.apply(given, h, c, weight_hh, peepholes)  # type: ignore[no-untyped-call]
    return outputs.transpose(0, 1), cells.transpose(0, 1)


@final
class _Recurrence(torch.autograd.Function):
    """All steps of the recurrence, given the products of the inputs. Time comes first in here."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, h: Tensor, c: Tensor, weight: Tensor, peepholes: Tensor) -> tuple[Tensor, Tensor]:
        """Returns h and c of every step [T, B, D]. given: W x + b [T, B, 4D]; weight: R [4D, D]; peepholes [3, D]."""
        steps, rows, width = given.shape[0], *h.shape
        outputs, cells = given.new_empty(steps + 1, rows, width), given.new_empty(steps + 1, rows, width)
        gates, bounded = given.clone(), given.new_empty(steps, rows, width)
        outputs[0], cells[0] = h, c
        transposed, early, late = weight.t(), peepholes[:2], peepholes[2]
        first, z, o = gates[..., : 2 * width], gates[..., 2 * width : 3 * width], gates[..., 3 * width :]
        both = first.unflatten(-1, (2, width))
        for t in range(steps):
            gates[t].addmm_(outputs[t], transposed)
            both[t].addcmul_(cells[t][:, None], early)  # i and f see c
            first[t].sigmoid_()
            torch.mul(z[t].tanh_(), first[t, :, :width], out=cells[t + 1]).addcmul_(cells[t], first[t, :, width:])  # c' = z i + c f
            o[t].addcmul_(cells[t + 1], late).sigmoid_()  # o sees c'
            torch.tanh(cells[t + 1], out=bounded[t])
            torch.mul(bounded[t], o[t], out=outputs[t + 1])  # h' = tanh(c') o
        ctx.save_for_backward(outputs, cells, gates, bounded, weight, peepholes)
        return outputs[1:], cells[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_h: Tensor, to_c: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Returns the gradients of the five arguments. Every gate's gradient is that of c' or h' times a factor known before."""
        outputs, cells, gates, bounded, weight, (p_i, p_f, p_o) = ctx.saved_tensors
        steps, rows, width = bounded.shape
        i, f, z, o = gates.split(width, dim=-1)
        factors = gates.new_empty(steps, rows, 4, width)  # of c' for i, f and z, of h' for o
        _sigmoid_backward(z, i, grad_input=factors[:, :, 0])
        _sigmoid_backward(cells[:-1], f, grad_input=factors[:, :, 1])
        _tanh_backward(i, z, grad_input=factors[:, :, 2])
        _sigmoid_backward(bounded, o, grad_input=factors[:, :, 3])
        to_cell = _tanh_backward(o, bounded) + factors[:, :, 3] * p_o  # d h' / d c'
        kept = f + factors[:, :, 0] * p_i + factors[:, :, 1] * p_f  # d c' / d c
        carried_h, carried_c, flat = torch.zeros_like(bounded[0]), torch.zeros_like(bounded[0]), factors.flatten(2)
        for t in range(steps - 1, -1, -1):
            whole_h = carried_h.add_(to_h[t])
            whole_c = carried_c.add_(to_c[t]).addcmul_(whole_h, to_cell[t])
            factors[t, :, :3].mul_(whole_c[:, None])
            factors[t, :, 3].mul_(whole_h)  # from now on the gradients of the four sums
            carried_c, carried_h = whole_c.mul_(kept[t]), flat[t] @ weight
        to_weight = flat.flatten(0, 1).t() @ outputs[:-1].flatten(0, 1)
        seen = (cells[:-1], cells[:-1], cells[1:])
        to_peepholes = torch.stack([(factors[:, :, g] * c).sum(dim=(0, 1)) for g, c in zip((0, 1, 3), seen, strict=True)])
        return flat, carried_h, carried_c, to_weight, to_peepholes
