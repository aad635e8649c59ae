"""Names as columns of zeros and ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from forecast.core.frequency import Frequency
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel, Roles
from forecast.windowing.one_hot import MOST_NAMES, common_names, one_hot, one_hot_future

DAILY = Frequency.parse("D")
ROLES = Roles(known=("price", "event"), static=("kind",), categorical=("event", "kind"))


def _panel(events: list[str | None]) -> Panel:
    days = pd.date_range("2026-01-01", periods=len(events))
    frame = pd.DataFrame({"unique_id": "x", "ds": days, "y": 1.0, "price": 2.0, "event": events})
    return Panel.from_frame(frame, DAILY, ROLES, pd.DataFrame({"unique_id": ["x"], "kind": ["large"]}))


def test_a_name_is_a_column_and_unknown_and_missing_ones_differ() -> None:
    lists = common_names(_panel(["fair", "none", "none"]))
    read = one_hot(_panel(["none", "strike", None]), lists)
    assert read.roles == Roles(known=("price", "event = fair", "event = none"), static=("kind = large",))
    np.testing.assert_array_equal(read.known, [[2, 0, 1], [2, 0, 0], [2, np.nan, np.nan]])
    np.testing.assert_array_equal(read.static, [[1]])


def test_the_future_has_the_same_columns() -> None:
    lists = common_names(_panel(["fair", "none", "none"]))
    frame = pd.DataFrame({"unique_id": "x", "ds": pd.date_range("2026-01-04", periods=2), "price": 3.0, "event": ["none", "storm"]})
    future = one_hot_future(KnownFuture.from_frame(frame, DAILY, ROLES.known, ROLES.categorical), lists)
    assert future.names == ("price", "event = fair", "event = none")
    np.testing.assert_array_equal(future.values, [[3, 0, 1], [3, 0, 0]])


def test_only_the_commonest_names_have_columns() -> None:
    many = [f"n{number:03d}" for number in range(200)]
    lists = common_names(_panel([*many, *many[150:], None]))
    assert len(lists["event"]) == MOST_NAMES
    assert set(many[150:]) <= set(lists["event"])


def test_a_panel_of_amounts_stays_what_it_is() -> None:
    frame = pd.DataFrame({"unique_id": "x", "ds": pd.date_range("2026-01-01", periods=2), "y": 1.0})
    panel = Panel.from_frame(frame, DAILY)
    assert one_hot(panel, {}) is panel
