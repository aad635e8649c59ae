"""What the named networks do differently from the rest when nothing else is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

from forecast.networks.encoder_table import FAMILIES
from forecast.networks.parts import HeadName
from forecast.networks.settings import DecoderName, EncoderName, Memory


@final
@dataclass(frozen=True, slots=True)
class Preset:
    """Defaults of the settings that models differ in; see NetworkSettings and TrainingSettings.

    forced_share: of max_steps, gives forced_steps. stride: larger where every origin costs a window or a walk through the horizon.
    mixer: 0 where the decoder has its own way to the steps. memory: see NetworkSettings.
    """

    hidden_size: int = 128
    dropout: float = 0.1
    forced_share: float = 0.0
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    stride: int = 4
    mixer: int = 32
    head: HeadName = "quantile"
    memory: Memory = "long"

    def changed(
        self, *, hidden_size: int | None, dropout: float | None, learning_rate: float | None, weight_decay: float | None,
        stride: int | None, mixer: int | None, head: HeadName | None, memory: Memory | None,
    ) -> Preset:  # fmt: skip
        """Returns the preset with the given settings in the place of its own; None leaves its own."""
        given: Mapping[str, Any] = {
            "hidden_size": hidden_size, "dropout": dropout, "learning_rate": learning_rate, "weight_decay": weight_decay,
            "stride": stride, "mixer": mixer, "head": head, "memory": memory,
        }  # fmt: skip
        return replace(self, **{name: value for name, value in given.items() if value is not None})


# What a decoder asks for, whatever is before it.
DECODER_PRESETS: Mapping[DecoderName, Preset] = {
    "direct": Preset(),
    "context": Preset(learning_rate=6e-3, stride=8, mixer=0),
    "unrolled": Preset(forced_share=0.6, learning_rate=6e-3, stride=24, mixer=0),
    "low_rank": Preset(dropout=0.0, stride=16, mixer=0),
    "segments": Preset(stride=16, mixer=0),
    "attention": Preset(hidden_size=64, forced_share=0.6, learning_rate=6e-3, stride=64),
}
# What an encoder asks for in addition.
_ENCODERS: Mapping[EncoderName, Mapping[str, Any]] = {
    # A state of no more numbers than the textbook's, beside the lags (docs/log.md has what it costs).
    "elman": {"memory": "short"},
    "lstm": {"memory": "short"},
    "gru": {"memory": "short"},
    # Four layers each; those of the M4 winner were 40 wide.
    "dilated": {"hidden_size": 40},
    "esrnn": {"hidden_size": 40},
    "deepar": {"head": "likelihood"},
    # Every origin costs a window of single steps: few of them, and narrow layers.
    "bidirectional": {"hidden_size": 64, "stride": 48},
    "transformer": {"hidden_size": 64, "stride": 64},
}


def preset_of(encoder: EncoderName, decoder: DecoderName | None) -> Preset:
    """Returns the preset of an encoder with one of its decoders; None for its own."""
    return replace(DECODER_PRESETS[decoder or FAMILIES[encoder].decoders[0]], **_ENCODERS.get(encoder, {}))
