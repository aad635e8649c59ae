"""What bad input gets: one message in plain words on stderr, the documented exit code, and nothing half written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines import verbs
from tests.jobs.command_line import run, sales, write_config


def test_all_configuration_mistakes_come_at_once_with_exit_78(tmp_path: Path) -> None:
    config = write_config(tmp_path, tusk={}, budget="soon")
    done = run("benchmark", config, "--set", "task.horizn=3", "--set", "models.0.model=seasonal_naiv", "--set", "oops")
    assert (done.code, done.out) == (78, "")
    expected = ["5 mistakes", "tusk: unknown key; did you mean 'task'?", "budget: 'soon' is no duration", "did you mean 'horizon'?",
                "models.0.model: unknown model 'seasonal_naiv'; did you mean 'seasonal_naive'?", "--set oops"]  # fmt: skip
    assert [text for text in expected if text not in done.err] == []
    assert not (tmp_path / "out").exists()


def test_a_missing_configuration_is_78_and_a_missing_table_66(tmp_path: Path) -> None:
    assert run("check", tmp_path / "nowhere.yaml").code == 78
    config = write_config(tmp_path)
    (tmp_path / "sales.csv").rename(tmp_path / "sails.csv")
    done = run("check", config)
    assert (done.code, done.out) == (66, "")
    assert "sails.csv" in done.err


def test_data_offences_are_65_with_file_row_column_value_and_rule(tmp_path: Path) -> None:
    frame = sales().astype({"sold": object, "day": object})
    frame.loc[3, "sold"] = "many"
    done = run("check", write_config(tmp_path, frame))
    assert done.code == 65
    row = next(line for line in done.out.splitlines() if "many" in line).split()
    assert [row[0], row[1], row[3], row[4]] == [str(tmp_path / "sales.csv"), "5", "y", "many"]
    assert "a number" in done.out
    assert "many" in done.err


def test_offences_of_all_tables_are_shown_at_once(tmp_path: Path) -> None:
    frame = sales()
    frame = frame._append(frame.iloc[10], ignore_index=True)  # type: ignore[operator]
    config = write_config(tmp_path, frame)
    (tmp_path / "future.csv").write_text("shop,day,promo\n000,tomorrow,1\n000,2026-05-06,1\n")
    source = "{kind: csv, path: '" + str(tmp_path / "future.csv") + "', columns: {unique_id: shop, ds: day}}"
    done = run("check", config, "--set", f"data.future={source}", "--set", "data.roles.known=[promo]")
    assert done.code == 65
    assert ["tomorrow" in done.out, "one row per series and step" in done.out, "2 offences" in done.out] == [True, True, True]


def test_good_data_are_summarised_on_stdout(tmp_path: Path) -> None:
    done = run("check", write_config(tmp_path))
    assert (done.code, done.err) == (0, "")
    assert ["720" in done.out, "fingerprint" in done.out] == [True, True]


def test_a_model_that_is_not_there_is_69(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    folder = run("score", config, "--run-date", "2026-05-05", "--set", f"score.model={tmp_path / 'nowhere'}")
    assert folder.code == 69
    registry = run("score", config, "--run-date", "2026-05-05")
    assert (registry.code, registry.out) == (69, "")
    assert run("promote", config).code == 69
    assert not list((tmp_path / "out").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scoor"], "Did you mean 'score'"),
        (["score", "config.yaml", "--run-date", "5.5.2026"], "does not match"),
        (["quick", "x.csv", "--horizon", "0", "--output", "y.csv"], "than or equal to 1"),
        (["quick", "x.csv", "--horizon", "1", "--output", "y.xlsx"], "ends neither with"),
        (["quick", "x.csv", "--horizon", "1", "--output", "y.csv", "--levels", "0.9,0.1"], "ascending"),
        (["quick", "x.csv", "--horizon", "1", "--output", "y.csv", "--known", "price"], "--future"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_2(arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_score_without_a_date_is_2_and_without_its_section_78(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    assert run("score", config).code == 2
    assert run("score", config, "--set", "score=null").code == 78
    assert run("benchmark", config, "--set", "models=[]").code == 78


def test_an_unexpected_error_is_one_line_and_a_traceback_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(file: Path, overrides: list[str]) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(verbs, "check", broken)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    done = run("check", "config.yaml")
    assert (done.code, len(done.err.splitlines())) == (70, 1)
    kept = Path(done.err.split("the traceback is in ")[1].strip())
    assert "in broken" in kept.read_text()


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(file: Path, overrides: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verbs, "check", interrupted)
    assert run("check", "config.yaml").code == 130


def models_of(parent: int) -> list[int]:
    """The child processes that run a model."""
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [int(pid) for pid in children if "pipelines.child" in Path(f"/proc/{pid}/cmdline").read_text()]
    except OSError:
        return []


def test_a_terminated_benchmark_ends_its_children_and_says_143(tmp_path: Path) -> None:
    config = write_config(tmp_path, models=[{"model": "gru", "max_steps": 100000, "hidden_size": 256}])
    process = subprocess.Popen([sys.executable, "-m", "pipelines.cli", "benchmark", str(config)], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (children := models_of(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, "terminated" in err) == (143, True)
    assert children
    deadline = time.monotonic() + 10  # a process that was killed is there until its new parent has taken note
    while (alive := [child for child in children if _exists(child)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
