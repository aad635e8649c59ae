"""The state of a panel as a value: read the histories once, then feed only what is new.

`update` consumes rows and learns nothing; forecasts from a carried state equal those from the whole history.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import numpy as np

from forecast.core.arrays import FloatArray, IntArray, TextArray
from forecast.core.errors import DataError
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.forecaster import require
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.core.panel_schema import frequency_in
from forecast.networks.state import NetworkState
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.inference import read_panel, read_piece
from forecast.windowing.calendar import CalendarTable
from forecast.windowing.segments import Segments


@final
@dataclass(frozen=True, slots=True, eq=False)
class CarriedState:
    """What a network carries of N series.

    ids: ascending. Shape [N]. ends: ordinal of the last row that was read. Shape [N]. network: their states, N rows.
    """

    ids: TextArray
    ends: IntArray
    network: NetworkState


def start(forecaster: NeuralForecaster, panel: Panel) -> CarriedState:
    """Returns the state after the whole history of each series of the panel."""
    panel = forecaster.check(panel)
    nothing = np.full((len(panel), 1), -1)
    states = [state for _, state in read_panel(forecaster.network, panel, nothing)]
    return CarriedState(panel.ids, panel.ends, NetworkState.concatenate(states).take(slice(0, len(panel))))


def update(
    forecaster: NeuralForecaster, state: CarriedState, rows: Panel, known_future: KnownFuture | None = None
) -> tuple[ForecastFrame, CarriedState]:
    """Feeds new rows and returns the forecasts after them, and the state; the given state stays as it was.

    Args:
        forecaster: The one that the state was started with.
        state: Before the rows.
        rows: The new rows of exactly the state's series; steps between the state's end and a series' first row count as missing.
        known_future: Known covariates of the H steps after the rows.

    Raises:
        DataError: other series than the state's, or rows before the state's end.
    """
    rows = forecaster.check(rows)
    if list(rows.ids) != list(state.ids):
        strangers = sorted(set(rows.ids) ^ set(state.ids))
        raise DataError(
            f"the rows and the state differ in {len(strangers)} series, among them {strangers[:5]}; start a state for new series"
        )
    late = rows.starts <= state.ends
    if late.any():
        names = [str(i) for i in rows.ids[late][:5]]
        raise DataError(f"{int(late.sum())} series have rows before the state's end, among them {names}; start them again")
    after = _begin_after(rows, state.ends)
    last = after.lengths[:, None] - 1
    read = list(read_panel(forecaster.network, after, last, forecaster.future_of(after, known_future), state.network))
    frame = forecaster.frame_of(after, [block for blocks, _ in read for block in blocks])
    network = NetworkState.concatenate([one for _, one in read]).take(slice(0, len(rows)))
    return frame, CarriedState(state.ids, after.ends, network)


def step(
    forecaster: NeuralForecaster, state: NetworkState, y: FloatArray, ordinals: IntArray | None = None
) -> tuple[FloatArray, FloatArray, NetworkState]:
    """Feeds one observation of each series of a network without covariates: arrays in, arrays out.

    Args:
        forecaster: Trained without covariates.
        state: Of B series.
        y: The next observation, data units, NaN where missing. Shape [B].
        ordinals: Where the observations stand on the grid; a network that is told the calendar needs them. Shape [B].

    Returns:
        mean [B, H], quantiles [B, H, Q] and the state after the observation.
    """
    rows, horizon, names = len(y), forecaster.horizon, forecaster.network.calendar
    require(not names or ordinals is not None, f"{forecaster.name} is told the calendar ({', '.join(names)}): give the ordinals")
    known = np.zeros((rows, 1 + horizon, 0))
    if ordinals is not None:
        known = CalendarTable(frequency_in(forecaster.facts.schema), names, forecaster.facts.events).beside(
            known, ordinals[:, None] + np.arange(1 + horizon)
        )
    piece = Segments(y[:, None], known, np.zeros((rows, 1, 0)), np.zeros((rows, 0)), np.zeros((rows, 2)))
    mean, quantiles, after = read_piece(forecaster.network, state, piece, np.zeros((rows, 1), np.int64), np.ones(rows, np.int64))
    return mean[:, 0], quantiles[:, 0], after


def _begin_after(rows: Panel, ends: IntArray) -> Panel:
    """The rows with missing values before them, so that each series begins right after the state's end."""
    gap = rows.starts - ends - 1
    lengths = rows.lengths + gap
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    place = np.arange(rows.rows) + np.repeat(offsets[:-1] + gap - rows.offsets[:-1], rows.lengths)

    def placed(values: FloatArray) -> FloatArray:
        out = np.full((int(offsets[-1]), *values.shape[1:]), np.nan)
        out[place] = values
        return out

    return replace(rows, offsets=offsets, starts=ends + 1, y=placed(rows.y), known=placed(rows.known), past=placed(rows.past))
