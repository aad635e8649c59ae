"""CSV and Parquet: what comes in is what stands in the file, or an error that shows where."""

from __future__ import annotations

import gzip
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from forecast.core.errors import ConfigError, DataError, InputMissing
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel
from forecast.storage.sources.csv_source import CsvSource
from forecast.storage.sources.parquet_source import ParquetSource
from forecast.storage.sources.registry import SOURCES
from forecast.storage.sources.source import Content, Source


def write_csv(path: Path, columns: Mapping[str, Any]) -> Path:
    lines = [
        ",".join(columns),
        *(",".join('"' + str(v).replace('"', '""') + '"' for v in row) for row in zip(*columns.values(), strict=True)),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_parquet(path: Path, columns: Mapping[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def csv(folder: Path, text: str, **arguments: Any) -> CsvSource:
    path = folder / "sales.csv"
    path.write_bytes(text.encode())
    return CsvSource(path, **arguments)


ODD_IDS = [
    "NA",
    "001",
    "1",
    "null",
    "None",
    "nan",
    "1e3",
    "TRUE",
    " x ",
    "😀",
    "é",
    "x" * 300,
    "../../etc/passwd",
    '=cmd("a")',
    "a,b",
    "1.0",
    "a\nb",
]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_ids_are_text_byte_by_byte(tmp_path: Path, kind: str) -> None:
    columns = {"unique_id": ODD_IDS, "ds": ["2026-05-03"] * len(ODD_IDS), "y": [1.5] * len(ODD_IDS)}
    source: Source = (
        CsvSource(write_csv(tmp_path / "a.csv", columns))
        if kind == "csv"
        else ParquetSource(write_parquet(tmp_path / "a.parquet", columns))
    )
    frame = source.read()
    assert frame["unique_id"].tolist() == ODD_IDS
    assert sorted(ODD_IDS) == Panel.from_frame(frame, Frequency.parse("D")).ids.tolist()


def test_the_same_table_reads_the_same_from_both_formats(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "unique_id": ["b", "a", "a"],
            "ds": pd.date_range("2026-01-01", periods=3),
            "y": [1.0, np.nan, 1e300],
            "promo": [True, False, True],
        }
    )
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    expected = frame.astype({"promo": float})
    for source in (CsvSource(tmp_path / "a.csv"), ParquetSource(tmp_path / "a.parquet")):
        pd.testing.assert_frame_equal(source.read(), expected)
        pd.testing.assert_frame_equal(source.read(), expected)  # a source can be read again


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_columns_are_renamed_on_the_way_in(tmp_path: Path, kind: str) -> None:
    columns = {"store": ["001"], "date": ["2026-05-03"], "sales": [3], "Promo": [1], "note": ["text"], "y": [99]}
    path = tmp_path / f"a.{kind}"
    (write_csv if kind == "csv" else write_parquet)(path, columns)
    names = {"unique_id": "store", "ds": "date", "y": "sales", "promo": "Promo"}
    source: Source = (CsvSource if kind == "csv" else ParquetSource)(path, columns=names)
    assert source.read().to_dict("list") == {"unique_id": ["001"], "ds": [pd.Timestamp("2026-05-03")], "y": [3.0], "promo": [1.0]}


def test_only_the_covariates_that_are_asked_for_are_read(tmp_path: Path) -> None:
    source = csv(tmp_path, "unique_id,ds,y,a,b\nx,2026-05-03,1,2,oops\n", covariates=("a",))
    assert list(source.read().columns) == ["unique_id", "ds", "y", "a"]


@pytest.mark.parametrize(
    ("content", "columns"),
    [("history", ["unique_id", "ds", "y", "a"]), ("future", ["unique_id", "ds", "a"]), ("static", ["unique_id", "a"])],
)
def test_each_kind_of_table_has_its_own_columns(tmp_path: Path, content: Content, columns: list[str]) -> None:
    data: dict[str, Any] = {"unique_id": ["x"], "ds": ["2026-05-03"], "y": [1], "a": [2]}
    write_parquet(tmp_path / "a.parquet", {name: data[name] for name in columns})
    assert list(ParquetSource(tmp_path / "a.parquet").read(content).columns) == columns
    write_csv(tmp_path / "a.csv", {name: data[name] for name in columns})
    assert list(CsvSource(tmp_path / "a.csv").read(content).columns) == columns


# Numbers


@pytest.mark.parametrize(("text", "value"), [("1e400", "1e400"), ("-1e999", "-1e999"), ("inf", "inf"), ("-Infinity", "-Infinity")])
def test_overflow_is_an_offence_and_never_infinite(tmp_path: Path, text: str, value: str) -> None:
    source = csv(tmp_path, f"unique_id,ds,y\na,2026-05-01,1\na,2026-05-02,{text}\n")
    with pytest.raises(DataError) as caught:
        source.read()
    offence = caught.value.offences[0]
    assert (offence.value, offence.row, offence.column, offence.rule) == (value, 3, "y", "finite")


def test_a_word_among_numbers_is_shown_with_its_row_and_file(tmp_path: Path) -> None:
    source = csv(
        tmp_path,
        "unique_id,ds,y\n" + "".join(f"a,2026-05-{d:02},{'3,5' if d == 9 else d}\n".replace("3,5", '"3,5"') for d in range(1, 20)),
    )
    with pytest.raises(DataError, match=r"sales\.csv, row 10, column 'y': 3,5 \(a number\)"):
        source.read()


def test_infinite_values_in_parquet_are_an_offence(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"unique_id": ["a", "a"], "ds": [1, 2], "y": [1.0, np.inf]})
    with pytest.raises(DataError, match="row 1, column 'y': inf"):
        ParquetSource(path).read()


@pytest.mark.parametrize("text", ["", "NA", "NaN", "null", "N/A"])
def test_missing_numbers_are_missing_and_never_zero(tmp_path: Path, text: str) -> None:
    frame = csv(tmp_path, f"unique_id,ds,y\na,1,{text}\na,2,5\n").read()
    np.testing.assert_array_equal(frame["y"], [np.nan, 5.0])


@pytest.mark.parametrize("values", [("true", "false"), ("True", "False"), ("TRUE", "FALSE"), ("1", "0"), ("1.0", "0.0")])
def test_booleans_count_as_one_and_zero(tmp_path: Path, values: tuple[str, str]) -> None:
    text = f"unique_id,ds,y,promo\na,1,1,{values[0]}\na,2,1,{values[1]}\na,3,1,\n"
    for covariates in (None, ("promo",)):
        np.testing.assert_array_equal(csv(tmp_path, text, covariates=covariates).read()["promo"], [1.0, 0.0, np.nan])


def test_a_text_column_asked_for_as_covariate_is_refused(tmp_path: Path) -> None:
    text = "unique_id,ds,y,kind\na,1,1,city\na,2,1,village\n"
    with pytest.raises(
        DataError, match=r"column 'kind' is text \(the first values are \['city', 'village'\]\).*encode it as numbers"
    ):
        csv(tmp_path, text, covariates=("kind",)).read()
    assert "kind" not in csv(tmp_path, text).read().columns
    path = write_parquet(tmp_path / "a.parquet", {"unique_id": ["a"], "ds": [1], "y": [1], "kind": ["city"], "code": ["007"]})
    with pytest.raises(DataError, match="column 'kind' is text"):
        ParquetSource(path, covariates=("kind",)).read()
    assert list(ParquetSource(path).read().columns) == ["unique_id", "ds", "y"]


def test_a_date_asked_for_as_covariate_is_refused(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"unique_id": ["a"], "ds": [1], "y": [1], "opened": [pd.Timestamp("2020-01-01")]})
    with pytest.raises(DataError, match="column 'opened' holds timestamp"):
        ParquetSource(path, covariates=("opened",)).read()


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(20, 2), pa.bool_(), pa.string()])
def test_every_type_of_number_in_parquet_can_be_read(tmp_path: Path, kind: pa.DataType) -> None:
    values = pa.array([1, None, 0], pa.int8()).cast(kind)
    pq.write_table(pa.table({"unique_id": ["a"] * 3, "ds": [1, 2, 3], "y": values}), tmp_path / "a.parquet")
    np.testing.assert_array_equal(ParquetSource(tmp_path / "a.parquet").read()["y"], [1.0, np.nan, 0.0])


@pytest.mark.parametrize(
    "ids", [pa.array([7, 8]), pa.array(["7", "8"]).dictionary_encode(), pa.array(["7", "8"], pa.large_string())]
)
def test_every_type_of_id_in_parquet_becomes_text(tmp_path: Path, ids: pa.Array) -> None:
    pq.write_table(pa.table({"unique_id": ids, "ds": [1, 2], "y": [1.0, 2.0]}), tmp_path / "a.parquet")
    assert ParquetSource(tmp_path / "a.parquet").read()["unique_id"].tolist() == ["7", "8"]


def test_ids_with_decimals_are_refused(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"unique_id": [1.0], "ds": [1], "y": [1]})
    with pytest.raises(DataError, match="'unique_id' holds double; ids are text or whole numbers"):
        ParquetSource(path).read()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_missing_id_is_shown_with_its_row(tmp_path: Path, kind: str) -> None:
    source: Source = csv(tmp_path, "unique_id,ds,y\na,1,1\n,2,1\n")
    if kind == "parquet":
        source = ParquetSource(write_parquet(tmp_path / "a.parquet", {"unique_id": ["a", None], "ds": [1, 2], "y": [1, 1]}))
    with pytest.raises(DataError, match=f"row {3 if kind == 'csv' else 1}, column 'unique_id'.*id present"):
        source.read()


# Time


@pytest.mark.parametrize(
    ("text", "stamp"),
    [("2026-05-03", "2026-05-03"), ("2026-05-03 14:00", "2026-05-03T14"), ("2026-05-03T14:00:00", "2026-05-03T14"), ("1700-01-01", "1700-01-01"),
     (" 2026-05-03 ", "2026-05-03"), ("2026-05-03 00:00:00.000", "2026-05-03")],
)  # fmt: skip
def test_iso_dates_are_read(tmp_path: Path, text: str, stamp: str) -> None:
    assert csv(tmp_path, f"unique_id,ds,y\na,{text},1\n").read()["ds"].tolist() == [pd.Timestamp(stamp)]


@pytest.mark.parametrize("text", ["03/05/2026", "2026-13-01", "2026-02-30", "yesterday", "03.05.2026", "9999-12-31", "1066-10-14"])
def test_what_is_no_iso_date_is_shown_and_never_guessed(tmp_path: Path, text: str) -> None:
    source = csv(tmp_path, f"unique_id,ds,y\na,2026-05-01,1\na,{text},1\n")
    with pytest.raises(DataError) as caught:
        source.read()
    offence = caught.value.offences[0]
    assert (offence.value, offence.row, offence.column, Path(str(offence.file)).name) == (text, 3, "ds", "sales.csv")
    assert "date_format" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "form"), [("03.05.2026", "%d.%m.%Y"), ("05/03/2026", "%m/%d/%Y"), ("20260503", "%Y%m%d"), ("3 May 2026", "%d %B %Y")]
)
def test_other_dates_are_read_with_their_format(tmp_path: Path, text: str, form: str) -> None:
    assert csv(tmp_path, f"unique_id,ds,y\na,{text},1\n", date_format=form).read()["ds"].tolist() == [pd.Timestamp("2026-05-03")]


@pytest.mark.parametrize("text", ["2026-05-03T14:00:00Z", "2026-05-03T14:00+02:00", "2026-05-03 14:00:00-0500"])
def test_an_offset_from_utc_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"no offset from UTC.*\n.*row 2, column 'ds'"):
        csv(tmp_path, f"unique_id,ds,y\na,{text},1\n").read()


def test_a_time_zone_in_parquet_is_refused(tmp_path: Path) -> None:
    frame = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2026-05-03", periods=2, tz="Europe/Berlin"), "y": 1.0})
    frame.to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="time zone Europe/Berlin"):
        ParquetSource(tmp_path / "a.parquet").read()


@pytest.mark.parametrize("kind", [pa.date32(), pa.timestamp("s"), pa.timestamp("us"), pa.timestamp("ns"), pa.string()])
def test_every_type_of_date_in_parquet_is_the_same_date(tmp_path: Path, kind: pa.DataType) -> None:
    stamps = pa.array([pd.Timestamp("2026-05-03").to_pydatetime()]).cast(kind if kind != pa.string() else pa.date32()).cast(kind)
    pq.write_table(pa.table({"unique_id": ["a"], "ds": stamps, "y": [1.0]}), tmp_path / "a.parquet")
    frame = ParquetSource(tmp_path / "a.parquet").read()
    assert frame["ds"].dtype == "datetime64[ns]"
    assert frame["ds"].tolist() == [pd.Timestamp("2026-05-03")]


def test_dates_that_nanoseconds_cannot_hold_are_shown(tmp_path: Path) -> None:
    stamps = pa.array(np.array(["2026-05-03", "9999-12-31"], dtype="datetime64[s]"))
    pq.write_table(pa.table({"unique_id": ["a", "a"], "ds": stamps, "y": [1.0, 2.0]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"row 1, column 'ds': 9999-12-31"):
        ParquetSource(tmp_path / "a.parquet").read()


@pytest.mark.parametrize("kind", ["csv", "int", "float"])
def test_whole_number_time_stays_whole(tmp_path: Path, kind: str) -> None:
    source: Source = csv(tmp_path, "unique_id,ds,y\na,-1,1\na,7,1\n")
    if kind != "csv":
        source = ParquetSource(
            write_parquet(
                tmp_path / "a.parquet", {"unique_id": ["a", "a"], "ds": [-1, 7] if kind == "int" else [-1.0, 7.0], "y": [1, 1]}
            )
        )
    frame = source.read()
    assert frame["ds"].dtype == np.int64
    assert frame["ds"].tolist() == [-1, 7]


def test_time_between_whole_numbers_is_refused(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"unique_id": ["a", "a"], "ds": [1.0, 1.5], "y": [1, 1]})
    with pytest.raises(DataError, match=r"row 1, column 'ds': 1\.5"):
        ParquetSource(path).read()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_missing_stamp_is_shown_with_its_row(tmp_path: Path, kind: str) -> None:
    source: Source = csv(tmp_path, "unique_id,ds,y\na,2026-05-01,1\na,,1\n")
    if kind == "parquet":
        source = ParquetSource(
            write_parquet(tmp_path / "a.parquet", {"unique_id": ["a", "a"], "ds": [pd.Timestamp("2026-05-01"), None], "y": [1, 1]})
        )
    with pytest.raises(DataError, match=f"row {3 if kind == 'csv' else 1}, column 'ds'.*time stamp present"):
        source.read()


# Files


def test_a_file_that_is_not_there_ends_with_66_and_names_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "sale.parquet").touch()
    with pytest.raises(InputMissing, match=r"no file .*sales\.parquet; its folder has sale\.parquet") as caught:
        ParquetSource(tmp_path / "sales.parquet").read()
    assert caught.value.exit_code == 66
    for source in (
        CsvSource(tmp_path / "nowhere" / "a.csv"),
        CsvSource(tmp_path / "*.csv"),
        ParquetSource([]),
        CsvSource(tmp_path),
    ):
        with pytest.raises(InputMissing):
            source.read()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_column_that_is_not_there_ends_with_66_and_gets_the_nearest_name(tmp_path: Path, kind: str) -> None:
    columns = {"unique_id": ["a"], "DS": [1], "y": [1], "price": [1]}
    path = (write_csv if kind == "csv" else write_parquet)(tmp_path / f"a.{kind}", columns)
    make = CsvSource if kind == "csv" else ParquetSource
    with pytest.raises(InputMissing, match=r"no column 'ds'; nearest: 'DS', as in columns: \{ds: DS\}") as caught:
        make(path).read()
    assert caught.value.exit_code == 66
    with pytest.raises(InputMissing, match="no column 'prise'; nearest: 'price'"):
        make(path, columns={"ds": "DS"}, covariates=("prise",)).read()


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_files_folders_lists_and_patterns_read_the_same(tmp_path: Path, kind: str) -> None:
    make, write = (CsvSource, write_csv) if kind == "csv" else (ParquetSource, write_parquet)
    folder = tmp_path / "data"
    (folder / "run_date=2026-05-02").mkdir(parents=True)
    (folder / "_work").mkdir()
    first = write(folder / f"a.{kind}", {"unique_id": ["a", "a"], "ds": [1, 2], "y": [1, 2]})
    second = write(folder / "run_date=2026-05-02" / f"b.{kind}", {"unique_id": ["b"], "ds": [1], "y": [3]})
    write(folder / "_work" / f"c.{kind}", {"unique_id": ["c"], "ds": [1], "y": [3]})
    (folder / f".hidden.{kind}").write_text("rubbish")
    (folder / "notes.md").write_text("rubbish")
    expected = make([first, second]).read()
    assert expected["unique_id"].tolist() == ["a", "a", "b"]
    paths: list[Any] = [folder, str(folder), f"{folder}/**/[ab].{kind}", [str(first), folder / "run_date=*"]]
    for path in paths:
        pd.testing.assert_frame_equal(make(path).read(), expected)


def test_evidence_names_the_file_among_many_and_the_row_inside_it(tmp_path: Path) -> None:
    for name, y in (("1.csv", "1"), ("2.csv", "oops"), ("3.csv", "3")):
        (tmp_path / name).write_text(f"unique_id,ds,y\na{name},1,4\na{name},2,{y}\n")
    with pytest.raises(DataError, match=r"2\.csv, row 3, column 'y': oops"):
        CsvSource(tmp_path).read()


def test_files_with_different_columns_are_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "1.parquet", {"unique_id": ["a"], "ds": [1], "y": [1], "price": [1]})
    write_parquet(tmp_path / "2.parquet", {"unique_id": ["b"], "ds": [1], "y": [1]})
    with pytest.raises(DataError, match=r"not every file has the columns \['price'\]"):
        ParquetSource(tmp_path).read()
    assert len(ParquetSource(tmp_path, covariates=()).read()) == 2


def test_dates_beside_whole_numbers_are_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "1.parquet", {"unique_id": ["a"], "ds": [1], "y": [1]})
    write_parquet(tmp_path / "2.parquet", {"unique_id": ["b"], "ds": ["2026-05-03"], "y": [1]})
    with pytest.raises(DataError, match="dates in some files and whole numbers in others"):
        ParquetSource(tmp_path).read()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(tmp_path: Path, delimiter: str) -> None:
    text = "unique_id,ds,y\na,2026-05-03,1\n".replace(",", delimiter)
    assert csv(tmp_path, text).read()["y"].tolist() == [1.0]
    assert csv(tmp_path, text, delimiter=delimiter).read()["y"].tolist() == [1.0]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    assert csv(tmp_path, "\ufeffunique_id,ds,y\r\n001,2026-05-03,1\r\n").read()["unique_id"].tolist() == ["001"]


def test_packed_files_are_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"unique_id,ds,y\n001,2026-05-03,1\n"))
    assert CsvSource(tmp_path).read()["unique_id"].tolist() == ["001"]
    (tmp_path / "a.csv.gz").write_bytes(b"unique_id,ds,y\n")
    with pytest.raises(DataError, match=r"a\.csv\.gz"):
        CsvSource(tmp_path).read()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"unique_id,ds,y\n", "has no rows"),
        (b"unique_id,ds,y\n\xff\xfe,1,1\n", "UTF-8"),
        (b"unique_id,ds,y,y\na,1,1,2\n", r"columns \['y'\] more than once"),
        (
            b"unique_id,ds,y\na,1,1\nb,1,1,9\nc,1\n",
            r"(?s)2 rows do not have one value.*row 3.*4 values: b,1,1,9.*row 4.*2 values: c,1",
        ),
    ],
)
def test_a_damaged_csv_is_refused_with_its_reason(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        CsvSource(tmp_path / "a.csv").read()


def test_a_damaged_parquet_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 this is not one PAR1")
    with pytest.raises(DataError, match=r"a\.parquet is no Parquet file"):
        ParquetSource(tmp_path).read()


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_every_source_of_the_registry_reads_and_describes_itself(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"unique_id": ["a"], "ds": [1], "y": [1.0]}
    write_csv(tmp_path / "a.csv", data)
    write_parquet(tmp_path / "a.parquet", data)
    arguments: dict[str, dict[str, Any]] = {
        "csv": {"path": tmp_path / "a.csv"},
        "parquet": {"path": tmp_path / "a.parquet"},
        "sql": {"query": "select 'a' as unique_id, 1 as ds, 1.0 as y"},
        "statsmodels": {"dataset": "nile"},
    }
    monkeypatch.setenv("FORECAST_DATABASE_URL", f"sqlite:///{tmp_path}/data.db")
    source = SOURCES[kind](**arguments[kind])
    assert list(source.read().columns) == ["unique_id", "ds", "y"]
    assert source.describe()
    assert "\n" not in source.describe()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"duplicates": "first"}, "'first' is no policy"),
        ({"gaps": "ffill"}, "'ffill' is no policy"),
        ({"gaps": "zero"}, "needs `frequency`"),
    ],
)
def test_a_policy_that_does_not_exist_is_refused_before_anything_is_read(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        CsvSource("nowhere.csv", **arguments)


def test_half_a_million_rows_are_read_in_well_under_a_second(tmp_path: Path) -> None:
    n = 500_000
    frame = pd.DataFrame(
        {
            "unique_id": np.repeat([f"H{i}" for i in range(500)], 1000),
            "ds": np.tile(pd.date_range("2020-01-01", periods=1000, freq="h"), 500),
            "y": np.arange(n) * 0.5,
        }
    )
    pq.write_table(pa.Table.from_pandas(frame), tmp_path / "a.parquet")
    began = time.process_time()
    read = ParquetSource(tmp_path / "a.parquet").read()
    spent = time.process_time() - began
    pd.testing.assert_frame_equal(read, frame)
    assert spent < 2.0  # 0.1 s on an idle core; twenty times that on a busy one
