"""What reading a large table must not do: copy its rows' origins with every column, hold tables twice, hand out views of a file."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from forecast.storage.sources.long_frame import long_frame
from forecast.storage.sources.parquet_source import ParquetSource
from forecast.storage.sources.plan import ReadPlan


def _table() -> pa.Table:
    return pa.table({"unique_id": ["a", "a", "b"], "ds": [1, 2, 1], "y": [1.0, 2.0, 3.0]})


def _plan() -> ReadPlan:
    return ReadPlan.make(None, None, None, "error", "missing", None)


def test_tables_are_let_go_of_one_by_one() -> None:
    tables = {"one.parquet": _table(), "two.parquet": pa.table({"unique_id": ["c"], "ds": [1], "y": [4.0]})}
    frame = long_frame(tables, _plan(), first_row=0)
    assert tables == {}
    assert frame["y"].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_looking_at_a_column_copies_nothing_that_the_frame_remembers() -> None:
    frame = long_frame({"one.parquet": _table()}, _plan(), first_row=0)
    (kept,) = frame.attrs.values()
    assert copy.deepcopy(kept) is kept
    assert all(value is kept for value in frame["y"].attrs.values())


def test_columns_of_a_file_can_be_written_to(tmp_path: Path) -> None:
    pd.DataFrame({"unique_id": "a", "ds": np.arange(3), "y": [1.0, np.nan, 3.0]}).to_parquet(tmp_path / "t.parquet")
    frame = ParquetSource(str(tmp_path / "t.parquet")).read()
    frame["y"].to_numpy()[1] = 2.0
    assert frame["y"].tolist() == [1.0, 2.0, 3.0]
