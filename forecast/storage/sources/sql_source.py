"""Tables in SQL databases: a table or a query, through SQLAlchemy.

The address comes from the environment only. It must not repair anything beyond the declared policies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from forecast.core.errors import ConfigError, DataError, InputMissing
from forecast.storage.databases import DEFAULT_VARIABLE, address, connected, shown
from forecast.storage.sources.long_frame import long_frame
from forecast.storage.sources.plan import Categorical, Duplicates, Gaps, ReadPlan
from forecast.storage.sources.source import Content, Source
from forecast.storage.sources.typed_columns import holds_names, is_number

ROWS_AT_ONCE = 50_000


@final
class SqlSource(Source):
    """Reads a table or the rows of a query.

    table: name of a table or view, `schema.name` for one of another schema; or
    query: a SELECT statement.
    url_variable: the variable of the environment that holds the address of the database.
    columns: name in the library -> name in the table: {"unique_id": "store", "ds": "date", "y": "sales"}.
    covariates: further columns to read; None takes all that hold numbers or booleans.
    categorical: those of them that hold names and not amounts; `auto` takes columns of text none of whose values is a number.
    duplicates: `error`, `last` or `mean`, for rows of one series and time; `last` is that of the query's own order.
    gaps: `missing`, `error` or `zero`, for steps inside a series without a row; the last two need `frequency`.
    """

    def __init__(
        self, table: str | None = None, query: str | None = None, url_variable: str = DEFAULT_VARIABLE,
        columns: Mapping[str, str] | None = None, covariates: tuple[str, ...] | None = None, duplicates: Duplicates = "error",
        gaps: Gaps = "missing", frequency: str | None = None, categorical: Categorical = (),
    ) -> None:  # fmt: skip
        if (table is None) == (query is None):
            raise ConfigError("a SQL source reads a `table` or the rows of a `query`: give one of the two")
        self._table, self._query, self._variable = table, query, url_variable
        self._plan = ReadPlan.make(columns, covariates, None, duplicates, gaps, frequency, categorical)

    def read(self, content: Content = "history") -> pd.DataFrame:
        """Returns the table; see `Source.read`. `row` of an offence counts the rows of the answer from 0."""
        name = self.describe()
        with connected(self._variable, DataError) as connection:
            found = self._header(connection, name)
            names = self._plan.names(found, content, name)
            table = _arrow(connection, self._statement(names), list(names))
        kept = [column for column in table.column_names if self._kept(column, table[column])]
        return long_frame({name: table.select(kept)}, self._plan, first_row=0)

    def describe(self) -> str:
        """Returns one line for people: the database without user and password, and the table."""
        return f"{self._table or 'query'} of {shown(address(self._variable))}"

    def _from(self) -> sa.FromClause:
        """What is selected from: the table, quoted by the dialect, or the query as it stands."""
        if self._query is not None:
            return sa.text(self._query.strip().rstrip(";")).columns().subquery("rows_of_query")
        schema, _, name = str(self._table).rpartition(".")
        return sa.table(name, schema=schema or None)

    def _header(self, connection: sa.Connection, name: str) -> list[str]:
        if self._table is not None:
            schema, _, table = self._table.rpartition(".")
            if not sa.inspect(connection).has_table(table, schema=schema or None):
                raise InputMissing(f"{name}: there is no such table; check its name, its schema and the rights of the user")
        return list(connection.execute(sa.select(sa.text("*")).select_from(self._from()).limit(0)).keys())

    def _statement(self, names: Mapping[str, str]) -> sa.Select[Any]:
        """The columns that are read; those of a table come by series and time, since tables have no order."""
        columns: Sequence[Any] = [sa.column(column).label(name) for name, column in names.items()]
        statement: sa.Select[Any] = sa.select(*columns).select_from(self._from())
        if self._query is not None:
            return statement
        return statement.order_by(*(sa.column(names[key]) for key in ("unique_id", "ds") if key in names))

    def _kept(self, name: str, column: pa.ChunkedArray) -> bool:
        named = self._plan.categorical == "auto" and holds_names(column)
        return self._plan.asked(name) or is_number(column.type) or named


def _arrow(connection: sa.Connection, statement: sa.Select[Any], names: list[str]) -> pa.Table:
    """The answer as a table, fetched in pieces."""
    answer = connection.execution_options(stream_results=True, max_row_buffer=ROWS_AT_ONCE).execute(statement)
    pieces: list[list[pa.Array]] = [[] for _ in names]
    for rows in answer.partitions(ROWS_AT_ONCE):
        for column, values in zip(pieces, zip(*rows, strict=True), strict=True):
            column.append(pa.array(list(values), from_pandas=True))
    return pa.table({name: _joined(arrays) for name, arrays in zip(names, pieces, strict=True)})


def _joined(arrays: list[pa.Array]) -> pa.ChunkedArray:
    """Pieces of one column, in the type that all of them fit: a piece may hold whole numbers only, or nothing but nulls."""
    kinds = list(dict.fromkeys(array.type for array in arrays if not pa.types.is_null(array.type)))
    if not kinds:
        return pa.chunked_array(arrays, type=pa.null()) if arrays else pa.chunked_array([], type=pa.null())
    if len(kinds) == 1:
        return pa.chunked_array([array.cast(kinds[0]) for array in arrays])
    numbers = all(is_number(kind) for kind in kinds)
    wide = pa.float64() if numbers else pa.string()
    return pa.chunked_array([array.cast(wide, safe=False) if numbers else array.cast(wide) for array in arrays])
