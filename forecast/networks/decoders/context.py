"""The decoder of MQ-RNN: a global network that lays out the horizon, and a small local one that looks at one step of it."""

from __future__ import annotations

from typing import final

from torch import Tensor, nn
from torch.nn.functional import silu

from forecast.networks.decoders.known_steps import at_targets
from forecast.networks.interfaces import Decoder, Encoding

EMBEDDING = 4  # width of the embedded covariates of one step


@final
class ContextDecoder(Decoder):
    """Wen et al. (2017), "A multi-horizon quantile recurrent forecaster", section 3.2.

    (c_1, ..., c_H, c_a) = global(h, x_1, ..., x_H), one context per step and one for all; raw_k = local(c_k, c_a, x_k) with the
    covariates x_k of step k. Both networks have one hidden layer; the local one is the same for all steps and narrow, because its
    layer is [B, O, H, local]. The global network reads the covariates of the whole horizon: a step's forecast may answer to what is
    planned after it. The output starts at zero.

    Args:
        summary: Width of the encoding's summary.
        horizon: H.
        outputs: R + P, numbers per step.
        known: K; 0 for none.
        hidden: Width of the global network's layer.
        context: Width of each context.
        local: Width of the local network's layer.
        first_path: The naive path that gets the highest weight at the start.
    """

    def __init__(
        self, *, summary: int, horizon: int, outputs: int, known: int, hidden: int = 128, context: int = 8, local: int = 32,
        first_path: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.horizon, self.shape = horizon, (horizon + 1, context)
        width = EMBEDDING if known else 0
        self.known = nn.Linear(known, EMBEDDING) if known else None
        self.summary = nn.Linear(summary, hidden)
        self.ahead = nn.Linear(horizon * EMBEDDING, hidden, bias=False) if known else None
        self.contexts = nn.Linear(hidden, (horizon + 1) * context)
        self.own, self.shared = nn.Linear(context, local), nn.Linear(context, local, bias=False)
        self.step = nn.Linear(width, local, bias=False) if known else None
        self.out = nn.Linear(local, outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.out.bias.data[first_path] = 2.0

    def forward(self, encoding: Encoding, known: Tensor, origins: Tensor) -> Tensor:
        """Returns raw [B, O, H, R + P]; see `Decoder.forward`."""
        hidden, local = self.summary(encoding.summary), encoding.summary.new_zeros(())
        if self.known is not None and self.ahead is not None and self.step is not None:
            ahead = at_targets(silu(self.known(known)), origins, self.horizon)
            hidden, local = hidden + self.ahead(ahead.flatten(-2)), self.step(ahead)
        contexts = self.contexts(silu(hidden)).unflatten(-1, self.shape)  # (c_1, ..., c_H, c_a) = m_G(h, x_1, ..., x_H)
        local = local + self.own(contexts[:, :, :-1]) + self.shared(contexts[:, :, -1:])
        raw: Tensor = self.out(silu(local))  # raw_k = m_L(c_k, c_a, x_k)
        return raw
