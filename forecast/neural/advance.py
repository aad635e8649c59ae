"""A night with a carried state: tonight's panel as it comes, each series read no further back than it has to be.

Series that are new, gapped, corrected late, restated long ago, silent or gone are told apart, handled and reported.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from forecast.core.arrays import BoolArray, IntArray, TextArray
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.forecaster import Forecaster, require
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.core.row_digests import RowDigests
from forecast.neural.catching_up import Changes, catch_up, changes
from forecast.neural.state_checks import carrying, check_fit, too_old
from forecast.neural.state_reading import Read, read_histories, together
from forecast.neural.state_value import CarriedState

Kind = Literal["continued", "gapped", "silent", "unchanged", "corrected", "restated", "aged", "new", "vanished"]


class Advanced(NamedTuple):
    """What a night gives.

    frame: the forecasts after the end of each series of tonight's panel, in its order.
    state: of these series, and of those that vanished where they are kept.
    report: one row a series: unique_id, kind, and rows, how many steps of it went through the network. Kinds:

        continued   new rows right after the state's end
        gapped      some of the new steps are missing
        silent      all of the new steps are missing
        unchanged   no new step
        corrected   a row since the snapshot is another one now: read again from the snapshot
        restated    an older row is another one now, or the history begins or ends earlier: read again whole
        aged        the state is older than allowed: read again whole
        new         not in the state: read whole
        vanished    in the state, not in tonight's panel: no forecast
    """

    frame: ForecastFrame
    state: CarriedState
    report: pd.DataFrame


def advance(
    forecaster: Forecaster, state: CarriedState, history: Panel, known_future: KnownFuture | None = None, *,
    max_age: int | None = None, keep_vanished: bool = True,
) -> Advanced:  # fmt: skip
    """Returns the forecasts that `predict(history)` gives, made from the state as far as it still holds; the state stays as it was.

    Args:
        forecaster: The one that the state was started with.
        state: Of some earlier night.
        history: Tonight's panel. A series may come whole or, to be read by no more than its end, without its first rows: what lies
            before those is taken to be what the state has read. One that has to be read again is read from what there is of it.
        known_future: Known covariates of the H steps after the end of each series.
        max_age: Most steps from the state's end to a series' last row; a series beyond is read whole. None: any number.
        keep_vanished: Whether series that are not in the panel stay in the state, as they were.

    Raises:
        StateOfAnotherModel, StateOfAnotherGrid: with the ids.
        ModelError: a series without any observed value.
    """
    network = carrying(forecaster)
    require(len(history) > 0, f"{network.name}: tonight's panel has no series; give the histories of one at least")
    history = check_fit(network, state, history, known_future)
    place = np.minimum(np.searchsorted(state.ids, history.ids), len(state) - 1)
    known = np.flatnonzero(state.ids[place] == history.ids)
    panel, before = history.take(known), state.take(place[known])
    restated, aged = _restated(before, panel), too_old(before, panel, max_age)
    kinds: TextArray = np.full(len(history), "new", dtype=object)
    kinds[known[aged]], kinds[known[restated]] = "aged", "restated"
    warm, parts = np.flatnonzero(~restated & ~aged), []
    if len(warm):
        held, current = before.take(warm), panel.take(warm)
        found = changes(held, current, current.ends, blanks=True)
        kinds[known[warm]] = _warm_kinds(held, current, found)
        parts += catch_up(network, held, found, known_future)
    cold = np.flatnonzero(np.isin(kinds, ("new", "aged", "restated")))
    if len(cold):
        parts.append(read_histories(network, history.take(cold), state.snapshot_steps, state.model, known_future))
    frame, after = together(network, parts)
    _checked(network.name, after)
    gone = np.setdiff1d(np.arange(len(state)), place[known])
    report = _report(parts, kinds, state.ids[gone])
    return Advanced(frame, CarriedState.joined([after, state.take(gone)]) if len(gone) and keep_vanished else after, report)


def _restated(state: CarriedState, panel: Panel) -> BoolArray:
    """Which series are others before the snapshot than what was read of them, as far as the panel reaches back. Shape [N]."""
    digests = RowDigests(panel).between(panel.starts, state.snapshot.ends)
    whole = panel.starts <= state.begins
    other = (digests != state.snapshot.digests) | (panel.starts < state.begins)
    mine, theirs = state.recent.static, panel.static
    constant = ((mine == theirs) | (np.isnan(mine) & np.isnan(theirs))).all(axis=1)
    restated: BoolArray = (whole & other) | (panel.ends <= state.snapshot.ends) | ~constant
    return restated


def _warm_kinds(state: CarriedState, panel: Panel, found: Changes) -> TextArray:
    """The kinds of series that need not be read whole. Shape [N]."""
    seen = _observed_after(panel, state.ends)
    rules = ((found.changed, "corrected"), (found.added < 1, "unchanged"), (seen == 0, "silent"), (seen < found.added, "gapped"))
    return np.select([rule for rule, _ in rules], [kind for _, kind in rules], "continued").astype(object)


def _observed_after(panel: Panel, cutoffs: IntArray) -> IntArray:
    """Observed values of each series after a cutoff. Shape [N]."""
    counts = np.concatenate([np.zeros(1, np.int64), np.cumsum(~np.isnan(panel.y))])
    first = np.clip(cutoffs + 1 - panel.starts, 0, panel.lengths)
    return np.asarray(counts[panel.offsets[1:]] - counts[panel.offsets[:-1] + first])


def _checked(name: str, state: CarriedState) -> None:
    unseen = state.network.statistics[:, 0].numpy() == 0
    names = [str(unique_id) for unique_id in state.ids[unseen][:5]]
    require(not names, f"{name}: {int(unseen.sum())} series have no observed value, among them {names}; leave them out")


def _report(parts: list[Read], kinds: TextArray, gone: TextArray) -> pd.DataFrame:
    """One row a series of tonight's panel and of those that are gone, in the order of the ids."""
    ids = np.concatenate([part.rows.ids for part in parts])
    rows = np.concatenate([part.steps for part in parts])[np.argsort(ids, kind="stable")]
    columns = {"unique_id": (np.sort(ids), gone), "kind": (kinds, np.full(len(gone), "vanished", dtype=object)),
               "rows": (rows, np.zeros(len(gone), np.int64))}  # fmt: skip
    both = {name: np.concatenate(pair) for name, pair in columns.items()}
    order = np.argsort(both["unique_id"], kind="stable")
    return pd.DataFrame({name: values[order] for name, values in both.items()})
