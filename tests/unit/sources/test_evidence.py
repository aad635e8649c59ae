"""What the panel refuses is named by file and row, through several files and repaired duplicates."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from forecast.core.errors import DataError
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.storage.sources.csv_source import CsvSource
from forecast.storage.sources.evidence import naming_rows


def _write(file: Path, stamps: list[str], series: str = "a") -> Path:
    pd.DataFrame({"unique_id": series, "ds": stamps, "y": 1.0}).to_csv(file, index=False)
    return file


def test_a_stamp_off_the_grid_is_found_in_the_second_file_after_a_duplicate_was_repaired(tmp_path: Path) -> None:
    first = _write(tmp_path / "first.csv", ["2024-01-01", "2024-01-02", "2024-01-02"])
    second = _write(tmp_path / "second.csv", ["2024-01-03", "2024-01-04 07:00:00"], "b")
    frame = CsvSource(path=[str(first), str(second)], duplicates="last").read()
    with pytest.raises(DataError) as caught, naming_rows(frame):
        Panel.from_frame(frame, Frequency.parse("D"))
    (offence,) = caught.value.offences
    assert (offence.file, offence.row, offence.column, offence.unique_id) == (str(second), 3, "ds", "b")
    assert f"file {second}, row 3" in str(caught.value)


def test_rows_that_a_policy_added_do_not_move_the_others(tmp_path: Path) -> None:
    file = _write(tmp_path / "gappy.csv", ["2024-01-01", "2024-01-04", "2024-01-05 12:00:00"])
    frame = CsvSource(path=str(file), gaps="zero", frequency="D").read()
    with pytest.raises(DataError) as caught, naming_rows(frame):
        Panel.from_frame(frame, Frequency.parse("D"))
    assert [(offence.file, offence.row) for offence in caught.value.offences] == [(str(file), 4)]


def test_a_frame_that_no_source_has_read_keeps_its_own_rows() -> None:
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.to_datetime(["2024-01-01 00:00", "2024-01-02 01:00"]), "y": 1.0})
    with pytest.raises(DataError) as caught, naming_rows(frame):
        Panel.from_frame(frame, Frequency.parse("D"))
    assert [(offence.file, offence.row) for offence in caught.value.offences] == [(None, 1)]
