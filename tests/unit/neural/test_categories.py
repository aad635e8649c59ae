"""Networks that read names: they learn what a name means, and names that they have not seen are no error."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.core.arrays import FloatArray
from forecast.core.frequency import Frequency
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel, Roles
from forecast.factory import load_state, save_state
from forecast.neural.advance import advance
from forecast.neural.carried_state import start, update
from forecast.neural.registry import NEURAL
from tests.unit.neural.worlds import HORIZON, quick

ROLES = Roles(known=("event",), past=("sky",), static=("kind",), categorical=("event", "sky", "kind"))
DAILY = Frequency.parse("D", (7,))
LIFT = {"none": 0.0, "fair": 30.0, "strike": -30.0}


def _world(
    series: int, seed: int, days: int = 120, names: tuple[str, ...] = ("none", "fair", "strike")
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Level plus what the event of the day adds; the event is known ahead, the sky says nothing."""
    rng, frames = np.random.default_rng(seed), []
    for number in range(series):
        events = rng.choice(names, days)
        y = 100 + 10 * number + np.array([LIFT.get(e, 0.0) for e in events]) + rng.normal(size=days)
        frames.append(pd.DataFrame({"unique_id": f"s{number:02d}", "ds": pd.date_range("2026-01-01", periods=days), "y": y,
                                    "event": events, "sky": rng.choice(["sun", "rain"], days)}))  # fmt: skip
    kinds = pd.DataFrame(
        {"unique_id": [f"s{n:02d}" for n in range(series)], "kind": ["large" if n % 2 else "small" for n in range(series)]}
    )
    return pd.concat(frames, ignore_index=True), kinds


def _split(rows: pd.DataFrame, kinds: pd.DataFrame) -> tuple[Panel, KnownFuture, FloatArray]:
    last = rows["ds"].max() - pd.Timedelta(days=HORIZON)
    later = rows[rows["ds"] > last]
    future = KnownFuture.from_frame(later.drop(columns="y"), DAILY, ("event",), ("event",))
    return Panel.from_frame(rows[rows["ds"] <= last], DAILY, ROLES, kinds), future, later["y"].to_numpy().reshape(-1, HORIZON)


@pytest.mark.parametrize("model", sorted(NEURAL))
def test_names_unknown_and_missing_are_read_by_every_network_and_survive_saving(model: str) -> None:
    panel, _, _ = _split(*_world(8, 0))
    forecaster = quick(model)
    forecaster.fit(panel)
    strange, ahead, _ = _split(*_world(4, 1, names=("none", "moon landing")))
    strange = replace(strange, static=np.full_like(strange.static, np.nan))
    frame = forecaster.predict(strange, ahead)
    assert np.isfinite(frame.quantiles).all()
    other = quick(model)
    other.restore(forecaster.weights())
    np.testing.assert_array_equal(other.predict(strange, ahead).quantiles, frame.quantiles)


@pytest.mark.parametrize("model", ["gru", "mqrnn", "seq2seq", "segrnn", "linear"])
def test_what_a_name_means_is_learned_whatever_list_it_comes_in(model: str) -> None:
    panel, _, _ = _split(*_world(24, 0))
    forecaster = quick(model, max_steps=250, validate_every=0, batch_size=16, learning_rate=1e-2, hidden_size=24, dropout=0.0,
                       forced_steps=0)  # fmt: skip
    forecaster.fit(panel)
    history, future, truth = _split(
        *_world(24, 1, names=("fair", "none"))
    )  # another list: "fair" is first and "strike" is not there
    error = np.abs(forecaster.predict(history, future).mean - truth).mean()
    assert error < 11, "an event moves a value by 30: who knows the level alone is 15 off"


def test_updates_read_the_names_of_new_rows_through_the_list_of_training() -> None:
    rows, kinds = _world(6, 0)
    panel, future, _ = _split(rows, kinds)
    forecaster = quick("gru")
    forecaster.fit(panel)
    cut = panel.ends - 1
    tail = rows[
        (rows["ds"] > rows["ds"].max() - pd.Timedelta(days=HORIZON + 1))
        & (rows["ds"] <= rows["ds"].max() - pd.Timedelta(days=HORIZON))
    ]
    news = Panel.from_frame(tail, DAILY, ROLES, kinds)
    assert news.categories != panel.categories
    frame, _ = update(forecaster, start(forecaster, panel.until(cut)), news, future)
    np.testing.assert_allclose(frame.quantiles, forecaster.predict(panel, future).quantiles, rtol=1e-5, atol=1e-4)


def test_a_gap_in_an_amount_is_told_where_training_had_one() -> None:
    rows, _ = _world(6, 0)
    rows["price"] = np.where(np.arange(len(rows)) % 5 == 0, np.nan, 2.0)
    roles = Roles(known=("price",))
    forecaster = quick("gru")
    forecaster.fit(Panel.from_frame(rows, DAILY, roles))
    assert forecaster.facts.gappy == ("price",)
    assert forecaster.facts.columns().widths().known == 2 + 2 * len(forecaster.network.calendar)


def test_a_saved_state_goes_on_with_tonights_names(tmp_path: Path) -> None:
    rows, kinds = _world(6, 0)
    panel, future, _ = _split(rows, kinds)
    forecaster = quick("gru")
    forecaster.fit(panel)
    save_state(tmp_path / "state", start(forecaster, panel.until(panel.ends - 1)))
    tonight, _, _ = _split(*_world(6, 0))
    events = tuple("storm" if name == "strike" else name for name in tonight.categories[0])
    tonight = replace(
        tonight, categories=(events, *tonight.categories[1:])
    )  # what was a strike is now called by a name not learned
    frame, _, report = advance(forecaster, load_state(tmp_path / "state"), tonight, future)
    np.testing.assert_allclose(frame.quantiles, forecaster.predict(tonight, future).quantiles, rtol=1e-5, atol=1e-4)
    assert set(report["kind"]) == {"restated"}, "the history says something else now"
    frame, _, report = advance(forecaster, load_state(tmp_path / "state"), panel, future)
    np.testing.assert_allclose(frame.quantiles, forecaster.predict(panel, future).quantiles, rtol=1e-5, atol=1e-4)
    assert set(report["kind"]) == {"continued"}
