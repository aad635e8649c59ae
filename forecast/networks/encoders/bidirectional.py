"""The bidirectional encoder: one recurrent layer reads the window forwards, one backwards.

The backward states know what comes after their step, so this can only be done inside a window that ends at the origin.
"""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor, nn

from forecast.networks.interfaces import Encoder, EncoderState, Encoding
from forecast.networks.lag_window import LagWindow, step_width

BidirectionalCell = Literal["lstm", "gru"]


@final
class BidirectionalRecurrent(Encoder):
    """Schuster & Paliwal (1997), "Bidirectional recurrent neural networks", IEEE Transactions on Signal Processing 45(11), section II.B.

    h_t = [forward(x_t, h_{t-1}), backward(x_t, h_{t+1})] over the last D steps, both from zero. The memory is all h_t, those of missing
    steps masked; the summary has both final states, the forward one of the newest and the backward one of the oldest step, and the
    context. Dropout is that of the summary.

    Args:
        cell: Kernel of both directions.
        lags: D, the window.
        hidden_size: Width of each direction.
        context: Width of the context.
        seasons: In steps; a step is told its phase in each.
        dropout: Of the summary.
    """

    causal = False
    carries = False

    def __init__(
        self,
        *,
        cell: BidirectionalCell,
        lags: int,
        hidden_size: int,
        context: int,
        seasons: tuple[int, ...] = (),
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.lags, self.seasons, self.width = lags, seasons, 2 * hidden_size + context
        kernel = nn.LSTM if cell == "lstm" else nn.GRU
        self.kernel = kernel(step_width(seasons), hidden_size, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(dropout)

    def initial_state(self, batch: int) -> EncoderState:
        """Returns nothing: a windowed encoder carries no state."""
        return ()

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        """Returns the states of all steps as memory [B, O, D, 2 * hidden_size] and both ends as summary; see `Encoder.forward`."""
        window = LagWindow.of(inputs, self.lags)
        states, _ = self.kernel(window.as_steps(self.seasons).flatten(0, 1))
        memory = states.unflatten(0, inputs.shape[:2])
        forward, backward = memory.chunk(2, dim=-1)
        ends = torch.cat([forward[:, :, -1], backward[:, :, 0]], dim=-1)
        return Encoding(memory, window.seen > 0, torch.cat([self.dropout(ends), window.context], dim=-1)), ()
