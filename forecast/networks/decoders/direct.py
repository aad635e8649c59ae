"""The direct decoder: all steps of the horizon in one matrix product for each origin."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn
from torch.nn.functional import silu

from forecast.networks.decoders.known_steps import at_targets
from forecast.networks.interfaces import Decoder, Encoding
from forecast.networks.products import wide_product


@final
class DirectDecoder(Decoder):
    """raw = W2 silu(W1 summary), plus what the known covariates of each target step add.

    A covariate's effect depends on the origin: it is the product of the step's embedded covariates and coefficients decoded from
    the summary, so that [B, O, H, K] is never stored. Both output layers start at zero.

    Args:
        summary: Width of the encoding's summary.
        horizon: H.
        outputs: R + P, numbers per step.
        known: K; 0 for none.
        hidden: Width of the hidden layer.
        embedding: Width of the embedded covariates of one step.
        first_path: The naive path that gets the highest weight at the start.
    """

    def __init__(
        self, *, summary: int, horizon: int, outputs: int, known: int, hidden: int = 256, embedding: int = 8, first_path: int = 0
    ) -> None:
        super().__init__()
        self.horizon, self.outputs, self.embedding = horizon, outputs, embedding
        self.hidden = nn.Linear(summary, hidden)
        self.out = nn.Linear(hidden, horizon * outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.out.bias.data.view(horizon, outputs)[:, first_path] = 2.0
        self.known = nn.Linear(known, embedding) if known else None
        self.effect = nn.Linear(hidden, embedding * outputs) if known else None
        if self.effect is not None:
            nn.init.zeros_(self.effect.weight)
            nn.init.zeros_(self.effect.bias)

    def forward(self, encoding: Encoding, known: Tensor, origins: Tensor) -> Tensor:
        """Returns raw [B, O, H, R + P]; see `Decoder.forward`."""
        hidden = silu(wide_product(encoding.summary, self.hidden.weight, self.hidden.bias))
        raw: Tensor = wide_product(hidden, self.out.weight, self.out.bias).unflatten(-1, (self.horizon, self.outputs))
        if self.known is None or self.effect is None:
            return raw
        coefficients = self.effect(hidden).unflatten(-1, (self.embedding, self.outputs))
        effect: Tensor = at_targets(silu(self.known(known)), origins, self.horizon) @ coefficients
        return raw + effect
