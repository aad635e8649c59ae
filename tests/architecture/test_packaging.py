"""What is installed is what was meant: the wheel carries the shipped files, the image runs as nobody in particular."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.architecture.source_tree import ROOT

SHIPPED = ("configs", "data/sample")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The names of the files in the wheel of this checkout."""
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)], cwd=ROOT, check=True, capture_output=True
    )
    (path,) = target.glob("*.whl")
    with ZipFile(path) as archive:
        return archive.namelist()


def _files(folder: str) -> list[Path]:
    return [p for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts and p.suffix != ".pyc"]


@pytest.mark.parametrize("folder", SHIPPED)
def test_the_wheel_carries_the_shipped_files(wheel: list[str], folder: str) -> None:
    expected = {f"pipelines/_shipped/{path.relative_to(ROOT).as_posix()}" for path in _files(folder)}
    assert expected
    assert expected <= set(wheel)


def test_the_wheel_carries_the_code_and_nothing_beside_it(wheel: list[str]) -> None:
    assert {"forecast/core/panel.py", "pipelines/cli.py"} <= set(wheel)
    assert {name.split("/")[0] for name in wheel if ".dist-info" not in name} == {"forecast", "pipelines"}


def test_the_image_is_built_in_two_stages_and_runs_without_root() -> None:
    text = (ROOT / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", text, flags=re.MULTILINE)
    assert bases == ["python:3.11-slim-bookworm"] * 2
    runtime = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER 10001", runtime, flags=re.MULTILINE)
    assert 'ENTRYPOINT ["forecast"]' in runtime
    assert not re.search(r"gcc|build-essential|pip install", runtime)
