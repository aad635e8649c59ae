"""A small network that every step of the horizon runs through: what the naive paths say *of that step*, in the light of the summary.

The direct decoder gives each step its numbers without knowing what the paths forecast for it; trees on lags aligned with the target know
it, which is where they are strong (docs/log.md).
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import silu


@final
class LocalMixer(nn.Module):
    """raw[h] + W2 silu(W1 c(paths[h]) + W3 summary + b[h]), with c(z) = sign(z) log(1 + |z|) and W2 zero at the start.

    One set of weights for all steps, as in the local decoder of Wen et al. (2017), "A multi-horizon quantile recurrent forecaster",
    section 3.3, whose inputs are the covariates of the step; here they are the naive forecasts of the step.

    Args:
        paths: R.
        summary: Width of the encoding's summary.
        horizon: H.
        outputs: R + P.
        hidden: Width of the hidden layer.
    """

    def __init__(self, *, paths: int, summary: int, horizon: int, outputs: int, hidden: int = 32) -> None:
        super().__init__()
        self.of_paths = nn.Linear(paths, hidden, bias=False)
        self.of_summary = nn.Linear(summary, hidden)
        self.of_step = nn.Parameter(0.1 * torch.randn(horizon, hidden))
        self.out = nn.Linear(hidden, outputs, bias=False)
        nn.init.zeros_(self.out.weight)

    def forward(self, raw: Tensor, naive: Tensor, summary: Tensor) -> Tensor:
        """Returns the numbers of every step.

        Args:
            raw: From the decoder. Shape [B, O, H, R + P].
            naive: The paths, scaled units. Shape [B, O, R, H].
            summary: Shape [B, O, D].
        """
        aligned = naive.transpose(-1, -2)
        hidden = self.of_paths(aligned.sign() * aligned.abs().log1p()) + self.of_summary(summary)[..., None, :] + self.of_step
        mixed: Tensor = raw + self.out(silu(hidden))
        return mixed
