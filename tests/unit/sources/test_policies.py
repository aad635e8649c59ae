"""Duplicates and gaps: refused with evidence, or repaired exactly as declared."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.core.errors import DataError
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.storage.sources.csv_source import CsvSource
from forecast.storage.sources.evidence import Origin
from forecast.storage.sources.plan import Duplicates
from forecast.storage.sources.policies import apply_duplicates, apply_gaps

TWICE = "unique_id,ds,y,promo\na,2026-01-02,1,0\na,2026-01-01,2,1\na,2026-01-02,5,1\nb,2026-01-02,7,\na,2026-01-02,,\n"
HOLES = "unique_id,ds,y,promo\nb,2026-01-05,1,1\na,2026-01-01,2,1\na,2026-01-04,5,1\nb,2026-01-04,3,0\nb,2026-01-09,7,0\n"


def csv(folder: Path, text: str, **arguments: Any) -> CsvSource:
    (folder / "sales.csv").write_text(text)
    return CsvSource(folder / "sales.csv", **arguments)


def test_duplicates_are_refused_by_default_with_the_rows_that_repeat(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 rows repeat the series and time of another row") as caught:
        csv(tmp_path, TWICE).read()
    assert [(offence.row, offence.unique_id) for offence in caught.value.offences] == [(4, "a"), (6, "a")]
    assert caught.value.total == 2
    assert caught.value.exit_code == 65


def test_last_keeps_the_row_that_comes_last(tmp_path: Path) -> None:
    frame = csv(tmp_path, TWICE, duplicates="last").read()
    assert frame["unique_id"].tolist() == ["a", "b", "a"]
    np.testing.assert_array_equal(frame["y"], [2.0, 7.0, np.nan])


def test_mean_is_that_of_the_values_that_are_there(tmp_path: Path) -> None:
    frame = csv(tmp_path, TWICE, duplicates="mean").read()
    assert frame["unique_id"].tolist() == ["a", "a", "b"]
    np.testing.assert_array_equal(frame["y"], [3.0, 2.0, 7.0])
    np.testing.assert_array_equal(frame["promo"], [0.5, 1.0, np.nan])


def test_the_same_stamp_of_two_series_is_no_duplicate(tmp_path: Path) -> None:
    text = "unique_id,ds,y\na,1,1\nb,1,2\n"
    assert len(csv(tmp_path, text).read()) == 2


def test_one_name_written_in_two_ways_is_one_series(tmp_path: Path) -> None:
    text = f"unique_id,ds,y\ncafé,1,1\n{unicodedata.normalize('NFD', 'café')},1,2\n"
    assert csv(tmp_path, text, duplicates="last").read().to_dict("list") == {"unique_id": ["café"], "ds": [1], "y": [2.0]}


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4), st.sampled_from([1.0, 2.0, 8.0, float("nan")])), min_size=1, max_size=20),
    st.sampled_from(["last", "mean"]),
)  # fmt: skip
def test_policies_for_duplicates_equal_a_group_by_of_pandas(rows: list[tuple[str, int, float]], policy: Duplicates) -> None:
    frame = pd.DataFrame(rows, columns=["unique_id", "ds", "y"])
    last = frame.drop_duplicates(["unique_id", "ds"], keep="last").set_index(["unique_id", "ds"])["y"].sort_index()
    expected = frame.groupby(["unique_id", "ds"])["y"].mean() if policy == "mean" else last
    found = apply_duplicates(frame, policy, Origin.of(["f"], [len(frame)], 0)).set_index(["unique_id", "ds"])["y"].sort_index()
    pd.testing.assert_series_equal(found, expected, check_names=False)


def test_gaps_are_left_to_the_panel_by_default(tmp_path: Path) -> None:
    frame = csv(tmp_path, HOLES).read()
    assert len(frame) == 5
    assert int(np.isnan(Panel.from_frame(frame, Frequency.parse("D")).y).sum()) == 5


def test_gaps_are_refused_with_evidence_where_declared(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 gaps, 5 steps without a row in all") as caught:
        csv(tmp_path, HOLES, gaps="error", frequency="D").read()
    assert {(offence.row, offence.unique_id, offence.value) for offence in caught.value.offences} == {
        (3, "a", "2026-01-01 00:00:00, then 2 steps without a row"),
        (2, "b", "2026-01-05 00:00:00, then 3 steps without a row"),
    }


def test_evidence_of_gaps_counts_rows_that_a_policy_for_duplicates_removed(tmp_path: Path) -> None:
    text = "unique_id,ds,y\na,2026-01-01,1\na,2026-01-01,2\na,2026-01-02,3\na,2026-01-05,4\n"
    with pytest.raises(DataError) as caught:
        csv(tmp_path, text, duplicates="last", gaps="error", frequency="D").read()
    assert caught.value.offences[0].row == 4


def test_zero_fills_gaps_with_rows_of_zero_where_declared(tmp_path: Path) -> None:
    frame = csv(tmp_path, HOLES, gaps="zero", frequency="D").read()
    assert len(frame) == 10
    panel = Panel.from_frame(frame, Frequency.parse("D"))
    np.testing.assert_array_equal(panel.y, [2, 0, 0, 5, 3, 1, 0, 0, 0, 7])
    assert frame["promo"].isna().sum() == 5  # a covariate is never invented


def test_zero_does_not_fill_before_the_first_or_after_the_last_row(tmp_path: Path) -> None:
    text = "unique_id,ds,y\na,1,1\na,9,\nb,4,2\n"
    frame = csv(tmp_path, text, gaps="zero", frequency="integer").read()
    assert frame[frame["unique_id"] == "b"]["ds"].tolist() == [4]
    assert np.isnan(frame.loc[frame["ds"] == 9, "y"]).all()  # a missing value is no gap


@pytest.mark.parametrize("alias", ["h", "W-MON", "MS", "B"])
def test_a_whole_series_has_no_gaps_on_its_own_grid(alias: str) -> None:
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2026-01-01", periods=30, freq=alias), "y": 1.0})
    origin = Origin.of(["f"], [30], 0)
    assert apply_gaps(frame, "error", Frequency.parse(alias), origin) is frame


def test_a_row_of_many_files_goes_back_to_its_own() -> None:
    origin = Origin.of(["a", "empty", "b"], [3, 0, 2], first_row=2)
    assert [origin.place(row) for row in range(5)] == [("a", 2), ("a", 3), ("a", 4), ("b", 2), ("b", 3)]


def test_ids_that_differ_only_after_a_nul_are_two_series_for_every_policy() -> None:
    day = pd.Timestamp("2026-01-01")
    frame = pd.DataFrame({"unique_id": ["a\0b", "a\0c"], "ds": [day, day], "y": [1.0, 2.0]})
    origin = Origin.of(["f"], [2], 0)
    policies: tuple[Duplicates, ...] = ("error", "last", "mean")
    for policy in policies:
        assert apply_duplicates(frame, policy, origin)["y"].tolist() == [1.0, 2.0]
    later = frame.assign(ds=[day, day + pd.Timedelta(days=3)])
    assert len(apply_gaps(later, "zero", Frequency.parse("D"), origin)) == 2
