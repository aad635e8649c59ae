"""Names as columns of zeros and ones, for models that read amounts only.

A panel with categorical covariates becomes one without: each of the commonest names of training is a column of its own, the others
and those that training never saw are zero in all of them, and a missing name is missing in all of them. It must not know the models.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from forecast.core.arrays import FloatArray
from forecast.core.categories import Vocabulary, recoded, recoded_future, vocabulary_of
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel, Roles

MOST_NAMES = 64  # columns that one covariate may become


def common_names(panel: Panel) -> dict[str, tuple[str, ...]]:
    """Returns the commonest names of each categorical covariate, MOST_NAMES at most, in ascending order."""
    vocabulary, out = vocabulary_of(panel), {}
    for roles, values in ((panel.roles.known, panel.known), (panel.roles.past, panel.past), (panel.roles.static, panel.static)):
        for column, name in enumerate(roles):
            if name in vocabulary:
                seen = values[:, column][~np.isnan(values[:, column])].astype(np.int64)
                counts = np.bincount(seen[seen >= 0], minlength=len(vocabulary[name]))
                commonest = np.argsort(-counts, kind="stable")[:MOST_NAMES]
                out[name] = tuple(vocabulary[name][place] for place in np.sort(commonest))
    return out


def one_hot(panel: Panel, lists: Vocabulary) -> Panel:
    """Returns the panel with a column `covariate = name` for each name of the lists in the place of its categorical covariates."""
    if not panel.roles.categorical:
        return panel
    read, roles = recoded(panel, lists), panel.roles
    (known, k), (past, p), (static, s) = (
        _spread(values, names, lists)
        for values, names in ((read.known, roles.known), (read.past, roles.past), (read.static, roles.static))
    )
    return replace(read, known=known, past=past, static=static, roles=Roles(k, p, s), categories=())


def one_hot_future(future: KnownFuture, lists: Vocabulary) -> KnownFuture:
    """Returns the known covariates of the future in the columns of `one_hot`."""
    if not future.vocabulary:
        return future
    read = recoded_future(future, lists)
    values, names = _spread(read.values, read.names, lists)
    return replace(read, names=names, values=values, vocabulary=())


def _spread(values: FloatArray, names: Iterable[str], lists: Vocabulary) -> tuple[FloatArray, tuple[str, ...]]:
    """Columns [rows, K] with each categorical one spread out, and what the columns are called."""
    parts, titles = [values[:, :0]], list[str]()
    for column, name in enumerate(names):
        own = values[:, column : column + 1]
        if name not in lists:
            parts.append(own)
            titles.append(name)
            continue
        places = np.arange(len(lists[name]))
        parts.append(np.where(np.isnan(own), np.nan, (own == places).astype(np.float64)))
        titles += [f"{name} = {text}" for text in lists[name]]
    return np.concatenate(parts, axis=1), tuple(titles)
