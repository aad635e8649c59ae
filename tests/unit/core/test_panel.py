"""Panel: what it keeps, what it does not mind, and that each view equals plain pandas."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from forecast.core.errors import DataError, UsageError
from forecast.core.frequency import Frequency
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel, Roles

DAILY = Frequency.parse("D")
ROLES = Roles(known=("promo",), past=("visitors",), static=("area",))
STATIC = pd.DataFrame({"unique_id": ["b", "001", "NA"], "area": [2.0, 1.0, 3.0]})


def ragged() -> pd.DataFrame:
    """Three series of 5, 8 and 1 days; the second one has a gap of two days and a missing value."""
    parts = []
    for name, start, days in (
        ("001", "2026-01-01", [0, 1, 2, 3, 4]),
        ("NA", "2025-12-30", [0, 1, 4, 5, 6, 7, 8, 9]),
        ("b", "2026-01-03", [0]),
    ):
        stamps = pd.Timestamp(start) + pd.to_timedelta(days, unit="D")
        parts.append(
            pd.DataFrame({"unique_id": name, "ds": stamps, "y": np.arange(len(days)) + 10.0, "promo": np.arange(len(days)) % 2})
        )
    frame = pd.concat(parts, ignore_index=True)
    frame["visitors"] = frame["y"] * 3
    frame.loc[7, "y"] = np.nan
    return frame


@pytest.fixture
def panel() -> Panel:
    return Panel.from_frame(ragged(), DAILY, ROLES, STATIC)


def test_a_panel_is_columnar(panel: Panel) -> None:
    assert panel.ids.tolist() == ["001", "NA", "b"]
    assert panel.lengths.tolist() == [5, 10, 1]
    assert panel.offsets.tolist() == [0, 5, 15, 16]
    assert len(panel) == 3
    assert panel.rows == 16
    np.testing.assert_array_equal(
        DAILY.stamps(panel.starts).astype("datetime64[D]"), np.array(["2026-01-01", "2025-12-30", "2026-01-03"], "M8[D]")
    )
    np.testing.assert_array_equal(
        DAILY.stamps(panel.ends).astype("datetime64[D]"), np.array(["2026-01-05", "2026-01-08", "2026-01-03"], "M8[D]")
    )
    assert panel.last_cutoff == panel.ends.max()
    assert panel.static[:, 0].tolist() == [1.0, 3.0, 2.0]
    assert panel.y.dtype == np.float64
    assert panel.known.shape == panel.past.shape == (16, 1)


def test_gaps_become_missing_and_never_zero(panel: Panel) -> None:
    np.testing.assert_array_equal(panel.series(1), [10, 11, np.nan, np.nan, np.nan, 13, 14, 15, 16, 17])
    assert np.isnan(panel.known[7:9]).all()
    assert np.isnan(panel.past[7:9]).all()
    assert not np.isnan(panel.known[9])  # the value is missing there, the promotion is not


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_rows_does_not_matter(panel: Panel, seed: int) -> None:
    shuffled = Panel.from_frame(ragged().sample(frac=1, random_state=seed), DAILY, ROLES, STATIC.sample(frac=1, random_state=seed))
    assert shuffled.fingerprint() == panel.fingerprint()


def test_building_a_panel_leaves_the_frame_as_it_is() -> None:
    frame = ragged().sample(frac=1, random_state=3)
    before = frame.copy(deep=True)
    Panel.from_frame(frame, DAILY, ROLES, STATIC)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize("kind", ["category", "string", "object"])
def test_the_type_of_the_id_column_does_not_matter(panel: Panel, kind: str) -> None:
    frame = ragged().astype({"unique_id": kind})
    assert Panel.from_frame(frame, DAILY, ROLES, STATIC).fingerprint() == panel.fingerprint()


@pytest.mark.parametrize("kind", ["Int64", "Float32", "float32", "int8", "boolean", "bool", "str"])
def test_numbers_of_every_type_are_the_same_numbers(panel: Panel, kind: str) -> None:
    frame = ragged().astype({"promo": kind})
    if kind == "str":
        frame["promo"] = frame["promo"].astype(object)
    assert Panel.from_frame(frame, DAILY, ROLES, STATIC).fingerprint() == panel.fingerprint()


def test_ids_are_text_byte_by_byte_after_nfc() -> None:
    names = ["NA", "001", "1", "null", "", " ", "é", "😀", "x" * 300, "../../etc/passwd", "a\0b", "=cmd()", "a\nb"]
    frame = pd.DataFrame({"unique_id": names, "ds": pd.Timestamp("2026-01-01"), "y": 1.0})
    assert sorted(names) == Panel.from_frame(frame, DAILY).ids.tolist()


def test_one_name_written_in_two_ways_is_one_series() -> None:
    composed, decomposed = "café", unicodedata.normalize("NFD", "café")
    frame = pd.DataFrame({"unique_id": [composed, decomposed], "ds": pd.to_datetime(["2026-01-01", "2026-01-02"]), "y": [1.0, 2.0]})
    static = pd.DataFrame({"unique_id": [decomposed], "area": [5.0]})
    panel = Panel.from_frame(frame, DAILY, Roles(static=("area",)), static)
    assert panel.ids.tolist() == [composed]
    assert panel.y.tolist() == [1.0, 2.0]
    assert panel.static.tolist() == [[5.0]]


def _drop(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(index=0)


def _value(column: str, value: float | str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        changed = frame.copy()
        changed[column] = changed[column].astype(object)
        changed.loc[1, column] = value
        return changed.astype({column: frame[column].dtype}) if column != "y" else changed.astype({"y": float})

    return change


@pytest.mark.parametrize(
    "change", [_drop, _value("y", 11.000001), _value("y", np.nan), _value("promo", 5), _value("visitors", 0.5), _value("unique_id", "zz")]
)  # fmt: skip
def test_the_fingerprint_sees_every_change(panel: Panel, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    static = pd.concat([STATIC, pd.DataFrame({"unique_id": ["zz"], "area": [0.0]})])
    assert Panel.from_frame(change(ragged()), DAILY, ROLES, static).fingerprint() != panel.fingerprint()


def test_the_fingerprint_sees_roles_static_values_and_frequency(panel: Panel) -> None:
    frame = ragged()
    others = [
        Panel.from_frame(frame, DAILY, ROLES, STATIC.assign(area=[2.0, 1.0, 4.0])),
        Panel.from_frame(frame, DAILY, Roles(known=("visitors",), past=("promo",), static=("area",)), STATIC),
        Panel.from_frame(frame, Frequency.parse("h"), ROLES, STATIC),
    ]
    assert len({panel.fingerprint(), *(other.fingerprint() for other in others)}) == 4


def test_equal_values_have_one_fingerprint_whatever_their_bits() -> None:
    nan_of_the_other_sign = np.array([0xFFF8000000000000], dtype=np.uint64).view(np.float64)[0]
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2026-01-01", periods=2), "y": [0.0, np.nan]})
    other = frame.assign(y=[-0.0, nan_of_the_other_sign])
    assert Panel.from_frame(frame, DAILY).fingerprint() == Panel.from_frame(other, DAILY).fingerprint()


def test_ids_with_odd_characters_cannot_be_taken_for_one_another() -> None:
    def fingerprint(first: str, second: str) -> str:
        frame = pd.DataFrame({"unique_id": [first, second], "ds": pd.Timestamp("2026-01-01"), "y": 1.0})
        return Panel.from_frame(frame, DAILY).fingerprint()

    assert fingerprint("a\0b", "c") != fingerprint("a", "b\0c")


def test_to_frame_and_back_is_the_same_panel(panel: Panel) -> None:
    assert Panel.from_frame(panel.to_frame(), DAILY, ROLES, STATIC).fingerprint() == panel.fingerprint()


def same(panel: Panel, frame: pd.DataFrame) -> None:
    """The panel holds exactly the rows of a frame that was cut by pandas."""
    pd.testing.assert_frame_equal(panel.to_frame(), frame.reset_index(drop=True), check_dtype=False)


@pytest.mark.parametrize("day", ["2025-12-29", "2025-12-30", "2026-01-01", "2026-01-03", "2026-01-05", "2026-01-08", "2027-01-01"])
def test_until_keeps_the_rows_up_to_the_cutoff(panel: Panel, day: str) -> None:
    cutoff = int(DAILY.ordinals(np.array([day], dtype="datetime64[ns]"))[0][0])
    table = panel.to_frame()
    same(panel.until(cutoff), table[table["ds"] <= day])


def test_until_takes_one_cutoff_for_each_series(panel: Panel) -> None:
    cut = panel.until(panel.starts + np.array([0, 3, -1]))
    assert cut.ids.tolist() == ["001", "NA"]
    assert cut.lengths.tolist() == [1, 4]
    assert cut.static[:, 0].tolist() == [1.0, 3.0]


@pytest.mark.parametrize("n", [1, 2, 5, 9, 100])
def test_tail_keeps_the_last_rows_of_each_series(panel: Panel, n: int) -> None:
    same(panel.tail(n), panel.to_frame().groupby("unique_id", sort=False).tail(n))


def test_a_tail_of_nothing_is_refused(panel: Panel) -> None:
    with pytest.raises(UsageError, match="tail of 0 rows"):
        panel.tail(0)


def test_select_and_take_keep_whole_series(panel: Panel) -> None:
    table = panel.to_frame()
    same(panel.select(["b", "001", "b"]), table[table["unique_id"].isin(["b", "001"])])
    same(panel.take(np.array([1, 2])), table[table["unique_id"].isin(["NA", "b"])])
    assert panel.take(np.array([1, 2])).static[:, 0].tolist() == [3.0, 2.0]
    assert len(panel.select([])) == 0


def test_select_names_the_series_that_are_not_there(panel: Panel) -> None:
    with pytest.raises(DataError, match=r"no series \['0', 'zz'\] \(2 in all\); it has 3 series"):
        panel.select(["001", "zz", "0"])


def test_views_can_be_chained(panel: Panel) -> None:
    table = panel.to_frame()
    table = table[table["unique_id"].isin(["001", "NA"]) & (table["ds"] <= "2026-01-04")]
    cutoff = int(DAILY.ordinals(np.array(["2026-01-04"], dtype="datetime64[ns]"))[0][0])
    same(panel.select(["001", "NA"]).until(cutoff).tail(3), table.groupby("unique_id", sort=False).tail(3))


def test_an_empty_frame_is_an_empty_panel() -> None:
    panel = Panel.from_frame(ragged().iloc[:0], DAILY, ROLES, STATIC)
    assert (len(panel), panel.rows, panel.offsets.tolist()) == (0, 0, [0])
    assert len(panel.until(5)) == len(panel.tail(3)) == len(panel.select([])) == 0
    assert panel.to_frame().empty
    with pytest.raises(UsageError, match="no last cutoff"):
        _ = panel.last_cutoff


def test_a_panel_holds_no_object_for_a_row() -> None:
    """Ten times the rows cost ten times their numbers: ids stay as many as the series."""
    frame = pd.DataFrame({"unique_id": np.repeat(["a", "b"], 50_000), "ds": np.tile(np.arange(50_000), 2), "y": 1.0})
    panel = Panel.from_frame(frame, Frequency.parse("integer"))
    assert panel.ids.shape == (2,)
    assert all(getattr(panel, name).dtype != object for name in ("offsets", "starts", "y", "known", "past", "static"))


# Known covariates after a cutoff.


def test_known_future_is_what_comes_after_the_cutoff(panel: Panel) -> None:
    table = panel.to_frame()
    cutoff = int(DAILY.ordinals(np.array(["2026-01-03"], dtype="datetime64[ns]"))[0][0])
    future = panel.known_future(after=cutoff)
    assert future.ids.tolist() == ["001", "NA"]
    np.testing.assert_array_equal(future.values[:, 0], table.loc[table["ds"] > "2026-01-03", "promo"])


def test_known_future_of_a_frame_equals_that_of_the_panel(panel: Panel) -> None:
    cutoff = int(DAILY.ordinals(np.array(["2026-01-03"], dtype="datetime64[ns]"))[0][0])
    table = panel.to_frame()
    rows = table.loc[table["ds"] > "2026-01-03", ["unique_id", "ds", "promo"]].sample(frac=1, random_state=1)
    given, taken = KnownFuture.from_frame(rows, DAILY, ("promo",)), panel.known_future(after=cutoff)
    for name in ("ids", "offsets", "starts", "values"):
        np.testing.assert_array_equal(getattr(given, name), getattr(taken, name))


def test_a_window_equals_a_look_up_row_by_row(panel: Panel) -> None:
    future = panel.known_future(after=panel.starts)
    table = panel.to_frame().set_index(["unique_id", "ds"])["promo"]
    ids = np.array(["NA", "zz", "001", "NA", "b", "000"], dtype=object)
    firsts = np.array([panel.starts[1] + 1, 0, panel.starts[0] - 2, panel.ends[1], panel.starts[2] + 1, panel.starts[0]])
    window = future.window(ids, firsts, 4)
    for row, (name, first) in enumerate(zip(ids, firsts, strict=True)):
        start = dict(zip(panel.ids, panel.starts, strict=True)).get(name, 0)
        for step in range(4):
            stamp = pd.Timestamp(DAILY.stamps(np.array([first + step]))[0])
            expected = table.get((name, stamp), np.nan) if first + step > start else np.nan
            np.testing.assert_equal(window[row, step, 0], expected)


def test_a_horizon_with_holes_is_refused_with_the_names_of_the_series(panel: Panel) -> None:
    future = panel.known_future(after=panel.starts)
    assert future.require(panel.ids[:1], panel.starts[:1] + 1, 4).shape == (1, 4, 1)
    with pytest.raises(DataError, match=r"missing inside the horizon of 5 steps for series \['001', 'b'\] \(2 in all\)"):
        future.require(panel.ids[[0, 2]], panel.starts[[0, 2]] + 1, 5)


def test_no_future_at_all_is_all_missing(panel: Panel) -> None:
    assert np.isnan(panel.known_future(after=panel.last_cutoff).window(panel.ids, panel.ends + 1, 2)).all()
