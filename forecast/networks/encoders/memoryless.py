"""An encoder whose state is zero before every step: the ablation that shows what carrying the state is worth.

It must not be used for anything else: a network with it is one that forgets, by design.
"""

from __future__ import annotations

from typing import final

from torch import Tensor

from forecast.networks.interfaces import Encoder, EncoderState, Encoding
from forecast.networks.timeline import gather_steps


@final
class Memoryless(Encoder):
    """Hands every step to a causal encoder as a series of its own, so that a step's encoding depends on its own input alone.

    Time is folded into the batch, [B, T, C] -> [B * T, 1, C]; masks that the inner encoder draws once for a row are drawn for a step.

    Args:
        inner: A causal encoder; it keeps its weights and loses its memory.
    """

    causal = True

    def __init__(self, inner: Encoder) -> None:
        super().__init__()
        self.inner, self.width = inner, inner.width

    def initial_state(self, batch: int) -> EncoderState:
        """Returns nothing: there is no state to carry."""
        return ()

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        """Returns each step's own encoding as memory and at the origins as summary; see `Encoder.forward`."""
        rows, steps, width = inputs.shape
        alone = inputs.reshape(rows * steps, 1, width)
        encoding, _ = self.inner(alone, origins.new_zeros(rows * steps, 1))
        every = encoding.summary.reshape(rows, steps, self.width)
        return Encoding(every, None, gather_steps(every, origins)), ()
