"""Categorical covariates: names are kept as they are, and a model's own list is read in any panel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from forecast.core.categories import UNKNOWN, coded, recoded, recoded_future, vocabulary_of
from forecast.core.errors import UsageError
from forecast.core.frequency import Frequency
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel, Roles
from forecast.core.panel_extend import extend_to
from forecast.core.panel_schema import panel_schema, roles_in

DAILY = Frequency.parse("D")
ROLES = Roles(known=("event", "price"), past=("weather",), static=("kind",), categorical=("event", "weather", "kind"))


def _panel(events: list[str | None], kinds: tuple[str, str] = ("b", "a")) -> Panel:
    days = len(events)
    one = pd.DataFrame({"ds": pd.date_range("2026-01-01", periods=days), "y": 1.0, "event": events, "price": 2.0, "weather": "sun"})
    frame = pd.concat([one.assign(unique_id="x"), one.assign(unique_id="y")])
    return Panel.from_frame(frame, DAILY, ROLES, pd.DataFrame({"unique_id": ["x", "y"], "kind": kinds}))


@pytest.mark.parametrize(
    ("values", "names", "places"),
    [
        (["b", "a", None, "", "b"], ("a", "b"), [1, 0, np.nan, np.nan, 1]),
        ([3, 10, 3], ("10", "3"), [1, 0, 1]),
        ([3.0, np.nan, 10.0], ("10", "3"), [1, np.nan, 0]),
        ([True, False], ("false", "true"), [1, 0]),
        (["NA", "null", "001", "1", "e\u0301", "\u00e9", "a\0b", "a\0c"], ("001", "1", "NA", "a\0b", "a\0c", "null", "\u00e9"),
         [2, 5, 0, 1, 6, 6, 3, 4]),
    ],
)  # fmt: skip
def test_a_value_is_a_place_among_the_ascending_names(values: list[object], names: tuple[str, ...], places: list[float]) -> None:
    found, texts = coded(pd.Series(values))
    assert texts == names
    np.testing.assert_array_equal(found, np.array(places, dtype=float))


def test_a_panel_keeps_the_names_of_all_its_roles() -> None:
    panel = _panel(["none", "sale", None])
    assert vocabulary_of(panel) == {"event": ("none", "sale"), "weather": ("sun",), "kind": ("a", "b")}
    np.testing.assert_array_equal(panel.known[:3, 0], [0, 1, np.nan])
    np.testing.assert_array_equal(panel.static[:, 0], [1, 0])
    assert panel.tail(1).categories == panel.categories


def test_a_name_that_is_not_in_the_models_list_is_unknown_and_a_missing_one_stays_missing() -> None:
    panel = _panel(["none", "strike", None])
    learned = {"event": ("none", "sale"), "weather": ("rain", "sun"), "kind": ("a", "b")}
    read = recoded(panel, learned)
    np.testing.assert_array_equal(read.known[:3, 0], [0, UNKNOWN, np.nan])
    np.testing.assert_array_equal(read.known[:3, 1], [2, 2, 2])
    np.testing.assert_array_equal(read.past[:3, 0], [1, 1, 1])
    np.testing.assert_array_equal(recoded(read, learned).known[:3, 0], [0, UNKNOWN, np.nan])
    assert recoded(panel, vocabulary_of(panel)) is panel


def test_the_known_future_is_read_through_the_same_lists() -> None:
    frame = pd.DataFrame({"unique_id": "x", "ds": pd.date_range("2026-01-04", periods=2), "event": ["sale", "fair"], "price": 3.0})
    future = KnownFuture.from_frame(frame, DAILY, ("event", "price"), ("event", "weather"))
    read = recoded_future(future, {"event": ("none", "sale")})
    np.testing.assert_array_equal(read.values, [[1, 3], [UNKNOWN, 3]])
    own = _panel(["none", "sale", "fair"]).known_future(0)
    assert own.vocabulary == (("event", ("fair", "none", "sale")),)


def test_names_are_part_of_the_fingerprint_and_columns_of_the_schema() -> None:
    first, second = _panel(["none", "sale"]), _panel(["none", "gale"])
    np.testing.assert_array_equal(first.known[:, 0], [0, 1, 0, 1])
    assert first.fingerprint() != second.fingerprint()
    assert panel_schema(first) == panel_schema(second)
    assert roles_in(panel_schema(first)) == ROLES


def test_a_panel_without_categories_has_the_fingerprint_it_always_had() -> None:
    frame = pd.DataFrame({"unique_id": "x", "ds": pd.date_range("2026-01-01", periods=2), "y": [1.0, 2.0]})
    panel = Panel.from_frame(frame, DAILY)
    assert panel.fingerprint()[:16] == "6f602b5c5939a115"
    assert panel.fingerprint() != replace(panel, y=panel.y + 1).fingerprint()


def test_a_categorical_column_needs_a_role() -> None:
    frame = pd.DataFrame({"unique_id": "x", "ds": pd.date_range("2026-01-01", periods=2), "y": 1.0})
    with pytest.raises(UsageError, match="have no other role"):
        Panel.from_frame(frame, DAILY, Roles(categorical=("kind",)))


def test_a_panel_that_is_extended_by_a_table_with_other_names_keeps_the_names_of_both() -> None:
    panel = _panel(["fair", "none", "none"])
    rows = pd.DataFrame({"ds": pd.date_range("2026-01-04", periods=2), "event": ["fair", "strike"], "price": 3.0})
    ahead = pd.concat([rows.assign(unique_id=uid) for uid in ("x", "y")])
    known = KnownFuture.from_frame(ahead, DAILY, ("event", "price"), ("event",))
    longer = extend_to(panel, int(panel.last_cutoff) + 2, known)
    names = vocabulary_of(longer)["event"]
    assert [names[int(place)] for place in longer.known[:5, 0]] == ["fair", "none", "none", "fair", "strike"]
    np.testing.assert_array_equal(longer.known[:5, 1], [2, 2, 2, 3, 3])
