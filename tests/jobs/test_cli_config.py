"""`forecast config` and `forecast doctor`: what can be said, what was said, and where it would run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from forecast.config.text import parse_yaml
from tests.jobs.command_line import run, write_config


def test_the_schema_is_json_on_stdout_with_every_section() -> None:
    done = run("config", "schema")
    assert (done.code, done.err) == (0, "")
    assert {"data", "task", "models", "tracking", "promote", "score", "output", "seed", "budget"} == set(
        json.loads(done.out)["properties"]
    )


def test_what_is_shown_is_a_configuration_that_shows_the_same(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    shown = run("config", "show", config, "--set", "seed=9")
    assert (shown.code, shown.err, parse_yaml(shown.out, "shown")[0]["seed"]) == (0, "", 9)
    (tmp_path / "shown.yaml").write_text(shown.out)
    assert run("config", "show", tmp_path / "shown.yaml").out == shown.out


def test_a_shipped_configuration_is_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("config", "show", "shipped:configs/benchmark/demo.yaml").code == 0
    nowhere = run("config", "show", "shipped:configs/../pyproject.toml")
    assert (nowhere.code, "does not travel with the project" in nowhere.err) == (78, True)


def test_the_doctor_warns_of_what_will_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4096")
    done = run("doctor", "--uri", tmp_path / "runs", "--output", tmp_path)
    assert done.code == 0
    warned = [line for line in done.out.splitlines() if line.strip().startswith("warn")]
    assert any("OMP_NUM_THREADS=4096" in line for line in warned)
    assert ["not there yet" in done.out, "torch" in done.out, "sample" in done.out] == [True] * 3
    assert not (tmp_path / "runs").exists()
