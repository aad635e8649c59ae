"""A month of nights with a carried state: every night's forecasts equal those from the whole histories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.core.errors import ModelError
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles
from forecast.neural.advance import Advanced, advance
from forecast.neural.carried_state import start
from forecast.neural.forecaster import NeuralForecaster
from tests.unit.neural.worlds import future_of, quick, ragged_panel

DAILY, ROLES = Frequency.parse("D", (7,)), Roles(known=("promo",))
FIRST = pd.Timestamp("2024-01-01")
DAYS, BEFORE = 30, 60


class World:
    """Some series that grow by a day a night, with gaps, late and old corrections, new series, silent ones and some that go.

    Args:
        seed: Of everything.
    """

    def __init__(self, seed: int) -> None:
        self.rng, self.day = np.random.default_rng(seed), 0
        self.rows: dict[str, dict[int, tuple[float, float]]] = {}
        self.gone: set[str] = set()
        self.silent: set[str] = set()
        for number in range(9):
            self._begin(f"s{number:02d}", 0 if number < 6 else 40 + number)
        for _ in range(BEFORE):
            self._grow()

    def night(self) -> Panel:
        """Returns tonight's panel, after whatever happened since the last one."""
        self._grow()
        chance, ids = self.rng, sorted(self.rows)
        if chance.random() < 0.5:
            self._restate(str(chance.choice(ids)), self.day - int(chance.integers(1, 12)))
        if chance.random() < 0.2:
            self._restate(str(chance.choice(ids)), self.day - int(chance.integers(30, 50)))
        if chance.random() < 0.15:
            self._withdraw(str(chance.choice(ids)), self.day - int(chance.integers(2, 10)))
        if chance.random() < 0.25:
            self._begin(f"n{self.day:03d}", self.day)
        for group, odds in ((self.gone, 0.15), (self.silent, 0.1)):
            if chance.random() < odds:
                group.add(str(chance.choice(ids[:9])))
            if group and chance.random() < 0.2:
                group.discard(min(group))
        return self.panel()

    def panel(self) -> Panel:
        """Returns all series but those that are gone; silent ones end early."""
        rows = [(uid, FIRST + pd.Timedelta(days=d), *values) for uid, days in self.rows.items() if uid not in self.gone
                for d, values in days.items()]  # fmt: skip
        return Panel.from_frame(pd.DataFrame(rows, columns=["unique_id", "ds", "y", "promo"]), DAILY, ROLES)

    def _begin(self, uid: str, day: int) -> None:
        self.rows[uid] = {day: self._value(day)}

    def _grow(self) -> None:
        self.day += 1
        for uid, days in self.rows.items():
            if min(days) < self.day and uid not in self.silent and self.rng.random() > 0.07:
                days[self.day] = self._value(self.day)

    def _restate(self, uid: str, day: int) -> None:
        if day in self.rows[uid]:
            self.rows[uid][day] = self._value(day)

    def _withdraw(self, uid: str, day: int) -> None:
        if len(self.rows[uid]) > 3:
            self.rows[uid].pop(day, None)

    def _value(self, day: int) -> tuple[float, float]:
        return 20 + 5 * float(np.sin(2 * np.pi * day / 7)) + float(self.rng.normal()), float(self.rng.random() < 0.2)


@pytest.fixture(scope="module", params=["gru", "lstm", "dilated", "esrnn", "linear"])
def fitted(request: pytest.FixtureRequest) -> NeuralForecaster:
    """A named network that was trained a little."""
    forecaster = quick(request.param, hidden_size=6)
    forecaster.fit(ragged_panel(covariates=True))
    return forecaster


def test_thirty_nights_from_the_state_equal_thirty_nights_from_whole_histories(fitted: NeuralForecaster) -> None:
    world, kinds = World(seed=3), set[str]()
    state = start(fitted, world.panel(), snapshot_steps=7)
    for night in range(DAYS):
        panel = world.night()
        known = future_of(panel, value=night / DAYS)
        found, cold = advance(fitted, state, panel, known), fitted.predict(panel, known)
        state = found.state
        assert list(found.frame.ids) == list(cold.ids)
        np.testing.assert_array_equal(found.frame.cutoffs, cold.cutoffs)
        np.testing.assert_allclose(found.frame.quantiles, cold.quantiles, rtol=1e-5, atol=1e-5 * 20)
        assert sorted(found.report["unique_id"]) == list(found.report["unique_id"]) == list(state.ids)
        kinds |= set(found.report["kind"])
    assert kinds == {"continued", "gapped", "unchanged", "corrected", "restated", "new", "vanished"}


@pytest.fixture(scope="module")
def gru() -> NeuralForecaster:
    forecaster = quick()
    forecaster.fit(ragged_panel())
    return forecaster


def _long(series: int = 8) -> Panel:
    panel = ragged_panel(series=series, longest=90, seed=4)
    return panel.take(np.flatnonzero(panel.lengths > 40))


def _after(gru: NeuralForecaster, tonight: Panel, back: int = 1, **settings: bool | int) -> Advanced:
    """A night whose last one saw the same series `back` rows earlier."""
    yesterday = _long()
    state = start(gru, yesterday.until(yesterday.ends - back), snapshot_steps=7)
    found = advance(gru, state, tonight, max_age=settings.get("max_age"), keep_vanished=bool(settings.get("keep", True)))
    cold = gru.predict(tonight)
    np.testing.assert_allclose(found.frame.quantiles, cold.quantiles, rtol=1e-5, atol=1e-4)
    return found


def _with(panel: Panel, series: int, back: int, value: float) -> Panel:
    y = panel.y.copy()
    y[panel.offsets[series + 1] - 1 - back] = value
    return replace(panel, y=y)


def test_only_what_is_new_goes_through_the_network(gru: NeuralForecaster) -> None:
    report = _after(gru, _with(_long(), 0, 0, 25.0)).report.set_index("unique_id")
    assert report["kind"].iloc[0] == "continued"
    assert (report["rows"] == 1).all()


def test_a_late_correction_is_read_again_from_the_snapshot_and_an_old_one_from_the_beginning(gru: NeuralForecaster) -> None:
    late, old = (_after(gru, _with(_long(), 2, back, 99.0)).report for back in (5, 30))
    assert (late["kind"][2], old["kind"][2]) == ("corrected", "restated")
    assert late["rows"][2] == 8
    assert old["rows"][2] > 30
    assert {*late["kind"].drop(2), *old["kind"].drop(2)} <= {"continued", "gapped", "silent"}


def test_a_step_without_a_value_makes_a_series_gapped_and_only_such_steps_make_it_silent(gru: NeuralForecaster) -> None:
    panel = _with(_with(_with(_long(), 0, 0, 20.0), 0, 1, np.nan), 1, 0, np.nan)
    assert list(_after(gru, _with(panel, 1, 1, np.nan), back=2).report["kind"][:2]) == ["gapped", "silent"]


def test_a_series_older_than_allowed_is_read_whole(gru: NeuralForecaster) -> None:
    assert set(_after(gru, _long(), back=9, max_age=8).report["kind"]) == {"aged"}
    assert "aged" not in set(_after(gru, _long(), back=9, max_age=9).report["kind"])


def test_a_series_that_vanished_stays_in_the_state_and_comes_back_where_it_was_left(gru: NeuralForecaster) -> None:
    whole = _long()
    fewer = whole.take(np.arange(1, len(whole)))
    kept = _after(gru, fewer)
    assert kept.report["kind"][0] == "vanished"
    assert list(kept.state.ids) == list(whole.ids)
    back = advance(gru, kept.state, whole)
    np.testing.assert_allclose(back.frame.quantiles, gru.predict(whole).quantiles, rtol=1e-5, atol=1e-4)
    assert back.report["rows"][0] == 1
    assert list(_after(gru, fewer, keep=False).state.ids) == list(fewer.ids)


def test_the_end_of_a_history_is_enough(gru: NeuralForecaster) -> None:
    whole = _with(_long(), 0, 4, 31.0)
    state = start(gru, _long().until(_long().ends - 1), snapshot_steps=7)
    found = advance(gru, state, whole.tail(6))
    assert found.report["kind"][0] == "corrected"
    np.testing.assert_allclose(found.frame.quantiles, gru.predict(whole).quantiles, rtol=1e-5, atol=1e-4)


def test_other_static_covariates_are_another_history(gru: NeuralForecaster) -> None:
    roles, whole = Roles(static=("area",)), _long()
    panel = replace(whole, roles=roles, static=np.arange(len(whole), dtype=np.float64)[:, None])
    forecaster = quick()
    forecaster.fit(panel)
    state = start(forecaster, panel.until(panel.ends - 1))
    area = panel.static.copy()
    area[1] += 1
    found = advance(forecaster, state, replace(panel, static=area))
    assert list(np.flatnonzero(found.report["kind"] == "restated")) == [1]
    np.testing.assert_allclose(
        found.frame.quantiles, forecaster.predict(replace(panel, static=area)).quantiles, rtol=1e-5, atol=1e-4
    )


def test_a_night_without_series_and_a_series_without_any_value_are_refused(gru: NeuralForecaster) -> None:
    panel = _long()
    state = start(gru, panel)
    with pytest.raises(ModelError, match="has no series"):
        advance(gru, state, panel.take(np.zeros(0, dtype=np.int64)))
    empty = replace(panel, ids=np.array([f"x{n}" for n in range(len(panel))], dtype=object), y=np.full(panel.rows, np.nan))
    with pytest.raises(ModelError, match=f"{len(panel)} series have no observed value, among them \\['x0'"):
        advance(gru, state, empty)
