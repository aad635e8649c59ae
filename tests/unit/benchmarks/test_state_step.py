"""The benchmark of single steps measures what it says, beside a bare cell of the same run."""

from __future__ import annotations

from benchmarks.state_step import measure, table


def test_every_contender_is_timed_and_compared_with_the_bare_cell() -> None:
    lines = list(measure(calls=10))
    names = [line["name"] for line in lines]
    assert names[:4] == ["bare", "bare, own width", "step", "step, told the calendar"]
    assert {"step by the general way", "exported", "exported, bound", "exported, int8", "exported, int8, bound"} <= set(names)
    assert lines[0]["of_bare"] == 1.0
    assert all(line["microseconds"] > 0 for line in lines)
    assert table(lines).count("\n") == len(lines) + 1
