"""The closed list of decoders by name: how each is made for an encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from forecast.networks.attention import AdditiveAttention, Attention, DotAttention
from forecast.networks.decoders.attention import AttentionDecoder
from forecast.networks.decoders.context import ContextDecoder
from forecast.networks.decoders.direct import DirectDecoder
from forecast.networks.decoders.low_rank import LowRankDecoder
from forecast.networks.decoders.segments import SegmentDecoder
from forecast.networks.decoders.unrolled import UnrolledDecoder
from forecast.networks.encoders.segments import SegmentRecurrent
from forecast.networks.interfaces import Decoder, Encoder
from forecast.networks.settings import DecoderName, NetworkSettings, Sizes

Builder = Callable[[Encoder, NetworkSettings, Sizes], Decoder]


def summary_width(encoder: Encoder, sizes: Sizes) -> int:
    """Returns the width of the summary that a decoder is handed: a causal encoder's stands beside the embedded input."""
    return encoder.width + sizes.hidden_size * encoder.causal


def _direct(encoder: Encoder, settings: NetworkSettings, sizes: Sizes) -> Decoder:
    return DirectDecoder(summary=summary_width(encoder, sizes), horizon=sizes.horizon, outputs=sizes.outputs, known=sizes.known,
                         first_path=sizes.first_path)  # fmt: skip


def _context(encoder: Encoder, settings: NetworkSettings, sizes: Sizes) -> Decoder:
    return ContextDecoder(summary=summary_width(encoder, sizes), horizon=sizes.horizon, outputs=sizes.outputs, known=sizes.known,
                          first_path=sizes.first_path)  # fmt: skip


def _unrolled(encoder: Encoder, settings: NetworkSettings, sizes: Sizes) -> Decoder:
    return UnrolledDecoder(summary=summary_width(encoder, sizes), horizon=sizes.horizon, outputs=sizes.outputs, known=sizes.known,
                           hidden=sizes.hidden_size, forced_steps=settings.forced_steps, first_path=sizes.first_path)  # fmt: skip


def _low_rank(encoder: Encoder, settings: NetworkSettings, sizes: Sizes) -> Decoder:
    """The mix of the naive paths and the gaps of the quantiles depend on the context alone."""
    return LowRankDecoder(summary=encoder.width, horizon=sizes.horizon, outputs=sizes.outputs, paths=sizes.paths, known=sizes.known,
                          context=sizes.context, first_path=sizes.first_path)  # fmt: skip


def _segments(encoder: Encoder, settings: NetworkSettings, sizes: Sizes) -> Decoder:
    """One GRU reads the segments of the look-back and writes those of the horizon."""
    reader = cast(SegmentRecurrent, encoder)  # the only encoder whose entry names this decoder
    return SegmentDecoder(kernel=reader.kernel, horizon=sizes.horizon, patch=reader.patch, outputs=sizes.outputs,
                          known=sizes.known, dropout=settings.dropout, first_path=sizes.first_path)  # fmt: skip


def _attention(encoder: Encoder, settings: NetworkSettings, sizes: Sizes) -> Decoder:
    """The dot product asks for states as wide as the memory, which is the summary without the context; both have phases beside them."""
    phases = 2 * len(sizes.seasons)
    memory = encoder.width - sizes.context + phases
    attention: Attention = DotAttention(memory=memory)
    if settings.attention == "additive":
        attention = AdditiveAttention(query=sizes.hidden_size + phases, memory=memory, width=max(sizes.hidden_size // 2, 1))
    return AttentionDecoder(attention=attention, summary=encoder.width, horizon=sizes.horizon, outputs=sizes.outputs,
                            known=sizes.known, seasons=sizes.seasons, forced_steps=settings.forced_steps,
                            first_path=sizes.first_path)  # fmt: skip


DECODERS: Mapping[DecoderName, Builder] = {
    "direct": _direct,
    "context": _context,
    "unrolled": _unrolled,
    "low_rank": _low_rank,
    "segments": _segments,
    "attention": _attention,
}
