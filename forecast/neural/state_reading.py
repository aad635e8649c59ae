"""Reading on from a state: new rows after its end, corrected ones from its snapshot, whole histories from their beginning.

All series that are read the same way go through the network together. Which way is right is decided in `catching_up` and `advance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from forecast.core.arrays import FloatArray, IntArray
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.core.panel_splice import spliced
from forecast.core.row_digests import RowDigests
from forecast.neural.burn_in import states_inside
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.inference import Block, feed_panel
from forecast.neural.state_value import CarriedState, Point


class Read(NamedTuple):
    """The last rows that went through the network, the forecasts after them, the state there, and how many rows in all [N]."""

    rows: Panel
    forecasts: Block
    state: CarriedState
    steps: IntArray


class Facts(NamedTuple):
    """What a state is told when its histories are begun. begins [N], snapshot_steps, model: See CarriedState."""

    begins: IntArray
    snapshot_steps: int
    model: str


def read_histories(
    forecaster: NeuralForecaster, panel: Panel, snapshot_steps: int, model: str, known_future: KnownFuture | None = None
) -> Read:
    """Reads whole histories; where the burn-in is known, no more than the lead and the last `snapshot_steps + burn_in` rows.

    Args:
        forecaster: Fitted.
        panel: N series, at least one.
        snapshot_steps, model: See CarriedState.
        known_future: None where nobody looks at the forecasts.
    """
    first = np.zeros(len(panel), np.int64)
    if forecaster.burn_in is not None:
        first = np.maximum(panel.lengths - snapshot_steps - forecaster.burn_in, 0)
    ends = panel.starts + first - 1
    before = Point(ends, RowDigests(panel).between(panel.starts, ends), states_inside(forecaster.network, panel, first))
    return read_anew(forecaster, panel.after(ends), before, Facts(panel.starts, snapshot_steps, model), known_future)


def read_anew(forecaster: NeuralForecaster, rows: Panel, before: Point, facts: Facts, known_future: KnownFuture | None) -> Read:
    """Reads rows that follow a point and leaves a snapshot `snapshot_steps` before their end, or at the point.

    Args:
        forecaster: Fitted.
        rows: N series, each beginning right after the point.
        before: The point.
        facts: Of the state to be.
        known_future: Of the steps after the rows; None where nobody looks at the forecasts.
    """
    digests, network = RowDigests(rows), forecaster.network
    ends = np.maximum(rows.ends - facts.snapshot_steps, before.ends)
    snapshot, early = before, np.flatnonzero(ends > before.ends)
    if len(early):
        some = torch.from_numpy(early)
        _, there = feed_panel(network, rows.take(early).until(ends[early]), before.network.take(some))
        snapshot = Point(ends, before.digests + digests.between(rows.starts, ends), before.network.put(some, there))
    recent = rows.after(ends)
    forecasts, there = feed_panel(network, recent, snapshot.network, _future(forecaster, recent, known_future))
    now = Point(rows.ends, before.digests + digests.between(rows.starts, rows.ends), there)
    state = CarriedState(recent, facts.begins, now, now, snapshot, facts.model, facts.snapshot_steps)
    return Read(recent, forecasts, state, rows.lengths)


def read_on(forecaster: NeuralForecaster, state: CarriedState, rows: Panel, known_future: KnownFuture | None) -> Read:
    """Reads fewer than `snapshot_steps` new rows.

    Args:
        forecaster: Fitted.
        state: Before the rows.
        rows: The state's series, each beginning right after the state's end.
        known_future: Of the steps after the rows.
    """
    forecasts, network = feed_panel(forecaster.network, rows, state.network, _future(forecaster, rows, known_future))
    now = Point(rows.ends, state.now.digests + RowDigests(rows).between(rows.starts, rows.ends), network)
    due = rows.ends - state.middle.ends >= state.snapshot_steps
    snapshot, middle = state.middle.or_else(due, state.snapshot), now.or_else(due, state.middle)
    recent = spliced(state.recent, rows, snapshot.ends + 1, rows.ends)
    return Read(rows, forecasts, replace(state, recent=recent, now=now, middle=middle, snapshot=snapshot), rows.lengths)


def together(forecaster: NeuralForecaster, parts: Sequence[Read]) -> tuple[ForecastFrame, CarriedState]:
    """Returns what was read of several groups of series as one frame and one state, in the order of the ids."""
    frame = ForecastFrame.concatenate([forecaster.frame_of(part.rows, [part.forecasts]) for part in parts])
    if len(parts) > 1:
        frame = frame.take(np.argsort(frame.ids, kind="stable"))
    return frame, CarriedState.joined([part.state for part in parts])


def _future(forecaster: NeuralForecaster, rows: Panel, known_future: KnownFuture | None) -> FloatArray | None:
    return None if known_future is None else forecaster.future_of(rows, known_future)
