"""The sLSTM over whole segments with its own backward pass, for training, and one step of it for everything else.

Its gates read the last hidden state, so nothing can be done for all steps at once before the loop but the products of the inputs. Here a
step is one product and eleven small operations, most of them in place, and what of the backward pass does not wait for the step
after it is computed for all steps at once. Heads come before rows in here, so that a step's product is one batched product.

Source: Beck et al. (2024), "xLSTM: Extended Long Short-Term Memory", section 2.2, equations 8 to 17. The forget gate is the sigmoid
of the two that the paper allows: with it the stabiliser is never larger than the largest input gate so far.
"""

from __future__ import annotations

from typing import Any, NamedTuple, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import logsigmoid


class Cells(NamedTuple):
    """The state of the heads. memory: c and n, each over e^m. Shape [J, B, 2, E]. m: the stabiliser. h: the hidden state. [J, B, E]."""

    memory: Tensor
    m: Tensor
    h: Tensor


def slstm_step(given: Tensor, cells: Cells, mixing: Tensor) -> Cells:
    """Returns the state one step later.

    Args:
        given: W x + b of the gates, in the order input, forget, cell input, output. Shape [J, B, 4E].
        cells: Before the step.
        mixing: R of each head, transposed. Shape [J, E, 4E].
    """
    gates = torch.baddbmm(given, cells.h, mixing).unflatten(-1, (4, -1))
    i, forget = gates[:, :, 0], logsigmoid(gates[:, :, 1]) + cells.m  # 12, 13 as logarithms
    m = torch.maximum(forget, i)  # 15
    inner = torch.stack([torch.tanh(gates[:, :, 2]), torch.ones_like(m)], dim=2)  # 11; what c and what n is fed
    memory = torch.exp(forget - m)[:, :, None] * cells.memory + torch.exp(i - m)[:, :, None] * inner  # 8 and 9 with 16, 17
    h = torch.sigmoid(gates[:, :, 3]) * memory[:, :, 0] / memory[:, :, 1]  # 10, 14
    return Cells(memory, m, h)


def slstm_pass(given: Tensor, cells: Cells, mixing: Tensor) -> tuple[Tensor, Cells]:
    """Returns the hidden states of T steps [T, J, B, E] and the state after them: what T calls of `slstm_step` give, with gradients.

    The stabiliser counts as a constant in the backward pass: it cancels in every number that leaves the memory.

    Args:
        given: Shape [T, J, B, 4E].
        cells, mixing: See `slstm_step`.
    """
    states, memory, m = _Recurrence.apply(given, cells.memory, cells.m, cells.h, mixing)  # type: ignore[no-untyped-call]
    return states, Cells(memory, m, states[-1])


@final
class _Recurrence(torch.autograd.Function):
    """All steps of the recurrence, given the products of the inputs."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, memory: Tensor, m: Tensor, h: Tensor, mixing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns h [T, J, B, E], and memory and m after the last step."""
        steps, (heads, rows, width) = given.shape[0], h.shape
        gates = given.detach().clone().unflatten(-1, (4, width))
        kept = given.new_empty(steps, heads, rows, width)  # log of the forget gate
        inner = given.new_ones(steps, heads, rows, 2, width)
        memories = given.new_empty(steps + 1, heads, rows, 2, width)
        states = given.new_empty(steps + 1, heads, rows, width)
        memories[0], states[0] = memory, h
        flat, powers = gates.flatten(-2), gates[:, :, :, :2]
        for t in range(steps):
            flat[t].baddbmm_(states[t], mixing)
            i, forget, z, o = gates[t].unbind(2)
            kept[t] = logsigmoid(forget)
            torch.add(kept[t], m, out=forget)
            m = torch.maximum(forget, i)
            powers[t].sub_(m[:, :, None]).exp_()
            torch.tanh(z, out=inner[t, :, :, 0])
            torch.mul(memories[t], forget[:, :, None], out=memories[t + 1]).addcmul_(i[:, :, None], inner[t])
            torch.div(memories[t + 1, :, :, 0], memories[t + 1, :, :, 1], out=states[t + 1]).mul_(o.sigmoid_())
        ctx.save_for_backward(gates, kept, inner, memories, states, mixing)
        ctx.mark_non_differentiable(m)
        return states[1:], memories[-1], m

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, to_memory: Tensor, _: Tensor) -> tuple[Tensor, Tensor, None, Tensor, Tensor]:
        """Returns the gradients of the five arguments."""
        gates, kept, inner, memories, states, mixing = ctx.saved_tensors
        to_output, from_c, from_n, to_o = _factors(gates, kept, inner, memories)
        sums = torch.empty_like(gates)
        flat, transposed = sums.flatten(-2), mixing.transpose(1, 2)
        carried, forget, whole = torch.zeros_like(states[0]), gates[:, :, :, 1:2], torch.empty_like(states[0])
        memory = to_memory.clone()
        c, n = memory[:, :, 0:1], memory[:, :, 1:2]
        for t in range(len(sums) - 1, -1, -1):
            torch.add(gradient[t], carried, out=whole)
            memory.addcmul_(to_output[t], whole[:, :, None])
            torch.mul(from_c[t], c, out=sums[t, :, :, :3])
            sums[t, :, :, :2].addcmul_(from_n[t], n)
            torch.mul(to_o[t], whole, out=sums[t, :, :, 3])
            memory.mul_(forget[t])
            torch.bmm(flat[t], transposed, out=carried)
        to_mixing = states[:-1].transpose(0, 1).flatten(1, 2).transpose(1, 2) @ flat.transpose(0, 1).flatten(1, 2)
        return flat, memory, None, carried, to_mixing


def _factors(gates: Tensor, kept: Tensor, inner: Tensor, memories: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """What the gradients of a step are multiplied with: those of c and n by that of h, those of the gates by those of c, n and h.

    Shapes [T, J, B, 2, E], [T, J, B, 3, E], [T, J, B, 2, E], [T, J, B, E].
    """
    i, forget, _, o = gates.unbind(3)
    c, n = memories[1:].unbind(3)
    ratio, z = c / n, inner[:, :, :, 0]
    by_n = o / n
    to_output = torch.stack([by_n, -by_n * ratio], dim=3)
    slope = -torch.expm1(kept) * forget  # of f' by the forget gate's argument
    from_c = torch.stack([i * z, slope * memories[:-1, :, :, 0], i * (1 - z * z)], dim=3)
    from_n = torch.stack([i, slope * memories[:-1, :, :, 1]], dim=3)
    return to_output, from_c, from_n, o * (1 - o) * ratio
