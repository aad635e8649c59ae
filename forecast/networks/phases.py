"""Where a step stands in each season, counted from the origin: what lets a reader of lags find the same phase again."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def phases(steps: Tensor, seasons: Sequence[int]) -> Tensor:
    """Returns the points of steps on the circle of each season, sine and cosine, float32.

    Args:
        steps: Whole numbers, the origin is 0. Shape [n].
        seasons: Season lengths in steps.

    Returns:
        Shape [n, 2 * number of seasons].
    """
    angles = [2 * torch.pi * (steps % season) / season for season in seasons]
    points = [function(angle) for angle in angles for function in (torch.sin, torch.cos)]
    return torch.stack(points, dim=-1).float() if points else torch.zeros(len(steps), 0)
