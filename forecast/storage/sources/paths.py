"""Which files a path means: a file, a list of files, a folder or a pattern, always in the same order.

It must not open them.
"""

from __future__ import annotations

from collections.abc import Sequence
from glob import glob, has_magic
from pathlib import Path
from typing import TypeAlias

from forecast.core.errors import InputMissing

PathArgument: TypeAlias = str | Path | Sequence[str | Path]


def find_files(path: PathArgument, suffixes: tuple[str, ...]) -> list[Path]:
    """Returns the files of a path argument: names of a list as given, those of folders and patterns in ascending order.

    A folder means the files below it that end with one of the suffixes; names that begin with `_` or `.`, and folders of such
    names, are work in progress of other programs and left out. A name that exists is taken as it is, whatever characters it has.

    Raises:
        InputMissing: nothing is there.
    """
    if isinstance(path, str | Path):
        return _find(Path(path), suffixes)
    files = [file for item in path for file in _find(Path(item), suffixes)]
    if not files:
        raise InputMissing("the list of paths is empty: name at least one file")
    return files


def _find(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    if path.is_dir():
        return _below(path, suffixes)
    if path.exists():
        return [path]
    if not has_magic(str(path)):
        raise InputMissing(f"there is no file {path}; {_neighbours(path, suffixes)}")
    matches = sorted(Path(name) for name in glob(str(path), recursive=True))
    files = [match for match in matches if match.is_file()] or [file for folder in matches for file in _below(folder, suffixes)]
    if not files:
        raise InputMissing(f"no file matches {path}")
    return files


def _below(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    files = [
        file for file in sorted(folder.rglob("*")) if file.name.endswith(suffixes) and file.is_file() and not _hidden(file, folder)
    ]
    if not files:
        raise InputMissing(f"the folder {folder} has no file that ends with {' or '.join(suffixes)}")
    return files


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(("_", ".")) for part in file.relative_to(folder).parts)


def _neighbours(path: Path, suffixes: tuple[str, ...]) -> str:
    if not path.parent.is_dir():
        return f"nor the folder {path.parent}"
    names = sorted(file.name for file in path.parent.iterdir() if file.name.endswith(suffixes))
    return f"its folder has {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}" if names else "its folder has none like it"
