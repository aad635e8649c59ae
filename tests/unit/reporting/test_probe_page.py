"""The page of the probe and its pictures: every cell is in them, they need nothing from outside, and they read on any page."""

from __future__ import annotations

import itertools
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from forecast.probing.claims import judge
from forecast.probing.results import ATTENTION
from forecast.probing.settings import QUICK
from forecast.reporting.line_chart import Labels, Line, line_chart, ticks
from forecast.reporting.palette import DARK, LIGHT
from forecast.reporting.probe_figures import bytes_text, figures
from forecast.reporting.probe_page import CLAIM_COLUMNS, COLUMNS, cell_rows, claim_rows, page
from forecast.reporting.svg import Axis, document, spread, text
from tests.unit.probing.made_result import made_result

RESULT = made_result()
PICTURES = figures(RESULT)
NAMES = {cell.name for cell in RESULT.cells}
SVG = "{http://www.w3.org/2000/svg}"


def words(picture: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_all_pictures_are_drawn() -> None:
    assert set(PICTURES) == {f"probe_{name}.svg" for name in ("recall", "growth", "memory", "cost", "stacks")}


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_a_picture_is_one_file_for_light_and_dark_pages(name: str) -> None:
    picture = PICTURES[name]
    root = ElementTree.fromstring(picture)
    assert root.find(f"{SVG}title") is not None
    assert all(f"--ink: {palette['ink']}" in picture for palette in (LIGHT, DARK))
    assert "prefers-color-scheme: dark" in picture
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|<script|<image|@import", picture)
    assert not re.search(r'(?:fill|stroke)="#', picture), "colours are roles of the palette"


@pytest.mark.parametrize("name", ["probe_growth.svg", "probe_cost.svg"])
def test_every_cell_is_named_in_the_pictures_of_costs(name: str) -> None:
    shown = " ".join(words(PICTURES[name]))
    assert all(re.search(rf"\b{cell}\b", shown) for cell in NAMES)


def test_the_picture_of_recall_has_the_longest_first_and_no_attention() -> None:
    shown = [word for word in words(PICTURES["probe_recall.svg"]) if word in NAMES]
    assert shown[:3] == ["mamba", "stacked", "dilated"]
    assert set(shown) == NAMES - {ATTENTION}
    assert "4,096 or more" in words(PICTURES["probe_recall.svg"])


def test_cells_that_keep_the_same_bytes_share_a_line() -> None:
    assert "elman, lstm: 512 B" in words(PICTURES["probe_memory.svg"])
    assert "attention: 8.0 MiB" in words(PICTURES["probe_memory.svg"])


def test_words_and_lines_stay_inside_of_the_picture() -> None:
    for picture in PICTURES.values():
        root = ElementTree.fromstring(picture)
        width, height = float(root.get("width", 0)), float(root.get("height", 0))
        for element in root.iter(f"{SVG}text"):
            assert 0 < float(element.get("x", -1)) < width
            assert 0 < float(element.get("y", -1)) < height
        for element in root.iter(f"{SVG}polyline"):
            points = [tuple(map(float, pair.split(","))) for pair in element.get("points", "").split()]
            assert all(0 <= x <= width and 0 <= y <= height for x, y in points)


def test_no_two_names_of_lines_lie_on_each_other() -> None:
    heights = spread([50.0, 50.0, 51.0, 200.0, 199.0], 40.0, 210.0)
    assert all(40 <= height <= 210 for height in heights)
    ordered = sorted(heights)
    assert min(b - a for a, b in itertools.pairwise(ordered)) >= 14.9
    assert heights[4] < heights[3]


def test_what_is_not_to_be_trusted_is_escaped() -> None:
    assert "<b>" not in document(10, 10, "<b>", [text(1, 1, "<b> & co")])


def test_an_axis_keeps_ratios_or_distances() -> None:
    assert Axis(1, 100, 0, 200)(10) == pytest.approx(100)
    assert Axis(0, 100, 0, 200, logarithmic=False)(10) == pytest.approx(20)
    assert (Axis(1, 100, 0, 200)(0.1), Axis(1, 100, 0, 200)(1e9)) == (0, 200)


def test_ticks_are_round_and_never_too_few() -> None:
    assert ticks(0.5, 2000) == [1, 10, 100, 1000]
    assert ticks(3, 30) == [5, 10, 20]
    assert ticks(500, 300_000, 8) == [512, 4096, 32768, 262144]


def test_a_chart_of_one_flat_line_can_be_drawn() -> None:
    assert "flat" in words(line_chart([Line("flat", ((1, 5.0), (2, 5.0)))], Labels("t", "b", "h", str)))


def test_bytes_read_as_people_say_them() -> None:
    assert [bytes_text(n) for n in (512, 2048, 1.5 * 2**20, 4097 * 2**20)] == ["512 B", "2 KiB", "1.5 MiB", "4,097 MiB"]


def test_the_table_has_a_row_for_each_cell_and_says_what_is_not_asked() -> None:
    rows = {row[0]: row for row in cell_rows(RESULT)}
    assert rows["lstm"][:3] == ["lstm", "474", "132,096"]
    assert (rows["mamba"][1], rows[ATTENTION][1], rows[ATTENTION][3]) == ("4,096 or more", "–", "grows")  # noqa: RUF001
    assert {len(row) for row in rows.values()} == {len(COLUMNS)}


def test_the_page_shows_every_cell_every_claim_and_every_picture() -> None:
    claims = judge(RESULT)
    shown = page(RESULT, claims, sorted(PICTURES))
    assert all(f"\n| {name} | " in shown for name in NAMES)
    assert all(claim.claim in shown and claim.measured in shown for claim in claims)
    assert set(re.findall(r"\]\(figures/(\S+)\)", shown)) == set(PICTURES)
    assert "`mqrnn, deepar` with that of `lstm`" in shown
    assert "small run" not in shown
    assert [row[-1] for row in claim_rows(claims)].count("no") == sum(claim.holds is False for claim in claims)


def test_every_row_of_a_table_has_all_of_its_columns() -> None:
    shown = page(RESULT, judge(RESULT), [])
    assert {line.count(" | ") + 1 for line in shown.splitlines() if line.startswith("| ")} == {len(COLUMNS), len(CLAIM_COLUMNS)}


def test_a_small_run_says_that_it_is_one() -> None:
    assert "A small run" in page(replace(RESULT, settings=QUICK), judge(RESULT), [])


def test_what_was_not_measured_is_not_drawn() -> None:
    drawn = figures(replace(RESULT, cells=RESULT.cells[-1:], stacks=()))
    assert set(drawn) == {"probe_growth.svg", "probe_memory.svg", "probe_cost.svg"}
