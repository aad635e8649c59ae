"""Every message of the core as one row: what is wrong with the value found, where, what to do, and how a job ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.core.errors import (
    ConfigError,
    DataError,
    ForecastError,
    GateError,
    InputMissing,
    LockHeld,
    ModelError,
    ModelNotFound,
    Offence,
    SinkError,
    StaleInput,
    StateError,
    UsageError,
)
from forecast.core.forecaster import require
from forecast.core.frequency import Frequency
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel, Roles

DAILY = Frequency.parse("D")
WHOLE = Frequency.parse("integer")


def table(**columns: Any) -> pd.DataFrame:
    """Two days of series `a` with the given columns in place of the good ones."""
    good = {"unique_id": ["a", "a"], "ds": pd.to_datetime(["2026-05-03", "2026-05-04"]), "y": [1.0, 2.0]}
    return pd.DataFrame({**good, **columns})


def build(
    frequency: Frequency = DAILY, roles: Roles | None = None, static: pd.DataFrame | None = None, **columns: Any
) -> Callable[[], object]:
    return lambda: Panel.from_frame(table(**columns), frequency, roles, static)


def static(**columns: Any) -> Callable[[], object]:
    return build(roles=Roles(static=("area",)), static=pd.DataFrame(columns))


MESSAGES: list[tuple[Callable[[], object], type[ForecastError], list[str]]] = [
    # A table that breaks the contract
    (build(roles=Roles(known=("promo",))), InputMissing, ["no column ['promo']", "it has ['unique_id', 'ds', 'y']", "map the columns in the source"]),
    (lambda: Panel.from_frame(table().drop(columns="y"), DAILY), InputMissing, ["no column ['y']"]),
    (build(unique_id=["a", None]), DataError, ["'unique_id'", "1 rows break the rule 'id present'", "row 1"]),
    (build(ds=[pd.NaT, pd.Timestamp("2026-05-03")]), DataError, ["'ds'", "time stamp present", "row 0, series 'a'"]),
    (build(ds=["2026-05-03", "2026-05-04"]), DataError, ["frequency 'D' needs dates in 'ds', found object", "parse them, or use the frequency 'integer'"]),
    (build(ds=[1, 2]), DataError, ["frequency 'D' needs dates", "found int64"]),
    (build(WHOLE), DataError, ["integer time needs whole numbers in 'ds', found datetime64[ns]"]),
    (build(WHOLE, ds=[1.0, 1.5]), DataError, ["on the grid of 'integer'", "row 1", "1.5"]),
    (build(WHOLE, ds=[1.0, np.inf]), DataError, ["on the grid of 'integer'", "inf"]),
    (build(ds=pd.date_range("2026-05-03", periods=2, tz="UTC")), DataError, ["time zone UTC", "declare one zone in the source"]),
    (build(ds=pd.to_datetime(["2026-05-03 00:00", "2026-05-04 12:00"])), DataError, ["grid of 'D'", "row 1, series 'a', column 'ds': 2026-05-04 12:00"]),
    (build(Frequency.parse("W-MON")), DataError, ["on the grid of 'W-MON'", "2026-05-03", "give the right frequency, or repair the stamps"]),
    (build(ds=np.array(["2026-05-03", "9999-12-31"], "M8[s]")), DataError, ["on the grid of 'D'", "9999-12-31"]),
    (build(ds=pd.to_datetime(["2026-05-03", "2026-05-03"])), DataError, ["one row per series and step", "row 1", "choose a policy for duplicates"]),
    (build(WHOLE, ds=[0, 10**15]), DataError, ["2 rows would become 1e+15 steps", "series 'a'", "a stamp that lies far from the others"]),
    (build(WHOLE, ds=[-(2**62), 2**62]), DataError, ["9.22e+18 steps"]),
    (build(y=[1.0, np.inf]), DataError, ["'y'", "1 rows break the rule 'finite'", "row 1", "inf"]),
    (build(y=["1", "1e400"]), DataError, ["a number", "1e400"]),
    (build(y=["1", "x"]), DataError, ["a number", "row 1, series 'a', column 'y': x", "repair the values, or take the column out"]),
    (build(y=pd.to_datetime(["2026-05-03", "2026-05-04"])), DataError, ["'y' holds datetime64[ns]", "turn it into numbers"]),
    (build(roles=Roles(past=("age",)), age=pd.to_timedelta([1, 2], unit="D")), DataError, ["'age' holds timedelta64[ns]"]),
    # A static table that breaks it
    (build(roles=Roles(static=("area",))), DataError, ["static columns ['area'] need a table with one row per unique_id"]),
    (static(unique_id=["a"]), InputMissing, ["the static table has no column ['area']"]),
    (static(unique_id=["b"], area=[1.0]), DataError, ["no row for series ['a'] (1 in all)", "give each one row"]),
    (static(unique_id=["a", "a"], area=[1.0, 2.0]), DataError, ["series twice: ['a'] (1 in all)"]),
    (static(unique_id=["a"], area=["large"]), DataError, ["'area'", "a number", "large"]),
    (static(unique_id=["a"], area=[np.inf]), DataError, ["'area'", "finite"]),
    # A call that makes no sense
    (lambda: Panel.from_frame(table(), DAILY).tail(0), UsageError, ["tail of 0 rows"]),
    (lambda: Panel.from_frame(table().iloc[:0], DAILY).last_cutoff, UsageError, ["an empty panel has no last cutoff"]),
    (lambda: Panel.from_frame(table(), DAILY).select(["b"]), DataError, ["no series ['b'] (1 in all)", "it has 1 series"]),
    # Frequencies
    (lambda: Frequency.parse("weekly"), ConfigError, ["'weekly' is unknown", "use one of s, min, h, D, W", "'integer'"]),
    (lambda: Frequency.parse("0D"), ConfigError, ["'0D' is unknown"]),
    (lambda: Frequency.parse(""), ConfigError, ["'' is unknown"]),
    (lambda: Frequency.parse("W-XYZ"), ConfigError, ["'XYZ' is not one of MON, TUE"]),
    (lambda: Frequency.parse("QS-MON"), ConfigError, ["'MON' is not one of JAN, FEB"]),
    (lambda: Frequency.parse("2B"), ConfigError, ["business days come one by one; use 'B'"]),
    (lambda: Frequency.parse("D", (0,)), ConfigError, ["season lengths [0]: each must be at least 1 step"]),
    (lambda: WHOLE.cutoff(pd.Timestamp("2026-05-03").date()), ConfigError, ["a run date needs dates", "give the cutoff as a number"]),
    # Known covariates
    (
        lambda: KnownFuture.from_frame(table(p=[1.0, np.nan]), DAILY, ("p",)).require(np.array(["a"], object), np.array([20576]), 2),
        DataError,
        ["['p'] are missing inside the horizon of 2 steps for series ['a'] (1 in all)", "give a row for every series and step after the cutoff"],
    ),
    (lambda: KnownFuture.from_frame(table(), DAILY, ("p",)), InputMissing, ["no column ['p']"]),
    (lambda: require(False, "not fitted: call fit first"), ModelError, ["not fitted: call fit first"]),
]  # fmt: skip


@pytest.mark.parametrize(("cause", "kind", "parts"), MESSAGES, ids=[" ".join(parts)[:70] for _, _, parts in MESSAGES])
def test_a_message_says_what_where_and_what_to_do(cause: Callable[[], object], kind: type[ForecastError], parts: list[str]) -> None:
    with pytest.raises(ForecastError) as caught:
        cause()
    assert type(caught.value) is kind
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "code"),
    [(ForecastError, 70), (UsageError, 2), (ConfigError, 78), (DataError, 65), (InputMissing, 66), (StaleInput, 81), (StateError, 65), (ModelError, 70),
     (ModelNotFound, 69), (GateError, 80), (SinkError, 73), (LockHeld, 75)],
)  # fmt: skip
def test_each_error_ends_a_job_with_its_own_code(kind: type[ForecastError], code: int) -> None:
    assert kind("x").exit_code == code
    assert issubclass(kind, ForecastError)


def test_the_tree_has_no_other_errors() -> None:
    def below(kind: type[ForecastError]) -> set[type[ForecastError]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__() if child.__module__ == ForecastError.__module__))

    assert len(below(ForecastError)) == 17


@pytest.mark.parametrize(
    ("count", "last"), [(1, "(rule)"), (5, "(rule)"), (6, "... and 1 more (6 in all)"), (300, "... and 295 more (300 in all)")]
)
def test_five_offences_are_shown_and_the_others_counted(count: int, last: str) -> None:
    error = DataError("broken", [Offence("rule", "y", str(i), i) for i in range(count)])
    lines = str(error).splitlines()
    assert lines[0] == "broken"
    assert len(lines) == 1 + min(count, 5) + (count > 5)
    assert lines[-1].endswith(last)
    assert error.total == count


def test_the_total_may_be_more_than_the_offences_that_were_kept() -> None:
    error = DataError("broken", [Offence("rule", "y", "x", 1)], total=10**6)
    assert "... and 999999 more (1000000 in all)" in str(error)


def test_an_offence_names_every_place_that_is_known() -> None:
    assert str(Offence("finite", "y", "inf", 3, "001", "a.csv")) == "file a.csv, row 3, series '001', column 'y': inf (finite)"
    assert str(Offence("finite", "y", "inf")) == "column 'y': inf (finite)"


def test_all_mistakes_of_a_configuration_are_listed() -> None:
    assert str(ConfigError("2 mistakes", ["a: wrong", "b.c: wrong"])).splitlines() == ["2 mistakes", "  a: wrong", "  b.c: wrong"]
    assert ConfigError("none").mistakes == ()


def test_offences_of_a_shuffled_table_name_its_own_rows() -> None:
    frame = pd.DataFrame({"unique_id": ["b", "a", "b", "a"], "ds": [2, 1, 1, 1], "y": [1.0, 2.0, np.inf, 4.0]})
    with pytest.raises(DataError) as caught:
        Panel.from_frame(frame.assign(y=1.0), WHOLE)
    assert [(offence.row, offence.unique_id) for offence in caught.value.offences] == [(3, "a")]
    with pytest.raises(DataError) as caught:
        Panel.from_frame(frame.drop(index=3), WHOLE)
    assert [(offence.row, offence.unique_id) for offence in caught.value.offences] == [(2, "b")]
