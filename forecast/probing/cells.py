"""Which encoders the probe looks at: every causal one of the table, and no encoder twice under two names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import torch

from forecast.core.errors import UsageError
from forecast.networks.encoder_table import FAMILIES
from forecast.networks.interfaces import Encoder
from forecast.networks.settings import EncoderName, NetworkSettings, Sizes
from forecast.probing.attention import CausalAttention
from forecast.probing.results import ATTENTION

_SEASONS = (24,)  # what the dilations of `dilated` are made from


def build_cell(name: str, hidden_size: int) -> Encoder:
    """Returns a new encoder as the model of that name has it, without dropout; `attention` is the layer for comparison."""
    if name == ATTENTION:
        return CausalAttention(hidden_size=hidden_size)
    known: dict[str, EncoderName] = {each: each for each in get_args(EncoderName)}
    settings = NetworkSettings(encoder=known[name], hidden_size=hidden_size, dropout=0.0)
    sizes = Sizes(
        lags=1, context=0, hidden_size=hidden_size, horizon=1, paths=1, outputs=1, known=0, first_path=0, seasons=_SEASONS
    )
    return FAMILIES[known[name]].build(settings, sizes)


def distinct_cells() -> dict[str, tuple[str, ...]]:
    """Returns the causal encoders, each with the other models that read with the same one. Attention comes last.

    Two encoders are the same if their modules, the shapes of their weights and their plain settings agree.
    """
    found: dict[tuple[object, ...], list[str]] = {}
    for name, family in FAMILIES.items():
        if not family.windowed:
            found.setdefault(_identity(build_cell(name, 8)), []).append(name)
    return {names[0]: tuple(names[1:]) for names in found.values()} | {ATTENTION: ()}


def chosen_cells(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Returns some of the cells, all where none is named, and always attention.

    Raises:
        UsageError: a name that is none of them.
    """
    cells = distinct_cells()
    unknown = [name for name in names if name not in cells]
    if unknown:
        raise UsageError(f"no cell {unknown[:5]} to probe; take some of {list(cells)}")
    return {name: same for name, same in cells.items() if not names or name in names or name == ATTENTION}


def _identity(encoder: Encoder) -> tuple[object, ...]:
    shapes = tuple((name, tuple(weight.shape)) for name, weight in encoder.state_dict().items())
    plain = tuple(
        sorted((k, repr(v)) for k, v in vars(encoder).items() if isinstance(v, str | int | float | tuple) and k[0] != "_")
    )
    return repr(encoder), shapes, plain


def origins_of(inputs: torch.Tensor) -> torch.Tensor:
    """Returns origins that ask for nothing but the first step; the memory has all steps. inputs [B, T, C]. Shape [B, 1]."""
    return torch.zeros(len(inputs), 1, dtype=torch.long, device=inputs.device)
