"""Forecasts as one Parquet file per run date, committed by a rename: the same rows and footer always give the same bytes.

Layout: `<root>/run_date=2026-11-20/forecasts.parquet`. It must not know how the rows were made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import final

import pyarrow as pa
import pyarrow.parquet as pq

from forecast.storage.sinks.disk import Disk
from forecast.storage.sinks.sink import Footer, Sink

FILE_NAME = "forecasts.parquet"
FOOTER_KEY = b"forecast.run"
# Row groups are cut by number of rows alone, so that shards leave no trace in the file.
GROUP_ROWS = 131_072
# Every setting that reaches the bytes is pinned here; the version of pyarrow is pinned by the constraints file.
_COMPRESSION = "zstd"
_LEVEL = 3
_PAGE_BYTES = 1 << 20


@final
class FileSink(Sink):
    """One file per run date below a folder.

    disk: writes below the folder.
    staging: folder of the temporary file, on the same file system, where no reader looks.
    """

    def __init__(self, disk: Disk, staging: Path) -> None:
        self._disk = disk
        self._staging = staging

    def path(self, run_date: date) -> Path:
        """Returns the file of a run date, there or not."""
        return self._disk.root / f"run_date={run_date.isoformat()}" / FILE_NAME

    def place(self, run_date: date) -> str:
        """Returns the path of the file of a run date."""
        return str(self.path(run_date))

    def footer(self, run_date: date) -> Footer | None:
        """Returns the footer of the published file; None where there is no file, or one that is damaged or not ours."""
        return read_footer(self.path(run_date))

    def publish(self, run_date: date, schema: pa.Schema, tables: Iterator[pa.Table], footer: Footer) -> None:
        """Writes the rows to a temporary file and renames it: the rename is the commit. See `Sink.publish`."""
        signed = schema.with_metadata({FOOTER_KEY: json.dumps(footer, sort_keys=True, ensure_ascii=False).encode()})
        with self._disk.replacing(self.path(run_date), self._staging) as file, parquet_writer(file, signed) as writer:
            for group in regroup(tables, GROUP_ROWS):
                writer.write_table(group.cast(signed), row_group_size=GROUP_ROWS)


def read_footer(path: Path) -> Footer | None:
    """Returns the run's footer of a published file; None where there is no file, or one that is damaged or not ours."""
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return None
    if FOOTER_KEY not in metadata:
        return None
    footer: Footer = json.loads(metadata[FOOTER_KEY])
    return footer


def parquet_writer(file: object, schema: pa.Schema) -> pq.ParquetWriter:
    """Returns a Parquet writer whose bytes depend on the rows and the schema only."""
    return pq.ParquetWriter(file, schema, version="2.6", compression=_COMPRESSION, compression_level=_LEVEL, data_page_version="1.0",
                            data_page_size=_PAGE_BYTES, write_statistics=True, use_dictionary=True)  # fmt: skip


def regroup(tables: Iterator[pa.Table], rows: int) -> Iterator[pa.Table]:
    """Yields the same rows in tables of exactly `rows` rows, the last one shorter."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        while count + table.num_rows >= rows:
            head = table.slice(0, rows - count)
            yield pa.concat_tables([*waiting, head]).combine_chunks()
            waiting, count, table = [], 0, table.slice(head.num_rows)
        if table.num_rows:
            waiting.append(table)
            count += table.num_rows
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()
