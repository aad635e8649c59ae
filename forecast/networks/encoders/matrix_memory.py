"""The matrix memory of the mLSTM over a segment, a chunk of steps at a time, and over a single step.

Within a chunk every step attends to those before it under a triangle of gates; between chunks the memory is carried. So the cost grows
linearly with the length, and only one of CHUNK steps waits for the one before it. It must not have weights.

Source: Beck et al. (2024), "xLSTM: Extended Long Short-Term Memory", section 2.3, equations 19 to 27, and the stabiliser of equations
15 to 17. J heads, E numbers each. The memory is C transposed, with n as its last column: [B, J, E, E + 1], over e^m.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

CHUNK = 32
_LARGEST = 80.0  # of an exponent: e^80 is a float32, and so is its inverse


class Memory(NamedTuple):
    """content: C and n, each over e^m. Shape [B, J, E, E + 1]. m: the stabiliser. Shape [B, J]."""

    content: Tensor
    m: Tensor


class Reads(NamedTuple):
    """What T steps ask and bring. q, k, v: k over sqrt(E). Shape [B, J, T, E]. i: the logarithm of the input gate, forget: that of the
    forget gate. Shape [B, J, T]."""

    q: Tensor
    k: Tensor
    v: Tensor
    i: Tensor
    forget: Tensor


def memory_step(reads: Reads, memory: Memory) -> tuple[Tensor, Memory]:
    """Returns what a single step finds [B, J, 1, E] and the memory after it."""
    i, forget = reads.i[..., 0], reads.forget[..., 0] + memory.m
    m = torch.maximum(forget, i)  # 15
    kept, taken = torch.exp(forget - m)[..., None, None], torch.exp(i - m)[..., None, None]  # 17, 16
    content = kept * memory.content + taken * (reads.k.transpose(-1, -2) @ _with_one(reads.v))  # 19 and 20
    found = reads.q.double() @ content.double()  # sums that may cancel: in float32 steps and chunks drift apart
    return _ratio(found, m[..., None].double()).to(content.dtype), Memory(content, m)


def memory_pass(reads: Reads, memory: Memory) -> tuple[Tensor, Memory]:
    """Returns what every step finds [B, J, T, E] and the memory after the last: what T calls of `memory_step` give.

    With b the sum of the logarithms of the forget gates since the chunk began, step t finds what step s <= t brought under the weight
    e^(b[t] + i[s] - b[s] - m[t]). Its stabiliser is m[t] = b[t] + top[t], where top is the largest of i[s] - b[s] so far and of the m that
    was carried: b[t] cancels. top counts as a constant in the backward pass, as it cancels in the ratio.
    """
    steps = reads.i.shape[-1]
    size = min(CHUNK, steps)
    q, k, v = (pad(x, (0, 0, 0, -steps % size)).unflatten(2, (-1, size)) for x in reads[:3])
    i = pad(reads.i.double(), (0, -steps % size), value=-torch.inf).unflatten(2, (-1, size))  # padding brings nothing
    b = pad(reads.forget.double(), (0, -steps % size)).unflatten(2, (-1, size)).cumsum(dim=-1)  # and forgets nothing
    offered = i - b
    largest = offered.detach().cummax(dim=-1).values
    before, after = _carried_stabilisers(largest[..., -1], b[..., -1], memory.m)
    top = torch.maximum(largest, before.detach()[..., None])  # [B, J, chunks, L]
    later = torch.ones(size, size, dtype=torch.bool, device=i.device).triu(1)
    weights = (offered[..., None, :] - top[..., :, None]).float().masked_fill(later, -torch.inf).exp()
    values = _with_one(v)
    brought = (k * (offered - top[..., -1:]).float().exp()[..., None]).transpose(-1, -2) @ values
    kept = (before - top[..., -1]).float().exp()
    contents, last = _carried_contents(kept, brought, memory.content)
    carried = (before[..., None] - top).float().exp()[..., None] * (q @ contents)
    found = _ratio((q @ k.transpose(-1, -2) * weights) @ values + carried, (b + top).float())
    return found.flatten(2, 3)[:, :, :steps], Memory(last, after.float())


def _carried_stabilisers(largest: Tensor, total: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    """m before each chunk [B, J, chunks] and after the last [B, J], float64."""
    current, before = m.double(), []
    for largest_here, total_here in zip(largest.unbind(-1), total.unbind(-1), strict=True):
        before.append(current)
        current = total_here + torch.maximum(largest_here, current.detach())
    return torch.stack(before, dim=-1), current


def _carried_contents(kept: Tensor, brought: Tensor, content: Tensor) -> tuple[Tensor, Tensor]:
    """C and n before each chunk [B, J, chunks, E, E + 1] and after the last."""
    before = []
    for kept_here, brought_here in zip(kept.unbind(2), brought.unbind(2), strict=True):
        before.append(content)
        content = torch.addcmul(brought_here, kept_here[..., None, None], content)
    return torch.stack(before, dim=2), content


def _with_one(v: Tensor) -> Tensor:
    """The values with a 1 behind them: what n is fed."""
    return pad(v, (0, 1), value=1.0)


def _ratio(found: Tensor, m: Tensor) -> Tensor:
    """C q over the larger of |n q| and 1, all over e^m: 21 without its output gate."""
    least = torch.exp((-m).clamp(-_LARGEST, _LARGEST))  # never 0: padding asks for nothing, 0 / 0
    return found[..., :-1] / torch.maximum(found[..., -1].abs(), least)[..., None]
