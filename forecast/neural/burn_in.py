"""How far back a network reads: states that begin inside a history, and the number of steps after which the beginning is forgotten.

The lag vector and the scales need the lead, a fixed number of rows; what the encoder and a normaliser that smooths still know of
older rows fades. Count and mean of |y| over all rows do not fade: they are worked out from the panel, which is cheap.
"""

from __future__ import annotations

import numpy as np
import torch

from forecast.core.arrays import IntArray
from forecast.core.panel import Panel
from forecast.core.seasonal_error import seasonal_errors
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.state import NetworkState
from forecast.neural.inference import feed_panel
from forecast.windowing.segments import SegmentReader

MEASURED_SERIES = 24
LONGEST = 1024  # steps: a network that still knows its start after these is read from the start
FORGOTTEN = 1e-6  # difference of two forecasts, scaled units
_ROWS_AT_ONCE = 4096


def states_inside(network: ForecastingNetwork, panel: Panel, first: IntArray) -> NetworkState:
    """Returns the states with which each series is read from row first[i] on; row 0 is the beginning of the series.

    Args:
        network: In evaluation mode.
        panel: N series, with the rows before too.
        first: Rows inside the series. Shape [N].
    """
    reader, states = SegmentReader.of(panel, network.calendar), []
    for begin in range(0, len(panel), _ROWS_AT_ONCE):
        series = np.arange(begin, min(begin + _ROWS_AT_ONCE, len(panel)))
        before = reader.read(series, first[series], lead=network.lead, steps=0, horizon=0)
        with torch.inference_mode():
            inside = network.state_inside(torch.from_numpy(before.y), torch.from_numpy(before.statistics))
            fresh = np.flatnonzero(first[series] == 0)
            states.append(inside.put(torch.from_numpy(fresh), network.initial_state(len(fresh))) if len(fresh) else inside)
    return NetworkState.concatenate(states)


def measured_burn_in(network: ForecastingNetwork, panel: Panel) -> int | None:
    """Returns the steps to read before a forecast so that it does not matter what was read before them, a power of two.

    The longest series are read from further and further back, until the forecasts after their ends are those from their whole
    histories, but for FORGOTTEN of the seasonal error, or of the forecast itself where that is larger: float32 knows no more digits.
    A start in the first half of a history counts as none.

    Returns:
        None where the start is never forgotten, as far as the histories reach.
    """
    observed = np.add.reduceat((~np.isnan(panel.y)).astype(np.int64), panel.offsets[:-1]) if len(panel) else np.zeros(0, np.int64)
    order = np.argsort(-np.minimum(observed, 2 * LONGEST), kind="stable")[:MEASURED_SERIES]
    chosen = panel.take(np.sort(order[observed[order] > 2])).tail(2 * LONGEST)
    if not len(chosen):
        return None
    unit = seasonal_errors(chosen, chosen.ends[:, None], chosen.frequency.season_length).absolute
    unit = np.where(unit > 0, unit, 0.0)[:, :, None]
    whole, _ = feed_panel(network, chosen, network.initial_state(len(chosen)))
    steps = 1
    while 2 * steps <= int(chosen.lengths.max()):
        first = np.maximum(chosen.lengths - steps, 0)
        found, _ = feed_panel(network, chosen.tail(steps), states_inside(network, chosen, first))
        judged = chosen.lengths >= 2 * steps
        scale = np.maximum(unit, np.abs(whole.quantiles))
        error = np.abs(found.quantiles - whole.quantiles) / np.where(scale > 0, scale, 1.0)
        if float(error[judged].max()) < FORGOTTEN:
            return steps
        steps *= 2
    return None
