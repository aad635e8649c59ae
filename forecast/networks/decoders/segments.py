"""The segment decoder: all segments of the horizon at once, each by one recurrent step from the same state."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from forecast.networks.decoders.known_steps import KnownEffect
from forecast.networks.interfaces import Decoder, Encoding


@final
class SegmentDecoder(Decoder):
    """Parallel multi-step forecasting of Lin et al. (2023), "SegRNN: Segment recurrent neural network for long-term time series
    forecasting", section 3: segment i = W drop(GRU(position_i, h)), h the state after the look-back.

    The paper's segment is one number per step, here R + P. Its channel embedding, which ties the model to the series of training, is
    left out; the position then has the full width. Known covariates of a target step add to its numbers. The output starts at zero.

    Args:
        kernel: The GRU that has read the look-back; its inputs and states are equally wide. The summary is its state.
        horizon: H.
        patch: Steps of a segment.
        outputs: R + P, numbers per step.
        known: K; 0 for none.
        dropout: Of the states of the segments.
        first_path: The naive path that gets the highest weight at the start.
    """

    def __init__(
        self, *, kernel: nn.GRU, horizon: int, patch: int, outputs: int, known: int, dropout: float = 0.0, first_path: int = 0
    ) -> None:
        super().__init__()
        size, steps = kernel.hidden_size, min(patch, horizon)
        self.kernel, self.horizon, self.shape = kernel, horizon, (steps, outputs)
        self.positions = nn.Parameter(torch.randn(-(-horizon // steps), size))
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(size, steps * outputs)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.out.bias.data.view(steps, outputs)[:, first_path] = 2.0
        self.effect = KnownEffect(known=known, summary=size, outputs=outputs) if known else None

    def forward(self, encoding: Encoding, known: Tensor, origins: Tensor) -> Tensor:
        """Returns raw [B, O, H, R + P]; see `Decoder.forward`."""
        rows, count = origins.shape
        segments = len(self.positions)
        start = encoding.summary[:, :, None].expand(-1, -1, segments, -1).flatten(0, 2)
        places = self.positions.expand(rows, count, -1, -1).flatten(0, 2)
        states, _ = self.kernel(places[:, None], start[None].contiguous())
        numbers = self.out(self.dropout(states[:, 0])).unflatten(-1, self.shape)
        raw: Tensor = numbers.unflatten(0, (rows, count, segments)).flatten(2, 3)[:, :, : self.horizon]
        return raw if self.effect is None else raw + self.effect(encoding.summary, known, origins, self.horizon)
