"""The low-rank decoder: a residual of its own for every step, everything else smooth in the step.

At long horizons the weights of the naive paths and the gaps between quantiles hardly differ from one step to the next. They are
combinations of a few basis functions of the step, so that their number does not grow with the horizon.
"""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from forecast.networks.decoders.known_steps import KnownEffect
from forecast.networks.interfaces import Decoder, Encoding

GAIN = 4.0  # Adam moves each weight by the learning rate: few coefficients would stay behind a direct decoder's hundreds of weights


def smooth_basis(horizon: int, rank: int) -> Tensor:
    """Returns cos(pi j sqrt((h - 1/2) / H)) of steps h = 1...H for j = 0...rank-1: near steps differ more than far ones.

    Column 0 is constant. With rank = H every sequence is a combination of the columns. Shape [H, rank].
    """
    place = ((torch.arange(horizon, dtype=torch.float64) + 0.5) / horizon).sqrt()
    return torch.cos(math.pi * place[:, None] * torch.arange(rank)).to(torch.float32)


@final
class LowRankDecoder(Decoder):
    """residual = W summary + b, one number per step; the other R + P - 1 numbers = GAIN basis [H, J] coefficients of the context.

    The context is the end of the summary. Known covariates of a target step add to all of its numbers. All outputs start at zero.

    Args:
        summary: Width of the encoding's summary.
        horizon: H.
        outputs: R + P, numbers per step.
        paths: R.
        known: K; 0 for none.
        context: How many of the summary's last numbers the coefficients read; None: all.
        rank: J, at most H.
        first_path: The naive path that gets the highest weight at the start.
    """

    basis: Tensor

    def __init__(
        self, *, summary: int, horizon: int, outputs: int, paths: int, known: int, context: int | None = None, rank: int = 6,
        first_path: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.horizon, self.paths = horizon, paths
        self.context, self.rank = summary if context is None else context, min(rank, horizon)
        self.register_buffer("basis", GAIN * smooth_basis(horizon, self.rank), persistent=False)
        self.out = nn.Linear(summary, horizon)
        self.rest = nn.Linear(self.context, self.rank * (outputs - 1))
        for layer in (self.out, self.rest):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.rest.bias.data.view(self.rank, outputs - 1)[0, first_path] = 2.0 / GAIN
        self.effect = KnownEffect(known=known, summary=self.context, outputs=outputs) if known else None

    def forward(self, encoding: Encoding, known: Tensor, origins: Tensor) -> Tensor:
        """Returns raw [B, O, H, R + P]; see `Decoder.forward`."""
        context = encoding.summary[..., encoding.summary.shape[-1] - self.context :]
        residual = self.out(encoding.summary)[..., None]
        rest = self.basis @ self.rest(context).unflatten(-1, (self.rank, -1))
        raw = torch.cat([rest[..., : self.paths], residual, rest[..., self.paths :]], dim=-1)
        return raw if self.effect is None else raw + self.effect(context, known, origins, self.horizon)
