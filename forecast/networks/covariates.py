"""Covariates that are more than amounts: names become vectors, and missing amounts say that they are missing.

Names come as places in the list that the network was trained with. It must not know where the list comes from.
"""

from __future__ import annotations

import math
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

AMOUNT, GAPPY = 0, -1
_UNKNOWN, _MISSING, _FIRST = 0, 1, 2  # rows of an embedding
LARGEST_EMBEDDING = 16
HIDDEN_SHARE = 0.05  # of the names that training takes for unknown ones, so that the bucket of the unknown means something


class Widths(NamedTuple):
    """Numbers of covariates: K known, P past, S static."""

    known: int = 0
    past: int = 0
    static: int = 0

    def inputs(self, lags: int) -> int:
        """Returns C, the width of one step's input."""
        return 2 * lags + 1 + self.known + self.past + self.static


class Columns(NamedTuple):
    """The kind of every covariate: AMOUNT, GAPPY for an amount that was missing in training, or the number of its names."""

    known: tuple[int, ...] = ()
    past: tuple[int, ...] = ()
    static: tuple[int, ...] = ()

    @classmethod
    def amounts(cls, widths: Widths) -> Columns:
        """Returns columns that are amounts throughout."""
        return cls(*((AMOUNT,) * width for width in widths))

    @property
    def plain(self) -> bool:
        """Whether all are amounts that were never missing."""
        return all(kind == AMOUNT for role in self for kind in role)

    def widths(self) -> Widths:
        """Returns how many numbers the columns of each role become."""
        return Widths(*(sum(_width(kind) for kind in role) for role in self))


def embedding_width(names: int) -> int:
    """Returns the width of the vector of a column with so many names: their square root and one, up to LARGEST_EMBEDDING."""
    return min(LARGEST_EMBEDDING, 1 + round(math.sqrt(names + 1)))


@final
class CovariateReader(nn.Module):
    """Turns the columns of a batch into what the network reads of them.

    An amount stays, 0 where missing (its mean, in standardised units), and a GAPPY one has a second number that is 1 where it is
    missing. A name becomes a vector (Guo & Berkhahn 2016, "Entity embeddings of categorical variables"); all that were not in the
    training panel share one, which learns from a share of the names that are hidden in training, and the missing have one.

    Args:
        columns: Their kinds.
    """

    def __init__(self, columns: Columns) -> None:
        super().__init__()
        self.columns = columns
        self.embeddings = nn.ModuleList(
            nn.Embedding(names + _FIRST, embedding_width(names)) for role in columns for names in role if names > 0
        )
        for embedding in self.embeddings:
            nn.init.normal_(embedding.weight, std=0.3)  # type: ignore[arg-type]

    def forward(self, known: Tensor, past: Tensor, static: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the three, float32, with the widths of `Columns.widths`.

        Args:
            known, past, static: Amounts standardised, names as places (-1 for unknown ones), NaN where missing. Shapes [B, T + H, K],
                [B, T, P] and [B, S].
        """
        tables = iter(self.embeddings)
        out = []
        for values, kinds in zip((known, past, static), self.columns, strict=True):
            parts = [self._read(values[..., i], kind, next(tables) if kind > 0 else None) for i, kind in enumerate(kinds)]
            out.append(torch.cat(parts, dim=-1) if parts else values.to(torch.float32))
        return out[0], out[1], out[2]

    def _read(self, values: Tensor, kind: int, table: nn.Module | None) -> Tensor:
        """One column [B, ...] as its numbers [B, ..., width]."""
        missing = torch.isnan(values)
        if table is None:
            amount = torch.where(missing, 0.0, values).to(torch.float32)
            return amount[..., None] if kind == AMOUNT else torch.stack([amount, missing.to(torch.float32)], dim=-1)
        place = torch.where(missing, 0.0, values).long()
        if self.training:  # a name is hidden for a whole segment, as an unknown one would be
            place = torch.where(torch.rand(len(place), *(1,) * (place.dim() - 1), device=place.device) < HIDDEN_SHARE, -1, place)
        rows = torch.where((place < 0) | (place >= kind), _UNKNOWN, place + _FIRST)
        vectors: Tensor = table(torch.where(missing, _MISSING, rows))
        return vectors


def _width(kind: int) -> int:
    """How many numbers a column of a kind becomes."""
    return embedding_width(kind) if kind > 0 else 1 + (kind == GAPPY)
