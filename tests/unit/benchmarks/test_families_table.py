"""The bench of all named models: which jobs it runs, what a line has, and how lines become tables."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

import benchmarks.families as bench
import benchmarks.step_latency as latency
from benchmarks.families_job import Job, Timed, measure
from benchmarks.families_table import between, by_job, not_better, page_rows, table
from forecast.core.errors import ModelError
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.networks.settings import EncoderName
from tests.unit.neural.worlds import quick, ragged_panel

HORIZON = 4


def _line(model: str, panel: str = "m4_hourly", variant: str = "whole", **facts: Any) -> dict[str, Any]:
    return {"model": model, "panel": panel, "variant": variant, "part": "test", "arguments": {"max_steps": 300}, **facts}


def _world() -> list[dict[str, Any]]:
    """The seasonal naive and two networks: one better, one worse."""
    return [
        _line("seasonal_naive", OWA=0.63, MASE=1.2, sMAPE=13.9, owa=9.0),
        _line("seasonal_naive", "sample", mase=1.19),
        _line("elman", OWA=0.7, MASE=1.1, sMAPE=14.0),
        _line("gru", OWA=0.4, MASE=0.8, sMAPE=9.0, parameters=1234567, fit_cpu_seconds=71.6, state_floats=801, step_network=412.4,
              step_bare=55.2, step_way="step"),
        _line("gru", "sample", mase=0.76),
    ]  # fmt: skip


def _cells(text: str) -> dict[str, list[str]]:
    """The rows of a Markdown table by their first cell."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return {row[0]: row for row in rows}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of four daily series with a week in them."""
    chance, frames = np.random.default_rng(0), []
    for number in range(4):
        t = np.arange(80 + HORIZON)
        y = 50 + 9 * np.sin(2 * np.pi * t / 7) + chance.normal(size=len(t))
        frames.append(pd.DataFrame({"unique_id": f"s{number}", "ds": pd.date_range("2024-01-01", periods=len(t)), "y": y}))
    whole, place = pd.concat(frames), tmp_path / "daily"
    place.mkdir()
    last = whole["ds"] >= pd.Timestamp("2024-01-01") + pd.Timedelta(days=80)
    whole[~last].to_parquet(place / "train.parquet")
    whole[last].to_parquet(place / "test.parquet")
    (place / "meta.json").write_text(json.dumps({"frequency": "D", "season_length": 7, "horizon": HORIZON}))
    return place


def test_the_seasonal_naive_comes_first_and_the_models_follow_by_their_owa() -> None:
    assert list(_cells(table(by_job(_world()))))[2:] == ["`seasonal_naive`", "`gru`", "`elman`"]


def test_a_row_has_the_scorers_numbers_and_a_dash_for_what_was_not_measured() -> None:
    rows = _cells(table(by_job(_world())))
    assert rows["`gru`"] == [
        "`gru`", "0.400", "0.800", "9.00", "-", "-", "0.760", "-", "-", "1,234,567", "72", "-", "801", "412", "55",
    ]  # fmt: skip
    assert rows["`seasonal_naive`"][1] == "0.630"


def test_what_does_not_beat_the_seasonal_naive_is_bold_and_named() -> None:
    lines = by_job(_world())
    assert _cells(table(lines))["`elman`"][1] == "**0.700**"
    assert not_better(lines) == ["elman on m4_hourly"]
    assert "Of 2 models on 2 panels not better than the seasonal naive: elman on m4_hourly." in table(lines)


def test_an_equal_score_does_not_beat_it_and_neither_does_one_without_a_naive_beside_it() -> None:
    assert not_better(by_job([_line("seasonal_naive", MASE=1.0), _line("gru", MASE=1.0)])) == ["gru on m4_hourly"]
    assert not_better(by_job([_line("gru", MASE=0.1)])) == ["gru on m4_hourly"]


def test_an_ablation_is_compared_with_the_whole_model_of_as_many_steps() -> None:
    world = [*_world(), _line("gru", variant="reset", OWA=0.5)]
    assert _cells(table(by_job(world)))["`gru`"][4] == "0.500 (+25 %)"
    short = [
        *world,
        _line("gru", variant="short", OWA=0.625),
        _line("gru", variant="no_lags", OWA=0.75, arguments={"max_steps": 90}),
    ]
    assert _cells(table(by_job(short)))["`gru`"][4:6] == ["0.500 (-20 %)", "0.750 (+20 %)"]
    assert "compared with: 90, 300." in table(by_job(short))


def test_of_several_lines_of_one_job_the_last_one_counts() -> None:
    assert _cells(table(by_job([*_world(), _line("gru", OWA=0.3, MASE=0.7)])))["`gru`"][1] == "0.300"


def test_a_latency_from_the_window_is_marked() -> None:
    lines = by_job([*_world(), _line("gru", OWA=0.3, MASE=0.7, step_network=9000.0, step_bare=50.0, step_way="predict")])
    assert _cells(table(lines))["`gru`"][-2:] == ["9,000 (window)", "50"]


def test_a_page_has_a_row_for_each_panel_with_the_naives_score_beside() -> None:
    rows = _cells(page_rows(by_job(_world()), "gru"))
    assert rows["m4_hourly"][1:5] == ["0.400", "0.800", "9.00", "1.200"]
    assert rows["sample"][2:5] == ["0.760", "-", "1.190"]
    assert "Not measured yet" in page_rows(by_job(_world()), "lstm")


def test_what_stands_between_the_marks_is_replaced_and_nothing_else() -> None:
    text = "above\n<!-- row -->\nold\n<!-- /row -->\nbelow\n"
    once = between(text, "row", "new")
    assert once == "above\n<!-- row -->\nnew\n<!-- /row -->\nbelow\n"
    assert between(once, "row", "new") == once


@pytest.mark.parametrize(
    "text", ["", "<!-- row -->", "<!-- /row --><!-- row -->", "<!-- row --><!-- /row --><!-- row --><!-- /row -->"]
)
def test_a_text_without_the_two_marks_once_each_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="once each"):
        between(text, "row", "new")


def _wanted(*arguments: str) -> list[Job]:
    return bench.wanted(bench.arguments().parse_args(["data/m4_hourly", *arguments]))


def test_every_name_of_the_registry_is_run_on_both_panels_beside_the_seasonal_naive() -> None:
    jobs = [(job.model, job.panel, job.variant) for job in _wanted()]
    assert sorted(jobs) == sorted(
        (m, p, "whole") for m in ("seasonal_naive", *get_args(EncoderName)) for p in ("sample", "m4_hourly")
    )


def test_ablations_are_run_of_models_that_carry_a_state_only() -> None:
    jobs = {(job.model, job.variant) for job in _wanted("--ablations", "--only", "gru,linear", "--parts", "m4")}
    assert jobs == {(name, "whole") for name in ("seasonal_naive", "gru", "linear")} | {("gru", "reset"), ("gru", "no_lags")}


def test_ablations_of_fewer_steps_bring_the_whole_model_of_as_many_along() -> None:
    steps = {job.variant: job.arguments()["max_steps"] for job in _wanted("--ablations", "--ablation-steps", "60", "--only", "gru")
             if job.model == "gru"}  # fmt: skip
    assert steps == {"whole": 300, "short": 60, "reset": 60, "no_lags": 60}


def test_on_another_panel_a_model_keeps_its_arguments_but_those_in_steps_of_days() -> None:
    assert {"lags", "patch"} <= set(Job("segrnn").arguments())
    assert Job("segrnn", folder="m4_hourly").arguments() == {"hidden_size": 64, "max_steps": 300}
    assert Job("gru", "no_lags", folder="m4_hourly").arguments()["lags"] == 1
    assert Job("gru", "reset").arguments()["carry"] is False


def test_a_job_is_done_when_a_line_has_all_of_its_facts() -> None:
    job = Job("gru", folder="data/m4_hourly", scorer="referee.py")
    facts = job.facts()
    assert bench.left_to_do([job], [facts | {"mase": 1.0}]) == []
    other = [facts | {"part": "validation"}, facts | {"arguments": {}}, facts | {"code": "old"}, facts | {"variant": "reset"}]
    assert bench.left_to_do([job], other) == [job]
    assert bench.left_to_do([job], other, any_code=True) == []


def test_a_line_of_a_network_has_scores_costs_and_what_is_carried(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "LONGEST_SECONDS", 0.0)
    line = measure(Job("linear", folder=str(folder), max_steps=2))
    assert (line["model"], line["panel"], line["part"], line["variant"]) == ("linear", "daily", "validation", "whole")
    assert 0 < line["mase"] < 3
    assert line["fit_cpu_seconds"] > 0
    assert line["parameters"] > 100
    assert line["state_floats"] > 7
    assert min(line["step_network"], line["step_bare"]) > 0
    assert (line["step_way"], line["step_calls"]) == ("step", 1)


def test_a_line_of_the_seasonal_naive_has_no_network(folder: Path) -> None:
    line = measure(Job("seasonal_naive", folder=str(folder)))
    assert line["mase"] == pytest.approx(1.0, abs=0.4)
    assert "parameters" not in line


def test_a_timed_forecaster_is_the_one_that_it_holds_and_knows_how_long_the_fit_took() -> None:
    alone, timed, panel = quick("linear"), Timed(quick("linear")), ragged_panel()
    alone.fit(panel)
    timed.fit(panel)
    assert min(timed.seconds, timed.cpu_seconds) > 0
    np.testing.assert_array_equal(timed.predict(panel).mean, alone.predict(panel).mean)
    (block,) = timed.backtest(panel, panel.ends[:, None])
    np.testing.assert_array_equal(block.mean, timed.predict(panel).mean)


def test_a_network_that_refuses_to_carry_a_state_is_timed_on_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    forecaster, panel = quick("linear"), _long_series()
    forecaster.fit(panel)
    stepped = latency.step_latency(forecaster, panel, times=3)
    assert (stepped.way, stepped.calls) == ("step", 3)

    def refuse(*_: object) -> object:
        raise ModelError("the network reads its whole window; use predict")

    monkeypatch.setattr(latency, "start", refuse)
    assert latency.step_latency(forecaster, panel, times=3).way == "predict"


def test_a_network_that_takes_long_is_called_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    forecaster, panel = quick("linear"), _long_series()
    forecaster.fit(panel)
    monkeypatch.setattr(latency, "LONGEST_SECONDS", 0.0)
    assert latency.step_latency(forecaster, panel, times=100).calls == 1


def _long_series() -> Panel:
    days = pd.date_range("2024-01-01", periods=90)
    frame = pd.DataFrame({"unique_id": "a", "ds": days, "y": 9 + np.sin(np.arange(90) * 2 * np.pi / 7)})
    return Panel.from_frame(frame, Frequency.parse("D", (7,)))


def test_jobs_run_in_processes_of_their_own_and_one_that_fails_says_why(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    jobs = [Job("seasonal_naive", folder=str(folder)), Job("seasonal_naive", folder=str(tmp_path / "nowhere"))]
    (line,) = bench.run_jobs(jobs, 2, tmp_path)
    assert (line["panel"], line["seconds"] > 0, line["peak_mb"] > 10) == ("daily", True, True)
    assert "seasonal_naive (whole) on nowhere failed:" in capfd.readouterr().err


def test_the_documents_get_the_numbers_and_the_list_of_pages(tmp_path: Path) -> None:
    pages, document = tmp_path / "models", tmp_path / "families.md"
    pages.mkdir()
    document.write_text("hand-written\n<!-- table -->\n<!-- /table -->\n")
    (pages / "gru.md").write_text("# gru\n<!-- row -->\n<!-- /row -->\n")
    (pages / "README.md").write_text("# Models\n<!-- index -->\n<!-- /index -->\n")
    bench.write_documents(_world(), document, pages)
    assert "| `gru` | 0.400 |" in document.read_text()
    assert document.read_text().startswith("hand-written\n")
    assert "| m4_hourly | 0.400 |" in (pages / "gru.md").read_text()
    assert "| [gru](gru.md) | causal | gated recurrent units. |" in (pages / "README.md").read_text()


def test_a_page_without_marks_is_named(tmp_path: Path) -> None:
    (tmp_path / "gru.md").write_text("# gru\n")
    with pytest.raises(SystemExit, match=r"gru\.md: the text needs"):
        bench.write_documents(_world(), None, tmp_path)


def test_lines_are_read_back_and_a_model_that_is_not_better_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text("\n".join(json.dumps(line) for line in _world()) + "\n")
    assert bench.read_lines(lines) == _world()
    assert bench.read_lines(tmp_path / "none.jsonl") == []
    monkeypatch.setattr("sys.argv", ["families.py", "--documents-only", "--lines", str(lines)])
    assert bench.main() == 1
    assert "not better than the seasonal naive: elman on m4_hourly" in capsys.readouterr().err


def test_a_name_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bench.arguments().parse_args(["--only", "gru,grue"])
    assert "['grue'] are not among" in capsys.readouterr().err


def test_new_lines_are_added_to_the_file_as_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"model": "old"}\n')
    monkeypatch.setattr(bench, "run_jobs", lambda jobs, workers, folder: iter([{"model": job.model} for job in jobs]))
    found = bench.measured([Job("gru"), Job("lstm")], argparse.Namespace(workers=1, lines=lines))
    assert found == [{"model": "gru"}, {"model": "lstm"}]
    assert [line["model"] for line in bench.read_lines(lines)] == ["old", "gru", "lstm"]
