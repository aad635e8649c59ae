"""A file appears whole or not at all, and what could not be written says where and why."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pyarrow as pa
import pytest

from forecast.core.errors import SinkError
from forecast.storage.sinks.disk import BUFFER_BYTES, Disk
from forecast.storage.sinks.file_sink import parquet_writer, regroup
from tests.faults.interruption import At, crash, disk_full


@pytest.fixture
def target(tmp_path: Path) -> Path:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    return target


@pytest.mark.parametrize("step", range(5))
def test_a_write_that_fails_leaves_the_old_file_and_no_other(target: Path, step: int) -> None:
    disk = Disk(target.parent, At(step, disk_full))
    with pytest.raises(SinkError, match=r"file: No space left on device; free space"):
        disk.write(target, b"new")
    assert target.read_bytes() in ([b"old", b"new"] if step == 4 else [b"old"]), "only the last step comes after the rename"
    assert list(target.parent.iterdir()) == [target]
    gc.collect()  # what is left in a buffer must go quietly


def test_what_a_block_raises_is_not_hidden(target: Path) -> None:
    def write_half() -> None:
        with Disk(target.parent).replacing(target) as file:
            file.write(b"new")
            crash()

    with pytest.raises(RuntimeError, match="a mistake"):
        write_half()
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


def test_a_file_larger_than_the_buffer_is_written_in_pieces(tmp_path: Path) -> None:
    steps: list[str] = []
    content = os.urandom(3 * BUFFER_BYTES + 5)
    Disk(tmp_path, steps.append).write(tmp_path / "deep" / "er" / "file", content)
    assert (tmp_path / "deep" / "er" / "file").read_bytes() == content
    assert steps.index("write") < steps.index("sync file") < steps.index("rename") < len(steps) - 1 == _last(steps, "sync folder")


def _last(steps: list[str], name: str) -> int:
    return len(steps) - 1 - steps[::-1].index(name)


def test_removing_what_is_not_there_is_no_error_and_a_link_is_not_followed(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "root")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kept").touch()
    (disk.root / "link").symlink_to(tmp_path / "outside")
    for name in ("absent", "link"):
        disk.remove(disk.root / name)
    assert (tmp_path / "outside" / "kept").exists()
    assert list(disk.root.iterdir()) == []


@pytest.mark.parametrize("cuts", [[10], [1] * 10, [4, 0, 6], [3, 3, 3, 1]])
@pytest.mark.parametrize("rows", [1, 3, 4, 10, 99])
def test_regrouping_keeps_the_rows_and_forgets_the_cuts(cuts: list[int], rows: int) -> None:
    whole = pa.table({"a": range(10)})
    starts = [sum(cuts[:i]) for i in range(len(cuts))]
    groups = list(regroup((whole.slice(start, cut) for start, cut in zip(starts, cuts, strict=True)), rows))
    assert [len(group) for group in groups] == [rows] * (10 // rows) + ([10 % rows] if 10 % rows else [])
    assert pa.concat_tables(groups).equals(whole)


def test_a_parquet_file_on_a_full_disk_is_a_sink_error(tmp_path: Path) -> None:
    rows = pa.table({"a": list(range(1000))})
    disk = Disk(tmp_path, At(1, disk_full))
    with pytest.raises(SinkError), disk.replacing(tmp_path / "x") as file, parquet_writer(file, rows.schema) as writer:
        writer.write_table(rows)
    assert list(tmp_path.iterdir()) == []


def test_bytes_and_folder_reach_the_disk_before_and_after_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    sync, replace = os.fsync, os.replace

    def watched_sync(descriptor: int) -> None:
        order.append(f"sync {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}")
        sync(descriptor)

    def watched_replace(source: Path, target: Path) -> None:
        assert source.read_bytes() == b"content", "what is renamed has left the buffer"
        order.append("rename")
        replace(source, target)

    disk = Disk(tmp_path)
    monkeypatch.setattr(os, "fsync", watched_sync)
    monkeypatch.setattr(os, "replace", watched_replace)
    disk.write(tmp_path / "new" / "file", b"content")
    assert order == [f"sync {tmp_path.name}", "sync file.tmp", "rename", "sync new"]
