"""Encoders and decoders that belong together: the named models that are more than an encoder in front of the direct decoder."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from forecast.networks.decoders.context import ContextDecoder
from forecast.networks.decoders.low_rank import LowRankDecoder
from forecast.networks.decoders.segments import SegmentDecoder
from forecast.networks.decoders.unrolled import UnrolledDecoder
from forecast.networks.encoders.fused import FusedRecurrent
from forecast.networks.encoders.linear_window import LinearKind, LinearWindow
from forecast.networks.encoders.segments import SegmentRecurrent
from forecast.networks.interfaces import Decoder, Encoder

LONGEST_WINDOW = 720  # steps of a look-back that was not asked for


class Sizes(NamedTuple):
    """What parts are fitted into.

    lags: D. context: Inputs of a step beside the lag vector. hidden_size: Of the embedded input and of the states. horizon: H.
    paths: R. outputs: R + P. known: K. first_path: The path that an untrained network follows.
    """

    lags: int
    context: int
    hidden_size: int
    horizon: int
    paths: int
    outputs: int
    known: int
    first_path: int


def window_lags(lags: int, horizon: int) -> int:
    """Returns the look-back of a windowed model: twice the horizon where that is more than the lags, up to LONGEST_WINDOW."""
    return max(lags, min(2 * horizon, LONGEST_WINDOW))


def default_patch(lags: int, season: int) -> int:
    """Returns the segment of `segrnn`: a season of which the look-back has four or more, else a sixth of the look-back."""
    return season if 4 <= season <= lags // 4 else -(-lags // 6)


def linear(sizes: Sizes, kind: LinearKind, dropout: float) -> tuple[Encoder, Decoder]:
    """Returns NLinear or DLinear; the mix of the naive paths and the gaps of the quantiles depend on the context alone."""
    encoder = LinearWindow(kind=kind, lags=sizes.lags, context=sizes.context, dropout=dropout)
    return encoder, LowRankDecoder(summary=encoder.width, horizon=sizes.horizon, outputs=sizes.outputs, paths=sizes.paths,
                                   known=sizes.known, context=sizes.context, first_path=sizes.first_path)  # fmt: skip


def segrnn(sizes: Sizes, patch: int, dropout: float) -> tuple[Encoder, Decoder]:
    """Returns SegRNN: one GRU reads the segments of the look-back and writes those of the horizon."""
    kernel = nn.GRU(sizes.hidden_size, sizes.hidden_size, batch_first=True)
    decoder = SegmentDecoder(kernel=kernel, horizon=sizes.horizon, patch=patch, outputs=sizes.outputs, known=sizes.known,
                             dropout=dropout, first_path=sizes.first_path)  # fmt: skip
    return SegmentRecurrent(kernel=kernel, lags=sizes.lags, patch=patch, context=sizes.context), decoder


def mqrnn(sizes: Sizes) -> tuple[Encoder, Decoder]:
    """Returns MQ-RNN: an LSTM whose every step is an origin, with global and local contexts."""
    encoder = FusedRecurrent(cell="lstm", inputs=sizes.hidden_size, hidden_size=sizes.hidden_size)
    return encoder, ContextDecoder(summary=encoder.width + sizes.hidden_size, horizon=sizes.horizon, outputs=sizes.outputs,
                                   known=sizes.known, first_path=sizes.first_path)  # fmt: skip


def seq2seq(sizes: Sizes, forced_steps: int) -> tuple[Encoder, Decoder]:
    """Returns a sequence-to-sequence model: an LSTM reads the history, a GRU writes the horizon step by step."""
    encoder = FusedRecurrent(cell="lstm", inputs=sizes.hidden_size, hidden_size=sizes.hidden_size)
    return encoder, UnrolledDecoder(summary=encoder.width + sizes.hidden_size, horizon=sizes.horizon, outputs=sizes.outputs,
                                    known=sizes.known, hidden=sizes.hidden_size, forced_steps=forced_steps,
                                    first_path=sizes.first_path)  # fmt: skip
