"""Laws of the panel on random ragged tables: gaps, missing values, one-point series, whole-number time."""

from __future__ import annotations

import unicodedata

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.core.arrays import FloatArray
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles

ROLES = Roles(known=("k",), past=("p",))
FREQUENCIES = tuple(Frequency.parse(alias) for alias in ("integer", "D", "h", "15min", "W-MON", "MS", "QE", "YS", "B"))
IDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NUMBERS = st.one_of(st.just(float("nan")), st.floats(allow_nan=False, allow_infinity=False, width=64))


def nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


@st.composite
def tables(draw: st.DrawFn) -> tuple[pd.DataFrame, Frequency]:
    """A long table of 1 to 4 series of 1 to 12 rows with gaps, in random order, on a random grid, before and after 1970."""
    frequency = draw(st.sampled_from(FREQUENCIES))
    names = draw(st.lists(IDS, min_size=1, max_size=4, unique_by=nfc))
    rows: list[tuple[str, int]] = []
    for name in names:
        start = draw(st.integers(-60, 60))
        steps = draw(st.lists(st.integers(0, 20), min_size=1, max_size=draw(st.sampled_from([1, 2, 5, 12])), unique=True))
        rows += [(name, start + step) for step in steps]
    rows = draw(st.permutations(rows))
    ordinals = np.array([ordinal for _, ordinal in rows])
    columns = {column: draw(st.lists(NUMBERS, min_size=len(rows), max_size=len(rows))) for column in ("y", "k", "p")}
    return pd.DataFrame({"unique_id": [name for name, _ in rows], "ds": frequency.stamps(ordinals), **columns}), frequency


def naive(frame: pd.DataFrame, frequency: Frequency) -> dict[str, dict[int, tuple[float, float, float]]]:
    """Series name -> ordinal -> values: a loop over the rows, gaps filled with NaN one by one."""
    out: dict[str, dict[int, tuple[float, float, float]]] = {}
    ordinals, _ = frequency.ordinals(frame["ds"].to_numpy())
    values_of_rows = zip(frame["y"].tolist(), frame["k"].tolist(), frame["p"].tolist(), strict=True)
    for ordinal, name, values in zip(ordinals, frame["unique_id"].tolist(), values_of_rows, strict=True):
        out.setdefault(nfc(name), {})[int(ordinal)] = values
    nothing = (float("nan"),) * 3
    return {name: {o: rows.get(o, nothing) for o in range(min(rows), max(rows) + 1)} for name, rows in sorted(out.items())}


def flat(series: dict[str, dict[int, tuple[float, float, float]]]) -> FloatArray:
    """The values of all series end to end. Shape [rows, 3]."""
    return np.array([values for rows in series.values() for values in rows.values()], dtype=np.float64).reshape(-1, 3)


def equals(panel: Panel, series: dict[str, dict[int, tuple[float, float, float]]]) -> None:
    assert panel.ids.tolist() == list(series)
    assert panel.starts.tolist() == [min(rows) for rows in series.values()]
    assert panel.lengths.tolist() == [len(rows) for rows in series.values()]
    assert panel.offsets.tolist() == [0, *np.cumsum(panel.lengths)]
    np.testing.assert_array_equal(np.column_stack([panel.y, panel.known[:, 0], panel.past[:, 0]]), flat(series))


@settings(max_examples=60)
@given(tables())
def test_a_panel_equals_a_loop_over_the_rows(table: tuple[pd.DataFrame, Frequency]) -> None:
    frame, frequency = table
    equals(Panel.from_frame(frame, frequency, ROLES), naive(frame, frequency))


@settings(max_examples=60)
@given(tables(), st.randoms(use_true_random=False))
def test_from_frame_of_to_frame_is_the_identity(table: tuple[pd.DataFrame, Frequency], chance: object) -> None:
    frame, frequency = table
    panel = Panel.from_frame(frame, frequency, ROLES)
    again = panel.to_frame().sample(frac=1, random_state=int(chance.randrange(1000)))  # type: ignore[attr-defined]
    assert Panel.from_frame(again, frequency, ROLES).fingerprint() == panel.fingerprint()


@settings(max_examples=60)
@given(tables(), st.integers(-90, 110))
def test_until_is_a_filter_of_the_rows(table: tuple[pd.DataFrame, Frequency], cutoff: int) -> None:
    frame, frequency = table
    series = naive(frame, frequency)
    kept = {name: {o: v for o, v in rows.items() if o <= cutoff} for name, rows in series.items()}
    equals(Panel.from_frame(frame, frequency, ROLES).until(cutoff), {name: rows for name, rows in kept.items() if rows})


@settings(max_examples=60)
@given(tables(), st.integers(-90, 110), st.integers(0, 40))
def test_a_value_after_the_cutoff_does_not_show_before_it(table: tuple[pd.DataFrame, Frequency], cutoff: int, n: int) -> None:
    frame, frequency = table
    ordinals, _ = frequency.ordinals(frame["ds"].to_numpy())
    changed = frame.assign(**{c: frame[c].mask(ordinals > cutoff, 1e9 + n) for c in ("y", "k", "p")})
    before = [Panel.from_frame(f, frequency, ROLES).until(cutoff).fingerprint() for f in (frame, changed)]
    assert before[0] == before[1]


@settings(max_examples=60)
@given(tables(), st.integers(1, 15))
def test_tail_is_the_end_of_each_series(table: tuple[pd.DataFrame, Frequency], n: int) -> None:
    frame, frequency = table
    series = naive(frame, frequency)
    equals(
        Panel.from_frame(frame, frequency, ROLES).tail(n), {name: dict(list(rows.items())[-n:]) for name, rows in series.items()}
    )


@settings(max_examples=60)
@given(tables(), st.data())
def test_series_do_not_depend_on_their_companions(table: tuple[pd.DataFrame, Frequency], data: st.DataObject) -> None:
    frame, frequency = table
    panel = Panel.from_frame(frame, frequency, ROLES)
    chosen = data.draw(st.lists(st.sampled_from(panel.ids.tolist()), unique=True))
    normal = frame["unique_id"].map(nfc)
    alone = Panel.from_frame(frame[normal.isin(chosen)], frequency, ROLES)
    assert panel.select(chosen).fingerprint() == alone.fingerprint()


@settings(max_examples=60)
@given(tables(), st.integers(-90, 110), st.integers(1, 6))
def test_the_known_window_equals_a_look_up(table: tuple[pd.DataFrame, Frequency], cutoff: int, horizon: int) -> None:
    frame, frequency = table
    series = naive(frame, frequency)
    panel = Panel.from_frame(frame, frequency, ROLES)
    window = panel.known_future(after=cutoff).window(panel.ids, np.full(len(panel), cutoff + 1), horizon)
    nothing = (float("nan"),) * 3
    expected = [[rows.get(cutoff + 1 + h, nothing)[1] for h in range(horizon)] for rows in series.values()]
    np.testing.assert_array_equal(window[:, :, 0], np.array(expected))


@settings(max_examples=60)
@given(tables(), st.integers(-90, 110))
def test_past_and_future_of_a_cutoff_are_the_whole(table: tuple[pd.DataFrame, Frequency], cutoff: int) -> None:
    frame, frequency = table
    panel = Panel.from_frame(frame, frequency, ROLES)
    assert panel.until(cutoff).rows + len(panel.known_future(after=cutoff).values) == panel.rows
