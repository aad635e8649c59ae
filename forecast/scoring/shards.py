"""Finished pieces of a run, so that a crash costs one piece and not the night.

A shard counts as finished only if its receipt and its bytes agree: the receipt has the SHA-256 of the file and the series in it. It
must not know models.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import final

import pyarrow as pa
import pyarrow.parquet as pq

from forecast.core.arrays import TextArray
from forecast.storage.sinks.disk import Disk
from forecast.storage.sinks.file_sink import parquet_writer


@final
@dataclass(frozen=True, slots=True)
class ShardStore:
    """The shards of one run in a folder of their own, which is named after the run's key."""

    disk: Disk
    folder: Path

    def finished(self, number: int, ids: TextArray) -> bool:
        """Returns whether the shard is there, unharmed, and of exactly these series."""
        try:
            receipt = json.loads(self._receipt(number).read_bytes())
            return bool(receipt == _receipt(self._part(number).read_bytes(), ids))
        except (OSError, ValueError):
            return False

    def write(self, number: int, ids: TextArray, table: pa.Table) -> None:
        """Keeps a shard: the file first, then its receipt.

        Raises:
            SinkError: it cannot be written.
        """
        sink = pa.BufferOutputStream()
        with parquet_writer(sink, table.schema) as writer:
            writer.write_table(table)
        content = sink.getvalue().to_pybytes()
        self.disk.remove(self._receipt(number))  # an old receipt must not stand beside a new file
        self.disk.write(self._part(number), content)
        self.disk.write(self._receipt(number), json.dumps(_receipt(content, ids), sort_keys=True).encode())

    def tables(self, count: int) -> Iterator[pa.Table]:
        """Yields the tables of shards 0...count-1, one at a time."""
        for number in range(count):
            yield pq.read_table(pa.BufferReader(self._part(number).read_bytes()))

    def _part(self, number: int) -> Path:
        return self.folder / f"part-{number:05d}.part"

    def _receipt(self, number: int) -> Path:
        return self.folder / f"part-{number:05d}.ok"


def _receipt(content: bytes, ids: TextArray) -> dict[str, object]:
    series = hashlib.sha256(json.dumps(list(ids)).encode()).hexdigest()
    return {"sha256": hashlib.sha256(content).hexdigest(), "series": series}
