"""y[t] = a[t] y[t-1] + x[t] for many channels at once, and the same recurrence of maxima and sums, in blocks of steps.

All blocks run side by side, then each is handed what the one before it ended with: about twice the square root of T operations wait for
each other instead of T. Where one step is work enough for a processor, all steps are one block: that was four times as fast there,
because everything is touched once. It must not have weights.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isqrt
from typing import Any, NamedTuple, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

ENOUGH = 4096  # numbers of a step that keep a processor busy


class _Algebra(NamedTuple):
    """What the recurrence multiplies and adds with, and the numbers that change nothing."""

    times: Callable[[Tensor, Tensor], Tensor]
    plus: Callable[[Tensor, Tensor], Tensor]
    one: float
    zero: float


_SUMS = _Algebra(torch.mul, torch.add, 1.0, 0.0)
_MAXIMA = _Algebra(torch.add, torch.maximum, 0.0, -torch.inf)


def linear_scan(a: Tensor, x: Tensor, start: Tensor) -> Tensor:
    """Returns y[t] = a[t] y[t-1] + x[t] of every step [T, N, B, D], with gradients.

    Args:
        a: Shape [T, B, D].
        x: N sequences that share it. Shape [T, N, B, D].
        start: y before the first step. Shape [N, B, D].
    """
    y: Tensor = _LinearScan.apply(a, x, start)  # type: ignore[no-untyped-call]
    return y


def maximum_scan(a: Tensor, x: Tensor, start: Tensor) -> Tensor:
    """Returns y[t] = max(a[t] + y[t-1], x[t]) of every step, without gradients. a, x [T, B, D]; start [B, D]."""
    with torch.no_grad():
        return _scan(_MAXIMA, a, x, start, block_length(x))


def block_length(x: Tensor) -> int:
    """Returns how many of T steps a block has. x [T, ...]."""
    steps = len(x)
    return steps if x.device.type == "cpu" and x[0].numel() >= ENOUGH else isqrt(steps - 1) + 1


def _scan(algebra: _Algebra, a: Tensor, x: Tensor, start: Tensor, size: int) -> Tensor:
    """y of every step, in blocks of `size` steps; a broadcasts to x."""
    steps, times, plus = len(x), algebra.times, algebra.plus
    a, x = (_blocks(sequence, size, neutral) for sequence, neutral in ((a, algebra.one), (x, algebra.zero)))
    y, total = torch.empty_like(x), torch.empty_like(a)  # both in the order [blocks, size, ...]
    y[:, 0], total[:, 0] = x[:, 0], a[:, 0]
    y[0, 0] = plus(times(a[0, 0], start), x[0, 0])
    for j in range(1, size):
        y[:, j] = plus(times(a[:, j], y[:, j - 1]), x[:, j])
    if len(y) > 1:
        for j in range(1, size):
            total[:, j] = times(a[:, j], total[:, j - 1])
        for k in range(1, len(y)):
            y[k] = plus(times(total[k], y[k - 1, -1]), y[k])
    return y.flatten(0, 1)[:steps]


def _blocks(sequence: Tensor, size: int, neutral: float) -> Tensor:
    """[T, ...] cut into blocks [T / size, size, ...], filled up with what changes nothing."""
    missing = -len(sequence) % size
    filled = pad(sequence, (0, 0) * (sequence.dim() - 1) + (0, missing), value=neutral) if missing else sequence
    blocks: Tensor = filled.unflatten(0, (-1, size))
    return blocks


@final
class _LinearScan(torch.autograd.Function):
    """The gradient of every y is a scan too, from the last step to the first."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, x: Tensor, start: Tensor) -> Tensor:
        """Returns y; see `linear_scan`."""
        y = _scan(_SUMS, a[:, None], x, start, block_length(x))
        ctx.save_for_backward(a, y, start)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the gradients of the three arguments."""
        a, y, start = ctx.saved_tensors
        later = torch.cat([torch.ones_like(a[:1]), a[1:].flip(0)])  # what hands the gradient of y[t + 1] to y[t]
        to_x = _scan(_SUMS, later[:, None], gradient.flip(0), torch.zeros_like(start), block_length(y)).flip(0)
        before = torch.cat([start[None], y[:-1]])
        return (to_x * before).sum(dim=1), to_x, a[0] * to_x[0]
