"""Forecasts in a table of a SQL database: one transaction deletes the rows of a run date, inserts the new ones and signs them.

The signature, the run's footer, lies in a second table, `<table>_runs`, and is committed together with the rows. Addresses come from
the environment. It must not know how the rows were made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any, final

import pyarrow as pa
import sqlalchemy as sa

from forecast.core.errors import SinkError
from forecast.storage.databases import DEFAULT_VARIABLE, address, connected, shown
from forecast.storage.sinks.sink import Footer, Sink

ROWS_AT_ONCE = 5_000
_KEY = ("run_date", "unique_id", "step")


@final
class SqlSink(Sink):
    """Two tables of a database, made when they are not there: forecasts, unique by run date, series and step, and their runs.

    table: name, `schema.name` for one of another schema. url_variable: the variable of the environment that holds the address.
    """

    def __init__(self, table: str = "forecasts", url_variable: str = DEFAULT_VARIABLE) -> None:
        self._table, self._variable = table, url_variable

    def place(self, run_date: date) -> str:
        """Returns table, database and condition, without user and password."""
        return f"{self._table} of {shown(address(self._variable))} where run_date = '{run_date.isoformat()}'"

    def footer(self, run_date: date) -> Footer | None:
        """Returns the footer of a run date; None where nothing is published for it."""
        runs = self._runs()
        with connected(self._variable, SinkError) as connection:
            if not sa.inspect(connection).has_table(runs.name, schema=runs.schema):
                return None
            row = connection.execute(sa.select(runs.c.footer).where(runs.c.run_date == run_date.isoformat())).first()
        if row is None:
            return None
        footer: Footer = json.loads(row[0])
        return footer

    def publish(self, run_date: date, schema: pa.Schema, tables: Iterator[pa.Table], footer: Footer) -> None:
        """Replaces the rows and the footer of a run date in one transaction; see `Sink.publish`."""
        day = run_date.isoformat()
        rows, runs = self._rows(schema), self._runs()
        signed = json.dumps(footer, sort_keys=True, ensure_ascii=False)
        with connected(self._variable, SinkError) as connection:
            rows.metadata.create_all(connection)
            runs.metadata.create_all(connection)
            connection.execute(sa.delete(rows).where(rows.c.run_date == day))
            for table in tables:
                for start in range(0, table.num_rows, ROWS_AT_ONCE):
                    connection.execute(sa.insert(rows), _plain(table.slice(start, ROWS_AT_ONCE)))
            connection.execute(sa.delete(runs).where(runs.c.run_date == day))
            connection.execute(sa.insert(runs), [{"run_date": day, "footer": signed}])

    def _rows(self, schema: pa.Schema) -> sa.Table:
        owner, _, name = self._table.rpartition(".")
        columns = [sa.Column(field.name, _kind(field.type), nullable=field.name not in _KEY) for field in schema]
        key = sa.PrimaryKeyConstraint(*_KEY, name=f"{name}_key")
        return sa.Table(name, sa.MetaData(), *columns, key, schema=owner or None)

    def _runs(self) -> sa.Table:
        owner, _, name = self._table.rpartition(".")
        columns = (sa.Column("run_date", sa.String(10), primary_key=True), sa.Column("footer", sa.Text, nullable=False))
        return sa.Table(f"{name}_runs", sa.MetaData(), *columns, schema=owner or None)


def _kind(kind: pa.DataType) -> sa.types.TypeEngine[Any]:
    """The type of a column of forecasts in the database."""
    if pa.types.is_floating(kind):
        return sa.Double()
    if pa.types.is_integer(kind):
        return sa.BigInteger()
    return sa.DateTime() if pa.types.is_timestamp(kind) else sa.Text()


def _plain(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as dictionaries, with what is a dictionary column turned into its text."""
    plain: list[dict[str, Any]] = table.to_pylist()
    return plain
