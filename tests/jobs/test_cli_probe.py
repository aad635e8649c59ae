"""`forecast probe`: cells in, a table, a page and pictures out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.jobs.command_line import Ran, run


def probe(folder: Path, *options: str) -> Ran:
    return run("probe", "--quick", "--output", folder, *options)


def test_the_probe_writes_a_page_and_its_pictures(tmp_path: Path) -> None:
    done = probe(tmp_path / "new" / "docs", "--cell", "stacked", "--cell", "elman")
    assert done.code == 0, done.err
    shown = (tmp_path / "new" / "docs" / "probe.md").read_text()
    pictures = re.findall(r"\]\((figures/\S+)\)", shown)
    assert len(pictures) == 5
    assert all((tmp_path / "new" / "docs" / picture).read_text().startswith("<svg") for picture in pictures)
    assert [name for name in ("stacked", "elman", "lstm", "attention") if f"\n| {name} | " in shown] == [
        "stacked",
        "elman",
        "attention",
    ]
    assert "A small run" in shown


def test_the_tables_are_on_stdout_and_each_measurement_is_an_event(tmp_path: Path) -> None:
    done = probe(tmp_path, "--cell", "gru", "--cell", "stacked")
    assert ["recalls, steps back" in done.out, "Bidirectional doubles the parameters" in done.out] == [True, True]
    assert str(tmp_path / "probe.md") in done.out
    events = done.events()
    assert [event.get("cell") for event in events if event["event"] == "cell probed"] == ["gru", "stacked", "attention"]
    assert all(event["parameters"] > 0 and event["verb"] == "probe" for event in events if event["event"] == "cell probed")
    assert [event["layers"] for event in events if event["event"] == "stack trained"] == [2, 2, 4, 4]


def test_deep_stacks_are_trained_only_where_stacks_are_asked_for(tmp_path: Path) -> None:
    done = probe(tmp_path, "--cell", "gru")
    assert not [event for event in done.events() if event["event"] == "stack trained"]
    assert not (tmp_path / "figures" / "probe_stacks.svg").exists()


def test_the_width_of_the_costs_can_be_chosen(tmp_path: Path) -> None:
    done = probe(tmp_path, "--cell", "elman", "--hidden-size", "32")
    (elman,) = (event for event in done.events() if event.get("cell") == "elman")
    assert elman["parameters"] == 2 * (32 * 32 + 32)


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--cell", "grue"), "no cell ['grue'] to probe; take some of"), (("--hidden-size", "30"), "the hidden size 30 is not a multiple of 4")],
)  # fmt: skip
def test_what_cannot_be_probed_is_a_usage_error(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    done = probe(tmp_path / "out", *options)
    assert (done.code, message in done.err) == (2, True)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_said_before_anything_is_measured(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = probe(tmp_path / "file", "--cell", "elman")
    assert (done.code, "choose another --output" in done.err, done.events()) == (73, True, [])
