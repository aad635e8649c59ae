"""The segment encoder: a recurrent layer that reads a look-back in segments instead of steps."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu

from forecast.networks.interfaces import Encoder, EncoderState, Encoding
from forecast.networks.lag_window import LagWindow


@final
class SegmentRecurrent(Encoder):
    """Lin et al. (2023), "SegRNN", section 3: h_i = GRU(relu(W [segment i] + b), h_{i-1}) on the look-back less its last value.

    Beside its values a segment says which of them were observed; the first one is filled up in front where the look-back is no
    multiple of the segment. Where the paper starts from zero, the start is decoded from the context, and is zero before training.

    Args:
        kernel: The GRU, inputs and states equally wide; the decoder may share it, as in the paper.
        lags: D, the look-back.
        patch: Steps of a segment.
        context: Width of the context.
    """

    causal = False

    def __init__(self, *, kernel: nn.GRU, lags: int, patch: int, context: int) -> None:
        super().__init__()
        self.kernel, self.lags, self.patch, self.width = kernel, lags, patch, kernel.hidden_size
        self.project = nn.Linear(2 * patch, kernel.input_size)
        self.start = nn.Linear(context, kernel.hidden_size)
        nn.init.zeros_(self.start.weight)
        nn.init.zeros_(self.start.bias)

    def initial_state(self, batch: int) -> EncoderState:
        """Returns nothing: a windowed encoder carries no state."""
        return ()

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        """Returns the states of the segments as memory [B, O, M, D], the last as summary; see `Encoder.forward`."""
        window = LagWindow.of(inputs, self.lags)
        values, seen = (self._segments(x) for x in (window.since_last(), window.seen))
        embedded = relu(self.project(torch.cat([values, seen], dim=-1)))
        before = torch.tanh(self.start(window.context)).flatten(0, 1)[None]
        states, last = self.kernel(embedded.flatten(0, 1), before)
        rows = inputs.shape[:2]
        return Encoding(states.unflatten(0, rows), None, last[0].unflatten(0, rows)), ()

    def _segments(self, x: Tensor) -> Tensor:
        """The window cut into segments, oldest first: [B, O, D] -> [B, O, M, patch]."""
        segments: Tensor = pad(x, (-self.lags % self.patch, 0)).unflatten(-1, (-1, self.patch))
        return segments
