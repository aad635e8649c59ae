"""Every series of the input is forecast, falls back, is quarantined with evidence or excluded, or the run says why it stops."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forecast.core.errors import DataError, GateError, InputMissing, Offence, StaleInput
from forecast.core.frequency import Frequency
from forecast.core.panel import Roles
from forecast.scoring.evidence import Breach
from forecast.scoring.job import run_score
from forecast.scoring.request import Bounds, Gates, Policies, Rules, ScoreReport, Staleness
from forecast.storage.sources.source import Content, Source
from tests.faults.score_world import HORIZON, LAST_DAY, LastValue, names, published, request, table

OPEN = Gates(max_fallback_share=1.0, max_quarantine_share=1.0)
DAY = pd.Timedelta(days=1)


def _spoiled(spoil: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    """Three good series and `bad`, spoiled."""
    return pd.concat([table(["a", "b", "c"]), spoil(table(["bad"]))], ignore_index=True)


def _evidence(output: Path) -> pd.DataFrame:
    [file] = (output / "_quarantine").rglob("*.part")
    return pd.DataFrame(pq.read_table(pa.BufferReader(file.read_bytes())).to_pylist())


def _set(column: str, value: object, row: int = 5) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        values = pd.Series([value if i == row else old for i, old in enumerate(frame[column])], dtype=object)
        return frame.assign(**{column: values})

    return spoil


def _twice(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.tail(1).assign(y=1000.0)])


DEFECTS = [
    pytest.param(_set("ds", LAST_DAY - pd.Timedelta(hours=5)), "off grid", "ds", id="a stamp off the grid"),
    pytest.param(_set("ds", None), "off grid", "ds", id="no stamp"),
    pytest.param(_set("y", "12 pieces"), "not a number", "y", id="text"),
    pytest.param(_set("y", "nan"), "not a number", "y", id="the text nan"),
    pytest.param(_set("y", np.inf), "not a number", "y", id="infinity"),
    pytest.param(_set("y", "1e400"), "not a number", "y", id="overflow"),
    pytest.param(_twice, "duplicate", "ds", id="twice"),
    pytest.param(lambda f: f.assign(y=np.nan), "no observed value", "y", id="all missing"),
    pytest.param(_set("ds", pd.Timestamp("1700-01-01"), row=0), "too long", "y", id="a false first stamp"),
    pytest.param(lambda f: f.head(1), "few observed values", "y", id="one point"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "defect", "column"), DEFECTS)
def test_a_bad_series_is_quarantined_with_evidence_and_the_others_are_unharmed(
    tmp_path: Path, spoil: Callable[[pd.DataFrame], pd.DataFrame], defect: str, column: str
) -> None:
    policies = Policies(duplicates="quarantine", few_observed="quarantine")
    rules = Rules(policies, gates=OPEN, bounds=Bounds(longest_series=10_000))
    report = run_score(request(tmp_path / "bad", _spoiled(spoil), rules=rules))
    run_score(request(tmp_path / "good", table(["a", "b", "c"]), rules=rules))
    assert report.counts == {"input": 4, "ok": 3, "fallback": 0, "quarantined": 1, "excluded": 0}
    assert report.reasons == {defect: 1}
    good, bad = (pd.read_parquet(published(tmp_path / name)) for name in ("good", "bad"))
    pd.testing.assert_frame_equal(good, bad, check_exact=True)
    evidence = _evidence(tmp_path / "bad").iloc[0]
    found = (evidence["unique_id"], evidence["defect"], evidence["action"], evidence["column"], evidence["file"])
    assert found == ("bad", defect, "quarantine", column, "the table")


@pytest.mark.parametrize(
    ("spoil", "policies"),
    [
        (_set("ds", LAST_DAY - pd.Timedelta(hours=5)), Policies(off_grid="error")),
        (_set("y", np.inf), Policies(not_a_number="error")),
        (_twice, Policies()),
    ],
)
def test_the_policy_error_publishes_nothing_and_keeps_the_evidence(
    tmp_path: Path, spoil: Callable[[pd.DataFrame], pd.DataFrame], policies: Policies
) -> None:
    frame = _spoiled(spoil)
    with pytest.raises(Breach, match="bad") as caught:
        run_score(request(tmp_path, frame, rules=Rules(policies)))
    assert caught.value.exit_code == 65
    assert not published(tmp_path).exists()
    evidence = _evidence(tmp_path)
    assert set(evidence["action"]) == {"error"}
    offender = frame.loc[evidence["row"].iloc[0]]
    assert offender["unique_id"] == "bad"
    assert evidence["value"].iloc[0] == str(offender[evidence["column"].iloc[0]])


def test_one_run_shows_the_offences_of_all_rules(tmp_path: Path) -> None:
    frame = _spoiled(lambda f: _set("y", "x", row=3)(_set("ds", LAST_DAY - pd.Timedelta(hours=5))(f)))
    with pytest.raises(Breach) as caught:
        run_score(request(tmp_path, frame, rules=Rules(Policies(off_grid="error", not_a_number="error"))))
    assert {offence.column for offence in caught.value.offences} == {"ds", "y"}


def test_what_a_source_refuses_becomes_evidence_too(tmp_path: Path) -> None:
    frame = table(["a"]).drop(columns="y")
    with pytest.raises(InputMissing, match="'y'") as caught:
        run_score(request(tmp_path, frame))
    assert caught.value.exit_code == 66


@pytest.mark.parametrize(("policy", "value"), [("last", 1000.0), ("mean", None)])
def test_duplicates_are_repaired_as_declared(tmp_path: Path, policy: str, value: float | None) -> None:
    rules = Rules(Policies(duplicates=policy))  # type: ignore[arg-type]
    model = LastValue()
    before = float(table(["bad"])["y"].iloc[-1])
    run_score(request(tmp_path, _spoiled(_twice), model, rules))
    assert model.histories[0].series(2)[-1] == (value if value is not None else (before + 1000.0) / 2)


def test_a_row_without_id_is_always_an_error(tmp_path: Path) -> None:
    frame = table(["a"])
    frame.loc[2, "unique_id"] = None
    with pytest.raises(Breach, match="no id"):
        run_score(request(tmp_path, frame))


HOSTILE = [
    "../../etc/passwd", "NA", "null", "001", "1e5", "=cmd()|'/c calc'!A0", "'; DROP TABLE forecasts; --", "a\0b", "\0", "\n", "", " ",
    "🍌" * 3, "é", "x" * 300, "/", "..", "%s{0}", "unique_id",
]  # fmt: skip


def test_hostile_ids_survive_byte_for_byte_and_make_no_path(tmp_path: Path) -> None:
    spoiled = [f"{i}!" for i in HOSTILE]
    frame = pd.concat([table(HOSTILE), table(spoiled).assign(y=np.nan)])
    report = run_score(request(tmp_path / "out", frame, rules=Rules(gates=OPEN)))
    assert report.counts["ok"] == len(HOSTILE)
    assert set(pq.read_table(published(tmp_path / "out"))["unique_id"].to_pylist()) == set(HOSTILE)
    assert set(_evidence(tmp_path / "out")["unique_id"]) == set(spoiled)
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    written = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert written == {".lock", "forecasts.parquet", "metrics.prom", f"{report.key}.json", f"{report.key}.part"}
    assert "passwd" not in (tmp_path / "out" / "_runs" / "metrics.prom").read_text()


def test_two_spellings_of_one_id_are_one_series(tmp_path: Path) -> None:
    composed, decomposed = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
    early, late = table([composed], days=5, end=LAST_DAY - 5 * DAY), table([decomposed], days=5)
    report = run_score(request(tmp_path, pd.concat([early, late])))
    assert report.counts["input"] == 1
    assert set(pd.read_parquet(published(tmp_path))["unique_id"]) == {composed}


def test_an_open_end_in_the_year_9999_lies_after_the_cutoff(tmp_path: Path) -> None:
    frame = table(["a", "b"])
    frame["ds"] = frame["ds"].astype("datetime64[us]")
    end = pd.DataFrame({"unique_id": ["a"], "ds": np.array(["9999-12-31"], "datetime64[us]"), "y": [1.0]})
    report = run_score(request(tmp_path, pd.concat([frame, end])))
    assert report.counts["ok"] == 2


def test_a_few_points_fall_back_with_a_reason(tmp_path: Path) -> None:
    report = run_score(request(tmp_path, _spoiled(lambda f: f.head(1)), rules=Rules(gates=OPEN)))
    assert report.counts == {"input": 4, "ok": 3, "fallback": 1, "quarantined": 0, "excluded": 0}
    rows = pd.read_parquet(published(tmp_path)).query("unique_id == 'bad'")
    assert set(rows["status"]) == {"fallback"}
    assert set(rows["reason"]) == {"few observed values"}
    assert set(rows["model"]) == {"naive"}


def test_no_row_before_the_cutoff_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2026-02-28"):
        run_score(request(tmp_path, table(["a"], end=LAST_DAY + 100 * DAY)))


def test_integer_time_takes_the_cutoff_as_a_number(tmp_path: Path) -> None:
    frame = table(["a", "b"])
    frame["ds"] = np.tile(np.arange(21), 2)
    asked = request(tmp_path, frame)
    asked = replace(asked, inputs=replace(asked.inputs, frequency=Frequency.parse("integer"), cutoff=15))
    assert run_score(asked).cutoff == "15"
    assert pd.read_parquet(published(tmp_path))["ds"].tolist() == [16, 17, 18] * 2


# Staleness


def _stale(tmp_path: Path, staleness: Staleness, policies: Policies | None = None, all_old: bool = False) -> ScoreReport:
    fresh = table(["a", "b", "c"], end=LAST_DAY - (10 if all_old else 1) * DAY)
    frame = pd.concat([fresh, table(["old"], end=LAST_DAY - 10 * DAY)])
    return run_score(request(tmp_path, frame, rules=Rules(policies or Policies(), staleness, OPEN)))


def test_the_newest_observation_gives_the_lag_and_old_series_are_counted(tmp_path: Path) -> None:
    report = _stale(tmp_path, Staleness(warn_after=5))
    assert (report.lag, report.stale) == (1, 1)


def test_old_data_end_the_run_with_81(tmp_path: Path) -> None:
    with pytest.raises(StaleInput, match="10 steps older") as caught:
        _stale(tmp_path, Staleness(error_after=9), all_old=True)
    assert caught.value.exit_code == 81
    assert not published(tmp_path).exists()


@pytest.mark.parametrize(("policy", "part"), [("forecast", "ok"), ("exclude", "excluded"), ("quarantine", "quarantined")])
def test_a_series_that_ended_long_ago_goes_where_the_policy_says(tmp_path: Path, policy: str, part: str) -> None:
    report = _stale(tmp_path, Staleness(error_after=9), Policies(ended=policy))  # type: ignore[arg-type]
    assert report.counts["ok"] == 3 + (part == "ok")
    assert report.counts[part] >= 1
    assert report.counts["input"] == 4


# Known covariates


PROMO = Roles(known=("promo",))


def _with_promo(ids: list[str], days: int = 21, end: pd.Timestamp = LAST_DAY) -> pd.DataFrame:
    return table(ids, days, end).assign(promo=lambda f: np.arange(len(f)) % 2)


def _future(ids: list[str], steps: int = HORIZON) -> pd.DataFrame:
    return _with_promo(ids, steps, LAST_DAY + steps * DAY).drop(columns="y")


@pytest.mark.parametrize("policy", ["error", "quarantine", "fallback"])
def test_a_hole_in_the_known_covariates_goes_where_the_policy_says(tmp_path: Path, policy: str) -> None:
    future = pd.concat([_future(["a", "b"]), _future(["c"], steps=1)])
    rules = Rules(Policies(no_covariates=policy), gates=OPEN)  # type: ignore[arg-type]
    asked = request(tmp_path, _with_promo(["a", "b", "c"]), rules=rules, roles=PROMO, future=future)
    if policy == "error":
        with pytest.raises(Breach, match="no covariates"):
            run_score(asked)
        return
    report = run_score(asked)
    assert report.counts["ok"] == 2
    assert report.counts["fallback" if policy == "fallback" else "quarantined"] == 1
    assert report.reasons == {"no covariates": 1}


def test_covariates_of_later_rows_serve_where_there_is_no_table_of_their_own(tmp_path: Path) -> None:
    history = _with_promo(["a", "b"])
    run_score(request(tmp_path / "own", history, roles=PROMO, future=_future(["a", "b"])))
    later = _future(["a", "b"]).assign(y=np.nan)
    run_score(request(tmp_path / "rows", pd.concat([history, later]), roles=PROMO))
    own, rows = (pd.read_parquet(published(tmp_path / name)) for name in ("own", "rows"))
    pd.testing.assert_frame_equal(own, rows, check_exact=True)


def test_a_backfilled_date_takes_the_horizons_covariates_from_the_history_where_the_future_begins_later(tmp_path: Path) -> None:
    history = _with_promo(["a", "b"])
    backfill = LAST_DAY.date() - timedelta(days=3)  # its horizon lies partly in the history, partly in the table of the future
    asked = request(tmp_path / "both", history, roles=PROMO, future=_future(["a", "b"]))
    report = run_score(replace(asked, run_date=backfill))
    assert report.counts["ok"] == 2
    everything = pd.concat([history.drop(columns="y"), _future(["a", "b"])])
    asked = request(tmp_path / "one", history, roles=PROMO, future=everything)
    run_score(replace(asked, run_date=backfill))
    both, one = (next((tmp_path / name).glob("run_date=*/forecasts.parquet")) for name in ("both", "one"))
    pd.testing.assert_frame_equal(pd.read_parquet(both), pd.read_parquet(one), check_exact=True)


def test_covariates_beyond_the_horizon_change_no_byte(tmp_path: Path) -> None:
    history = _with_promo(["a", "b"])
    for folder, steps in (("short", HORIZON), ("long", HORIZON + 40)):
        future = _future(["a", "b"], steps)
        future["promo"] = (future["ds"].dt.day % 2).astype(float)
        run_score(request(tmp_path / folder, history, roles=PROMO, future=future))
    assert published(tmp_path / "short").read_bytes() == published(tmp_path / "long").read_bytes()


# Gates


def test_too_much_quarantine_is_not_published(tmp_path: Path) -> None:
    frame = _spoiled(lambda f: f.assign(y=np.nan))
    with pytest.raises(GateError, match="1 of 4 series are quarantined") as caught:
        run_score(request(tmp_path, frame, rules=Rules(gates=Gates(max_quarantine_share=0.2))))
    assert caught.value.exit_code == 80
    assert not published(tmp_path).exists()
    assert len(_evidence(tmp_path)) == 1
    assert run_score(request(tmp_path, frame, rules=Rules(gates=Gates(max_quarantine_share=0.25)))).published


def test_too_many_fallbacks_are_not_published_and_end_after_the_first_shard(tmp_path: Path) -> None:
    model = LastValue(raises=tuple(names(1000)))
    with pytest.raises(GateError, match="fallback"):
        run_score(request(tmp_path, table(names(1000), days=4), model, Rules(gates=Gates(max_fallback_share=0.1))))
    assert not published(tmp_path).exists()
    assert all(ids[0] <= "s0255" for ids in model.asked)


def test_nothing_but_bad_series_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="0 series can be forecast"):
        run_score(request(tmp_path, table(["a"]).assign(y=np.inf), rules=Rules(gates=OPEN)))


def test_fewer_series_than_expected_are_not_published(tmp_path: Path) -> None:
    with pytest.raises(GateError, match="at least 4"):
        run_score(request(tmp_path, table(["a", "b", "c"]), rules=Rules(gates=Gates(min_series=4))))
    assert not published(tmp_path).exists()


def test_a_source_error_without_a_key_keeps_its_evidence(tmp_path: Path) -> None:
    class Refusing(Source):
        def read(self, content: Content = "history") -> pd.DataFrame:
            raise DataError("one row is bad", [Offence("a number", "y", "x", 7, "a", "sales.csv")])

        def describe(self) -> str:
            return "sales.csv"

    asked = request(tmp_path, table(["a"]))
    with pytest.raises(DataError):
        run_score(replace(asked, inputs=replace(asked.inputs, source=Refusing())))
    evidence = _evidence(tmp_path).iloc[0]
    assert (evidence["file"], evidence["row"], evidence["value"]) == ("sales.csv", 7, "x")
