"""Single plots: an interactive figure, and an image for trackers."""

from __future__ import annotations

import io

import numpy as np
import pytest
from matplotlib.image import imread

from forecast.evaluation.backtest import evaluate
from forecast.evaluation.task import Task
from forecast.reporting.plots import forecast_plot, forecast_png
from tests.unit.evaluation.worlds import LEVELS, Repeat, panel_of

PANEL = panel_of(
    {"a": [1.0, 3.0, 2.0] * 10, "$x_1$": [2.0] * 29 + [np.nan], "\x07<b>": [1.0, 2.0] * 10, r"$\frac$": [1.0, 2.0] * 10}
)
FRAME = evaluate(Repeat(3), PANEL, Task(3, levels=LEVELS)).frames[0]


@pytest.mark.parametrize("name", ["a", "$x_1$", "\x07<b>", r"$\frac$"])
def test_the_image_shows_something_whatever_the_name_of_the_series(name: str) -> None:
    pixels = imread(io.BytesIO(forecast_png(PANEL, FRAME, name, {"_other$": FRAME})), format="png")
    assert pixels.shape[0] >= 400
    assert len(np.unique(pixels.reshape(-1, pixels.shape[2]), axis=0)) > 50


def test_the_same_forecast_gives_the_same_image() -> None:
    assert forecast_png(PANEL, FRAME, "a") == forecast_png(PANEL, FRAME, "a")


def test_the_image_changes_with_the_forecast() -> None:
    other = evaluate(Repeat(3, shift=1.0), PANEL, Task(3, levels=LEVELS)).frames[0]
    assert forecast_png(PANEL, FRAME, "a") != forecast_png(PANEL, other, "a")


def test_the_figure_has_the_forecast_and_its_band() -> None:
    figure = forecast_plot(PANEL, FRAME, "a")
    assert [trace.name for trace in figure.data] == ["80\u00a0% interval", "history", "what came", "repeat"]
    assert list(figure.data[-1].y) == [2.0, 2.0, 2.0]
