"""Charts are valid, name only colours that exist, and can be read on both pages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from forecast.evaluation.backtest import evaluate
from forecast.evaluation.task import Task
from forecast.reporting import charts
from forecast.reporting.fans import fan_of
from forecast.reporting.palette import DARK, LIGHT, resolve
from tests.unit.evaluation.worlds import LEVELS, Repeat, random_panel

PANEL = random_panel(1, count=9, shortest=30)
TASK = Task(3, windows=2, levels=LEVELS)
MODELS = [
    evaluate(Repeat(3, shift=s, name=n), PANEL, TASK) for s, n in ((0.0, "seasonal_naive"), (0.1, "<b>gru</b>"), (50.0, "bad"))
]
FAN = fan_of(PANEL, MODELS[1].frames[0], str(PANEL.ids[0]), {"<i>other</i>": MODELS[0].frames[0]})
CHARTS = {
    "time": charts.accuracy_against_time(MODELS, "<b>gru</b>", "seasonal_naive"),
    "steps": charts.error_by_step(MODELS, "<b>gru</b>", "seasonal_naive"),
    "calibration": charts.calibration(MODELS, "<b>gru</b>", "seasonal_naive"),
    "fan": charts.forecast_fan(FAN),
}


def texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from texts_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts_in(part)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("palette", [LIGHT, DARK])
@pytest.mark.parametrize("name", sorted(CHARTS))
def test_a_chart_is_valid_in_the_colours_of_both_pages(name: str, palette: dict[str, str]) -> None:
    resolved = resolve(CHARTS[name], palette)
    go.Figure(resolved)  # refuses an unknown property or value
    assert not any(text.startswith("@") for text in texts_in(resolved))


@pytest.mark.parametrize("name", sorted(CHARTS))
def test_names_of_models_are_text_and_no_markup(name: str) -> None:
    assert not any("<i>" in text or "<b>gru" in text for text in texts_in(CHARTS[name]))


@pytest.mark.parametrize("name", sorted(CHARTS))
def test_a_chart_is_strict_json(name: str) -> None:
    json.dumps(CHARTS[name], allow_nan=False)


def test_a_missing_value_is_a_gap_and_not_zero() -> None:
    holed = replace(FAN, history=np.array([1.0, np.nan, 3.0]), history_stamps=FAN.history_stamps[-3:])
    history = next(t for t in charts.forecast_fan(holed)["data"] if t["name"] == "history")
    assert history["y"] == [1.0, None, 3.0]


def test_the_champion_is_drawn_last_and_on_top() -> None:
    assert [t["name"] for t in CHARTS["steps"]["data"]] == ["bad", "seasonal_naive", "&lt;b&gt;gru&lt;/b&gt;"]


def test_a_champion_that_is_the_baseline_has_the_champions_colour() -> None:
    lines = charts.error_by_step(MODELS, "seasonal_naive", "seasonal_naive")["data"]
    assert lines[-1]["line"]["color"] == "@champion"


def test_one_bad_model_does_not_press_the_others_together() -> None:
    top = CHARTS["steps"]["layout"]["yaxis"]["range"][1]
    front = max(MODELS[0].steps["mase"].max(), MODELS[1].steps["mase"].max())
    assert front < top < 3 * front < MODELS[2].steps["mase"].max()
    trace, limits = CHARTS["time"]["data"][0], CHARTS["time"]["layout"]["yaxis"]["range"]
    assert trace["marker"]["symbol"] == ["circle", "circle", "triangle-up"]
    assert all(limits[0] < y < limits[1] for y in trace["y"])
    assert limits[1] < MODELS[2].aggregate()["mase"]


def test_both_pages_have_the_same_colours() -> None:
    assert LIGHT.keys() == DARK.keys()


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


@pytest.mark.parametrize("palette", [LIGHT, DARK])
@pytest.mark.parametrize("name", ["ink", "muted", "champion", "worse"])
def test_text_has_the_contrast_that_accessibility_rules_ask_for(name: str, palette: dict[str, str]) -> None:
    for ground in ("surface", "page"):
        light, dark = sorted((luminance(palette[name]), luminance(palette[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, 1.4.3
