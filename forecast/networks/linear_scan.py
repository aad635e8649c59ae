"""The linear recurrence h[t] = a[t] h[t-1] + b[t] over all steps at once, with its own backward pass.

Cells whose gates do not read the state before are such recurrences, each number of the state by itself. Steps are cut into about
sqrt(T) chunks that are read side by side: three passes of about sqrt(T) operations on whole tensors take the place of T single steps.
Nothing is divided and nothing is put into logarithms, so it is as stable as the recurrence. It must not have weights.
"""

from __future__ import annotations

from math import isqrt
from typing import Any, final

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad


def linear_scan(a: Tensor, b: Tensor, before: Tensor) -> Tensor:
    """Returns h after every step: h[t] = a[t] h[t-1] + b[t], each number by itself. Shape [B, T, ...].

    The chunks and the three passes over them are those of Blelloch (1990), "Prefix sums and their applications", section 1.4.1, for
    the pairs (a, b). A later step never moves an earlier one, not by a bit.

    Args:
        a, b: float32, float64 or complex; |a| <= 1 for a recurrence that does not grow. Lower precision is computed in float32.
            Shape [B, T, ...].
        before: h before the first step. Shape [B, ...].
    """
    a, b, before = (x.float() if x.dtype in (torch.bfloat16, torch.float16) else x for x in (a, b, before))
    if a.shape[1] == 1:
        return torch.addcmul(b, a, before[:, None])
    states: Tensor = _LinearScan.apply(a, b, before)  # type: ignore[no-untyped-call]
    return states


@final
class _LinearScan(torch.autograd.Function):
    """The gradient of a linear recurrence is one that runs backwards: g[t] = dL/dh[t] + a[t+1] g[t+1]."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, before: Tensor) -> Tensor:
        """Returns the states [B, T, ...]."""
        states = scan(a, b, before)
        ctx.save_for_backward(a, before, states)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the gradients of a, b and before."""
        a, before, states = ctx.saved_tensors
        following = torch.cat([a[:, 1:], torch.zeros_like(a[:, :1])], dim=1).conj()
        whole = scan(following, gradient, torch.zeros_like(before), backwards=True)
        to_a = torch.empty_like(whole)
        torch.mul(whole[:, :1], before[:, None].conj(), out=to_a[:, :1])
        torch.mul(whole[:, 1:], states[:, :-1].conj(), out=to_a[:, 1:])
        return to_a, whole, a[:, 0].conj() * whole[:, 0]


def scan(a: Tensor, b: Tensor, before: Tensor, *, backwards: bool = False) -> Tensor:
    """Returns the recurrence without gradients, from the first step to the last or from the last to the first. Shape [B, T, ...]."""
    steps = a.shape[1]
    size = isqrt(steps - 1) + 1
    missing = -steps % size
    a, b = (_chunks(a, missing, size, neutral=1.0), _chunks(b, missing, size, neutral=0.0))
    start = _starts(a, b, before, backwards)
    states = torch.empty_like(b)
    for k in _order(size, backwards):
        torch.addcmul(b[:, :, k], a[:, :, k], start, out=states[:, :, k])
        start = states[:, :, k]
    return states.flatten(1, 2)[:, :steps]


def _chunks(x: Tensor, missing: int, size: int, neutral: float) -> Tensor:
    """[B, T, ...] to [B, chunks, size, ...], filled up on the right with what keeps the state."""
    filled = pad(x, (0, 0) * (x.dim() - 2) + (0, missing), value=neutral) if missing else x
    chunks: Tensor = filled.unflatten(1, (-1, size))
    return chunks


def _starts(a: Tensor, b: Tensor, before: Tensor, backwards: bool) -> Tensor:
    """The state before every chunk: each chunk's own factor and sum first, then from chunk to chunk. Shape [B, chunks, ...]."""
    count, size = a.shape[1:3]
    first, *others = _order(size, backwards)
    factor, total = a[:, :, first].clone(), b[:, :, first].clone()
    for k in others:
        torch.addcmul(b[:, :, k], a[:, :, k], total, out=total)
        factor.mul_(a[:, :, k])
    start, carried = torch.empty_like(total), before
    for c in _order(count, backwards):
        start[:, c] = carried
        carried = torch.addcmul(total[:, c], factor[:, c], carried)
    return start


def _order(count: int, backwards: bool) -> range:
    return range(count - 1, -1, -1) if backwards else range(count)
