"""One contract for every source and every sink of the registries, against real files and real servers.

A new kind needs a world here, that is a way to put a table where it reads; without one a test fails.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from forecast.core.errors import ConfigError, DataError, ForecastError, InputMissing, SinkError
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.scoring.table import TableForm
from forecast.storage.sinks.disk import Disk
from forecast.storage.sinks.file_sink import FileSink
from forecast.storage.sinks.registry import SINKS
from forecast.storage.sinks.sink import Sink
from forecast.storage.sinks.sql_sink import SqlSink
from forecast.storage.sources.csv_source import CsvSource
from forecast.storage.sources.parquet_source import ParquetSource
from forecast.storage.sources.registry import SOURCES
from forecast.storage.sources.source import Source
from forecast.storage.sources.sql_source import SqlSource
from tests.contract.servers import postgres, postgres_programs

VARIABLE = "TEST_DATABASE_URL"
ODD_IDS = [
    "NA",
    "001",
    "1",
    "null",
    "nan",
    "../../etc/passwd",
    "=cmd()",
    "\U0001f600",
    "x" * 300,
    "O'Brien; DROP TABLE sales",
    'a"b',
    " s ",
]
FIRST, SECOND = date(2026, 5, 4), date(2026, 5, 5)
NOT_TABLES = {"statsmodels"}  # reads the data sets of a library, tested on its own


@dataclass(frozen=True)
class World:
    """A place for tables: put writes one, source reads it, sink publishes forecasts, read gives what a reader of them sees."""

    put: Callable[[pd.DataFrame], None]
    source: Callable[..., Source]
    sink: Callable[[], Sink]
    read: Callable[[], pd.DataFrame]


def _files(folder: Path, form: str) -> World:
    path = folder / f"sales.{form}"

    def put(frame: pd.DataFrame) -> None:
        frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path, index=False)

    def source(**arguments: object) -> Source:
        return (CsvSource if form == "csv" else ParquetSource)(path=path, **arguments)  # type: ignore[arg-type]

    def read() -> pd.DataFrame:
        return pd.concat(
            [
                pd.read_parquet(file).assign(run_date=file.parent.name[9:])
                for file in sorted(folder.glob("out/run_date=*/*.parquet"))
            ]
        )

    return World(put, source, lambda: FileSink(Disk(folder / "out"), folder / "out" / "_work"), read)


def _database(address: str) -> World:
    def engine() -> sa.Engine:
        return sa.create_engine(address, poolclass=sa.NullPool)

    def put(frame: pd.DataFrame) -> None:
        with engine().begin() as connection:
            frame.to_sql("sales", connection, index=False, if_exists="replace")

    def read() -> pd.DataFrame:
        with engine().connect() as connection:
            return pd.read_sql(sa.text("select * from forecasts order by run_date, unique_id, step"), connection)

    return World(
        put,
        lambda **arguments: SqlSource(table="sales", url_variable=VARIABLE, **arguments),
        lambda: SqlSink(url_variable=VARIABLE),
        read,
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: `apt-get install postgresql` brings it")
    pytest.importorskip("psycopg", reason="the driver comes with the extra `postgres`")
    with ExitStack() as stack:
        yield stack.enter_context(postgres(programs, tmp_path_factory.mktemp("postgres")))


@pytest.fixture(params=["csv", "parquet", "sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    kind: str = request.param
    if kind in ("csv", "parquet"):
        return _files(tmp_path, kind)
    address = f"sqlite:///{tmp_path}/data.db" if kind == "sqlite" else request.getfixturevalue("server")
    monkeypatch.setenv(VARIABLE, address)
    if kind == "postgresql":
        with sa.create_engine(address, poolclass=sa.NullPool).begin() as connection:
            for name in ("sales", "forecasts", "forecasts_runs"):
                connection.execute(sa.text(f"drop table if exists {name}"))
    return _database(address)


def _sales() -> pd.DataFrame:
    days = pd.date_range("2026-01-01", periods=4)
    frames = [pd.DataFrame({"unique_id": uid, "ds": days, "y": [1.0, None, 2.5, 16_777_217.0], "promo": [0, 1, 0, 1],
                            "sky": ["sun", None, "rain", "NA"]}) for uid in ODD_IDS]  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def test_every_kind_has_a_world() -> None:
    assert set(SOURCES) - NOT_TABLES == {"csv", "parquet", "sql"}
    assert set(SINKS) | {"file"} == {"file", "sql"}


def test_ids_values_names_and_stamps_come_back_as_they_are(world: World) -> None:
    world.put(_sales())
    frame = world.source(covariates=("promo", "sky"), categorical=("sky",)).read()
    expected = _sales().sort_values(["unique_id", "ds"], kind="stable")
    found = frame.sort_values(["unique_id", "ds"], kind="stable")
    assert found["unique_id"].tolist() == expected["unique_id"].tolist()
    assert found["ds"].dtype == "datetime64[ns]"
    np.testing.assert_array_equal(found["y"], expected["y"])
    np.testing.assert_array_equal(found["promo"], expected["promo"].astype(float))
    assert [None if pd.isna(v) else v for v in found["sky"]] == [None if pd.isna(v) else v for v in expected["sky"]]
    assert Panel.from_frame(frame, Frequency.parse("D")).ids.tolist() == sorted(ODD_IDS)


def test_columns_are_renamed_and_an_absent_one_is_named_with_its_nearest(world: World) -> None:
    world.put(_sales().rename(columns={"unique_id": "store", "ds": "day", "y": "sold"}))
    names = {"unique_id": "store", "ds": "day", "y": "sold"}
    assert set(world.source(columns=names, covariates=()).read().columns) == {"unique_id", "ds", "y"}
    with pytest.raises(InputMissing, match="nearest: 'sold'"):
        world.source(columns={**names, "y": "solt"}).read()


def test_duplicates_follow_the_declared_policy(world: World) -> None:
    rows = _sales()[["unique_id", "ds", "y"]].iloc[[0, 2, 3]]
    world.put(pd.concat([rows, rows.iloc[[1]].assign(y=7.5)]))
    with pytest.raises(DataError, match="1 rows repeat"):
        world.source().read()
    mean = world.source(duplicates="mean").read().sort_values("ds")["y"]
    assert mean.tolist() == [1.0, 5.0, 16_777_217.0]


def test_a_value_that_is_no_number_is_refused_with_its_row(world: World) -> None:
    rows = _sales()[["unique_id", "ds"]].iloc[:3].assign(y=["1", "many", "2"])
    world.put(rows)
    with pytest.raises(DataError) as refused:
        world.source().read()
    assert [(o.column, o.value) for o in refused.value.offences] == [("y", "many")]


def test_a_table_that_is_not_there_is_missing_input(world: World) -> None:
    with pytest.raises(InputMissing):
        world.source().read()


FORM = TableForm(FIRST, Frequency.parse("D"), 20_576, 2, (0.1, 0.9), "7")


def _rows(day: date, ids: list[str], value: float) -> tuple[pa.Schema, pa.Table]:
    form = TableForm(day, FORM.frequency, FORM.cutoff, 2, FORM.levels, "7")
    n = len(ids)
    days = list(pd.date_range("2026-05-04", periods=2))
    columns = {
        "run_date": pa.array([day.isoformat()] * 2 * n).dictionary_encode(), "unique_id": pa.array(np.repeat(ids, 2)),
        "cutoff": pa.array([pd.Timestamp("2026-05-03")] * 2 * n, pa.timestamp("us")), "ds": pa.array(days * n, pa.timestamp("us")),
        "step": pa.array([1, 2] * n, pa.int32()), "mean": pa.array([value] * 2 * n), "q0.1": pa.array([value - 1] * 2 * n),
        "q0.9": pa.array([value + 1] * 2 * n), "model": pa.array(["gru"] * 2 * n), "model_version": pa.array(["7"] * 2 * n),
        "status": pa.array(["ok"] * 2 * n), "reason": pa.array([""] * 2 * n),
    }  # fmt: skip
    return form.schema(), pa.table(columns, schema=form.schema())


def _publish(world: World, day: date, ids: list[str], value: float, key: str) -> None:
    schema, table = _rows(day, ids, value)
    world.sink().publish(day, schema, iter([table.slice(0, 3), table.slice(3)]), {"key": key, "rows": len(table)})


def test_a_run_date_is_replaced_whole_and_others_stay(world: World) -> None:
    assert world.sink().footer(FIRST) is None
    _publish(world, FIRST, ODD_IDS, 1.0, "a")
    _publish(world, SECOND, ["x"], 2.0, "b")
    _publish(world, FIRST, ODD_IDS[:5], 3.0, "c")
    seen = world.read()
    first = seen[seen["run_date"].astype(str) == FIRST.isoformat()]
    assert sorted(first["unique_id"].unique()) == sorted(ODD_IDS[:5])
    assert (first["mean"] == 3.0).all()
    assert len(seen) == 12
    assert [world.sink().footer(day) for day in (FIRST, SECOND)] == [{"key": "c", "rows": 10}, {"key": "b", "rows": 2}]
    assert pd.to_datetime(first["ds"]).min() == pd.Timestamp("2026-05-04")


def test_a_publication_that_breaks_off_leaves_the_old_rows_and_the_old_footer(world: World) -> None:
    _publish(world, FIRST, ["x", "y"], 1.0, "a")
    schema, table = _rows(FIRST, ["x", "z"], 2.0)

    def breaking() -> Iterator[pa.Table]:
        yield table.slice(0, 2)
        raise SinkError("the shard cannot be read")

    with pytest.raises(SinkError):
        world.sink().publish(FIRST, schema, breaking(), {"key": "b"})
    assert sorted(world.read()["unique_id"].unique()) == ["x", "y"]
    footer = world.sink().footer(FIRST)
    assert footer is not None
    assert footer["key"] == "a"


def test_a_row_twice_is_refused_by_a_database_and_nothing_changes(world: World) -> None:
    _publish(world, FIRST, ["x"], 1.0, "a")
    if not isinstance(world.sink(), SqlSink):
        return
    with pytest.raises(SinkError):
        _publish(world, FIRST, ["y", "y"], 2.0, "b")
    assert world.read()["unique_id"].unique().tolist() == ["x"]


@pytest.mark.parametrize(
    "make", [lambda: SqlSource(table="sales", url_variable=VARIABLE).read(), lambda: SqlSink(url_variable=VARIABLE).footer(FIRST)]
)
@pytest.mark.parametrize(
    "address", ["postgresql+psycopg://owner:s3cret@127.0.0.1:1/none", "nonsense s3cret", "mysql+nothing://a:s3cret@b/c", ""]
)
def test_no_error_shows_a_password(make: Callable[[], object], address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, address)
    with pytest.raises(ForecastError) as failed:
        make()
    shown = "".join(traceback.format_exception(failed.value))  # with all that a log would show of its causes
    assert "s3cret" not in shown


def test_a_query_is_read_like_a_table_and_one_of_both_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, f"sqlite:///{tmp_path}/data.db")
    _database(f"sqlite:///{tmp_path}/data.db").put(_sales())
    source = SqlSource(
        query="select unique_id, ds, y as sold from sales where promo = 1;", url_variable=VARIABLE, columns={"y": "sold"}
    )
    assert len(source.read()) == 2 * len(ODD_IDS)
    with pytest.raises(ConfigError, match="one of the two"):
        SqlSource(table="a", query="select 1")
