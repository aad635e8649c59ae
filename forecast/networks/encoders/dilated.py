"""A dilated recurrent stack: layer by layer the state comes from further back, without a loop over time.

A layer of dilation d is d interleaved recurrences of every d-th step: they are folded into the batch of a fused kernel.
"""

from __future__ import annotations

from typing import cast, final

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from forecast.networks.encoders.fused import USUAL, CellName, CellOptions, FusedRecurrent
from forecast.networks.interfaces import Encoder, EncoderState, Encoding
from forecast.networks.timeline import gather_steps

Dilations = tuple[tuple[int, ...], ...]


def default_dilations(season_lengths: tuple[int, ...]) -> Dilations:
    """Returns two blocks of two dilations that reach one or two seasons back, like those of Smyl (2020) for the M4 sets."""
    if not season_lengths:
        return (1, 2), (2, 6)
    first, last = season_lengths[0], season_lengths[-1]
    if last > first:
        return (1, max(2, first // 6)), (first, last)
    return ((1, first // 4), (first // 2, first)) if first >= 12 else ((1, 2), (first, 2 * first))


@final
class DilatedRecurrent(Encoder):
    """Blocks of layers whose state comes from d steps back: h[t] = cell(x[t], h[t - d]).

    Source: Chang et al. (2017), "Dilated recurrent neural networks", section 2.1. From the second block on a block's output is added
    to its input (Smyl 2020, section 3; the residual of Kim et al. 2017 without its gate). The state of a layer is the last d hidden
    states, the oldest first: 2 d D numbers for the LSTM and d D for the GRU.

    Args:
        cell: Of all layers.
        inputs: C.
        hidden_size: D.
        dilations: d of each layer, in blocks.
        options: Of every layer's cell.
    """

    causal = True

    def __init__(
        self, *, cell: CellName, inputs: int, hidden_size: int, dilations: Dilations, options: CellOptions = USUAL
    ) -> None:
        super().__init__()
        self.width, self.dilations = hidden_size, dilations
        count = sum(len(block) for block in dilations)
        sizes = [inputs] + [hidden_size] * (count - 1)
        self.cells = nn.ModuleList(
            FusedRecurrent(cell=cell, inputs=size, hidden_size=hidden_size, options=options) for size in sizes
        )
        self.states = 2 if cell == "lstm" else 1

    def initial_state(self, batch: int) -> EncoderState:
        """Returns the cells' own: h, and c for the LSTM, of each layer, each [B, d, D]."""
        layers = zip(self.cells, (d for block in self.dilations for d in block), strict=True)
        return tuple(s[:, None].expand(-1, d, -1).contiguous() for cell, d in layers for s in _layer(cell).initial_state(batch))

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        """Returns the last block's outputs as memory and at the origins as summary; see `Encoder.forward`."""
        before = self.initial_state(len(inputs)) if state is None else state
        after: EncoderState = ()
        current, cells = inputs, iter(self.cells)
        for number, block in enumerate(self.dilations):
            start = current
            for dilation in block:
                own = before[len(after) : len(after) + self.states]
                current, new = _dilated(_layer(next(cells)), dilation, current, own, lengths)
                after = after + new
            current = current + start if number else current
        return Encoding(current, None, gather_steps(current, origins)), after


def _layer(module: nn.Module) -> FusedRecurrent:
    return cast(FusedRecurrent, module)


def _dilated(
    layer: FusedRecurrent, d: int, inputs: Tensor, state: EncoderState, lengths: Tensor | None
) -> tuple[Tensor, EncoderState]:
    """Outputs [B, T, D] and the last d states of each row, each [B, d, D], the oldest first."""
    batch, steps = inputs.shape[:2]
    folded = tuple(s.flatten(0, 1) for s in state)  # state j is the one that step j continues
    if lengths is not None:
        each = ((lengths[:, None] - torch.arange(d, device=lengths.device) + d - 1) // d).clamp(
            min=0
        )  # steps j, j + d, ... < length
        outputs, folded = _run(layer, _fold(pad(inputs, (0, 0, 0, -steps % d)), d), folded, each.flatten())
        return _unfold(outputs, d)[:, :steps], tuple(_turned(s, batch, d, lengths) for s in folded)
    rounds, rest = divmod(steps, d)
    parts = []
    if rounds:
        outputs, folded = _run(layer, _fold(inputs[:, : rounds * d], d), folded, None)
        parts.append(_unfold(outputs, d))
    if rest:
        rows = tuple(s.unflatten(0, (batch, d)) for s in folded)
        outputs, new = _run(
            layer, inputs[:, rounds * d :].flatten(0, 1)[:, None], tuple(s[:, :rest].flatten(0, 1) for s in rows), None
        )
        parts.append(outputs[:, 0].unflatten(0, (batch, rest)))
        turned = (torch.cat([s[:, rest:], n.unflatten(0, (batch, rest))], dim=1) for s, n in zip(rows, new, strict=True))
        return torch.cat(parts, dim=1), tuple(turned)
    return parts[0], tuple(s.unflatten(0, (batch, d)) for s in folded)


def _run(layer: FusedRecurrent, inputs: Tensor, state: EncoderState, lengths: Tensor | None) -> tuple[Tensor, EncoderState]:
    """All outputs of one layer and its states afterwards."""
    none = torch.zeros(len(inputs), 1, dtype=torch.long, device=inputs.device)
    encoding, after = layer(inputs, none, state, lengths)
    return encoding.memory, after


def _fold(x: Tensor, d: int) -> Tensor:
    """[B, T, C] to [B d, T / d, C]: row b d + j has the steps j, j + d, ... of row b."""
    folded: Tensor = x.unflatten(1, (-1, d))
    return folded.transpose(1, 2).flatten(0, 1)


def _unfold(x: Tensor, d: int) -> Tensor:
    """[B d, T / d, D] to [B, T, D]."""
    rows: Tensor = x.unflatten(0, (-1, d))
    return rows.transpose(1, 2).flatten(1, 2)


def _turned(state: Tensor, batch: int, d: int, lengths: Tensor) -> Tensor:
    """The states of the interleaved recurrences in the order in which the steps after each row's last one continue them."""
    order = (lengths[:, None] + torch.arange(d, device=lengths.device)) % d
    return gather_steps(state.unflatten(0, (batch, d)), order)
