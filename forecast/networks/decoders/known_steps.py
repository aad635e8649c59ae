"""Known covariates at the target steps: gathered for every origin, and what they add to a forecast.

Covariates are embedded before they are gathered, so that [B, O, H, K] is never stored.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from forecast.networks.timeline import gather_steps


def at_targets(x: Tensor, origins: Tensor, horizon: int) -> Tensor:
    """Returns x at steps 1...H after each origin: [B, T + H, E] and [B, O] give [B, O, H, E]."""
    steps = origins[..., None] + torch.arange(1, horizon + 1, device=origins.device)
    gathered: Tensor = gather_steps(x, steps.flatten(1)).unflatten(1, steps.shape[1:])
    return gathered


@final
class KnownEffect(nn.Module):
    """Embedded covariates of each target step times coefficients of the origin: a step's covariates move that step alone.

    The coefficients start at zero.

    Args:
        known: K.
        summary: Width of what the coefficients are decoded from.
        outputs: Numbers per step.
        embedding: Width of the embedded covariates of one step.
    """

    def __init__(self, *, known: int, summary: int, outputs: int, embedding: int = 8) -> None:
        super().__init__()
        self.shape = (embedding, outputs)
        self.embed = nn.Linear(known, embedding)
        self.coefficients = nn.Linear(summary, embedding * outputs)
        nn.init.zeros_(self.coefficients.weight)
        nn.init.zeros_(self.coefficients.bias)

    def forward(self, summary: Tensor, known: Tensor, origins: Tensor, horizon: int) -> Tensor:
        """Returns what is added to raw, [B, O, H, outputs]: summary [B, O, D], known [B, T + H, K], origins [B, O]."""
        effect: Tensor = at_targets(silu(self.embed(known)), origins, horizon) @ self.coefficients(summary).unflatten(
            -1, self.shape
        )
        return effect
