"""What a run says while and after it works: log lines, the metrics file, the accounting."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families

from forecast.core.errors import ForecastError, GateError, UsageError
from forecast.scoring.accounting import account
from forecast.scoring.audit import Audited
from forecast.scoring.events import stream_logger
from forecast.scoring.evidence import series_refusal
from forecast.scoring.job import Surroundings, exit_code_of, run_score
from forecast.scoring.request import Bounds, Gates, Policies, Rules, ScoreRequest
from forecast.scoring.stopping import Terminated
from tests.faults.score_world import RUN_DATE, HeldModel, LastValue, request, table

OPEN = Rules(Policies(few_observed="fallback"), gates=Gates(1.0, 1.0), bounds=Bounds(minimum_observed=2))


def _mixed() -> pd.DataFrame:
    return pd.concat([table(["a", "b"]), table(["short"], days=1), table(["empty"]).assign(y=np.nan)], ignore_index=True)


def _lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_every_line_is_json_with_run_date_and_run_key(tmp_path: Path) -> None:
    stream = io.StringIO()
    report = run_score(request(tmp_path, _mixed(), rules=OPEN), Surroundings(logger=stream_logger(stream)))
    lines = _lines(stream)
    assert [line["event"] for line in lines] == ["run started", "input checked", "series refused", "shard scored", "published"]
    assert {line["run_date"] for line in lines} == {RUN_DATE.isoformat()}
    assert {line["run_key"] for line in lines} == {report.key}
    assert lines[-1]["fallback"] == 1


def test_a_failure_is_the_last_line_with_its_exit_code(tmp_path: Path) -> None:
    stream = io.StringIO()
    with pytest.raises(GateError):
        run_score(
            request(tmp_path, _mixed(), rules=Rules(gates=Gates(max_quarantine_share=0))),
            Surroundings(logger=stream_logger(stream)),
        )
    last = _lines(stream)[-1]
    assert (last["event"], last["level"], last["exit_code"]) == ("run failed", "error", 80)


def test_a_failing_model_is_named_in_the_log(tmp_path: Path) -> None:
    stream = io.StringIO()
    run_score(request(tmp_path, table(["a", "b"]), LastValue(raises=("a",)), OPEN), Surroundings(logger=stream_logger(stream)))
    failures = [line for line in _lines(stream) if line["event"] == "model failed"]
    assert [(line["error"], line["series"], line["examples"], line["attempts"]) for line in failures] == [
        ("ZeroDivisionError", 1, ["a"], 3)
    ]


def test_a_run_writes_nothing_to_stdout(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run_score(request(tmp_path, _mixed(), rules=OPEN))
    assert capfd.readouterr() == ("", "")


def _metrics(path: Path) -> dict[tuple[str, str], float]:
    families = text_string_to_metric_families(path.read_text())
    return {(sample.name, "".join(sample.labels.values())): sample.value for family in families for sample in family.samples}


def test_the_metrics_count_series_by_status_and_reason(tmp_path: Path) -> None:
    file = tmp_path / "collector" / "forecast.prom"
    clock = iter([100.0, 107.5])
    run_score(request(tmp_path / "out", _mixed(), rules=OPEN), Surroundings(metrics_file=file, clock=lambda: next(clock)))
    numbers = _metrics(file)
    assert numbers["forecast_score_exit_code", ""] == 0
    assert numbers["forecast_score_duration_seconds", ""] == 7.5
    assert numbers["forecast_score_last_success_timestamp_seconds", ""] == 107.5
    assert numbers["forecast_score_data_lag_steps", ""] == 0
    counts = {label: value for (name, label), value in numbers.items() if name == "forecast_score_series"}
    assert counts == {"input": 4, "ok": 2, "fallback": 1, "quarantined": 1, "excluded": 0}
    reasons = {label: value for (name, label), value in numbers.items() if name == "forecast_score_reasons"}
    assert reasons == {"few observed values": 1, "no observed value": 1}


def test_a_metrics_file_that_cannot_be_written_does_not_fail_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    stream = io.StringIO()
    around = Surroundings(metrics_file=tmp_path / "file" / "forecast.prom", logger=stream_logger(stream))
    assert run_score(request(tmp_path / "out", table(["a"])), around).published
    assert _lines(stream)[-1]["event"] == "not recorded"


@pytest.mark.parametrize(
    ("error", "code"),
    [(GateError("x"), 80), (ForecastError("x"), 70), (ValueError("x"), 70), (Terminated(15), 143), (KeyboardInterrupt(), 130)],
)
def test_every_end_has_its_exit_code(error: BaseException, code: int) -> None:
    assert exit_code_of(error) == code


def test_a_series_that_is_lost_on_the_way_is_found() -> None:
    refused = [series_refusal("too long", "quarantine", "a", "", "", ""), series_refusal("ended", "excluded", "b", "", "", "")]
    found = Audited(6, 2, 1, reasons=Counter({"absurd forecast": 1}))
    assert account(5, refused, found).counts() == {"input": 5, "ok": 2, "fallback": 1, "quarantined": 1, "excluded": 1}
    for series in (4, 6):
        with pytest.raises(GateError, match="accounted for"):
            account(series, refused, found)


def test_a_series_with_two_defects_is_counted_once(tmp_path: Path) -> None:
    frame = table(["a"]).assign(
        y=lambda f: f["y"].where(f.index != 3, np.inf), ds=lambda f: f["ds"].where(f.index != 4, f["ds"] + pd.Timedelta(hours=1))
    )
    report = run_score(request(tmp_path, pd.concat([table(["b"]), frame]), rules=OPEN))
    assert report.counts == {"input": 2, "ok": 1, "fallback": 0, "quarantined": 1, "excluded": 0}
    assert report.reasons == {"not a number": 1, "off grid": 1}


@pytest.mark.parametrize("size", [0, 100, 257, -256])
def test_a_shard_is_a_multiple_of_a_batch(tmp_path: Path, size: int) -> None:
    asked = request(tmp_path, table(["a"]))
    with pytest.raises(UsageError, match="256"):
        ScoreRequest(tmp_path, RUN_DATE, asked.inputs, HeldModel(), "", "", shard_series=size)
