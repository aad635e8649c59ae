"""The selective recurrence of a state space, read a block of steps at a time, with its own backward pass.

All N numbers of state of all steps at once would be N times the size of everything else and would not fit any cache. So only the
states between blocks are kept; what is inside a block is computed again when its gradient is. It must not have weights.
"""

from __future__ import annotations

from typing import Any, NamedTuple, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from forecast.networks.linear_scan import scan

BLOCK_NUMBERS = 2**20  # numbers of state in a block, as far as it has SHORTEST_BLOCK steps
SHORTEST_BLOCK = 16


def selective_scan(u: Tensor, step: Tensor, a: Tensor, b: Tensor, c: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the readings of every step [B, T, D] and the state after the last [B, N, D].

    Gu & Dao (2023), algorithm 2 with equation (2): the state of channel d is h[t] = exp(step[t] a) h[t-1] + step[t] b[t] u[t], what is
    read of it y[t] = c[t] h[t]. a is held by zero-order hold (equation 4), b by its first order.

    Args:
        u: The input of each channel. Shape [B, T, D].
        step: Of each channel, positive; 0 keeps the state. Shape [B, T, D].
        a: Negative. Shape [N, D].
        b, c: Shape [B, T, N].
        before: Shape [B, N, D].
    """
    if u.shape[1] == 1:
        state = torch.exp(step * a) * before + (step * u) * b.transpose(1, 2)
        return _read(c, state[:, None]), state
    y, after = _SelectiveScan.apply(u, step, a, b, c, before)  # type: ignore[no-untyped-call]
    return y, after


class _Block(NamedTuple):
    """What a block computes of its inputs: step u, exp(step a) and step u b. Shapes [B, K, D] and twice [B, K, N, D]."""

    driven: Tensor
    factor: Tensor
    added: Tensor

    @classmethod
    def of(cls, u: Tensor, step: Tensor, a: Tensor, b: Tensor) -> _Block:
        """Returns the block of some steps."""
        driven = step * u
        return cls(driven, torch.exp_(step[:, :, None] * a), driven[:, :, None] * b[..., None])


@final
class _SelectiveScan(torch.autograd.Function):
    """Blocks forwards, and for the gradients backwards."""

    @staticmethod
    def forward(ctx: Any, u: Tensor, step: Tensor, a: Tensor, b: Tensor, c: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the readings and the last state; keeps the inputs and the state before each block."""
        y, starts = torch.empty_like(u), [before]
        for now in _blocks(u.shape[1], before):
            block = _Block.of(u[:, now], step[:, now], a, b[:, now])
            states = scan(block.factor, block.added, starts[-1])
            y[:, now] = _read(c[:, now], states)
            starts.append(states[:, -1].clone())
        ctx.save_for_backward(u, step, a, b, c, torch.stack(starts[:-1]))
        return y, starts[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_y: Tensor, to_after: Tensor) -> tuple[Tensor, ...]:
        """Returns the gradients of the six arguments."""
        u, step, a, b, c, starts = ctx.saved_tensors
        to_u, to_step, to_b, to_c = (torch.empty_like(x) for x in (u, step, b, c))
        to_a, carried = torch.zeros_like(a), to_after
        for number, now in reversed(list(enumerate(_blocks(u.shape[1], starts[0])))):
            block = _Block.of(u[:, now], step[:, now], a, b[:, now])
            states = scan(block.factor, block.added, starts[number])
            to_c[:, now] = (states * to_y[:, now, None]).sum(dim=-1)
            # g[t] = dL/dh[t] + exp(step[t+1] a) g[t+1]; of the last step `carried` is that product already
            following = torch.cat([block.factor[:, 1:], torch.ones_like(block.factor[:, :1])], dim=1)
            whole = scan(following, to_y[:, now, None] * c[:, now, :, None], carried, backwards=True)
            carried = block.factor[:, 0] * whole[:, 0]
            to_driven = _read(b[:, now], whole)
            to_b[:, now] = (whole * block.driven[:, :, None]).sum(dim=-1)
            # the exponent step a: its gradient is g[t] h[t-1] exp(step[t] a)
            whole[:, 0] *= starts[number]
            whole[:, 1:] *= states[:, :-1]
            exponent = whole.mul_(block.factor)
            to_a += (exponent * step[:, now, None]).sum(dim=(0, 1))
            to_step[:, now] = (exponent * a).sum(dim=2) + to_driven * u[:, now]
            to_u[:, now] = to_driven * step[:, now]
        return to_u, to_step, to_a, to_b, to_c, carried


def _read(weights: Tensor, states: Tensor) -> Tensor:
    """Sum over N of [B, K, N] and [B, K, N, D]; no product of matrices, which autocast would do in lower precision. Shape [B, K, D]."""
    return (states * weights[..., None]).sum(dim=2)


def _blocks(steps: int, state: Tensor) -> list[slice]:
    """The steps of each block; how many depends on the size of a step's state [B, N, D]."""
    size = max(BLOCK_NUMBERS // state.numel(), SHORTEST_BLOCK)
    return [slice(first, min(first + size, steps)) for first in range(0, steps, size)]
