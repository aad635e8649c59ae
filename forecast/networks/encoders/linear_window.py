"""The linear models: the window itself is the summary, so that the decoder's one matrix product is the model."""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, pad

from forecast.networks.interfaces import Encoder, EncoderState, Encoding
from forecast.networks.lag_window import LagWindow

LinearKind = Literal["nlinear", "dlinear"]
KERNEL = 25  # steps of the moving average, the paper's


@final
class LinearWindow(Encoder):
    """Zeng et al. (2023), "Are transformers effective for time series forecasting?", AAAI 37, section 3.2 and appendix.

    nlinear: the values less the last one. dlinear: remainder and trend, a moving average of KERNEL steps whose ends are continued
    with the first and the last value; two matrices, one for each. Then the context. Missing values are the last one (nlinear) or the
    level (dlinear). The last value that the paper adds again, or the level, is among the naive paths of the network: a mix of them
    with constant weights leaves the model linear.

    Args:
        kind: Which.
        lags: D, the look-back.
        context: Width of the context.
        dropout: Of the window.
    """

    causal = False

    def __init__(self, *, kind: LinearKind, lags: int, context: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.kind, self.lags = kind, lags
        self.width = (lags if kind == "nlinear" else 2 * lags) + context
        self.dropout = nn.Dropout(dropout)

    def initial_state(self, batch: int) -> EncoderState:
        """Returns nothing: a windowed encoder carries no state."""
        return ()

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        """Returns the window and the context as summary; see `Encoder.forward`."""
        window = LagWindow.of(inputs, self.lags)
        if self.kind == "nlinear":
            numbers = window.since_last()
        else:
            trend = moving_average(window.values)
            numbers = torch.cat([window.values - trend, trend], dim=-1)
        summary = torch.cat([self.dropout(numbers), window.context], dim=-1)
        return Encoding(summary[:, :, None], None, summary), ()


def moving_average(x: Tensor) -> Tensor:
    """Returns the mean of the KERNEL (of a short window fewer, an odd number) steps around each, ends continued. Shape [B, O, D]."""
    half = min(KERNEL, x.shape[-1]) // 2
    continued = pad(x, (half, half), mode="replicate") if half else x
    average: Tensor = avg_pool1d(continued, 2 * half + 1, stride=1)
    return average
