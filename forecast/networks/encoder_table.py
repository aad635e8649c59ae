"""The closed list of encoders by name: how each is made, and which decoders it can have.

A new encoder is a file of its own, its name in `settings.EncoderName` and one entry here; the contract tests find it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

from torch import nn

from forecast.core.errors import ModelError
from forecast.networks.encoders.bidirectional import BidirectionalRecurrent
from forecast.networks.encoders.block_stack import Block, BlockStack
from forecast.networks.encoders.dilated import DilatedRecurrent, default_dilations
from forecast.networks.encoders.fused import CellName, CellOptions, FusedRecurrent
from forecast.networks.encoders.linear_window import LinearWindow
from forecast.networks.encoders.mamba import Mamba
from forecast.networks.encoders.min_gru import MinGru
from forecast.networks.encoders.min_lstm import MinLstm
from forecast.networks.encoders.mlstm import MatrixMemoryBlock
from forecast.networks.encoders.residual_layer import ResidualLayer, SequenceLayer
from forecast.networks.encoders.rwkv import ReceptanceBlock
from forecast.networks.encoders.s4d import S4d
from forecast.networks.encoders.segments import SegmentRecurrent
from forecast.networks.encoders.slstm import ScalarMemoryBlock
from forecast.networks.encoders.stacked import StackedRecurrent
from forecast.networks.encoders.transformer import WindowTransformer
from forecast.networks.interfaces import Encoder
from forecast.networks.settings import DecoderName, EncoderName, NetworkSettings, Sizes

LONGEST_WINDOW = 720  # steps of a look-back that was not asked for
Builder = Callable[[NetworkSettings, Sizes], Encoder]


@final
@dataclass(frozen=True, slots=True)
class Family:
    """How an encoder is made, and what can follow it.

    build: Returns a new encoder. decoders: Those that it can have, its own first. windowed: It reads one window an origin. cells:
    It is made of Elman, LSTM or GRU cells, whose options it hands on.
    """

    build: Builder
    decoders: tuple[DecoderName, ...] = ("direct", "context", "unrolled")
    windowed: bool = False
    cells: bool = False


def cell_options(settings: NetworkSettings) -> CellOptions:
    """Returns what the settings say of cells."""
    return CellOptions(settings.initial_state, settings.recurrent_weights, settings.activation, settings.forget_bias,
                       settings.peepholes)  # fmt: skip


def window_lags(lags: int, horizon: int) -> int:
    """Returns the look-back of a windowed model: twice the horizon where that is more than the lags, up to LONGEST_WINDOW."""
    return max(lags, min(2 * horizon, LONGEST_WINDOW))


def default_patch(lags: int, season: int) -> int:
    """Returns the segment of `segrnn`: a season of which the look-back has four or more, else a sixth of the look-back."""
    return season if 4 <= season <= lags // 4 else -(-lags // 6)


def _fused(cell: CellName) -> Builder:
    def build(settings: NetworkSettings, sizes: Sizes) -> Encoder:
        return FusedRecurrent(cell=cell, inputs=sizes.hidden_size, hidden_size=sizes.hidden_size, options=cell_options(settings))

    return build


def _stacked(settings: NetworkSettings, sizes: Sizes) -> Encoder:
    return StackedRecurrent(cell=settings.cell or "gru", inputs=sizes.hidden_size, hidden_size=sizes.hidden_size,
                            layers=settings.layers, dropout=settings.dropout, residual=settings.residual,
                            layer_norm=settings.layer_norm, options=cell_options(settings))  # fmt: skip


def _dilated(settings: NetworkSettings, sizes: Sizes) -> Encoder:
    dilations = settings.dilations or default_dilations(sizes.seasons)
    return DilatedRecurrent(cell=settings.cell or "lstm", inputs=sizes.hidden_size, hidden_size=sizes.hidden_size,
                            dilations=dilations, options=cell_options(settings))  # fmt: skip


def _blocks(block: Callable[[int], Block], count: int) -> Builder:
    """Blocks of a width, as the papers of xLSTM and RWKV have them."""
    return lambda settings, sizes: BlockStack(blocks=[block(sizes.hidden_size) for _ in range(count)], width=sizes.hidden_size)


def _layers(layer: Callable[[int], SequenceLayer]) -> Builder:
    """As many residual blocks of a layer as the settings say."""

    def build(settings: NetworkSettings, sizes: Sizes) -> Encoder:
        size, dropout = sizes.hidden_size, settings.dropout
        blocks = [ResidualLayer(layer=layer(size), width=size, dropout=dropout) for _ in range(settings.layers)]
        return BlockStack(blocks=blocks, width=size)

    return build


def _linear(settings: NetworkSettings, sizes: Sizes) -> Encoder:
    return LinearWindow(kind=settings.linear_kind, lags=sizes.lags, context=sizes.context, dropout=settings.dropout)


def _segments(settings: NetworkSettings, sizes: Sizes) -> Encoder:
    patch = settings.patch or default_patch(sizes.lags, sizes.seasons[0] if sizes.seasons else 1)
    kernel = nn.GRU(sizes.hidden_size, sizes.hidden_size, batch_first=True)
    return SegmentRecurrent(kernel=kernel, lags=sizes.lags, patch=patch, context=sizes.context)


def _bidirectional(settings: NetworkSettings, sizes: Sizes) -> Encoder:
    if settings.cell == "elman":
        raise ModelError("a window is read forward and backward by lstm or gru, found cell 'elman'; take one of the two")
    return BidirectionalRecurrent(cell=settings.cell or "lstm", lags=sizes.lags, hidden_size=sizes.hidden_size, context=sizes.context,
                                  seasons=sizes.seasons, dropout=settings.dropout)  # fmt: skip


def _transformer(settings: NetworkSettings, sizes: Sizes) -> Encoder:
    return WindowTransformer(lags=sizes.lags, hidden_size=sizes.hidden_size, layers=settings.layers, context=sizes.context,
                             seasons=sizes.seasons, dropout=settings.dropout)  # fmt: skip


FAMILIES: Mapping[EncoderName, Family] = {
    "elman": Family(_fused("elman"), cells=True),
    "lstm": Family(_fused("lstm"), cells=True),
    "gru": Family(_fused("gru"), cells=True),
    "stacked": Family(_stacked, cells=True),
    "dilated": Family(_dilated, cells=True),
    "esrnn": Family(_dilated, cells=True),
    "linear": Family(_linear, ("low_rank",), windowed=True),
    "segrnn": Family(_segments, ("segments",), windowed=True),
    "mqrnn": Family(_fused("lstm"), ("context",), cells=True),
    "seq2seq": Family(_fused("lstm"), ("unrolled",), cells=True),
    "deepar": Family(_fused("lstm"), ("direct",), cells=True),
    "min_gru": Family(_layers(lambda size: MinGru(hidden_size=size))),
    "min_lstm": Family(_layers(lambda size: MinLstm(hidden_size=size))),
    "s4d": Family(_layers(lambda size: S4d(hidden_size=size))),
    "mamba": Family(_layers(lambda size: Mamba(hidden_size=size))),
    "bidirectional": Family(_bidirectional, ("direct", "context", "unrolled", "attention"), windowed=True),
    "seq2seq_attention": Family(_bidirectional, ("attention",), windowed=True),
    "transformer": Family(_transformer, ("direct", "context", "unrolled", "attention"), windowed=True),
    "slstm": Family(_blocks(lambda width: ScalarMemoryBlock(width=width), 1)),
    "mlstm": Family(_blocks(lambda width: MatrixMemoryBlock(width=width), 2)),
    "rwkv": Family(_blocks(lambda width: ReceptanceBlock(width=width), 1)),
}
WINDOWED: frozenset[EncoderName] = frozenset(name for name, family in FAMILIES.items() if family.windowed)
