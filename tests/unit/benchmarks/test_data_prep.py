"""The generated table and the stages of the data benchmark."""

from __future__ import annotations

from pathlib import Path

from benchmarks.data_prep import STAGES, lines_of, make_table, measure_ours, measure_pandas, names_of, stage_times


def test_stages_are_the_time_between_marks_and_the_peak_at_their_end() -> None:
    marks = [("empty", 10.0, 1.0, 50.0), ("read", 12.5, 2.0, 80.0), ("panel", 13.0, 2.25, 81.0)]
    read, panel = stage_times(marks)
    assert read == {"stage": "read", "seconds": 2.5, "cpu_seconds": 1.0, "peak_mb": 80}
    assert panel == {"stage": "panel", "seconds": 0.5, "cpu_seconds": 0.25, "peak_mb": 81}
    total = lines_of("ours", {"stages": [read, panel], "empty_mb": 50, "bytes_per_row": 8.0}, 1_000_000)[-1]
    assert "3.00 s" in total
    assert "31 at the peak" in total


def test_both_sides_read_the_whole_generated_table(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    make_table(file, 100, 130, 2)
    ours, plain = measure_ours(file, names_of(2)), measure_pandas(file, names_of(2))
    assert [one["stage"] for one in ours["stages"]] == list(STAGES)
    assert 24 < ours["bytes_per_row"] < 25  # three numbers a row, and a little for each series
    assert plain["bytes_per_row"] > ours["bytes_per_row"]
