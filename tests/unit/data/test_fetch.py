"""Fetching public sets, against a server on this machine: whole and checked, or not there."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from data.fetch import PUBLIC, UNKNOWN, FetchError, PublicFile, fetch

BODY = bytes(range(256)) * 2000
SHA = hashlib.sha256(BODY).hexdigest()


class Publisher:
    """What the server answers, and what it was asked."""

    def __init__(self) -> None:
        self.body, self.tag, self.cut, self.ranges = BODY, '"1"', len(BODY), list[str | None]()
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/a.csv"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answers as a static file server does, but breaks off after `cut` bytes."""
        asked = request.headers.get("Range")
        self.ranges.append(asked)
        if self.body == b"":
            return request.send_error(404)
        first = int(asked[6:-1]) if asked and request.headers.get("If-Range") == self.tag else 0
        request.send_response(206 if first else 200)
        request.send_header("Content-Length", str(len(self.body) - first))
        if self.tag:
            request.send_header("ETag", self.tag)
        request.end_headers()
        request.wfile.write(self.body[first : first + self.cut])


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    made = Publisher()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def get(publisher: Publisher, folder: Path, sha256: str = UNKNOWN) -> Path:
    return fetch("set", folder, {"set": (PublicFile("a.csv", publisher.url, sha256),)})[0]


def files(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / "set").iterdir())


def test_a_file_with_the_known_checksum_is_fetched_once(publisher: Publisher, tmp_path: Path) -> None:
    assert get(publisher, tmp_path, SHA).read_bytes() == BODY
    assert get(publisher, tmp_path, SHA).read_bytes() == BODY
    assert publisher.ranges == [None]
    assert files(tmp_path) == ["a.csv"]
    assert not (tmp_path / "checksums.json").exists()


def test_another_checksum_is_refused_and_nothing_is_kept(publisher: Publisher, tmp_path: Path) -> None:
    publisher.body = BODY[:-1] + b"!"
    with pytest.raises(FetchError, match=f"expected {SHA}.*nothing was kept"):
        get(publisher, tmp_path, SHA)
    assert files(tmp_path) == []


def test_a_file_without_a_known_checksum_is_trusted_once_and_verified_afterwards(publisher: Publisher, tmp_path: Path) -> None:
    path = get(publisher, tmp_path)
    assert json.loads((tmp_path / "checksums.json").read_text()) == {publisher.url: SHA}
    path.unlink()
    publisher.body = BODY[::-1]
    with pytest.raises(FetchError, match=f"expected {SHA}"):
        get(publisher, tmp_path)
    assert files(tmp_path) == []
    publisher.body = BODY
    assert get(publisher, tmp_path).read_bytes() == BODY


def test_a_file_that_was_changed_on_disk_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    path = get(publisher, tmp_path)
    path.write_bytes(b"something else")
    with pytest.raises(FetchError, match=r"a\.csv has the SHA-256 .* remove it to fetch it again"):
        get(publisher, tmp_path)


@pytest.mark.parametrize("sha256", [SHA, UNKNOWN])
def test_a_broken_download_leaves_no_file_and_is_continued(publisher: Publisher, tmp_path: Path, sha256: str) -> None:
    publisher.cut = 100_000
    with pytest.raises(FetchError, match="broke off after 100000 of 512000 bytes"):
        get(publisher, tmp_path, sha256)
    assert "a.csv" not in files(tmp_path)
    assert not (tmp_path / "checksums.json").exists()
    publisher.cut = len(BODY)
    assert get(publisher, tmp_path, sha256).read_bytes() == BODY
    assert publisher.ranges == [None, "bytes=100000-"]
    assert files(tmp_path) == ["a.csv"]


@pytest.mark.parametrize("tag", ['"2"', 'W/"1"', ""])
def test_the_beginning_of_one_version_is_never_joined_with_the_end_of_another(
    publisher: Publisher, tmp_path: Path, tag: str
) -> None:
    publisher.cut, publisher.tag = 100_000, tag if tag != '"2"' else '"1"'
    with pytest.raises(FetchError):
        get(publisher, tmp_path)
    publisher.cut, publisher.tag, publisher.body = len(BODY), tag, BODY[::-1]
    assert get(publisher, tmp_path).read_bytes() == BODY[::-1]


def test_an_address_that_is_gone_is_named(publisher: Publisher, tmp_path: Path) -> None:
    publisher.body = b""
    with pytest.raises(FetchError, match=r"a\.csv answers 404"):
        get(publisher, tmp_path)
    assert files(tmp_path) == []


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="cannot be reached"):
        fetch("set", tmp_path, {"set": (PublicFile("a.csv", "http://127.0.0.1:1/a.csv"),)})


def test_an_unknown_set_gets_the_names_of_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="no data set 'm5'; use one of m4_hourly"):
        fetch("m5", tmp_path)


def test_a_damaged_lock_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "checksums.json").write_text("[1]")
    with pytest.raises(FetchError, match="no table of checksums"):
        get(publisher, tmp_path)


def test_the_table_names_each_file_once_and_every_checksum_is_one_or_unknown() -> None:
    for name, sources in PUBLIC.items():
        assert len({file.name for file in sources}) == len(sources), name
        for file in sources:
            assert file.url.startswith("https://")
            assert file.sha256 == UNKNOWN or (len(file.sha256) == 64 and set(file.sha256) <= set("0123456789abcdef"))
