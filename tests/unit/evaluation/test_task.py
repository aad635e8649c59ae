"""The task: its cutoffs, its mistakes and its fingerprint."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import Any

import pytest

from forecast.core.errors import ConfigError
from forecast.evaluation.task import Task
from tests.unit.evaluation.worlds import panel_of

RAGGED = panel_of({"a": [1.0] * 10, "b": [2.0] * 20, "c": [3.0] * 4}, {"c": "2024-01-12"})  # last days: 10, 20, 15


def test_the_last_rows_of_each_series_are_its_last_window() -> None:
    task = Task(horizon=3, windows=3, step=2)
    assert (task.cutoffs(RAGGED) - RAGGED.ends[:, None]).tolist() == [[-7, -5, -3]] * 3


def test_calendar_cutoffs_are_the_same_for_all_series() -> None:
    task = Task(horizon=3, windows=2, anchor="calendar")
    assert (task.cutoffs(RAGGED) - RAGGED.last_cutoff).tolist() == [[-6, -3]] * 3


def test_windows_do_not_overlap_unless_asked() -> None:
    assert Task(horizon=5).stride == 5
    assert Task(horizon=5, step=1).stride == 1


def test_the_training_part_ends_at_the_first_cutoff() -> None:
    part = Task(horizon=3, windows=2).training_part(RAGGED)
    assert part.ids.tolist() == ["a", "b"]
    assert part.lengths.tolist() == [4, 14]


def test_scaled_metrics_have_the_season_of_the_task() -> None:
    assert Task(horizon=2, season_lengths=(24, 168)).scale_season == 24
    assert Task(horizon=2).scale_season == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"horizon": 0}, ["task.horizon", "0"]),
        ({"horizon": 2.5}, ["task.horizon", "2.5"]),
        ({"horizon": True}, ["task.horizon", "True"]),
        ({"horizon": 2, "windows": 0}, ["task.windows"]),
        ({"horizon": 2, "step": 0}, ["task.step"]),
        ({"horizon": 2, "season_lengths": (7, 0)}, ["task.season_lengths.1"]),
        ({"horizon": 2, "levels": (0.5, 1.0)}, ["task.levels.1", "1.0"]),
        ({"horizon": 2, "levels": (0.5, 0.1)}, ["do not ascend"]),
        ({"horizon": 2, "metrics": ()}, ["task.metrics"]),
        ({"horizon": 2, "metrics": ("mase", "mase")}, ["'mase'", "2 times"]),
        ({"horizon": 2, "metrics": ("smap",)}, ["'smap'", "did you mean 'smape'"]),
        ({"horizon": 2, "metrics": ("zzzzz",)}, ["'zzzzz'", "known are"]),
        ({"horizon": 2, "metrics": ("width_80", "mase")}, ["task.metrics.0", "'width_80'", "cannot rank"]),
        ({"horizon": 2, "refit": "often"}, ["task.refit", "'often'"]),
        ({"horizon": 2, "anchor": "sea"}, ["task.anchor", "'sea'"]),
    ],
)
def test_a_mistake_is_named_with_its_key_and_value(fields: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Task(**fields)
    assert all(word in str(caught.value) for word in words)


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        Task(horizon=0, windows=0, metrics=("x",))
    assert len(caught.value.mistakes) == 3


CHANGES: dict[str, Any] = {"horizon": 4, "windows": 2, "step": 1, "season_lengths": (7,), "levels": (0.5,), "metrics": ("mae",),
                           "refit": "each", "anchor": "calendar"}  # fmt: skip


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Task)])
def test_every_field_changes_the_fingerprint(field: str) -> None:
    task = Task(horizon=3)
    assert dataclasses.replace(task, **{field: CHANGES[field]}).fingerprint() != task.fingerprint()


def test_a_step_of_one_horizon_is_the_same_experiment_said_or_unsaid() -> None:
    assert Task(horizon=3, step=3).fingerprint() == Task(horizon=3).fingerprint()


def test_the_fingerprint_is_the_same_in_another_process() -> None:
    code = "from forecast.evaluation.task import Task; print(Task(horizon=3, season_lengths=(7,)).fingerprint())"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "77", "PYTHONPATH": "."}
    )
    assert out.stdout.strip() == Task(horizon=3, season_lengths=(7,)).fingerprint()


def test_a_task_survives_json() -> None:
    task = Task(horizon=3, windows=2, season_lengths=(7, 365), levels=(0.1, 0.9), refit="each")
    assert Task.from_fields(json.loads(json.dumps(task.fields()))) == task
