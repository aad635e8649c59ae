"""Columns of names, in every file format: read as the text that they are, or found by themselves."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from forecast.core.errors import DataError
from forecast.storage.sources.csv_source import CsvSource
from forecast.storage.sources.parquet_source import ParquetSource
from forecast.storage.sources.source import Source

KINDS = ["001", "NA", None, "a,b", "\u00e9\U0001f600"]
BOTH = pytest.mark.parametrize("form", ["csv", "parquet"])


def _written(folder: Path, form: str, **columns: object) -> Path:
    days = pd.date_range("2026-01-01", periods=len(KINDS)).strftime("%Y-%m-%d")
    frame = pd.DataFrame({"unique_id": "x", "ds": days, "y": 1.0, "kind": KINDS, **columns})
    path = folder / f"table.{form}"
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path, index=False)
    return path


def _source(path: Path, **arguments: object) -> Source:
    kind = CsvSource if path.suffix == ".csv" else ParquetSource
    return kind(path=path, **arguments)  # type: ignore[arg-type]


@BOTH
def test_a_declared_column_keeps_its_text_byte_for_byte(tmp_path: Path, form: str) -> None:
    frame = _source(_written(tmp_path, form), covariates=("kind",), categorical=("kind",)).read()
    assert [None if pd.isna(v) else v for v in frame["kind"]] == KINDS


@BOTH
def test_text_without_a_number_is_found_and_text_with_one_is_refused(tmp_path: Path, form: str) -> None:
    frame = _source(
        _written(tmp_path, form, sky=["sun", "rain", None, "sun", "sun"]), covariates=("sky",), categorical="auto"
    ).read()
    assert frame["sky"].tolist() == ["sun", "rain", None, "sun", "sun"]
    damaged = _written(tmp_path, form, price=["1", "2", "3,5", "4", "5"])
    with pytest.raises(DataError, match="a number"):
        _source(damaged, covariates=("price",), categorical="auto").read()


@BOTH
def test_whole_numbers_and_booleans_are_written_as_text(tmp_path: Path, form: str) -> None:
    path = _written(tmp_path, form, size=[3, 10, 3, 3, 3], open=[True, False, True, True, True])
    frame = _source(path, covariates=("size", "open"), categorical=("size", "open")).read()
    assert frame["size"].tolist() == ["3", "10", "3", "3", "3"]
    assert [text.lower() for text in frame["open"][:2]] == ["true", "false"]


def test_an_amount_is_no_category(tmp_path: Path) -> None:
    path = _written(tmp_path, "parquet", price=[1.0, 2.5, 3.0, None, 4.0])
    with pytest.raises(DataError, match="amounts are no categories"):
        _source(path, covariates=("price",), categorical=("price",)).read()


@BOTH
def test_a_table_of_attributes_gives_its_numbers_and_names_and_leaves_dates_alone(tmp_path: Path, form: str) -> None:
    frame = pd.DataFrame(
        {"unique_id": ["x", "y"], "area": [3.5, 4.0], "kind": ["a", "b"], "opened": pd.to_datetime(["2001-01-01", "2002-02-02"])}
    )
    path = tmp_path / f"stores.{form}"
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path, index=False)
    read = _source(path, categorical="auto").read("static")
    assert {"area", "kind"} <= set(read.columns)
    assert "opened" not in read.columns


@BOTH
def test_the_mean_of_duplicates_keeps_the_first_name(tmp_path: Path, form: str) -> None:
    days = ["2026-01-01", "2026-01-01", "2026-01-02"]
    frame = pd.DataFrame({"unique_id": "x", "ds": days, "y": [1.0, 3.0, 5.0], "kind": ["b", "a", "c"]})
    path = tmp_path / f"twice.{form}"
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path, index=False)
    read = _source(path, covariates=("kind",), categorical=("kind",), duplicates="mean").read()
    assert read["y"].tolist() == [2.0, 5.0]
    assert read["kind"].tolist() == ["b", "c"]
