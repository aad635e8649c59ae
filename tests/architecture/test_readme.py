"""The README's tree has one line for every file, and no line for a file that is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.architecture.source_tree import ROOT

# Folders whose files are listed one by one; of the others the README names the folder.
LISTED = ("forecast", "pipelines", "configs", "data", "benchmarks", "deploy", "docs")
SUFFIXES = {".py", ".yaml", ".yml", ".md", ".json", ".parquet", ".csv", ".sh"}


def _tree(text: str) -> Iterator[tuple[str, str]]:
    """Yields (path, what it is) of each line of the tree; two spaces of indentation are one level."""
    block = re.search(r"```text\n(forecast/ .*?)```", text, flags=re.DOTALL)
    assert block, "README.md has no tree"
    folders: list[str] = []
    for line in block[1].splitlines():
        match = re.fullmatch(r"((?:  )*)(\S+)(?: {2,}(\S.*))?", line)
        assert match, f"not a line of the tree: {line!r}"
        level = len(match[1]) // 2
        folders = [*folders[:level], match[2].rstrip("/")]
        yield "/".join(folders), match[3] or ""


def _is_listed(path: Path) -> bool:
    relative = path.relative_to(ROOT)
    hidden = any(part == "__pycache__" or part.startswith((".", "_shipped")) for part in relative.parts)
    public = relative.parts[:2] == ("data", "public")
    return path.is_file() and path.suffix in SUFFIXES and not hidden and not public and bool(path.read_bytes().strip())


def test_the_tree_names_every_file_and_only_files_that_exist() -> None:
    named = {path for path, _ in _tree((ROOT / "README.md").read_text())}
    existing = {p.relative_to(ROOT).as_posix() for folder in LISTED for p in (ROOT / folder).rglob("*") if _is_listed(p)}
    assert existing - named == set(), "files without a line in README.md"
    assert {name for name in named if not (ROOT / name).exists()} == set(), "lines of README.md without a file"


def test_every_line_of_the_tree_says_what_the_file_is_for() -> None:
    assert not [path for path, meaning in _tree((ROOT / "README.md").read_text()) if len(meaning) < 10]
