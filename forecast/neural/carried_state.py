"""The state of a panel as a value: read the histories once, then feed only what is new.

`update` consumes rows and learns nothing; forecasts from a carried state equal those from the whole history.
"""

from __future__ import annotations

import numpy as np

from forecast.core.arrays import FloatArray, IntArray
from forecast.core.errors import DataError
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.forecaster import Forecaster, require
from forecast.core.frequency import Frequency
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.core.panel_schema import frequency_in
from forecast.networks.state import NetworkState
from forecast.neural.catching_up import catch_up, changes
from forecast.neural.fast_step import has_fast_step, stepper_of
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.inference import read_piece
from forecast.neural.state_checks import carrying, check_fit, check_rows
from forecast.neural.state_reading import read_histories, together
from forecast.neural.state_value import CarriedState, model_version
from forecast.windowing.calendar import CalendarTable
from forecast.windowing.segments import Segments

FEW_ROWS = 256  # half the time of the network itself up to here, a sixth for one series


def default_snapshot_steps(frequency: Frequency) -> int:
    """Returns how far late corrections can reach at least: two of the shortest seasons, between 8 and 48 steps."""
    return min(max(2 * frequency.season_length, 8), 48)


def start(forecaster: Forecaster, panel: Panel, *, snapshot_steps: int | None = None) -> CarriedState:
    """Returns the state after the whole history of each series of the panel.

    Where the forecaster's burn-in was measured, no more than the last rows go through the network.

    Args:
        forecaster: Fitted, a recurrent network.
        panel: N series, at least one.
        snapshot_steps: How many of the last rows can be corrected later without reading the history again, at least 1; None
            chooses two of the shortest seasons.

    Raises:
        ModelError: a model that carries no state, or a panel of another frequency or other covariates than at `fit`.
        DataError: no series.
    """
    network = carrying(forecaster)
    panel = network.check(panel)
    if not len(panel):
        raise DataError("a state of no series cannot be started; give the histories of one at least")
    steps = default_snapshot_steps(panel.frequency) if snapshot_steps is None else snapshot_steps
    require(steps >= 1, f"snapshot_steps is {steps}: a state can be taken back 1 step at least")
    return read_histories(network, panel, steps, model_version(network)).state


def update(
    forecaster: Forecaster, state: CarriedState, rows: Panel, known_future: KnownFuture | None = None, *, max_age: int | None = None
) -> tuple[ForecastFrame, CarriedState]:
    """Feeds new rows and returns the forecasts after them, and the state; the given state stays as it was.

    Rows that the state has read already may come again: where their values are others, the series is read again from its snapshot,
    and values that do not come again stay. Steps without a row between the state's end and the new rows count as missing.

    Args:
        forecaster: The one that the state was started with.
        state: Before the rows.
        rows: Of exactly the state's series.
        known_future: Known covariates of the H steps after the rows.
        max_age: Most steps from the state's end to the last row; None: any number.

    Raises:
        StateOfAnotherModel, StateOfAnotherGrid, StateTooOld, RowsBeforeState: with the ids.
        DataError: other series than the state's.
    """
    network = carrying(forecaster)
    rows = check_fit(network, state, rows, known_future)
    if len(rows) != len(state) or (rows.ids != state.ids).any():
        strangers = sorted(set(rows.ids) ^ set(state.ids))
        raise DataError(
            f"the rows and the state differ in {len(strangers)} series, among them {strangers[:5]}; start a state for new series, "
            f"or use advance"
        )
    check_rows(state, rows, max_age)
    found = changes(state, rows, np.maximum(rows.ends, state.ends), blanks=False)
    return together(network, catch_up(network, state, found, known_future))


def step(
    forecaster: Forecaster, state: NetworkState, y: FloatArray, ordinals: IntArray | None = None
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
    fitted = carrying(forecaster)
    if len(y) <= FEW_ROWS and has_fast_step(fitted):
        return stepper_of(fitted).step(state, y, ordinals)
    return read_step(fitted, state, y, ordinals)


def read_step(
    fitted: NeuralForecaster, state: NetworkState, y: FloatArray, ordinals: IntArray | None = None
) -> tuple[FloatArray, FloatArray, NetworkState]:
    """Returns what `step` does by way of the network itself, for every network and number of series."""
    rows, horizon, names = len(y), fitted.horizon, fitted.network.calendar
    require(not names or ordinals is not None, f"{fitted.name} is told the calendar ({', '.join(names)}): give the ordinals")
    known = np.zeros((rows, 1 + horizon, 0))
    if ordinals is not None:
        table = CalendarTable(frequency_in(fitted.facts.schema), names, fitted.facts.events)
        known = table.beside(known, ordinals[:, None] + np.arange(1 + horizon))
    piece = Segments(y[:, None], known, np.zeros((rows, 1, 0)), np.zeros((rows, 0)), np.zeros((rows, 2)))
    state = state.to(next(fitted.network.parameters()).device)
    mean, quantiles, after = read_piece(fitted.network, state, piece, np.zeros((rows, 1), np.int64), np.ones(rows, np.int64))
    return mean[:, 0], quantiles[:, 0], after
