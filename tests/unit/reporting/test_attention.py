"""The picture of attention: every weight at its place, gaps where nothing was observed, one file without a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.core.arrays import FloatArray
from forecast.core.errors import UsageError
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.panel import Panel
from forecast.reporting.attention import attention_chart, attention_plot, lag_chart, write_attention
from forecast.reporting.charts import Chart
from tests.unit.evaluation.worlds import Repeat, panel_of
from tests.unit.reporting.test_report import ATTACK, Page

WINDOW, HORIZON, MISSING = 6, 3, 2


def _world(name: str = "a") -> tuple[pd.DataFrame, Panel, ForecastFrame]:
    """One series with a gap two steps before its end; step h looks at lag 4 - h with 0.7, at the others with what is left."""
    panel = panel_of({name: [1.0, 3.0, 2.0, 5.0, 4.0, 6.0, 3.0, np.nan, 5.0, 2.0]})
    cutoff, day = pd.Timestamp("2024-01-10"), pd.Timedelta(days=1)
    rows = [
        (name, cutoff, step, cutoff + step * day, lag, cutoff - lag * day, 0.7 if lag == 4 - step or (step, lag) == (2, 3) else 0.1)
        for step in range(1, HORIZON + 1)
        for lag in range(WINDOW - 1, -1, -1)
        if lag != MISSING
    ]
    columns = ["unique_id", "cutoff", "step", "ds", "lag", "attended_ds", "weight"]
    return pd.DataFrame(rows, columns=columns), panel, Repeat(HORIZON).predict(panel)


def _heat() -> tuple[Chart, FloatArray]:
    chart = attention_chart(*_world(), "a")
    (heat,) = (trace for trace in chart["data"] if trace["type"] == "heatmap")
    return heat, np.array(heat["z"], dtype=float)


def test_every_weight_stands_in_the_row_of_its_step_and_the_column_of_its_time() -> None:
    weights, _, _ = _world()
    heat, cells = _heat()
    assert heat["x"] == [f"2024-01-{day:02d}T00:00:00" for day in range(5, 11)]
    assert heat["y"] == [1, 2, 3]
    found = cells[weights["step"].to_numpy() - 1, WINDOW - 1 - weights["lag"].to_numpy()]
    np.testing.assert_array_equal(found, weights["weight"])


def test_a_step_that_was_not_observed_is_a_gap_of_its_own_width() -> None:
    _, cells = _heat()
    assert np.isnan(cells[:, WINDOW - 1 - MISSING]).all()
    assert np.isnan(cells).sum() == HORIZON


def test_the_series_and_its_forecast_stand_above_on_the_same_axis() -> None:
    chart = attention_chart(*_world(), "a")
    above = [trace for trace in chart["data"] if trace.get("yaxis") == "y2"]
    assert {"history", "repeat"} <= {trace["name"] for trace in above}
    assert chart["layout"]["xaxis"]["range"] == ["2024-01-05T00:00:00", "2024-01-13T00:00:00"]


def test_the_weight_of_a_distance_is_its_mean_over_the_steps() -> None:
    weights, _, _ = _world()
    (bars,) = lag_chart(weights, "a")["data"]
    found = dict(zip(bars["x"], bars["y"], strict=True))
    rows = list(zip(weights["step"], weights["lag"], weights["weight"], strict=True))
    for distance in range(1, WINDOW + HORIZON):
        at = [weight for step, lag, weight in rows if step + lag == distance]
        assert found[distance] == pytest.approx(sum(at) / len(at), rel=1e-3)


def test_the_figure_is_one_that_plotly_draws() -> None:
    figure = attention_plot(*_world(), "a")
    assert "heatmap" in {trace.type for trace in figure.data}


@pytest.mark.parametrize("name", ["a", ATTACK])
def test_the_page_is_one_file_that_asks_for_nothing_and_is_safe_against_names(name: str, tmp_path: Path) -> None:
    path = write_attention(tmp_path / "deep" / "attention.html", *_world(name), name)
    text = path.read_text()
    page = Page(text)
    assert name in page.text
    assert set(page.figures()) == {"weights", "lags"}
    assert ATTACK not in text
    assert not [attributes for _, attributes in page.elements if {"src", "href"} & set(attributes)]
    assert any("default-src 'none'" in (attributes.get("content") or "") for _, attributes in page.elements)
    assert path.read_bytes() == write_attention(tmp_path / "again.html", *_world(name), name).read_bytes()


def test_a_series_without_weights_and_weights_of_another_cutoff_are_refused() -> None:
    weights, panel, frame = _world()
    with pytest.raises(UsageError, match="no weights of series 'b' to show; there are those of 1 series, among them \\['a'\\]"):
        lag_chart(weights, "b")
    with pytest.raises(UsageError, match="make both from one panel"):
        attention_chart(weights.assign(cutoff=pd.Timestamp("2024-01-09")), panel, frame, "a")
