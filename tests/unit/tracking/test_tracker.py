"""Laws of tracking: one comparable child per model, under our own fingerprints, failures included."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.core.errors import SinkError
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.evaluation.backtest import evaluate
from forecast.evaluation.evaluation import Evaluation
from forecast.evaluation.task import Task
from forecast.tracking.code_version import code_version
from forecast.tracking.rows import CurveRecorder, MetricRow, evaluation_rows, flat_parameters, per_series_table
from forecast.tracking.store import Store
from forecast.tracking.tracker import Tracker
from tests.unit.storage.toy_forecaster import LastPlusBias

TASK = Task(horizon=3, windows=2, step=3, season_lengths=(7,), levels=(0.1, 0.5, 0.9))


def ragged_panel() -> Panel:
    frames = []
    for name, rows in (("long", 60), ("short", 12)):
        stamps = pd.date_range(end="2024-06-30", periods=rows, freq="D")
        frames.append(pd.DataFrame({"unique_id": name, "ds": stamps, "y": 10 + np.sin(np.arange(rows))}))
    return Panel.from_frame(pd.concat(frames), Frequency.parse("D"))


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(LastPlusBias(), ragged_panel(), TASK)


@pytest.fixture
def tracker(store: Store) -> Tracker:
    return Tracker(store, "trial")


def start(tracker: Tracker) -> str:
    return tracker.start_benchmark("bench", task=TASK, panel_fingerprint=ragged_panel().fingerprint(), configuration="a: 1\n")


def test_a_child_carries_the_fingerprints_of_its_benchmark(tracker: Tracker) -> None:
    parent = start(tracker)
    child = tracker.start_model("toy", parent=parent, parameters={"network": {"hidden_size": 64}})
    run = tracker.store.client.get_run(child)
    assert run.data.tags["mlflow.parentRunId"] == parent
    assert run.data.tags["task_fingerprint"] == TASK.fingerprint()
    assert run.data.tags["panel_fingerprint"] == ragged_panel().fingerprint()
    assert run.data.tags["code_version"] == code_version()
    assert run.data.params == {"network.hidden_size": "64"}
    assert tracker.store.client.get_run(parent).data.params["task.horizon"] == "3"


def test_an_evaluation_comes_back_as_it_was_logged(tracker: Tracker, evaluation: Evaluation) -> None:
    parent = start(tracker)
    child = tracker.start_model("toy", parent=parent, parameters={})
    tracker.log_evaluation(child, evaluation)
    tracker.finish(child)
    row = tracker.children(parent).iloc[0]
    for name, value in evaluation.aggregate().items():
        assert row[name] == pytest.approx(value, rel=1e-12), name
    assert (row["model"], row["status"], row["fallbacks"]) == ("toy", "FINISHED", 0)
    table = pd.read_parquet(tracker.store.client.download_artifacts(child, "per_series.parquet"))
    pd.testing.assert_frame_equal(table, per_series_table(evaluation))
    assert list(table["unique_id"]) == ["long", "short"]


def test_metrics_of_windows_are_a_series_whose_mean_is_the_whole(tracker: Tracker, evaluation: Evaluation) -> None:
    child = tracker.start_model("toy", parent=None, parameters={})
    tracker.log_evaluation(child, evaluation)
    history = tracker.store.client.get_metric_history(child, "window/mae")
    assert [point.step for point in history] == [0, 1]
    assert np.mean([point.value for point in history]) == pytest.approx(evaluation.aggregate()["mae"])


def test_a_short_series_counts_in_the_late_windows(evaluation: Evaluation) -> None:
    late = evaluation.scores["cutoff"] == evaluation.scores["cutoff"].max()
    kept = (evaluation.scores["unique_id"] == "long") | late
    cut = Evaluation(
        evaluation.model, TASK, "", evaluation.scores[kept], evaluation.steps, evaluation.calibration, evaluation.costs
    )
    rows = {row.step: row.value for row in evaluation_rows(cut) if row.name == "window/mae"}
    early = evaluation.scores[~late & (evaluation.scores["unique_id"] == "long") & (evaluation.scores["metric"] == "mae")]
    assert rows[0] == pytest.approx(early["value"].item())


def test_what_cannot_be_measured_is_left_out(evaluation: Evaluation) -> None:
    blank = evaluation.scores.assign(value=np.nan, total=np.nan)
    rows = evaluation_rows(Evaluation("m", TASK, "", blank, evaluation.steps, evaluation.calibration, evaluation.costs))
    assert all(math.isfinite(row.value) for row in rows)
    assert not [row for row in rows if row.name.startswith("window/") or row.name == "mae"]


@pytest.mark.parametrize("reason", ["timed out after 120 s", "failed: " + "x" * 10_000])
def test_a_failed_model_is_a_failed_run_that_says_why(tracker: Tracker, reason: str) -> None:
    parent = start(tracker)
    child = tracker.start_model("slow", parent=parent, parameters={})
    tracker.log_evaluation(child, Evaluation.without_scores("slow", TASK, "", reason))
    tracker.finish(child, reason)
    row = tracker.children(parent).iloc[0]
    assert (row["status"], row["reason"]) == ("FAILED", reason[:5000])
    assert "mae" not in row


def test_children_come_in_the_order_they_were_started(tracker: Tracker) -> None:
    parent = start(tracker)
    for name in ("a", "b", "c"):
        tracker.start_model(name, parent=parent, parameters={})
    start(tracker)
    assert list(tracker.children(parent)["model"]) == ["a", "b", "c"]


def test_curves_of_a_training_are_logged_in_batches(tracker: Tracker) -> None:
    recorder = CurveRecorder()
    for step in range(1200):
        recorder.log("train/loss", 1 / (1 + step), step)
    child = tracker.start_model("net", parent=None, parameters={})
    tracker.log_rows(child, [MetricRow(*row) for row in json.loads(json.dumps(recorder.rows))])
    history = tracker.store.client.get_metric_history(child, "train/loss")
    assert [(point.step, point.value) for point in history] == [(step, 1 / (1 + step)) for step in range(1200)]


def test_the_data_set_is_known_by_our_fingerprint(tracker: Tracker) -> None:
    child = tracker.start_model("net", parent=None, parameters={})
    fingerprint = ragged_panel().fingerprint()
    tracker.log_panel(child, "sample", fingerprint, "CSV file sales.csv")
    inputs = tracker.store.client.get_run(child).inputs
    assert inputs is not None
    (logged,) = inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest) == ("sample", fingerprint[:36])
    assert {tag.key: tag.value for tag in logged.tags} == {"mlflow.data.context": "training", "fingerprint": fingerprint}


def test_files_and_texts_arrive(tracker: Tracker, tmp_path: Path) -> None:
    plot = tmp_path / "plot.html"
    plot.write_text("<html>")
    child = tracker.start_model("net", parent=None, parameters={})
    tracker.log_files(child, [plot], "plots")
    tracker.log_text(child, "a: 1", "configuration.yaml")
    found = {item.path for folder in ("", "plots") for item in tracker.store.client.list_artifacts(child, folder)}
    assert found == {"plots", "plots/plot.html", "configuration.yaml"}


def test_parameters_are_flat_text_within_the_limits_of_mlflow(tracker: Tracker) -> None:
    values = {
        "a": {"b": [1, 2], "c": None},
        "models": [{"name": "x"}, {"name": "y"}],
        "odd(key)": True,
        "long": "x" * 9000,
        "path": Path("p"),
    }
    flat = flat_parameters(values)
    assert {key: value[:5] for key, value in flat.items()} == {
        "a.b": "[1, 2", "a.c": "null", "models.0.name": "x", "models.1.name": "y", "odd_key_": "true", "long": "xxxxx", "path": '"p"',
    }  # fmt: skip
    many = {f"p{i}": i for i in range(250)}
    child = tracker.start_model("net", parent=None, parameters={**values, **many})
    assert len(tracker.store.client.get_run(child).data.params) == 257


def test_nothing_is_written_to_the_working_directory(tracker: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    tracker.log_text(start(tracker), "x", "x.txt")
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_deleted_experiment_says_what_to_do(tracker: Tracker) -> None:
    client = tracker.store.client
    client.delete_experiment(client.create_experiment("trial"))
    with pytest.raises(SinkError, match="restore it"):
        start(tracker)


def test_mlflow_prints_nothing(tracker: Tracker, evaluation: Evaluation, capfd: pytest.CaptureFixture[str]) -> None:
    child = tracker.start_model("toy", parent=start(tracker), parameters={})
    tracker.log_evaluation(child, evaluation)
    tracker.finish(child)
    assert capfd.readouterr() == ("", "")
