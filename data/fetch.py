"""Fetches the public data sets that papers report on, and refuses every file whose checksum is not the expected one.

    python data/fetch.py                  lists the sets
    python data/fetch.py m4_hourly ...    fetches into data/public/<set>/

Most publishers give no checksum. Such a file is trusted at its first download: its SHA-256 is written into data/public/checksums.json,
and every later download of it, and every later use, must have the same one. A file appears under its name only when it is whole and
checked; a broken download is continued where the server can tell that the file is still the same one. Standard library alone, so that
it runs before anything is installed. It must not change what it fetches.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO, final

UNKNOWN = "unknown"
TIMEOUT = 60  # seconds without a byte
_BLOCK = 1 << 20
_MONASH = "https://zenodo.org/records"
_M4 = "https://raw.githubusercontent.com/Mcompetitions/M4-methods/master/Dataset"


class FetchError(Exception):
    """A file that cannot be had, or is not the one that was expected. The message says what to do."""


@final
@dataclass(frozen=True, slots=True)
class PublicFile:
    """A file of a data set: its name on disk, where its publisher keeps it, and its SHA-256 or `unknown`."""

    name: str
    url: str
    sha256: str = UNKNOWN


def _m4(period: str) -> tuple[PublicFile, ...]:
    return (
        PublicFile("train.csv", f"{_M4}/Train/{period}-train.csv"),
        PublicFile("test.csv", f"{_M4}/Test/{period}-test.csv"),
        PublicFile("info.csv", f"{_M4}/M4-info.csv"),
    )


# No checksum below is known from its publisher: all are trusted at the first download.
PUBLIC: Mapping[str, tuple[PublicFile, ...]] = {
    "m4_hourly": _m4("Hourly"),
    "m4_daily": _m4("Daily"),
    "m4_weekly": _m4("Weekly"),
    "m4_monthly": _m4("Monthly"),
    "m4_quarterly": _m4("Quarterly"),
    "m4_yearly": _m4("Yearly"),
    "m3": (PublicFile("M3C.xls", "https://forecasters.org/data/m3comp/M3C.xls"),),
    "nn5_daily": (
        PublicFile("nn5_daily.zip", f"{_MONASH}/4656117/files/nn5_daily_dataset_with_missing_values.zip"),
    ),
    "etth1": (PublicFile("ETTh1.csv", "https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/ETTh1.csv"),),
    "electricity_hourly": (PublicFile("electricity_hourly.zip", f"{_MONASH}/4656140/files/electricity_hourly_dataset.zip"),),
    "traffic_hourly": (PublicFile("traffic_hourly.zip", f"{_MONASH}/4656132/files/traffic_hourly_dataset.zip"),),
}  # fmt: skip


@final
class Lock:
    """The checksums of what was trusted at its first download, in a JSON file: address -> SHA-256."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def expected(self, file: PublicFile) -> str | None:
        """Returns the SHA-256 that a file must have; None before the first download of one that nobody vouches for.

        Raises:
            FetchError: the lock cannot be read.
        """
        if file.sha256 != UNKNOWN:
            return file.sha256
        return self._entries().get(file.url)

    def trust(self, file: PublicFile, sha256: str) -> None:
        """Writes down the checksum of a first download, whole or not at all."""
        entries = {**self._entries(), file.url: sha256}
        part = self._path.with_name(f"{self._path.name}.part")
        part.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(part, self._path)

    def _entries(self) -> dict[str, str]:
        if not self._path.exists():
            return {}
        try:
            return {str(url): str(sha256) for url, sha256 in json.loads(self._path.read_text(encoding="utf-8")).items()}
        except (ValueError, AttributeError) as error:
            raise FetchError(
                f"{self._path} is no table of checksums ({error}); remove it to trust the next downloads anew"
            ) from error


def fetch(name: str, folder: Path, sets: Mapping[str, Sequence[PublicFile]] = PUBLIC) -> list[Path]:
    """Returns the files of a data set below `folder`, downloading those that are not there.

    Raises:
        FetchError: an unknown set, an address that does not answer, or a file with another checksum, here or there.
    """
    if name not in sets:
        raise FetchError(f"there is no data set {name!r}; use one of {', '.join(sets)}")
    (folder / name).mkdir(parents=True, exist_ok=True)
    lock = Lock(folder / "checksums.json")
    return [_fetch_file(file, folder / name / file.name, lock) for file in sets[name]]


def _fetch_file(file: PublicFile, path: Path, lock: Lock) -> Path:
    expected = lock.expected(file)
    if path.exists() and expected is not None:
        if (here := digest(path)) != expected:
            raise FetchError(_mismatch(str(path), here, expected, "remove it to fetch it again"))
        return path
    part = path.with_name(f"{path.name}.part")
    _download(file.url, part)
    found = digest(part)
    if expected is not None and found != expected:
        part.unlink()
        advice = "its publisher changed it, or it was tampered with on the way; nothing was kept"
        raise FetchError(_mismatch(file.url, found, expected, advice))
    if expected is None:
        lock.trust(file, found)
    os.replace(part, path)
    return path


def _mismatch(what: str, found: str, expected: str, advice: str) -> str:
    return f"{what} has the SHA-256 {found}, expected {expected}: {advice}"


def _download(url: str, part: Path) -> None:
    """Fills the partial file, going on after what it has where the server says that the rest belongs to the same file."""
    mark = part.with_name(f"{part.name}.etag")  # which version of the file the partial one is the beginning of
    have = part.stat().st_size if part.exists() and mark.exists() else 0
    headers = {"Range": f"bytes={have}-", "If-Range": mark.read_text(encoding="ascii")} if have else {}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as answer:
            _note(mark, answer.headers.get("ETag"))
            goes_on = have > 0 and answer.status == 206
            _copy(answer, part, append=goes_on)
            length = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # there is nothing after what we have: begin again
            part.unlink()
            return _download(url, part)
        raise FetchError(f"{url} answers {error.code} {error.reason}; look for its new address and change the table") from error
    except (OSError, HTTPException) as error:
        raise FetchError(f"{url} cannot be reached ({error}); run it again to continue") from error
    got = part.stat().st_size - (have if goes_on else 0)
    if length is not None and got != int(length):
        raise FetchError(f"{url} broke off after {got} of {length} bytes; run it again to continue")
    mark.unlink(missing_ok=True)


def _note(mark: Path, tag: str | None) -> None:
    """Keeps the version of the file; a weak tag names no bytes, so such a download cannot go on."""
    if tag is None or tag.startswith("W/") or not tag.isascii():
        mark.unlink(missing_ok=True)
    else:
        mark.write_text(tag, encoding="ascii")


def _copy(answer: BinaryIO, part: Path, append: bool) -> None:
    with part.open("ab" if append else "wb") as out:
        while block := answer.read(_BLOCK):
            out.write(block)
        out.flush()
        os.fsync(out.fileno())


def digest(path: Path) -> str:
    """Returns the SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main(names: Sequence[str]) -> int:
    """Fetches the sets of the given names, or lists them; returns the exit code."""
    if not names:
        for name, files in PUBLIC.items():
            print(f"{name:20s} {', '.join(file.url for file in files)}")
        return 0
    for name in names:
        try:
            for path in fetch(name, Path(__file__).parent / "public"):
                print(f"{path}  {path.stat().st_size:,} bytes  sha256 {digest(path)}")
        except FetchError as error:
            print(error, file=sys.stderr)
            return 66
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
