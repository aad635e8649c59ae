"""Single plots for notebooks and trackers: a forecast as an interactive figure, and as PNG bytes for those that show images only.

Both draw the same `Fan` in the colours of the report's light page. The plotting libraries are imported when a plot is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.core.forecast_frame import ForecastFrame
from forecast.core.panel import Panel
from forecast.reporting.charts import forecast_fan
from forecast.reporting.fans import Fan, fan_of
from forecast.reporting.palette import LIGHT, resolve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FONT = "Inter, ui-sans-serif, system-ui, sans-serif"
_SIZE_INCHES, _DOTS = (9.0, 3.6), 150


def forecast_plot(panel: Panel, frame: ForecastFrame, unique_id: str, others: Mapping[str, ForecastFrame] | None = None) -> Any:
    """Returns the last forecast of a series as a `plotly.graph_objects.Figure`; arguments and errors as in `fans.fan_of`."""
    import plotly.graph_objects as go  # a second of start-up

    chart = resolve(forecast_fan(fan_of(panel, frame, unique_id, others)), LIGHT)
    figure = go.Figure(chart)
    grid = {"gridcolor": LIGHT["line"], "zeroline": False, "linecolor": LIGHT["line"]}
    figure.update_layout(paper_bgcolor=LIGHT["surface"], plot_bgcolor=LIGHT["surface"], font={"family": _FONT, "color": LIGHT["ink"]},
                         xaxis={**grid, "showgrid": False}, yaxis=grid)  # fmt: skip
    return figure


def forecast_png(panel: Panel, frame: ForecastFrame, unique_id: str, others: Mapping[str, ForecastFrame] | None = None) -> bytes:
    """Returns the last forecast of a series as a PNG image; the same input gives the same bytes. Arguments as in `fans.fan_of`.

    It needs matplotlib, which MLflow brings, and neither a screen nor global state.
    """
    from matplotlib.figure import Figure

    fan = fan_of(panel, frame, unique_id, others)
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS, facecolor=LIGHT["surface"], layout="constrained")
    _draw(figure.add_subplot(), fan)
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _draw(axes: Axes, fan: Fan) -> None:
    past, future = fan.history_stamps, fan.stamps
    for share, low, high in fan.bands():
        axes.fill_between(future, low, high, color=LIGHT["champion"], alpha=0.13, linewidth=0, label=f"_{share:.0%}")
    axes.plot(past, fan.history, color=LIGHT["ink"], alpha=0.75, linewidth=1.2)
    for name, values in fan.others.items():
        axes.plot(future, values, color=LIGHT["baseline"], linewidth=1.2, linestyle=":", label=_plain(name))
    if not np.isnan(fan.truth).all():
        axes.plot(
            np.concatenate([past[-1:], future]),
            np.concatenate([fan.history[-1:], fan.truth]),
            color=LIGHT["ink"],
            linewidth=1.5,
            label="what came",
        )
    axes.plot(future, fan.median, color=LIGHT["champion"], linewidth=2.0, label=_plain(fan.model))
    axes.axvline(past[-1], color=LIGHT["faint"], linewidth=0.8, linestyle=":")
    axes.set_title(_plain(fan.unique_id), loc="left", color=LIGHT["ink"], fontsize=11, fontweight="bold")
    axes.legend(loc="upper left", frameon=False, fontsize=9, labelcolor=LIGHT["muted"], ncols=3)
    axes.grid(axis="y", color=LIGHT["line"], linewidth=0.8)
    axes.margins(x=0.01)
    axes.tick_params(colors=LIGHT["muted"], labelsize=9, length=0)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)


def _plain(text: str) -> str:
    """Text that is drawn as it is: a dollar would begin a formula, an underscore in front would hide a legend entry."""
    printable = "".join(c if c.isprintable() else "�" for c in text)  # fonts have no control characters
    return ("​" if printable.startswith("_") else "") + printable.replace("$", r"\$")
