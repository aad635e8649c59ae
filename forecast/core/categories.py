"""Categorical covariates: every value is a place in a list of names, and a model brings the list that it learned.

A panel holds its own list for each categorical column. A model that was trained on another panel reads the same names through its own
list (`recoded`), where a name that it never saw is UNKNOWN. This module must not know models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import pandas as pd

from forecast.core.arrays import FloatArray
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.core.series_ids import factorized, normal_id

UNKNOWN = -1.0  # a name that is not in the list; a missing value is NaN
Vocabulary: TypeAlias = Mapping[str, tuple[str, ...]]


def coded(column: pd.Series) -> tuple[FloatArray, tuple[str, ...]]:
    """Returns each row's place among the ascending names of a column, NaN where it is missing or empty, and the names. Shape [rows].

    Names are text, byte for byte after NFC; whole numbers are written without a point and booleans as `true` and `false`, so that a
    column is the same whether it was stored as numbers or as text.
    """
    codes, uniques = factorized(column)
    texts = [_text(value) for value in uniques]
    names = tuple(sorted({text for text in texts if text}))
    place = {name: float(position) for position, name in enumerate(names)}
    return np.array([*(place.get(text, np.nan) for text in texts), np.nan])[codes], names


def vocabulary_of(panel: Panel) -> dict[str, tuple[str, ...]]:
    """Returns the names of every categorical covariate of a panel."""
    return dict(zip(panel.roles.categorical, panel.categories, strict=True))


def recoded(panel: Panel, vocabulary: Vocabulary) -> Panel:
    """Returns the panel with its categorical covariates as places in the given lists; what is in none of them is UNKNOWN.

    Args:
        panel: Whose lists may be others.
        vocabulary: A list for each categorical covariate of the panel.
    """
    if not panel.roles.categorical or vocabulary_of(panel) == dict(vocabulary):
        return panel
    own, roles = vocabulary_of(panel), panel.roles
    return replace(
        panel, categories=tuple(vocabulary[name] for name in roles.categorical), known=_columns(panel.known, roles.known, own, vocabulary),
        past=_columns(panel.past, roles.past, own, vocabulary), static=_columns(panel.static, roles.static, own, vocabulary),
    )  # fmt: skip


def recoded_future(future: KnownFuture, vocabulary: Vocabulary) -> KnownFuture:
    """Returns the known covariates of the future as places in the given lists; see `recoded`."""
    own = dict(future.vocabulary)
    if not own:
        return future
    lists = tuple((name, vocabulary[name]) for name in own)
    return replace(future, values=_columns(future.values, future.names, own, vocabulary), vocabulary=lists)


def _columns(values: FloatArray, names: tuple[str, ...], own: Vocabulary, wanted: Vocabulary) -> FloatArray:
    """The covariates with every categorical one translated from its own list to the wanted one."""
    if not any(name in own for name in names):
        return values
    out = values.copy()
    for column, name in enumerate(names):
        if name in own:
            place = {text: float(position) for position, text in enumerate(wanted[name])}
            table = np.array(
                [*(place.get(text, UNKNOWN) for text in own[name]), UNKNOWN, np.nan]
            )  # UNKNOWN is -1, missing the last
            found = values[:, column]
            codes = np.where(np.isnan(found), len(table) - 1, np.where(found == UNKNOWN, len(table) - 2, found)).astype(np.int64)
            out[:, column] = table[codes]
    return out


def _text(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return normal_id(value)
