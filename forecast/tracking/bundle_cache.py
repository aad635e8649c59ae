"""The last verified bundle of a registered model on disk: what a job falls back to when the registry is away.

    <folder>/<digest>/    bundles, the last two
    <folder>/last.json    which one the registry named last, and when

It must not reach for a registry.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

from forecast.core.errors import ModelError, SinkError
from forecast.storage.bundle import LoadedBundle, load_bundle

_RECORD = "last.json"


@final
@dataclass(frozen=True, slots=True)
class CachedVersion:
    """What the registry named last. confirmed: when, in seconds since 1970."""

    version: int
    digest: str
    confirmed: float


@final
class BundleCache:
    """Bundles by digest in a folder of one registered model and alias. Every read verifies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def last(self) -> tuple[CachedVersion, LoadedBundle] | None:
        """Returns the last confirmed version and its bundle; None where there is none that is whole."""
        try:
            record = CachedVersion(**json.loads((self._folder / _RECORD).read_bytes()))
            bundle = load_bundle(self._folder / record.digest)
        except (OSError, ValueError, TypeError, ModelError):
            return None
        return (record, bundle) if bundle.digest == record.digest else None

    def workplace(self) -> Path:
        """Returns a new empty folder inside the cache, from which `keep` can move a bundle without copying.

        Raises:
            SinkError: the cache cannot be written.
        """
        place = self._folder / f".fetch-{uuid.uuid4().hex[:12]}"
        try:
            place.mkdir(parents=True)
        except OSError as error:
            raise SinkError(
                f"the model cache {self._folder} cannot be written: {error.strerror}; check the disk and the permissions"
            ) from error
        return place

    def keep(self, bundle: Path, digest: str) -> None:
        """Moves a verified bundle in; one that is there already stays."""
        target = self._folder / digest
        if target.exists() and _whole(target, digest):
            return
        shutil.rmtree(target, ignore_errors=True)
        try:
            bundle.rename(target)
        except OSError as error:
            if not _whole(target, digest):  # another process was not quicker
                raise SinkError(f"the model cache {self._folder} cannot be written: {error.strerror}; check the disk") from error

    def confirm(self, record: CachedVersion) -> None:
        """Notes what the registry named, and drops all bundles but this one and the one before."""
        before = self.last()
        keep = {record.digest, before[0].digest if before is not None else record.digest}
        fresh = self._folder / f".{_RECORD}.{uuid.uuid4().hex[:12]}"
        fresh.write_text(json.dumps(asdict(record)))
        os.replace(fresh, self._folder / _RECORD)
        for entry in self._folder.iterdir():
            if entry.is_dir() and not entry.name.startswith(".") and entry.name not in keep:
                shutil.rmtree(entry, ignore_errors=True)


def _whole(directory: Path, digest: str) -> bool:
    try:
        return load_bundle(directory).digest == digest
    except ModelError:
        return False
