"""What a forecast looks at, as a picture: a heat map of step by past step under the series itself, and the weight of each distance.

It draws the table of `forecast.neural.attention.attention_weights` and must not run a model.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from forecast.core.arrays import FloatArray
from forecast.core.errors import UsageError
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.panel import Panel
from forecast.reporting.charts import Chart, forecast_fan, texts
from forecast.reporting.fans import fan_of
from forecast.reporting.page import environment, plotly_script, script_json, write_page
from forecast.reporting.palette import DARK, LIGHT, resolve

if TYPE_CHECKING:
    import plotly.graph_objects as go

_SHADES = [[0.0, "@champion/0.05"], [0.5, "@champion/0.6"], [1.0, "@champion"]]
_BRIGHTEST = 0.995  # share of the cells below the darkest shade: one spike must not hide the rest


def attention_chart(weights: pd.DataFrame, panel: Panel, frame: ForecastFrame, unique_id: str) -> Chart:
    """Returns the series with its forecast over the heat map of the weights, one row a step, both on one time axis.

    Args:
        weights: Of `attention_weights`.
        panel: With the series.
        frame: Forecasts from the cutoff that the weights are of.
        unique_id: A series of all three.

    Raises:
        UsageError: no weights of the series, or no forecast.
    """
    own, drawn = _of_series(weights, unique_id), fan_of(panel, frame, unique_id)
    fan, heat = forecast_fan(drawn), _heat(own, frame)
    above = [{**trace, "yaxis": "y2", "showlegend": False} for trace in fan["data"]]
    steps = own.drop_duplicates("step")
    dots = {"type": "scatter", "mode": "markers", "x": texts(steps["ds"].to_numpy()), "y": steps["step"].tolist(), "hoverinfo": "skip",
            "marker": {"size": 5, "color": "@baseline"}, "showlegend": False, "cliponaxis": False}  # fmt: skip
    edge = {**fan["layout"]["shapes"][0], "line": {"color": "@muted", "width": 1, "dash": "dot"}}
    axis = {"gridcolor": "@line", "zeroline": False, "tickfont": {"color": "@muted", "size": 11.5}, "fixedrange": True}
    every = max(len(steps) // 6, 1)
    layout = {
        "shapes": [edge], "showlegend": False, "hovermode": "closest", "margin": {"t": 8, "b": 40, "l": 64, "r": 8},
        "xaxis": {"anchor": "y", "range": [heat["x"][0], texts(drawn.stamps)[-1]], "showgrid": False},
        "yaxis": {"domain": [0, 0.62], "title": {"text": "Step of the horizon"}, "tick0": 1, "dtick": every, "showgrid": False,
                  "range": [len(steps) + 0.5, 0.5]},
        "yaxis2": {**axis, "domain": [0.68, 1], "nticks": 4},
    }  # fmt: skip
    return {"data": [*above, heat, dots], "layout": layout}


def lag_chart(weights: pd.DataFrame, unique_id: str) -> Chart:
    """Returns the weight of each distance between a step and what it looks at, as bars; arguments as in `attention_chart`.

    It is the mean over the steps of the horizon that can look so far.
    """
    own = _of_series(weights, unique_id)
    distance = own["step"] + own["lag"]
    mean = own["weight"].groupby(distance).mean()
    bars = {"type": "bar", "x": mean.index.tolist(), "y": _rounded(mean.to_numpy()), "marker": {"color": "@champion/0.85"},
            "hovertemplate": "%{x} steps before: %{y:.2%}<extra></extra>"}  # fmt: skip
    axis = {"title": {"text": "Steps between the forecast step and the attended step"}, "rangemode": "tozero"}
    return {"data": [bars], "layout": {"xaxis": axis, "yaxis": {"tickformat": ".0%", "nticks": 4}, "bargap": 0.25}}


def attention_plot(weights: pd.DataFrame, panel: Panel, frame: ForecastFrame, unique_id: str) -> go.Figure:
    """Returns `attention_chart` as a `plotly.graph_objects.Figure`, in the colours of the light page."""
    import plotly.graph_objects as go  # a second of start-up

    figure = go.Figure(resolve(attention_chart(weights, panel, frame, unique_id), LIGHT))
    figure.update_layout(paper_bgcolor=LIGHT["surface"], plot_bgcolor=LIGHT["surface"], font={"color": LIGHT["ink"]}, height=620)
    return figure


def write_attention(path: Path, weights: pd.DataFrame, panel: Panel, frame: ForecastFrame, unique_id: str) -> Path:
    """Writes a page that shows what the forecast of a series looks at: one HTML file that needs no network. Returns its path.

    Arguments and errors as in `attention_chart`.
    """
    figures = {"weights": attention_chart(weights, panel, frame, unique_id), "lags": lag_chart(weights, unique_id)}
    own = _of_series(weights, unique_id)
    window = int(own["lag"].max()) + 1
    facts = {"Model": frame.model, "Cutoff": str(texts(own["cutoff"].to_numpy()[:1])[0]).removesuffix("T00:00:00"), "Horizon": f"{frame.horizon} steps",
             "Window": f"{window} steps, {own['lag'].nunique()} observed"}  # fmt: skip
    page = environment("attention.jinja").get_template("attention.jinja")
    values: dict[str, Any] = {"title": f"What the forecast of {unique_id} looks at", "facts": facts, "light": LIGHT, "dark": DARK}
    return write_page(path, page.render(values, figures=script_json(figures), plotly=plotly_script()))


def _of_series(weights: pd.DataFrame, unique_id: str) -> pd.DataFrame:
    own = weights[weights["unique_id"] == unique_id]
    if own.empty:
        found = [str(i) for i in weights["unique_id"].unique()]
        raise UsageError(
            f"no weights of series {unique_id!r} to show; there are those of {len(found)} series, among them {found[:5]}: ask for it"
        )
    return own.sort_values(["step", "lag"], ascending=[True, False])


def _heat(own: pd.DataFrame, frame: ForecastFrame) -> Chart:
    """The weights of one series, every lag a column; one that was not observed is a gap."""
    cutoff = int(frame.cutoffs[frame.ids == own["unique_id"].iloc[0]].max())
    if frame.frequency.stamps(np.array([cutoff]))[0] != own["cutoff"].to_numpy()[0]:
        raise UsageError(
            f"the weights are of cutoff {own['cutoff'].iloc[0]}, the last forecast is of another; make both from one panel"
        )
    lags = np.arange(int(own["lag"].max()), -1, -1)
    values = own.pivot(index="step", columns="lag", values="weight").reindex(columns=lags).to_numpy()
    hover = "step %{y} looks at %{x}: %{z:.2%}<extra></extra>"
    return {"type": "heatmap", "x": texts(frame.frequency.stamps(cutoff - lags)), "y": list(range(1, len(values) + 1)),
            "z": [_rounded(row) for row in values], "colorscale": _SHADES, "zmin": 0, "zmax": float(np.nanquantile(values, _BRIGHTEST)),
            "showscale": False, "hoverongaps": False, "hovertemplate": hover}  # fmt: skip


def _rounded(values: FloatArray) -> list[float | None]:
    return [float(f"{v:.4g}") if np.isfinite(v) else None for v in values]
