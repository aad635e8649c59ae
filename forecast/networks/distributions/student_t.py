"""Student's t distribution: quantiles for degrees of freedom that are tensors, from a table that is made once."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

LEAST_INVERSE, MOST_INVERSE = 0.001, 0.5  # of the degrees of freedom: 1000 down to 2
_ROWS, _COLUMNS, _FURTHEST = 41, 121, 5.0  # columns over the normal score z = 0 ... 5
_NODES = 20_001


def quantile(probability: Tensor, inverse: Tensor) -> Tensor:
    """Returns t with P(T <= t) = probability; within 1e-4 of its size.

    Wallace (1959), Annals of Mathematical Statistics 30(4): log(1 + t^2 / nu) nu / z^2 is nearly constant, z being the normal
    score of the same probability. What is left of it is read from a table, linearly.

    Args:
        probability: Between 0 and 1.
        inverse: 1 / nu, between 0.001 and 0.5; the two broadcast.
    """
    z, inverse = torch.broadcast_tensors(torch.special.ndtri(probability.to(inverse.dtype)), inverse)
    table = _table().to(inverse)  # its dtype and its device
    row = (inverse - LEAST_INVERSE) / (MOST_INVERSE - LEAST_INVERSE) * (_ROWS - 1)
    column = z.abs() / _FURTHEST * (_COLUMNS - 1)
    top, left = row.floor().clamp(0, _ROWS - 2), column.floor().clamp(0, _COLUMNS - 2)
    down, right = (row - top).clamp(0, 1), (column - left).clamp(0, 1)
    i, j = top.long(), left.long()
    upper = table[i, j] * (1 - right) + table[i, j + 1] * right
    lower = table[i + 1, j] * (1 - right) + table[i + 1, j + 1] * right
    ratio = upper * (1 - down) + lower * down
    size: Tensor = torch.sqrt(torch.expm1(ratio * z.square() * inverse) / inverse)
    signed: Tensor = z.sign() * size
    return signed


@cache
def _table() -> Tensor:
    """log(1 + t^2 / nu) nu / z^2 over 1 / nu and z. With t = sqrt(nu) / tan(a) the upper tail is the integral of sin^(nu - 1)."""
    nu = 1 / torch.linspace(LEAST_INVERSE, MOST_INVERSE, _ROWS, dtype=torch.float64)[:, None]
    share = torch.linspace(0.0, 1.0, _NODES, dtype=torch.float64)[1:]  # of the angle's root, so that tails are resolved
    angle = torch.pi / 2 * share**2
    density = torch.sin(angle) ** (nu - 1) * share
    pieces = torch.cat([torch.zeros_like(nu), (density[:, 1:] + density[:, :-1]) / 2], dim=1)
    tail = pieces.cumsum(dim=1) + density[:, :1] / (nu + 1)  # the first piece by the power that it begins with
    z = -torch.special.ndtri(tail / tail[:, -1:] / 2)
    # log(1 + 1 / tan^2) = -2 log sin; the last nodes, where z is next to 0, are left to the column of z = 0
    ratio = -2 * torch.log(torch.sin(angle)) * nu / z.square()
    wanted = torch.linspace(0.0, _FURTHEST, _COLUMNS, dtype=torch.float64)
    rows = [_interpolated(wanted[1:], z_row[:-1].flip(0), r_row[:-1].flip(0)) for z_row, r_row in zip(z, ratio, strict=True)]
    rest = torch.stack(rows)
    return torch.cat([(4 * rest[:, :1] - rest[:, 1:2]) / 3, rest], dim=1)  # even in z: no slope at 0


def _interpolated(wanted: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Values between the nodes of a curve with ascending x."""
    right = torch.searchsorted(x, wanted).clamp(1, len(x) - 1)
    share = (wanted - x[right - 1]) / (x[right] - x[right - 1])
    return y[right - 1] + share * (y[right] - y[right - 1])
