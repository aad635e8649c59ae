"""Every named recurrent model has a page of the same build, and the list of pages is that of the folder."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from forecast.networks.settings import EncoderName
from tests.architecture.source_tree import ROOT

PAGES = ROOT / "docs" / "models"
SECTIONS = ["When to use it", "Parameters", "Cost", "Where the equations are", "Measured"]
NAMES: tuple[str, ...] = (*get_args(EncoderName), "auto")
EXISTING = sorted(page for page in PAGES.glob("*.md") if page.name != "README.md")


def _sections(text: str) -> dict[str, str]:
    """The text below each heading of the second level, in order."""
    _, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    return {head.strip(): body.strip() for head, _, body in (part.partition("\n") for part in parts)}


def _has_words(text: str) -> bool:
    return len(text.split()) >= 8


@pytest.mark.parametrize("name", NAMES)
def test_every_named_model_has_a_page_with_every_section(name: str) -> None:
    page = PAGES / f"{name}.md"
    assert page.exists(), f"docs/models/{name}.md is missing; docs/models has others to go by"
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {name}\n")
    assert _has_words(text.split("\n## ")[0].partition("\n")[2]), "the first paragraph says what the model is"
    found = _sections(text)
    assert list(found) == SECTIONS
    assert [head for head, body in found.items() if head != "Measured" and not _has_words(body)] == []


@pytest.mark.parametrize("name", get_args(EncoderName))
def test_a_page_has_the_marks_between_which_the_benchmark_writes(name: str) -> None:
    assert re.search(
        r"<!-- row -->\n(.*\n)*<!-- /row -->", _sections((PAGES / f"{name}.md").read_text(encoding="utf-8"))["Measured"]
    )


@pytest.mark.parametrize("page", EXISTING, ids=lambda page: page.stem)
def test_a_page_names_files_and_functions_that_exist(page: Path) -> None:
    rows = _sections(page.read_text(encoding="utf-8"))["Where the equations are"]
    missing, text = [], ""
    for cell in (line.rsplit("|", 2)[-2] for line in rows.splitlines() if line.startswith("|")):
        files = [ROOT / name for name in re.findall(r"`(forecast/[\w/]+\.py)`", cell)]
        missing += [str(file) for file in files if not file.exists()]
        text = "".join(file.read_text(encoding="utf-8") for file in files if file.exists()) or text
        names = [name.split(".")[-1] for name in re.findall(r"`([\w.]+)`", cell) if "/" not in name and not name.endswith(".py")]
        missing += [name for name in names if not re.search(rf"\b(?:def|class) {name}\b", text)]
    assert not missing
    assert "forecast/" in rows


def test_a_page_belongs_to_a_model_and_is_in_the_list() -> None:
    listed = re.findall(r"^\| \[(\w+)\]\(\1\.md\) \|", (PAGES / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert listed == [page.stem for page in EXISTING], "benchmarks/families.py --documents-only --pages docs/models writes the list"
    assert set(listed) <= set(NAMES)
