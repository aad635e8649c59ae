"""The closed list of encoders by name: how each is made, and which decoders it can have.

A new encoder is a file of its own, its name in `settings.EncoderName` and one entry here; the contract tests find it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import final

from torch import nn

from forecast.networks.encoders.block_stack import Block, BlockStack
from forecast.networks.encoders.dilated import DilatedRecurrent, default_dilations
from forecast.networks.encoders.fused import CellName, FusedRecurrent
from forecast.networks.encoders.linear_window import LinearWindow
from forecast.networks.encoders.mlstm import MatrixMemoryBlock
from forecast.networks.encoders.rwkv import ReceptanceBlock
from forecast.networks.encoders.segments import SegmentRecurrent
from forecast.networks.encoders.slstm import ScalarMemoryBlock
from forecast.networks.encoders.stacked import StackedRecurrent
from forecast.networks.interfaces import Encoder
from forecast.networks.settings import DecoderName, EncoderName, NetworkSettings, Sizes

LONGEST_WINDOW = 720  # steps of a look-back that was not asked for
Builder = Callable[[NetworkSettings, Sizes], Encoder]


@final
@dataclass(frozen=True, slots=True)
class Family:
    """How an encoder is made, and what can follow it.

    build: Returns a new encoder. decoders: Those that it can have, its own first. windowed: It reads one window an origin.
    """

    build: Builder
    decoders: tuple[DecoderName, ...] = ("direct", "context", "unrolled")
    windowed: bool = False


def window_lags(lags: int, horizon: int) -> int:
    """Returns the look-back of a windowed model: twice the horizon where that is more than the lags, up to LONGEST_WINDOW."""
    return max(lags, min(2 * horizon, LONGEST_WINDOW))


def default_patch(lags: int, season: int) -> int:
    """Returns the segment of `segrnn`: a season of which the look-back has four or more, else a sixth of the look-back."""
    return season if 4 <= season <= lags // 4 else -(-lags // 6)


def _fused(cell: CellName) -> Builder:
    return lambda settings, sizes: FusedRecurrent(cell=cell, inputs=sizes.hidden_size, hidden_size=sizes.hidden_size)


def _stacked(settings: NetworkSettings, sizes: Sizes) -> Encoder:
    return StackedRecurrent(cell="gru", inputs=sizes.hidden_size, hidden_size=sizes.hidden_size, layers=settings.layers,
                            dropout=settings.dropout)  # fmt: skip


def _blocks(block: Callable[[int], Block], count: int) -> Builder:
    return lambda settings, sizes: BlockStack(blocks=[block(sizes.hidden_size) for _ in range(count)], width=sizes.hidden_size)


def _dilated(settings: NetworkSettings, sizes: Sizes) -> Encoder:
    dilations = settings.dilations or default_dilations(sizes.seasons)
    return DilatedRecurrent(cell=settings.cell, inputs=sizes.hidden_size, hidden_size=sizes.hidden_size, dilations=dilations)


def _linear(settings: NetworkSettings, sizes: Sizes) -> Encoder:
    return LinearWindow(kind=settings.linear_kind, lags=sizes.lags, context=sizes.context, dropout=settings.dropout)


def _segments(settings: NetworkSettings, sizes: Sizes) -> Encoder:
    patch = settings.patch or default_patch(sizes.lags, sizes.seasons[0] if sizes.seasons else 1)
    kernel = nn.GRU(sizes.hidden_size, sizes.hidden_size, batch_first=True)
    return SegmentRecurrent(kernel=kernel, lags=sizes.lags, patch=patch, context=sizes.context)


FAMILIES: Mapping[EncoderName, Family] = {
    "elman": Family(_fused("elman")),
    "lstm": Family(_fused("lstm")),
    "gru": Family(_fused("gru")),
    "stacked": Family(_stacked),
    "dilated": Family(_dilated),
    "esrnn": Family(_dilated),
    "linear": Family(_linear, ("low_rank",), windowed=True),
    "segrnn": Family(_segments, ("segments",), windowed=True),
    "mqrnn": Family(_fused("lstm"), ("context",)),
    "seq2seq": Family(_fused("lstm"), ("unrolled",)),
    "deepar": Family(_fused("lstm"), ("direct",)),
    "slstm": Family(_blocks(lambda width: ScalarMemoryBlock(width=width), 1)),
    "mlstm": Family(_blocks(lambda width: MatrixMemoryBlock(width=width), 2)),
    "rwkv": Family(_blocks(lambda width: ReceptanceBlock(width=width), 1)),
}
WINDOWED: frozenset[EncoderName] = frozenset(name for name, family in FAMILIES.items() if family.windowed)
