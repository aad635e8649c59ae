"""Bringing a state up to date with rows that reach back before its end: new rows are fed, corrected ones read again from the snapshot.

It must not read whole histories: series that need that are `advance`'s.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from forecast.core.arrays import BoolArray, IntArray
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.core.panel_splice import spliced
from forecast.core.row_digests import RowDigests
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.state_reading import Facts, Read, read_anew, read_on
from forecast.neural.state_value import CarriedState


class Changes(NamedTuple):
    """How rows and a state of the same N series lie to each other.

    rows: all rows after the snapshot, corrected and new ones in their places. changed: whether any that the state has read is
    another one now. added: steps after the state's end. Shapes [N].
    """

    rows: Panel
    changed: BoolArray
    added: IntArray


def changes(state: CarriedState, rows: Panel, lasts: IntArray, blanks: bool) -> Changes:
    """Returns what is new in the rows.

    Args:
        state: Of N series.
        rows: Of the same series. What they say of the time before the snapshot is not looked at.
        lasts: Ordinal up to which a series goes now, after its snapshot. Shape [N].
        blanks: Whether rows without any value take away what the state has read there.
    """
    firsts = state.snapshot.ends + 1
    merged = spliced(state.recent, rows, firsts, lasts, blanks)
    digests = state.snapshot.digests + RowDigests(merged).between(firsts, state.ends)
    return Changes(merged, (digests != state.now.digests) | (lasts < state.ends), lasts - state.ends)


def catch_up(forecaster: NeuralForecaster, state: CarriedState, found: Changes, known_future: KnownFuture | None) -> list[Read]:
    """Reads what `changes` found, in up to three groups: a few new rows, many new rows, and corrections.

    A series with nothing new is read again from the snapshot too: its forecast is asked for.
    """
    again = found.changed | (found.added < 1)
    many = ~again & (found.added >= state.snapshot_steps)
    parts = []
    for mask, point in ((again, state.snapshot), (many, state.now)):
        some = np.flatnonzero(mask)
        if len(some):
            before, rows = point.take(some), found.rows.take(some)
            facts = Facts(state.begins[some], state.snapshot_steps, state.model)
            parts.append(read_anew(forecaster, rows.after(before.ends), before, facts, known_future))
    some = np.flatnonzero(~again & ~many)
    if len(some):
        mine = state.take(some) if len(some) < len(state) else state
        rows = found.rows.take(some) if len(some) < len(state) else found.rows
        parts.append(read_on(forecaster, mine, rows.after(mine.ends), known_future))
    return parts
