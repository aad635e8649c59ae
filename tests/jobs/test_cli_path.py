"""The whole path by the command line: benchmark, train, promote, score, and back."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest

from forecast.tracking.registry import Registry
from forecast.tracking.store import Store
from forecast.tracking.tracker import Tracker
from tests.jobs.command_line import Ran, run, write_config

MODELS = [
    {"model": "seasonal_naive"},
    {"model": "mean"},
    {"model": "gru", "name": "small", "hidden_size": 8, "max_steps": 30},
    {"model": "lstm", "name": "hopeless", "time_limit": 0.2},
]


class World:
    """One folder with data, configuration and store that the tests of this file share, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = write_config(folder, models=MODELS)
        self.benchmarked = run("benchmark", self.config)

    def run(self, verb: str, *options: str) -> Ran:
        return run(verb, self.config, *options)

    @property
    def registry(self) -> Registry:
        return Registry(Store.at(self.folder / "mlruns"))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("path"))


def test_a_benchmark_prints_the_leaderboard_and_keeps_a_row_for_what_ran_out_of_time(world: World) -> None:
    done = world.benchmarked
    assert (done.code, done.err.count("model evaluated")) == (0, 4)
    assert [name in done.out for name in ("small", "seasonal_naive", "timed out after 0.2 s", "report.html")] == [True] * 4
    board = pd.read_csv(world.folder / "out" / "leaderboard.csv")
    assert dict(zip(board["model"], board["status"], strict=True))["hopeless"] == "timed out after 0.2 s"
    assert (board["peak_memory_mb"] > 20).all()
    assert (world.folder / "out" / "report.html").stat().st_size > 1_000_000


def test_every_model_is_a_comparable_run_below_one_parent(world: World) -> None:
    tracker = Tracker(Store.at(world.folder / "mlruns"), "test")
    client = tracker.store.client
    experiment = client.get_experiment_by_name("test")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    parents = [one for one in runs if "mlflow.parentRunId" not in one.data.tags]
    children = tracker.children(parents[0].info.run_id)
    assert (len(parents), sorted(children["model"])) == (1, ["hopeless", "mean", "seasonal_naive", "small"])
    assert children["task_fingerprint"].nunique() == children["panel_fingerprint"].nunique() == 1
    assert dict(zip(children["model"], children["status"], strict=True))["hopeless"] == "FAILED"
    small = next(one for one in runs if one.data.tags.get("model") == "small")
    assert small.data.params["hidden_size"] == "8"
    assert {"mase", "fit_seconds", "peak_memory_mb"} <= set(small.data.metrics)
    names = [file.path for file in client.list_artifacts(small.info.run_id)]
    assert {"model.json", "per_series.parquet", "plots"} <= set(names)
    assert {file.path for file in client.list_artifacts(parents[0].info.run_id)} >= {"configuration.yaml", "report.html"}


def test_train_refuses_more_than_one_model(world: World) -> None:
    done = world.run("train")
    assert (done.code, done.out) == (78, "")
    assert "4 are named" in done.err


def test_a_trained_model_is_a_new_version_that_is_not_champion_yet(world: World) -> None:
    assert world.run("train", "--set", "models=[{model: gru, name: small, hidden_size: 8, max_steps: 30}]").code == 0
    (version,) = world.registry.versions("test")
    assert (version.version, version.aliases) == (1, ())
    assert world.run("score", "--run-date", "2026-05-05").code == 69


def test_a_candidate_that_a_gate_refuses_is_not_promoted(world: World) -> None:
    done = world.run("promote", "--set", "promote.better_than_naive=0.99", "--set", "promote.coverage_error=0.0")
    assert (done.code, done.out) == (80, "")
    assert ["2 gates refuse" in done.err, "seasonal naive's" in done.err, "interval covers" in done.err] == [True] * 3
    assert world.registry.champion("test") is None


def test_a_candidate_that_passes_becomes_champion_without_measuring_again_what_the_benchmark_measured(world: World) -> None:
    done = world.run("promote", "--set", "promote.better_than_naive=-9")
    assert (done.code, "model evaluated" in done.err) == (0, False)
    champion = world.registry.champion("test")
    assert champion is not None
    assert champion.version == 1
    again = world.run("promote")
    assert (again.code, "champion already" in again.out) == (0, True)


def test_score_publishes_once_and_the_same_bytes(world: World) -> None:
    first = world.run("score", "--run-date", "2026-05-05")
    assert first.code == 0, first.err
    (place,) = (world.folder / "out" / "forecasts").glob("run_date=*/*.parquet")
    digest = hashlib.sha256(place.read_bytes()).hexdigest()
    second = world.run("score", "--run-date", "2026-05-05")
    assert (second.code, "nothing to do" in second.out) == (0, True)
    assert hashlib.sha256(place.read_bytes()).hexdigest() == digest
    elsewhere = world.run("score", "--run-date", "2026-05-05", "--set", f"score.output={world.folder / 'elsewhere'}")
    assert elsewhere.code == 0
    (copy,) = (world.folder / "elsewhere").glob("run_date=*/*.parquet")
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == digest
    frame = pd.read_parquet(place)
    assert (len(frame), set(frame["unique_id"]), str(frame["cutoff"].max())[:10]) == (
        42,
        {f"00{n}" for n in range(6)},
        "2026-05-04",
    )
    keyed = [event for event in first.events() if "run_key" in event]
    assert keyed
    assert {event["run_date"] for event in keyed} == {"2026-05-05"}


def test_a_model_for_another_grid_is_refused_before_anything_is_scored(world: World) -> None:
    bundle = world.folder / "out" / "training" / "bundle"
    done = world.run("score", "--run-date", "2026-05-05", "--set", f"score.model={bundle}", "--set", "data.frequency=W-MON")
    assert (done.code, "trained with frequency D" in done.err) == (70, True)


def test_the_champion_is_one_rival_of_the_next_candidate_and_the_way_back_is_kept(world: World) -> None:
    assert world.run("promote", "--back").code == 69
    assert world.run("train", "--set", "models=[{model: mean}]").code == 0
    refused = world.run("promote", "--set", "promote.better_than_naive=-9")
    assert (refused.code, "champion's" in refused.err) == (80, True)
    assert world.run("promote", "--set", "promote.better_than_naive=-9", "--set", "promote.worse_than_champion=99").code == 0
    assert "version 1" in world.run("promote", "--back").out
    champion = world.registry.champion("test")
    assert champion is not None
    assert champion.version == 1
