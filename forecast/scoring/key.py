"""What makes two runs the same run: the SHA-256 of everything that the output depends on. No clock, no path, no chance."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import numpy as np
import pandas as pd

from forecast.core.arrays import AnyArray
from forecast.core.forecaster import Forecaster
from forecast.core.series_ids import coded_ids

NO_STATE = ""
"""Digest of the carried state where a run starts from the history alone."""


def run_key(parts: Mapping[str, str]) -> str:
    """Returns the key of a run from its named parts."""
    return hashlib.sha256(json.dumps(dict(parts), sort_keys=True).encode()).hexdigest()


def table_digest(*frames: pd.DataFrame | None) -> str:
    """Returns the SHA-256 of tables: column names, types and values in the order of the rows. The index does not count."""
    digest = hashlib.sha256()
    for frame in frames:
        if frame is None:
            digest.update(b"no table;")
            continue
        digest.update(f"{len(frame)} rows;".encode())
        for name in sorted(frame.columns, key=str):
            digest.update(json.dumps([str(name), str(frame[name].dtype)]).encode())
            digest.update(_value_hashes(frame[name]).tobytes())
    return digest.hexdigest()


def _value_hashes(column: pd.Series) -> AnyArray:
    """A number for each row that stands for its value. Text is hashed here because pandas reads it only up to its first NUL."""
    if column.dtype != object:
        return pd.util.hash_pandas_object(column, index=False).to_numpy()
    codes, texts = coded_ids(column)
    hashes = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8] for text in (*texts, "\0missing")]
    return np.frombuffer(b"".join(hashes), dtype=np.uint64)[codes]


def model_digest(forecaster: Forecaster) -> str:
    """Returns the SHA-256 of a forecaster: its recipe and every array that it learned."""
    digest = hashlib.sha256(json.dumps(dict(forecaster.recipe()), sort_keys=True).encode())
    for name, array in sorted(forecaster.weights().items()):
        digest.update(json.dumps([name, str(array.dtype), list(array.shape)]).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
