"""Holidays and events: what a step is told of them, against the calendar on the wall."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from forecast.baselines.registry import BASELINES
from forecast.core.errors import ConfigError, ModelError
from forecast.core.event_calendar import EventCalendar
from forecast.core.forecaster import Forecaster
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.neural.carried_state import start, step
from forecast.windowing.calendar import calendar_features, feature_count
from forecast.windowing.events import REACH, event_features
from tests.unit.neural.worlds import quick

DAYS = [date(2026, 11, 27), date(2025, 11, 28), date(2026, 12, 1)]
SALE = EventCalendar.of(events={"sale": DAYS})


def _features(alias: str, stamps: pd.DatetimeIndex, calendar: EventCalendar = SALE, name: str = "event sale") -> np.ndarray:
    frequency = Frequency.parse(alias)
    ordinals, on_grid = frequency.ordinals(stamps.to_numpy())
    assert on_grid.all()
    return event_features(frequency, ordinals, name, calendar)


def test_a_day_knows_whether_it_is_one_and_how_near_the_next_and_the_last_one_are() -> None:
    stamps = pd.date_range("2026-11-01", "2026-12-31")
    found = _features("D", stamps)
    for stamp, (days, ahead, behind) in zip(stamps, found, strict=True):
        distance = [(day - stamp.date()).days for day in DAYS]
        assert days == (stamp.date() in DAYS)
        assert ahead == pytest.approx(max([1 - d / REACH for d in distance if 0 < d < REACH], default=0.0))
        assert behind == pytest.approx(max([1 + d / REACH for d in distance if -REACH < d < 0], default=0.0))


@pytest.mark.parametrize(
    ("alias", "stamp", "days"),
    [("h", "2026-11-27 13:00", 1), ("30min", "2026-11-28 00:00", 0), ("W-MON", "2026-11-23", 1), ("W-MON", "2026-11-30", 1),
     ("MS", "2026-11-01", 1), ("ME", "2026-11-30", 1), ("ME", "2026-12-31", 1), ("QS", "2026-10-01", 2), ("B", "2026-11-27", 1),
     ("YE", "2026-12-31", 2)],
)  # fmt: skip
def test_longer_and_shorter_steps_count_the_days_inside_them(alias: str, stamp: str, days: int) -> None:
    assert _features(alias, pd.DatetimeIndex([stamp]))[0, 0] == days


def test_the_holidays_of_a_country_and_of_a_part_of_it_are_found_for_any_year() -> None:
    stamps = pd.DatetimeIndex(["2024-12-25", "2031-12-25", "2026-01-06", "2026-01-07"])
    assert _features("D", stamps, EventCalendar.of(["DE"]), "holidays of DE")[:, 0].tolist() == [1, 1, 0, 0]
    assert _features("D", stamps, EventCalendar.of(["DE-BY"]), "holidays of DE-BY")[:, 0].tolist() == [1, 1, 1, 0]
    with pytest.raises(ConfigError, match="ISO code"):
        _features("D", stamps, EventCalendar.of(["Atlantis"]), "holidays of Atlantis")


def test_events_stand_behind_the_cycles_and_whole_number_time_has_none() -> None:
    calendar = EventCalendar.of(["DE"], {"sale": DAYS})
    names, values = calendar_features(Frequency.parse("D"), np.arange(20_000, 20_010), events=calendar)
    assert names[-6:] == tuple(f"{name}_{part}" for name in calendar.names for part in ("days", "ahead", "behind"))
    assert values.shape == (10, feature_count(("day_of_week", "day_of_month", "day_of_year", *calendar.names)))
    assert (event_features(Frequency.parse("integer"), np.arange(5), "event sale", SALE) == 0).all()


def test_a_calendar_survives_as_text_and_refuses_events_without_days() -> None:
    calendar = EventCalendar.of(["DE", "DE"], {"sale": DAYS, "f\u00eate": [date(2026, 1, 1)]})
    assert EventCalendar.from_json(calendar.to_json()) == calendar
    assert calendar.countries == ("DE",)
    wrong: list[dict[str, list[date]]] = [{"sale": []}, {"a,b": DAYS}, {" ": DAYS}]
    for events in wrong:
        with pytest.raises(ConfigError):
            EventCalendar.of(events=events)


def _world(calendar: EventCalendar | None) -> tuple[Panel, Panel]:
    """A year in which an event of every month adds 40; the panel and its tail up to the day before the next event."""
    days = pd.date_range("2026-01-01", periods=330)
    rng, frames = np.random.default_rng(0), []
    for number in range(6):
        y = 100 + 40.0 * (days.day == 15) + rng.normal(size=len(days))
        frames.append(pd.DataFrame({"unique_id": f"s{number}", "ds": days, "y": y}))
    panel = Panel.from_frame(pd.concat(frames), Frequency.parse("D", (7,)), calendar=calendar)
    cutoff = panel.frequency.ordinals(np.array(["2026-11-13"], dtype="datetime64[ns]"))[0][0]
    return panel, panel.until(int(cutoff))


def _models() -> list[Forecaster]:
    network = quick("gru", max_steps=200, validate_every=0, learning_rate=1e-2, hidden_size=24, dropout=0.0, calendar=False)
    return [network, BASELINES["hist_gradient_boosting"](horizon=4, levels=(0.1, 0.5, 0.9), season_lengths=(7,))]


def test_networks_and_trees_learn_what_an_event_does_and_keep_its_days() -> None:
    events = EventCalendar.of(events={"payday": [date(2026, month, 15) for month in range(1, 13)]})
    panel, history = _world(events)
    for model, again in zip(_models(), _models(), strict=True):
        model.fit(panel.until(int(history.last_cutoff) - 20))
        mean = model.predict(history).mean
        assert mean[:, 1].mean() > mean[:, [0, 2, 3]].mean() + 15, model.name
        again.restore(model.weights())
        np.testing.assert_array_equal(again.predict(_world(None)[1]).mean, mean)  # it brings no events: those of training stand in
        with pytest.raises(ModelError, match="give the same, or none"):
            model.predict(_world(EventCalendar.of(["DE"]))[1])


def test_a_step_of_the_carried_state_is_told_of_events() -> None:
    events = EventCalendar.of(events={"payday": [date(2026, month, 15) for month in range(1, 13)]})
    panel, history = _world(events)
    network = quick("gru", calendar=False)
    network.fit(panel.until(int(history.last_cutoff) - 20))
    before = start(network, history.until(int(history.last_cutoff) - 1))
    mean, _, _ = step(network, before.network, history.y[history.offsets[1:] - 1], history.ends)
    np.testing.assert_allclose(mean, network.predict(history).mean, rtol=1e-5, atol=1e-4)
