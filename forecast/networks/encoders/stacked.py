"""A deep stack of recurrent layers with layer norm, residual connections and variational dropout."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn

from forecast.networks.encoders.fused import USUAL, CellName, CellOptions, FusedRecurrent
from forecast.networks.interfaces import Encoder, EncoderState, Encoding
from forecast.networks.timeline import gather_steps


@final
class StackedRecurrent(Encoder):
    """Layers l = 1...n: x_{l+1} = x_l + drop(rnn_l(norm(x_l))), the residual only for stacks deeper than two.

    The dropout mask is drawn once for a segment and held over time (Gal & Ghahramani 2016, "A theoretically grounded application of
    dropout in recurrent neural networks"). Residual connections between layers follow Wu et al. (2016), "Google's Neural Machine
    Translation System", section 3.1; layer norm is that of Ba, Kiros & Hinton (2016), on the inputs of each layer.

    Args:
        cell: Of all layers.
        inputs: C.
        hidden_size: D.
        layers: n, 1 to 8.
        dropout: Share of the hidden units of each layer that a segment goes without.
        residual, layer_norm: False leaves them out.
        options: Of every layer's cell.
    """

    causal = True

    def __init__(
        self, *, cell: CellName, inputs: int, hidden_size: int, layers: int, dropout: float, residual: bool = True,
        layer_norm: bool = True, options: CellOptions = USUAL,
    ) -> None:  # fmt: skip
        super().__init__()
        sizes = [inputs] + [hidden_size] * (layers - 1)
        self.width, self.dropout, self.residual = hidden_size, dropout, residual and layers > 2
        self.norms = nn.ModuleList(nn.LayerNorm(size) if layer_norm else nn.Identity() for size in sizes)
        self.cells = nn.ModuleList(
            FusedRecurrent(cell=cell, inputs=size, hidden_size=hidden_size, options=options) for size in sizes
        )

    def initial_state(self, batch: int) -> EncoderState:
        """Returns the states of all layers, one after the other, each [B, D]."""
        return tuple(state for layer in self.layers for state in layer.initial_state(batch))

    @property
    def layers(self) -> list[FusedRecurrent]:
        """The recurrent layers, first to last."""
        return [layer for layer in self.cells if isinstance(layer, FusedRecurrent)]

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        """Returns the last layer's states as memory and at the origins as summary; see `Encoder.forward`."""
        before = self.initial_state(len(inputs)) if state is None else state
        after: EncoderState = ()
        current, every = inputs, torch.arange(inputs.shape[1], device=inputs.device).expand(inputs.shape[:2])
        for norm, layer in zip(self.norms, self.layers, strict=True):
            own = before[len(after) : len(after) + layer.states]
            encoding, new = layer(norm(current), every, own, lengths)
            output = self._drop(encoding.memory)
            current = current + output if self.residual and current.shape == output.shape else output
            after = after + new
        return Encoding(current, None, gather_steps(current, origins)), after

    def _drop(self, outputs: Tensor) -> Tensor:
        if not self.training or self.dropout == 0:
            return outputs
        keep = torch.rand(outputs.shape[0], 1, outputs.shape[2], device=outputs.device) >= self.dropout
        return outputs * keep / (1 - self.dropout)
