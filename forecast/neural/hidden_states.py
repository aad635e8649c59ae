"""The hidden states as tables, for clustering, anomaly search and plots. It must not change a state."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from forecast.core.arrays import FloatArray, IntArray, TextArray
from forecast.core.forecaster import Forecaster, require
from forecast.core.panel import Panel
from forecast.networks.state import NetworkState
from forecast.neural.inference import feed_panel
from forecast.neural.state_checks import carrying
from forecast.neural.state_value import CarriedState


def state_spec(forecaster: Forecaster) -> dict[str, tuple[int, ...]]:
    """Returns the shape of what is carried of one series by part: the encoder's tensors, the ring, the normaliser's statistics.

    Raises:
        ModelError: not fitted, or a model that carries no state.
    """
    return carrying(forecaster).network.initial_state(1).spec()


def hidden_states(state: CarriedState) -> pd.DataFrame:
    """Returns what the encoder carries after the last row: unique_id, ds (that row's), h0, h1, ...; one row a series.

    The numbers are the encoder's tensors end to end, for an LSTM the output and then the cell.

    Raises:
        ModelError: an encoder without a state of its own.
    """
    return _table(state.recent, state.ids, state.ends, _flat(state.network))


def hidden_states_by_step(forecaster: Forecaster, panel: Panel) -> pd.DataFrame:
    """Returns what the encoder carries after every row of the panel: unique_id, ds, h0, h1, ...; one row a series and step.

    The columns are those of `hidden_states`, which are its last rows. Every step is a pass of its own: meant for some thousand steps.

    Raises:
        ModelError: not fitted, no state, or a panel of another frequency or other covariates than at `fit`.
    """
    network = carrying(forecaster)
    panel = network.check(panel)
    state, ids, ordinals, found = network.network.initial_state(len(panel)), [], [], []
    for step in range(int(panel.lengths.max())):
        alive = np.flatnonzero(panel.lengths > step)
        some = panel.take(alive)
        now = some.starts + step
        _, after = feed_panel(network.network, some.until(now).after(now - 1), state.take(torch.from_numpy(alive)))
        state = state.put(torch.from_numpy(alive), after)
        ids.append(some.ids)
        ordinals.append(now)
        found.append(_flat(after))
    names = np.concatenate(ids)
    table = _table(panel, names, np.concatenate(ordinals), np.concatenate(found))
    return table.iloc[np.argsort(names, kind="stable")].reset_index(drop=True)


def _flat(state: NetworkState) -> FloatArray:
    require(bool(state.encoder), "the encoder carries nothing but the last values: it has no hidden states to show")
    return np.concatenate([tensor.flatten(1).to(torch.float64).numpy() for tensor in state.encoder], axis=1)


def _table(panel: Panel, ids: TextArray, ordinals: IntArray, values: FloatArray) -> pd.DataFrame:
    columns = {f"h{number}": values[:, number] for number in range(values.shape[1])}
    return pd.DataFrame({"unique_id": ids, "ds": panel.frequency.stamps(ordinals), **columns})
