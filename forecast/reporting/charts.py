"""The charts of the report as plain Plotly descriptions, their colours as tokens. Nothing here draws or imports a plotting library.

Texts that Plotly shows are escaped: it reads a subset of HTML in every label, and names of series and models are not to be trusted.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from forecast.core.arrays import AnyArray, FloatArray
from forecast.evaluation.evaluation import Evaluation
from forecast.evaluation.metrics import METRICS
from forecast.reporting.fans import Fan
from forecast.reporting.labels import place_labels
from forecast.reporting.wording import number, percent, seconds

Chart: TypeAlias = dict[str, Any]
_WIDE = 5.0  # ratio of worst to best from which a chart must not be linear to the end
_FEW = 14  # points of a line that still get a mark each


def accuracy_against_time(evaluations: Sequence[Evaluation], champion: str, baseline: str) -> Chart:
    """Returns the first metric of each model against its wall time, both better towards the lower left.

    A model far above the champion and the baseline stands at the upper edge as a triangle, so that it does not press the others together.

    Args:
        evaluations: With scores, the champion among those that the metric can measure.
        champion: Name of the model in front.
        baseline: Name of the model that the others are relative to.
    """
    metric = evaluations[0].task.metrics[0]
    measured = [e for e in evaluations if np.isfinite(e.aggregate()[metric])]
    ordered = sorted(measured, key=lambda e: (e.model != champion, e.model != baseline, e.aggregate()[metric]))
    values = np.array([e.aggregate()[metric] for e in ordered])
    times = np.array([max(e.fit_seconds + e.predict_seconds, 1e-3) for e in ordered])
    names = [html.escape(e.model) for e in ordered]
    limits = _limits(values, [v for e, v in zip(ordered, values, strict=True) if e.model in (champion, baseline)])
    room = _room(times)
    above = values > limits[1]
    height = np.where(above, limits[1] - 0.03 * (limits[1] - limits[0]), values)
    sides = place_labels(_share(np.log10(times), room), _share(height, limits), [e.model for e in ordered])
    hover = [
        f"<b>{n}</b><br>{METRICS[metric].title} {number(v)}<br>{seconds(t)}" for n, v, t in zip(names, values, times, strict=True)
    ]
    marker = {"opacity": 1, "size": [15 if e.model == champion else 10 for e in ordered], "line": {"color": "@surface", "width": 1.5},
              "symbol": ["triangle-up" if a else "circle" for a in above],
              "color": [_colour(e.model, champion, baseline) for e in ordered]}  # fmt: skip
    font = {"size": 11.5, "color": ["@ink" if e.model in (champion, baseline) else "@muted" for e in ordered]}
    trace = {"type": "scatter", "mode": "markers+text", "x": _numbers(times), "y": _numbers(height), "marker": marker, "textfont": font,
             "text": [n if side else "" for n, side in zip(names, sides, strict=True)], "textposition": [side or "top center" for side in sides],
             "hovertext": hover, "hoverinfo": "text", "cliponaxis": False}  # fmt: skip
    vertical = {"title": {"text": METRICS[metric].title}, "range": limits}
    horizontal = {"title": {"text": "Fit and predict, seconds"}, "type": "log", "dtick": 1, "range": room}
    return {"data": [trace], "layout": {"xaxis": horizontal, "yaxis": vertical, "margin": {"r": 24, "t": 16}}}


def error_by_step(evaluations: Sequence[Evaluation], champion: str, baseline: str) -> Chart:
    """Returns the scaled error of each step of the horizon: the champion and the baseline in front, the others behind.

    The axis ends a little above the two in front; lines far above them leave the chart.
    """
    traces = [_model_line(e, e.steps["step"].to_numpy(), e.steps["mase"].to_numpy(), champion, baseline, "step %{x}: %{y:.3f}") for e in
              _front_last(evaluations, champion, baseline)]  # fmt: skip
    peaks = {e.model: float(e.steps["mase"].max()) for e in evaluations}
    front = max(peak for model, peak in peaks.items() if model in (champion, baseline))
    top = 1.08 * min(max(peaks.values()), _WIDE / 2 * front)
    vertical: Chart = {"title": {"text": "MASE"}, "rangemode": "tozero"}
    if np.isfinite(top) and top > 0:
        vertical = {"title": {"text": "MASE"}, "range": [0, float(f"{top:.7g}")]}
    return {"data": traces, "layout": {"xaxis": {"title": {"text": "Step of the horizon"}}, "yaxis": vertical}}


def calibration(evaluations: Sequence[Evaluation], champion: str, baseline: str) -> Chart:
    """Returns the share of targets at or below each quantile against its level; on the diagonal the quantiles say the truth."""
    diagonal = {"type": "scatter", "mode": "lines", "x": [0, 1], "y": [0, 1], "line": {"color": "@muted/0.6", "width": 1, "dash": "dash"},
                "hoverinfo": "skip", "showlegend": False}  # fmt: skip
    lines = [_model_line(e, e.calibration["level"].to_numpy(), e.calibration["share"].to_numpy(), champion, baseline, "%{y:.1%} below q%{x:g}")
             for e in _front_last(evaluations, champion, baseline)]  # fmt: skip
    axis = {"range": [0, 1], "tickformat": ".0%", "dtick": 0.2}
    layout = {"xaxis": {**axis, "title": {"text": "Quantile level"}}, "yaxis": {**axis, "title": {"text": "Targets at or below"}}}
    return {"data": [diagonal, *lines], "layout": layout}


def forecast_fan(fan: Fan) -> Chart:
    """Returns one forecast: history and truth as one line, the median, the fan of its intervals, medians of other models dotted."""
    x = texts(fan.stamps)
    joined = [*texts(fan.history_stamps[-1:]), *x]
    traces = [_band(share, x, low, high) for share, low, high in fan.bands()]
    traces.append(_line("history", texts(fan.history_stamps), fan.history, {"color": "@ink/0.75", "width": 1.5}))
    traces += [
        _line(html.escape(name), x, values, {"color": "@baseline", "width": 1.6, "dash": "dot"})
        for name, values in fan.others.items()
    ]
    if not np.isnan(fan.truth).all():
        traces.append(_line("what came", joined, np.concatenate([fan.history[-1:], fan.truth]), {"color": "@ink", "width": 1.8}))
    traces.append(_line(html.escape(fan.model), x, fan.median, {"color": "@champion", "width": 2.4}))
    edge = {
        "type": "line",
        "x0": joined[0],
        "x1": joined[0],
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": "@faint", "width": 1, "dash": "dot"},
    }
    margin = {"t": 8, "b": 32, "l": 48, "r": 8}
    return {"data": traces, "layout": {"shapes": [edge], "hovermode": "x unified", "showlegend": False, "margin": margin}}


def texts(stamps: AnyArray) -> list[Any]:
    """Returns time stamps as Plotly reads them: dates in ISO form, integer time as it is."""
    if stamps.dtype.kind == "M":
        return [str(s) for s in np.datetime_as_string(stamps, unit="s")]
    return [int(s) for s in stamps]


def _line(name: str, x: list[Any], y: FloatArray, line: Chart) -> Chart:
    return {"type": "scatter", "mode": "lines", "name": name, "x": x, "y": _numbers(y), "line": line, "hovertemplate": "%{y:,.4~g}"}


def _band(share: float, x: list[Any], low: FloatArray, high: FloatArray) -> Chart:
    """One interval as a closed shape; the narrower ones lie on it and darken the middle."""
    return {"type": "scatter", "mode": "lines", "name": f"{percent(share)} interval", "x": [*x, *x[::-1]],
            "y": _numbers(np.concatenate([high, low[::-1]])), "fill": "toself", "fillcolor": "@champion/0.13",
            "line": {"width": 0, "color": "@champion/0"}, "hoverinfo": "skip"}  # fmt: skip


def _model_line(e: Evaluation, x: AnyArray, y: AnyArray, champion: str, baseline: str, hover: str) -> Chart:
    """A line of one model: bold for the champion, dotted for the baseline, thin and grey for the others."""
    name, front = html.escape(e.model), e.model in (champion, baseline)
    line = {
        "color": _colour(e.model, champion, baseline),
        "width": 2.6 if e.model == champion else 2,
        "dash": "solid" if e.model == champion else "dot",
    }
    return {"type": "scatter", "mode": "lines+markers" if front and len(x) <= _FEW else "lines", "name": name, "x": _numbers(x), "y": _numbers(y),
            "line": line if front else {"color": "@faint/0.7", "width": 1.2}, "marker": {"size": 6.5}, "showlegend": front,
            "hovertemplate": f"{name}<br>{hover}<extra></extra>"}  # fmt: skip


def _front_last(evaluations: Sequence[Evaluation], champion: str, baseline: str) -> list[Evaluation]:
    """What is drawn last lies on top."""
    return sorted(evaluations, key=lambda e: (e.model == champion, e.model == baseline))


def _numbers(values: AnyArray) -> list[float | None]:
    """Plain numbers; missing ones become null, which leaves a gap in the line."""
    return [float(f"{v:.7g}") if np.isfinite(v) else None for v in values]


def _colour(model: str, champion: str, baseline: str) -> str:
    return "@champion" if model == champion else "@baseline" if model == baseline else "@faint"


def _room(times: FloatArray) -> list[float]:
    """A range of the log axis with room for the labels at both ends."""
    low, high = float(np.log10(times.min())), float(np.log10(times.max()))
    edge = max(0.15 * (high - low), 0.35)
    return [float(f"{low - edge:.7g}"), float(f"{high + edge:.7g}")]


def _limits(values: FloatArray, front: Sequence[float]) -> list[float]:
    """A range of the metric's axis that holds the models in front and all that are not far above them."""
    low, high = float(values.min()), float(values[values <= _WIDE / 2 * max(front)].max(initial=max(front)))
    edge = max(0.12 * (high - low), 0.02 * abs(high), 1e-9)
    return [float(f"{low - edge:.7g}"), float(f"{high + edge:.7g}")]


def _share(values: FloatArray, limits: Sequence[float]) -> list[float]:
    return [float(v) for v in (values - limits[0]) / (limits[1] - limits[0])]
