"""Documents point at what exists, and their commands are commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT

DOCUMENTS = sorted(
    p for p in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("data/**/*.md"), *ROOT.glob("benchmarks/**/*.md"))
)


def _fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_relative_link_has_a_target(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not broken


def test_every_configuration_that_the_readme_names_exists() -> None:
    named = set(re.findall(r"\b(?:configs|data)/[\w./-]+\.(?:yaml|parquet)", (ROOT / "README.md").read_text()))
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


def test_every_make_target_that_a_document_names_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {word for d in DOCUMENTS for word in re.findall(r"(?:^|`)make ([a-z]+)", d.read_text(), flags=re.MULTILINE)}
    assert {"demo", "test"} <= named <= targets


def test_every_decision_is_in_the_list_of_decisions() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(re.findall(r"\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text()))
    assert listed == {path.name for path in folder.glob("[0-9]*.md")}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_python_example_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = _fenced((ROOT / "README.md").read_text(), "python")
    assert '"max_steps": 200' in example
    monkeypatch.chdir(ROOT)
    exec(compile(example.replace('"max_steps": 200', '"max_steps": 10'), "README.md", "exec"), {})
    shown = capsys.readouterr().out
    assert "007-barbecue-charcoal-3kg" in shown  # the forecasts
    assert "seasonal_naive" in shown  # the leaderboard
