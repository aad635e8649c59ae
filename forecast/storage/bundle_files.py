"""The bytes of a bundle: canonical JSON, a folder that appears whole or not at all, files read once and checked on the way in.

It must not know what the files mean.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from forecast.core.errors import ModelError, ModelNotFound, SinkError


def canonical_json(value: object, where: str) -> bytes:
    """Returns the one JSON text of a value: sorted keys, two spaces, a final newline, no NaN and no infinity.

    Raises:
        ModelError: a value that JSON does not have; the message begins with `where`.
    """
    try:
        return (json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except (TypeError, ValueError) as error:  # ValueError also covers lone surrogates and circles
        raise ModelError(f"{where}: {error}; only text, finite numbers, booleans, null, lists and mappings can be saved") from error


def parse_object(data: bytes, where: str) -> dict[str, Any]:
    """Returns the JSON object in the bytes.

    Raises:
        ModelError: anything else than one JSON object.
    """
    try:
        value = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{where} is damaged: {error}; fetch the bundle again") from error
    if not isinstance(value, dict):
        raise ModelError(f"{where} is damaged: it holds {type(value).__name__} where an object is expected; fetch the bundle again")
    return value


def sha256(data: bytes) -> str:
    """Returns the SHA-256 of the bytes in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read_folder(directory: Path) -> dict[str, bytes]:
    """Returns the bytes of every file of a folder by name. Each is read once, so that what is checked is what is used.

    Raises:
        ModelNotFound: no such folder, or it cannot be read.
        ModelError: the folder holds something that is not a plain file.
    """
    try:
        entries = sorted(directory.iterdir())
        strange = [entry.name for entry in entries if not entry.is_file()]
        if strange:
            raise ModelError(f"the bundle {directory} holds {strange[:5]} ({len(strange)} in all), not plain files; fetch it again")
        return {entry.name: entry.read_bytes() for entry in entries}
    except OSError as error:
        raise ModelNotFound(f"no bundle can be read at {directory}: {error.strerror}; give the folder of a saved model") from error


def write_folder(directory: Path, files: Mapping[str, bytes]) -> None:
    """Writes the files to a new folder beside, makes them durable and renames it, so that a crash leaves no half bundle.

    A folder of that name is moved aside first and deleted last: a crash between the two renames leaves it beside, whole.

    Raises:
        SinkError: the folder cannot be written.
    """
    mark = uuid.uuid4().hex[:12]
    fresh, aside = (directory.parent / f".{directory.name}.{mark}.{kind}" for kind in ("new", "old"))
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        fresh.mkdir()
        for name, data in files.items():
            _write_durably(fresh / name, data)
        _sync_folder(fresh)
        _swap(fresh, directory, aside)
        _sync_folder(directory.parent)
    except OSError as error:
        raise SinkError(
            f"the bundle {directory} cannot be written: {error.strerror}; check the disk and the permissions"
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    shutil.rmtree(aside, ignore_errors=True)


def _swap(fresh: Path, directory: Path, aside: Path) -> None:
    """Puts the fresh folder in its place; an old one goes aside, and comes back if that fails."""
    try:
        directory.rename(aside)
    except FileNotFoundError:
        fresh.rename(directory)
        return
    try:
        fresh.rename(directory)
    except OSError:
        aside.rename(directory)
        raise


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
