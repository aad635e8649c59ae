"""The accuracy bench from a folder to its line and table, with models that take no time."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import benchmarks.accuracy as bench
from benchmarks.accuracy_table import render
from benchmarks.every_window import Protocol
from benchmarks.panel_cases import as_numbers, read_case
from benchmarks.peers import Contender, kept, place_of, run
from forecast.core.errors import DataError

HORIZON, ROWS = 7, 60
SCORER = """
import json, sys, pandas as pd
truth, told = pd.read_parquet(sys.argv[1] + "/test.parquet"), pd.read_parquet(sys.argv[2])
both = truth.merge(told, on=["unique_id", "ds"])
assert len(both) == len(truth)
print(json.dumps({"sMAPE": float((both.y - both["q0.5"]).abs().mean()), "WQL": float("nan"), "coverage_80": 0.0}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of six daily series with a known covariate, and a scorer beside it."""
    chance = np.random.default_rng(0)
    frames = []
    for number in range(6):
        t = np.arange(ROWS + HORIZON)
        y = 50 + 9 * np.sin(2 * np.pi * t / 7) + chance.normal(size=len(t))
        days = pd.date_range("2024-01-01", periods=len(t))
        frames.append(
            pd.DataFrame({"unique_id": f"s{number}", "ds": days, "y": y, "event": ["fair" if day % 10 == 0 else None for day in t]})
        )
    whole, place = pd.concat(frames), tmp_path / "daily"
    place.mkdir()
    last = whole["ds"] >= "2024-03-01"
    whole[~last].to_parquet(place / "train.parquet")
    whole[last].to_parquet(place / "test.parquet")
    meta = {"frequency": "D", "season_length": 7, "horizon": HORIZON, "known": ["event"]}
    (place / "meta.json").write_text(json.dumps(meta))
    (tmp_path / "scorer.py").write_text(SCORER)
    return place


def _options(folder: Path, **changes: Any) -> argparse.Namespace:
    options = bench.arguments().parse_args([str(folder), "--model=seasonal_naive", "--against=naive,mean"])
    return argparse.Namespace(**(vars(options) | changes))


def test_a_validation_line_has_scores_coverage_ratios_and_costs(folder: Path) -> None:
    line = bench.measure(str(folder), _options(folder))
    assert (line["panel"], line["part"], line["covariates"]) == ("daily", "validation", False)
    assert line["mase"] == pytest.approx(1.0, abs=0.3)
    assert line["wql"] == line["snaive_wql"]
    assert 0 < line["coverage_se"] < 0.5
    assert {(r["peer"], r["metric"]) for r in line["ratios"]} >= {("naive", "mase"), ("mean", "smape"), ("mean", "wql")}
    assert all(r["low"] <= r["ratio"] <= r["high"] < 1 for r in line["ratios"] if r["metric"] == "mase")
    assert line["seconds"] > 0
    assert line["peak_mb"] > 10


def test_a_test_line_reads_the_test_part_through_the_scorer(folder: Path) -> None:
    line = bench.measure(str(folder), _options(folder, test=True, scorer=folder.parent / "scorer.py"))
    truth, train = (pd.read_parquet(folder / f"{part}.parquet") for part in ("test", "train"))
    week = train.groupby("unique_id").tail(7)
    assert line["sMAPE"] == pytest.approx(np.abs(truth["y"].to_numpy() - week["y"].to_numpy()).mean())
    assert line["WQL"] is None  # what is no number is none in JSON
    assert line["snaive_wql"] == line["wql"]  # our own stands in
    assert line["coverage_80"] > 0  # ours, with its error, not the scorer's


def test_the_model_learns_from_the_training_part_alone(folder: Path) -> None:
    """For the validation the test part is not even read; for the test no target of it reaches the fit or the forecast."""
    before = bench.measure(str(folder), _options(folder, model="mean"))
    test = pd.read_parquet(folder / "test.parquet")
    test.assign(y=1e9).to_parquet(folder / "test.parquet")
    after = bench.measure(str(folder), _options(folder, model="mean"))
    assert after["mase"] == before["mase"]
    found = run(Contender("mean", {}), read_case(folder, "test"))
    assert (found.frames[0].mean < 1e3).all()


def test_a_test_part_that_is_not_the_horizon_is_refused(folder: Path) -> None:
    test = pd.read_parquet(folder / "test.parquet")
    test[test["ds"] < test["ds"].max()].to_parquet(folder / "test.parquet")
    with pytest.raises(DataError, match="6 series have other than 7 steps of test part"):
        read_case(folder, "test")


def test_covariates_are_read_as_numbers_with_the_values_of_the_training_part(folder: Path) -> None:
    case = read_case(folder, "test", covariates=True)
    assert case.panel.roles.known == ("event is fair",)
    assert case.panel.known[:, 0].tolist() == [float(row % 10 == 0) for _ in range(6) for row in range(ROWS + HORIZON)]
    frame = pd.DataFrame({"a": ["x", None, "late"], "b": [1, 2, 3]})
    numbers, names = as_numbers(frame, ("a", "b"), seen=2)
    assert (names, numbers["a is x"].tolist(), numbers["b"].tolist()) == (("a is x", "b"), [1.0, 0.0, 0.0], [1.0, 2.0, 3.0])


def test_a_peer_is_fitted_once_and_again_when_panel_or_arguments_differ(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, kept_in, runs = read_case(folder, "validation"), folder.parent / "kept", []

    def counted(contender: Contender, case: Any) -> Any:
        runs.append(contender.label)
        return run(contender, case)

    monkeypatch.setattr("benchmarks.peers.run", counted)
    peer = Contender.parse("window_average:window=3")
    first, second = kept(peer, case, kept_in), kept(peer, case, kept_in)
    assert runs == ["window_average:window=3"]
    assert second.aggregate() == first.aggregate()
    assert np.array_equal(second.frames[0].quantiles, first.frames[0].quantiles)
    others = [(Contender.parse("window_average:window=4"), case), (peer, read_case(folder, "test"))]
    assert len({place_of(peer, case, kept_in), *(place_of(*other, kept_in) for other in others)}) == 3


def test_every_window_of_the_stretch_is_forecast_by_a_model_that_has_not_seen_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "PROTOCOLS", {"daily": Protocol((3,), 30, 12, HORIZON)})
    assert list(bench.cases_of([str(folder.parent)], made=False)) == [f"{folder}:3"]
    line = bench.measure(f"{folder}:3", _options(folder, model="naive"))
    assert (line["panel"], line["windows"]) == ("daily/3", 10)
    train = pd.read_parquet(folder / "train.parquet")
    errors = []
    for _, rows in train.groupby("unique_id"):
        y = rows["y"].to_numpy()
        errors += [(y[at + step] - y[at - 1]) / y[:30].std() for at in range(ROWS - 12, ROWS - 2) for step in range(3)]
    assert line["mse"] == pytest.approx(np.mean(np.square(errors)), rel=1e-4)
    assert bench.measure(f"{folder}:3", _options(folder, model="naive", test=True))["windows"] == HORIZON - 3 + 1


def test_a_generated_panel_is_compared_with_the_best_simple_model(monkeypatch: pytest.MonkeyPatch) -> None:
    options = bench.arguments().parse_args(["made:short_series", "--model=naive"])
    line = bench.measure("made:short_series", options)
    of_mase = {r["peer"]: r["peer_value"] for r in line["ratios"] if r["metric"] == "mase"}
    assert set(of_mase) == {"mean", "dynamic_optimized_theta"}  # a model is not its own judge
    assert line["best_ratio"] == pytest.approx(line["mase"] / min(of_mase.values()), rel=1e-3)


def test_the_table_has_every_target_and_marks_what_misses_it() -> None:
    line = {"panel": "m3_yearly", "part": "test", "model": "auto", "arguments": {"budget": 200}, "sMAPE": 15.9, "smape": 1.0, "seconds": 61.2, "peak_mb": 900,
            "coverage_80": 0.7, "coverage_se": 0.01, "coverage_ok": False, "WQL": 0.1, "snaive_wql": 0.14,
            "ratios": [{"peer": p, "metric": "smape", "ratio": r, "low": r - 0.1, "high": r + 0.1} for p, r in (("weak", 0.5), ("strong", 0.98))]}  # fmt: skip
    text = render([{**line, "sMAPE": 99.0, "arguments": {"budget": 900}}, line, {**line, "arguments": {"lags": 1}}])
    assert "## Test part, `auto`\n" in text  # a budget is a cost, not another model
    assert text.count("## ") == 2
    assert text.count("m4_hourly") == 1  # what was not measured is seen of the default alone
    assert (
        "| m3_yearly | sMAPE | 15.7 | 15.1 | **15.9** | strong 0.980 [0.88, 1.08]; weak 0.500 [0.4, 0.6] | 200 | 61 | 900 |" in text
    )
    assert "0.700 ± 0.01 **(off)**" in text
    assert "| m3_yearly | WQL | below the seasonal naive |  | 0.1 | seasonal_naive 0.14 |" in text
    assert "| m4_hourly | OWA | 0.4 | 0.36 |  |  |  |  |" in text
    assert "99" not in text  # the last line of a set counts
    assert "## Nothing measured yet" in render([])


def test_arguments_on_the_command_line_are_plain_values_or_text() -> None:
    parsed = Contender.parse("gru:max_steps=20:head=negative_binomial:carry=false:lags=null")
    assert parsed.arguments == {"max_steps": 20, "head": "negative_binomial", "carry": False, "lags": None}
    assert parsed.label == "gru:max_steps=20:head=negative_binomial:carry=False:lags=None"
