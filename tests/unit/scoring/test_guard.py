"""A model that fails for one series harms that series only, and its rows say what happened."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.core.forecast_frame import ForecastFrame
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.scoring.job import run_score
from forecast.scoring.request import Bounds, Gates, Rules
from tests.faults.score_world import LAST_DAY, LastValue, names, published, request, table

RULES = Rules(gates=Gates(max_fallback_share=1.0))
IDS = names(300)


def _rows(output: Path, model: LastValue, frame: pd.DataFrame | None = None, rules: Rules = RULES) -> pd.DataFrame:
    run_score(request(output, table(IDS, days=20) if frame is None else frame, model, rules))
    return pd.read_parquet(published(output)).drop(columns="run_date")


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (LastValue(raises=("s0100",)), "the model raised ZeroDivisionError"),
        (LastValue(nan=("s0100",)), "the model raised ModelError"),
        (LastValue(absurd=("s0100",)), "absurd forecast"),
    ],
)
def test_one_bad_series_gets_a_fallback_and_the_others_stay_bitwise_the_same(tmp_path: Path, model: LastValue, reason: str) -> None:
    good, bad = _rows(tmp_path / "good", LastValue()), _rows(tmp_path / "bad", model)
    is_bad = bad["unique_id"] == "s0100"
    pd.testing.assert_frame_equal(good[~is_bad], bad[~is_bad], check_exact=True)
    assert set(bad[is_bad]["status"]) == {"fallback"}
    assert set(bad[is_bad]["reason"]) == {reason}
    assert set(bad[is_bad]["model"]) == {"seasonal_naive"}


def test_the_fallback_is_the_seasonal_naive_of_the_series(tmp_path: Path) -> None:
    frame = table(["a"], days=20)
    rows = _rows(tmp_path, LastValue(raises=("a",)), frame)
    assert rows["mean"].tolist() == frame["y"].to_numpy()[[-7, -6, -5]].tolist()


def test_a_series_that_fails_alone_gets_one_more_try(tmp_path: Path) -> None:
    model = LastValue(raises=("s0100",))
    _rows(tmp_path, model)
    assert model.asked.count(("s0100",)) == 2
    assert sum(len(ids) == 1 for ids in model.asked) == 3, "its last neighbour and, twice, the series"


def test_a_failure_that_passes_leaves_no_trace(tmp_path: Path) -> None:
    class Once(LastValue):
        def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
            first = not self.asked
            frame = super().predict(history, known_future)
            if first:
                raise MemoryError
            return frame

    pd.testing.assert_frame_equal(_rows(tmp_path / "once", Once()), _rows(tmp_path / "good", LastValue()), check_exact=True)


@pytest.mark.parametrize("answer", ["too few", "another order", "another cutoff", "fewer steps"])
def test_an_answer_to_another_question_is_a_failure(tmp_path: Path, answer: str) -> None:
    class Wrong(LastValue):
        def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
            frame = super().predict(history, known_future)
            if answer == "too few":
                return frame.take(np.arange(len(frame) - 1))
            if answer == "another order":
                return frame.take(np.arange(len(frame))[::-1])
            if answer == "another cutoff":
                return super().predict(history.until(int(history.ends[0]) - 1))
            mean, quantiles = frame.mean[:, :1], frame.quantiles[:, :1]
            return ForecastFrame.build(frame.frequency, frame.model, frame.levels, frame.ids, frame.cutoffs, mean, quantiles)

    model = Wrong()
    rows = _rows(tmp_path / "wrong", model, table(["a", "b"]))
    good = _rows(tmp_path / "good", LastValue(), table(["a", "b"]))
    assert {("a", "b"), ("a",), ("b",)} <= set(model.asked), "each series is asked for alone"
    ok = (rows["status"] == "ok").to_numpy()
    assert ok.all() == (answer == "another order"), "one series alone has no order"
    pd.testing.assert_frame_equal(rows[ok], good[ok], check_exact=True)


def test_what_a_model_itself_calls_a_fallback_is_counted_as_one(tmp_path: Path) -> None:
    class Honest(LastValue):
        def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
            frame = super().predict(history, known_future)
            frame.status[0], frame.reason[0] = "fallback", "too short"
            return frame

    report = run_score(request(tmp_path, table(["a", "b"]), Honest(), RULES))
    assert (report.counts["ok"], report.counts["fallback"], report.reasons) == (1, 1, {"too short": 1})


def test_the_bound_of_an_absurd_forecast_is_relative_to_the_series(tmp_path: Path) -> None:
    frame = pd.concat([table(["small"]), table(["large"]).assign(y=lambda f: f["y"] * 1e12)])
    rows = _rows(tmp_path / "loose", LastValue(absurd=("small", "large")), frame)
    assert set(rows[rows["status"] == "fallback"]["unique_id"]) == {"small"}
    rows = _rows(
        tmp_path / "floor",
        LastValue(absurd=("small",)),
        frame,
        Rules(RULES.policies, gates=RULES.gates, bounds=Bounds(absurd_floor=1e12)),
    )
    assert set(rows["status"]) == {"ok"}


@pytest.mark.parametrize(
    "values", [[0.0] * 20, [3.0] * 20, [1e308, -1e308] * 10, [5e-324] * 20, [-1e-3, 1e3] * 10, [np.nan] * 18 + [1.0, 2.0]]
)
def test_a_forecast_inside_the_range_of_any_series_is_not_absurd(tmp_path: Path, values: list[float]) -> None:
    class Same(LastValue):
        def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
            last = history.series(0)[-1]
            mean = np.full((1, self.horizon), last)
            return ForecastFrame.build(
                history.frequency, self.name, self.levels, history.ids, history.ends, mean, np.full((1, self.horizon, 3), last)
            )

    rows = _rows(tmp_path, Same(), table(["a"], days=20).assign(y=values))
    assert set(rows["status"]) == {"ok"}


@pytest.mark.parametrize("values", [[0.0] * 20, [1e308, -1e308] * 10, [5e-324] * 20, [np.nan] * 19 + [1.0], [1.0] + [np.nan] * 19])
def test_every_series_with_a_value_has_a_fallback(tmp_path: Path, values: list[float]) -> None:
    rows = _rows(tmp_path, LastValue(raises=("a",)), table(["a"], days=20).assign(y=values))
    assert set(rows["status"]) == {"fallback"}


def test_a_longer_history_than_the_model_reads_is_cut(tmp_path: Path) -> None:
    model = LastValue()
    model.history_limit = 5
    _rows(tmp_path, model, table(["a", "b"], days=20))
    assert model.histories[0].lengths.tolist() == [5, 5]


def test_a_series_that_the_model_cannot_see_is_not_asked_for(tmp_path: Path) -> None:
    model = LastValue()
    model.history_limit = 5
    frame = pd.concat([table(["a"], days=20), table(["ended"], days=20, end=LAST_DAY - pd.Timedelta(days=5))])
    rows = _rows(tmp_path, model, frame)
    assert model.asked == [("a",)]
    assert set(rows[rows["unique_id"] == "ended"]["reason"]) == {"no value within the model's reach"}


def test_batches_are_the_same_whatever_the_shards(tmp_path: Path) -> None:
    one, many = LastValue(), LastValue()
    run_score(request(tmp_path / "one", table(names(600), days=3), one, shard_series=1024))
    run_score(request(tmp_path / "many", table(names(600), days=3), many, shard_series=256))
    assert one.asked == many.asked
    assert [len(ids) for ids in one.asked] == [256, 256, 88]
