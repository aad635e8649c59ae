"""Reading tensors along time: windows, gathers at origins, forward fills by phase. Pure functions without weights."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def window_sum(x: Tensor, width: int) -> Tensor:
    """Returns the sum of the last `width` steps at every step that has them, each summed in the same order.

    Every window is summed on its own: running sums would drift and would not recover from a spike.

    Args:
        x: Shape [B, n], n >= width.

    Returns:
        Shape [B, n - width + 1].
    """
    return x.unfold(1, width, 1).sum(dim=-1)


def gather_steps(x: Tensor, origins: Tensor) -> Tensor:
    """Returns x at the origins: [B, T, ...] and [B, O] give [B, O, ...]."""
    index = origins.reshape(*origins.shape, *(1,) * (x.dim() - 2)).expand(*origins.shape, *x.shape[2:])
    return x.gather(1, index)


def fill_forward(values: Tensor, seen: Tensor, season: int) -> tuple[Tensor, Tensor]:
    """Returns each step's own value or, where missing, the last observed one of the same phase, and the column that it is from.

    Args:
        values: 0 where missing. Shape [B, n].
        seen: Shape [B, n].
        season: Steps between values of one phase; 1 takes the last observed value.

    Returns:
        Values and columns, -1 where there is none, each [B, n].
    """
    n = values.shape[1]
    front = -n % season
    blocks = pad(seen, (front, 0)).unflatten(1, (-1, season))  # [B, blocks, phase]
    order = torch.arange(blocks.shape[1], device=values.device)[None, :, None]
    last = torch.where(blocks, order, -1).cummax(dim=1).values
    filled = pad(values, (front, 0)).unflatten(1, (-1, season)).gather(1, last.clamp(min=0))
    phase = torch.arange(season, device=values.device) - front
    column = torch.where(last >= 0, last * season + phase, -1)
    return filled.flatten(1)[:, front:], column.flatten(1)[:, front:]
