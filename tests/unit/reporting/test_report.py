"""The report: complete, safe against hostile names, without network, and the same bytes for the same input."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import final

import pytest

from forecast.core.errors import UsageError
from forecast.evaluation.backtest import evaluate
from forecast.evaluation.evaluation import Costs, Evaluation
from forecast.evaluation.task import Task
from forecast.reporting.report import ReportText, render_report, write_report
from tests.unit.evaluation.worlds import LEVELS, Repeat, panel_of, random_panel

PANEL = random_panel(1, count=9, shortest=30)
TASK = Task(3, windows=2, levels=LEVELS)
MODELS = [
    evaluate(Repeat(3, shift=s, season=m, name=n), PANEL, TASK)
    for s, m, n in ((0.0, 1, "seasonal_naive"), (0.0, 2, "gru"), (50.0, 1, "drift"))
]
FAILED = Evaluation.without_scores("auto_arima", TASK, PANEL.fingerprint(), "timed out after 120 s", Costs(120.0))
TEXT = ReportText("Sample", {"Data": "sample.parquet"}, ("A note.",))
ATTACK = "<script>alert(1)</script>"


@final
class Page(HTMLParser):
    """The elements of a page with their attributes, and the texts outside scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text += data

    def figures(self) -> dict[str, object]:
        found = json.loads(self.scripts[0])
        assert isinstance(found, dict)
        return found


PAGE = Page(render_report([*MODELS, FAILED], PANEL, TEXT))


def test_every_model_is_in_the_table_and_the_one_without_scores_says_why() -> None:
    assert all(name in PAGE.text for name in ("seasonal_naive", "gru", "drift", "auto_arima", "timed out after 120 s"))


def test_every_chart_has_its_place_and_every_place_its_chart() -> None:
    places = {attrs["id"] for _, attrs in PAGE.elements if "chart" in (attrs.get("class") or "").split()}
    assert places == PAGE.figures().keys()
    assert {"time", "steps", "calibration", "fan0", "fan7"} <= places


def test_the_page_asks_for_nothing_from_any_network() -> None:
    assert not [(tag, attrs) for tag, attrs in PAGE.elements if {"src", "href", "srcset", "action"} & attrs.keys()]
    policy = next(attrs["content"] or "" for tag, attrs in PAGE.elements if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy


def test_the_drawing_library_is_inside_once() -> None:
    assert sum(len(script) > 1_000_000 for script in PAGE.scripts) == 1
    assert len(PAGE.scripts) == 3


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (
        write_report(tmp_path / name / "report.html", [*MODELS, FAILED], PANEL, TEXT).read_bytes() for name in ("a", "b")
    )
    assert first == second


def test_a_report_leaves_nothing_beside_itself(tmp_path: Path) -> None:
    write_report(tmp_path / "report.html", MODELS, PANEL, TEXT)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_hostile_names_stay_text() -> None:
    panel = panel_of(
        {ATTACK: [1.0, 2.0] * 10, '" onload="x': [2.0, 1.0] * 10, "</script>": [1.0, 3.0] * 10, "{{ 7*7 }}": [1.0, 5.0] * 10}
    )
    task = Task(3, windows=2, levels=LEVELS)
    models = [evaluate(Repeat(3, season=m, name=n), panel, task) for m, n in ((1, "seasonal_naive"), (3, ATTACK))]
    failed = Evaluation.without_scores(ATTACK + "2", task, panel.fingerprint(), f"failed: {ATTACK}")
    page = Page(render_report([*models, failed], panel, ReportText(ATTACK, {ATTACK: ATTACK}, (ATTACK,)), champion=ATTACK))
    assert len(page.scripts) == 3
    assert "alert(1)" not in page.scripts[2]
    assert "<" not in page.scripts[0]
    assert not [attrs for _, attrs in page.elements if any(name.startswith("on") for name in attrs)]
    assert page.text.count(ATTACK) >= 6
    assert "{{ 7*7 }}" in page.text
    assert '" onload="x' in page.text


def test_the_headline_says_how_much_better_the_champion_is() -> None:
    best = min(MODELS, key=lambda e: e.aggregate()["mase"])
    base = MODELS[0].aggregate()["mase"]
    page = Page(render_report(MODELS, PANEL, TEXT, champion="drift"))
    assert f"{100 * (MODELS[2].aggregate()['mase'] / base - 1):.1f}" in page.text
    assert "higher MASE than the seasonal naive" in page.text
    assert best.model in PAGE.text


@pytest.mark.parametrize("champion", ["auto_arima", "nobody"])
def test_a_champion_without_scores_is_refused(champion: str) -> None:
    with pytest.raises(UsageError, match=f"'{champion}'"):
        render_report([*MODELS, FAILED], PANEL, TEXT, champion=champion)


def test_a_benchmark_in_which_every_model_failed_has_no_report() -> None:
    with pytest.raises(UsageError, match="no scores"):
        render_report([FAILED], PANEL, TEXT)


def test_a_report_of_one_model_says_that_there_is_no_other() -> None:
    page = Page(render_report([MODELS[0]], PANEL, TEXT))
    assert "nothing to measure it against" in page.text
    assert "Is the difference real?" not in page.text


def test_a_report_without_a_baseline_or_forecasts_or_levels_is_still_whole() -> None:
    task = Task(3, levels=())
    alone = evaluate(Repeat(3, levels=(), name="gru"), PANEL, task, keep_forecasts=False)
    page = Page(render_report([alone, replace(alone, model="lstm")], PANEL, TEXT))
    assert page.figures().keys() == {"time", "steps"}
    assert "Forecasts" not in page.text


def test_series_that_no_scaled_metric_can_measure_still_make_a_report() -> None:
    panel = panel_of({"a": [3.0] * 20, "b": [4.0] * 20})
    models = [evaluate(Repeat(3, name=n), panel, TASK) for n in ("seasonal_naive", "gru")]
    page = Page(render_report(models, panel, TEXT))
    assert page.figures().keys() == {"steps", "calibration"}
    assert "nothing to measure it against" in page.text


def test_results_of_another_panel_are_refused() -> None:
    with pytest.raises(UsageError, match="another panel"):
        render_report([*MODELS, replace(FAILED, panel_fingerprint="x")], PANEL, TEXT)
