"""The whole path by the command line: benchmark, train, promote, score, and back. It is walked once; each test looks at one promise."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest

from forecast.tracking.registry import Registry
from forecast.tracking.store import Store
from forecast.tracking.tracker import Tracker
from tests.jobs.command_line import Ran, run, write_config

pytestmark = pytest.mark.timeout(300)  # the whole story is one fixture

MODELS = [
    {"model": "seasonal_naive"},
    {"model": "mean"},
    {"model": "gru", "name": "small", "hidden_size": 8, "max_steps": 30},
    {"model": "lstm", "name": "hopeless", "time_limit": 0.2},
]
SMALL, MEAN = "models=[{model: gru, name: small, hidden_size: 8, max_steps: 30}]", "models=[{model: mean}]"
LENIENT = "promote.better_than_naive=-9"
DATE = ("--run-date", "2026-05-05")


class World:
    """One folder with data, configuration and store; what every step of the story said, and who was champion after it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.config = folder, write_config(folder, models=MODELS)
        self.said: dict[str, Ran] = {}
        self.champions: dict[str, int | None] = {}
        self.digests: dict[str, str] = {}

    def step(self, name: str, verb: str, *settings: str, options: tuple[str, ...] = ()) -> None:
        """Runs a verb with `--set` for each setting and remembers what came of it."""
        self.said[name] = run(verb, self.config, *options, *(part for setting in settings for part in ("--set", setting)))
        champion = self.registry.champion("test")
        self.champions[name] = champion.version if champion is not None else None
        places = list((folder_of(settings) or self.folder / "out" / "forecasts").glob("run_date=*/*.parquet"))
        self.digests[name] = hashlib.sha256(places[0].read_bytes()).hexdigest() if places else ""

    @property
    def registry(self) -> Registry:
        return Registry(Store.at(self.folder / "mlruns"))


def folder_of(settings: tuple[str, ...]) -> Path | None:
    """The folder that a setting of the score section names."""
    return next((Path(text.partition("=")[2]) for text in settings if text.startswith("score.output=")), None)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("path"))
    bundle = f"score.model={world.folder / 'out' / 'training' / 'bundle'}"
    away = ("tracking.uri=http://127.0.0.1:9", f"output={world.folder / 'away'}")
    world.step("benchmark", "benchmark")
    world.step("train many", "train")
    world.step("train", "train", SMALL)
    world.step("score too early", "score", options=DATE)
    world.step("refuse", "promote", "promote.better_than_naive=0.99", "promote.coverage_error=0.0")
    world.step("promote", "promote", LENIENT)
    world.step("promote again", "promote")
    world.step("score", "score", options=DATE)
    world.step("score again", "score", options=DATE)
    world.step("score elsewhere", "score", f"score.output={world.folder / 'elsewhere'}", options=DATE)
    world.step("score another grid", "score", bundle, "data.frequency=W-MON", options=DATE)
    world.step("benchmark away", "benchmark", "models=[{model: seasonal_naive}]", *away)
    world.step("score away", "score", bundle, *away, options=DATE)
    world.step("no way back", "promote", options=("--back",))
    world.step("train mean", "train", MEAN)
    world.step("refuse mean", "promote", LENIENT)
    world.step("promote mean", "promote", LENIENT, "promote.worse_than_champion=99")
    world.step("back", "promote", options=("--back",))
    return world


def test_a_benchmark_prints_the_leaderboard_and_keeps_a_row_for_what_ran_out_of_time(world: World) -> None:
    done = world.said["benchmark"]
    assert (done.code, done.err.count("model evaluated")) == (0, 4)
    assert [name in done.out for name in ("small", "seasonal_naive", "timed out after 0.2 s", "report.html")] == [True] * 4
    board = pd.read_csv(world.folder / "out" / "leaderboard.csv")
    assert dict(zip(board["model"], board["status"], strict=True))["hopeless"] == "timed out after 0.2 s"
    assert (board["peak_memory_mb"] > 5).all()  # on a busy machine 0.2 s do not even load the libraries
    assert (world.folder / "out" / "report.html").stat().st_size > 1_000_000


def test_every_model_is_a_comparable_run_below_one_parent(world: World) -> None:
    tracker = Tracker(Store.at(world.folder / "mlruns"), "test")
    client = tracker.store.client
    experiment = client.get_experiment_by_name("test")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [one for one in runs if "task.horizon" in one.data.params]
    children = tracker.children(parent.info.run_id)
    assert sorted(children["model"]) == ["hopeless", "mean", "seasonal_naive", "small"]
    assert children["task_fingerprint"].nunique() == children["panel_fingerprint"].nunique() == 1
    assert dict(zip(children["model"], children["status"], strict=True))["hopeless"] == "FAILED"
    small = next(one for one in runs if one.data.tags.get("model") == "small")
    assert small.data.params["hidden_size"] == "8"
    assert {"mase", "fit_seconds", "peak_memory_mb"} <= set(small.data.metrics)
    assert {file.path for file in client.list_artifacts(small.info.run_id)} >= {"model.json", "per_series.parquet", "plots"}
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} >= {"configuration.yaml", "report.html"}


def test_train_refuses_more_than_one_model(world: World) -> None:
    done = world.said["train many"]
    assert (done.code, done.out, "4 are named" in done.err) == (78, "", True)


def test_a_trained_model_is_a_new_version_that_is_not_champion_yet(world: World) -> None:
    assert (world.said["train"].code, world.champions["train"]) == (0, None)
    assert "version 1 of 'test'" in world.said["train"].out
    assert (world.said["score too early"].code, world.said["score too early"].out) == (69, "")


def test_a_candidate_that_a_gate_refuses_is_not_promoted(world: World) -> None:
    done = world.said["refuse"]
    assert (done.code, done.out, world.champions["refuse"]) == (80, "", None)
    assert ["2 gates refuse" in done.err, "seasonal naive's" in done.err, "interval covers" in done.err] == [True] * 3


def test_a_candidate_that_passes_becomes_champion_without_measuring_again_what_the_benchmark_measured(world: World) -> None:
    done = world.said["promote"]
    assert (done.code, "model evaluated" in done.err, world.champions["promote"]) == (0, False, 1)
    assert (world.said["promote again"].code, "champion already" in world.said["promote again"].out) == (0, True)


def test_score_publishes_once_and_the_same_bytes(world: World) -> None:
    first, second = world.said["score"], world.said["score again"]
    assert (first.code, second.code, world.said["score elsewhere"].code) == (0, 0, 0)
    assert ("nothing to do" in first.out, "nothing to do" in second.out) == (False, True)
    assert world.digests["score"] == world.digests["score again"] == world.digests["score elsewhere"] != ""
    frame = pd.read_parquet(next((world.folder / "out" / "forecasts").glob("run_date=*/*.parquet")))
    assert (len(frame), set(frame["unique_id"]), str(frame["cutoff"].max())[:10]) == (
        42,
        {f"00{n}" for n in range(6)},
        "2026-05-04",
    )


def test_the_lines_of_a_scoring_run_carry_its_key_and_date(world: World) -> None:
    events = world.said["score"].events()
    assert {event["run_date"] for event in events} == {"2026-05-05"}
    assert len({event["run_key"] for event in events if event["event"] != "run failed"}) == 1


def test_a_model_for_another_grid_is_refused_before_anything_is_scored(world: World) -> None:
    done = world.said["score another grid"]
    assert (done.code, "trained with frequency D" in done.err) == (70, True)


def test_tracking_that_is_away_costs_no_result(world: World) -> None:
    compared, scored = world.said["benchmark away"], world.said["score away"]
    assert (compared.code, "seasonal_naive" in compared.out) == (73, True)
    assert (world.folder / "away" / "leaderboard.csv").exists()
    assert (scored.code, scored.events()[-1]["event"]) == (0, "tracking waits in the outbox")
    assert list((world.folder / "away" / "forecasts").glob("run_date=*/*.parquet"))


def test_the_champion_is_one_rival_of_the_next_candidate(world: World) -> None:
    refused = world.said["refuse mean"]
    assert (refused.code, "champion's" in refused.err, world.champions["refuse mean"]) == (80, True, 1)
    assert (world.said["promote mean"].code, world.champions["promote mean"]) == (0, 2)


def test_the_way_back_is_kept(world: World) -> None:
    assert (world.said["no way back"].code, world.champions["no way back"]) == (69, 1)
    assert ("version 1" in world.said["back"].out, world.champions["back"]) == (True, 1)
