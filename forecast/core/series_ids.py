"""Ids of series as whole numbers: text compared byte for byte, after Unicode's normal form NFC and after nothing else.

It must not know what the ids are for.
"""

from __future__ import annotations

import unicodedata
from typing import Final

import numpy as np
import pandas as pd

from forecast.core.arrays import AnyArray, IntArray, TextArray

_NO_TEXT: Final = object()


def normal_id(value: object) -> str:
    """Returns an id as the text that the library compares."""
    return unicodedata.normalize("NFC", str(value))


def coded_ids(column: pd.Series) -> tuple[IntArray, TextArray]:
    """Returns the place of each row's id among the ascending ids, and the ids. -1 where the id is missing.

    Returns:
        Codes [rows] and ids [N].
    """
    codes, uniques = factorized(column)
    texts = [normal_id(unique) for unique in uniques]
    ids = np.array(sorted(set(texts)), dtype=object)
    place = {text: position for position, text in enumerate(ids)}
    return np.array([*(place[text] for text in texts), -1], dtype=np.int64)[codes], ids


def ascending(codes: IntArray, times: IntArray) -> bool:
    """Returns whether rows are in the order of series and time, and none repeats the series and time of the one before."""
    same = codes[1:] == codes[:-1]
    later = times[1:] > times[:-1]
    return bool((np.where(same, later, codes[1:] > codes[:-1])).all())


def factorized(column: pd.Series) -> tuple[IntArray, AnyArray]:
    """Returns codes and distinct values as `pandas.factorize` does, but tells all texts apart.

    It reads text only up to its first NUL and so takes `a\\0b` and `a\\0c` for one id.

    It does that where all values are text; one value that is none makes it compare whole objects, at a tenth of extra time.
    """
    if not (column.dtype == object or isinstance(column.dtype, pd.StringDtype)):
        plain, kinds = pd.factorize(column)
        return np.asarray(plain, dtype=np.int64), np.asarray(kinds, dtype=object)
    values = np.full(len(column) + 1, _NO_TEXT, dtype=object)
    values[:-1] = column.to_numpy(dtype=np.object_)
    codes, uniques = pd.factorize(values)
    return np.asarray(codes[:-1], dtype=np.int64), np.asarray(uniques, dtype=object)[:-1]
