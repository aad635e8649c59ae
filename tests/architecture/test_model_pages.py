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


def _places(rows: str) -> list[tuple[str, list[str]]]:
    """Files and the names in them: of `file`: `name`, `name`, of `file:name`, and of a file alone."""
    out: list[tuple[str, list[str]]] = []
    for file, names in re.findall(r"(forecast/[\w/]+\.py|the same file)(`?: (?:`[\w.]+`(?:, )?)+|:[\w.]+)?", rows):
        found = [name.split(".")[-1] for name in re.findall(r"[\w.]+", names)]
        out.append((out[-1][0] if out and file == "the same file" else file, found))
    return out


def _is_defined(name: str, text: str) -> bool:
    return re.search(rf"\b(?:def|class) {name}\b|^\s*(?:self\.)?{name}\s*[:=]", text, flags=re.MULTILINE) is not None


@pytest.mark.parametrize("page", EXISTING, ids=lambda page: page.stem)
def test_a_page_names_files_and_functions_that_exist(page: Path) -> None:
    places = _places(_sections(page.read_text(encoding="utf-8"))["Where the equations are"])
    assert places
    assert [file for file, _ in places if not (ROOT / file).exists()] == []
    texts = {file: (ROOT / file).read_text(encoding="utf-8") for file, _ in places}
    assert [(file, name) for file, names in places for name in names if not _is_defined(name, texts[file])] == []


def test_the_search_for_places_reads_both_ways_of_writing_them() -> None:
    rows = "| (1) | `forecast/a.py`: `B.c`, `d` |\n| (2) | the same file: `e` |\n(3) -> `forecast/f.py:G.h`; `forecast/i.py`"
    assert _places(rows) == [
        ("forecast/a.py", ["c", "d"]),
        ("forecast/a.py", ["e"]),
        ("forecast/f.py", ["h"]),
        ("forecast/i.py", []),
    ]
    assert _is_defined("c", "class B:\n    def c(self) -> None: ...")
    assert not _is_defined("c", "class B:\n    def cc(self) -> None: ...")


def test_a_page_belongs_to_a_model_and_is_in_the_list() -> None:
    listed = re.findall(r"^\| \[(\w+)\]\(\1\.md\) \|", (PAGES / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert listed == [page.stem for page in EXISTING], "benchmarks/families.py --documents-only --pages docs/models writes the list"
    assert set(listed) <= set(NAMES)
