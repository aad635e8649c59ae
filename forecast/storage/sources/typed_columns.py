"""Columns of a file as the library has them: ids as text, stamps as datetime64[ns] or int64, everything else as float64.

Text is converted once for each distinct value. What cannot be converted is refused with file, row, column and value, never guessed
and never made missing. It must not know file formats or policies.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from forecast.core.arrays import AnyArray, BoolArray, FloatArray, TextArray
from forecast.core.errors import DataError
from forecast.storage.sources.evidence import OFFENCES_KEPT, Origin, refuse

MISSING_TEXTS = ("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None")
_BOOLEANS = {"true": 1.0, "false": 0.0}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)", re.IGNORECASE)
_WHOLE = re.compile(r"[+-]?\d{1,18}")
_OFFSET = re.compile(r"\d{2}:\d{2}.*(Z|[+-]\d{2}:?\d{2})$")


def ids_of(column: pa.ChunkedArray, origin: Origin) -> TextArray:
    """Returns the ids as NFC text. Rows of one series share one Python object. Shape [rows].

    Raises:
        DataError: an id is missing, or ids are numbers with decimals.
    """
    kind = _value_type(column)
    if not (_is_text(kind) or pa.types.is_integer(kind) or pa.types.is_null(kind)):
        raise DataError(f"column 'unique_id' holds {kind}; ids are text or whole numbers: store them as text")
    codes, texts = _encoded(column)
    names = np.array([unicodedata.normalize("NFC", str(text)) for text in texts], dtype=object)
    absent = _absent(codes, np.array([name == "" for name in names], dtype=np.bool_))
    if absent.any():
        refuse(origin, absent, "unique_id", [""] * OFFENCES_KEPT, "id present", "every row needs an id")
    return names[codes]


def stamps_of(column: pa.ChunkedArray, origin: Origin, date_format: str | None) -> AnyArray:
    """Returns datetime64[ns], or int64 where the column holds whole numbers and no date format is given. Shape [rows].

    Raises:
        DataError: a stamp is missing, cannot be read as a date, has an offset from UTC or lies outside the years 1678 to 2261.
    """
    kind = _value_type(column)
    if getattr(kind, "tz", None) is not None:
        raise DataError(f"column 'ds' has the time zone {kind.tz}; give local times without a zone")
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        _refuse_missing(column, origin)
        try:
            return np.asarray(column.cast(pa.timestamp("ns")).to_numpy())
        except pa.ArrowInvalid:
            column = column.cast(pa.string())
    elif pa.types.is_integer(kind) and date_format is None:
        _refuse_missing(column, origin)
        return np.asarray(column.cast(pa.int64()).to_numpy())
    elif pa.types.is_floating(kind):
        return _whole_stamps(column, origin)
    elif not (_is_text(kind) or pa.types.is_integer(kind)):
        raise DataError(f"column 'ds' holds {kind}; give dates, text in ISO format, or whole numbers")
    return _stamps_of_text(column.cast(pa.string()) if pa.types.is_integer(kind) else column, origin, date_format)


def numbers_of(column: pa.ChunkedArray, name: str, origin: Origin) -> FloatArray:
    """Returns the numbers of a column, booleans as 0 and 1, NaN where missing. Shape [rows].

    Raises:
        DataError: a value that is no number, or not finite; a column that is text throughout.
    """
    kind = _value_type(column)
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if _is_text(kind):
        return _numbers_of_text(column, name, origin)
    if not is_number(kind):
        raise DataError(f"column {name!r} holds {kind}; covariates and y are numbers: turn it into numbers, or take it out")
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    plain = column.cast(pa.float64(), safe=False).to_numpy()
    values: FloatArray = plain if plain.flags.writeable else plain.copy()  # of one chunk it is a view of the file's buffer
    infinite = np.isinf(values)
    if infinite.any():
        shown = [f"{v:g}" for v in values[infinite][:OFFENCES_KEPT]]
        refuse(origin, infinite, name, shown, "finite", "infinite values cannot be used: repair them")
    return values


def names_of(column: pa.ChunkedArray, name: str, origin: Origin) -> AnyArray:
    """Returns the values of a categorical column: text as it stands, None where it is missing or empty; whole numbers and booleans too,
    written as text. Rows of one value share one Python object. Shape [rows].

    Raises:
        DataError: a value that is neither text nor a whole number nor a boolean.
    """
    kind = _value_type(column)
    if not (_is_text(kind) or is_number(kind) or pa.types.is_null(kind)):
        raise DataError(f"column {name!r} holds {kind}; categories are text, whole numbers or booleans: store them as text")
    codes, values = _encoded(column)
    texts = np.array([*(_category(value) for value in values), None], dtype=object)
    broken = np.array([text is not None and not text for text in texts[:-1]], dtype=np.bool_)
    _refuse_values(
        origin,
        codes,
        broken,
        [str(v) for v in values],
        name,
        "a category",
        "amounts are no categories: take the column out of `categorical`",
    )
    return texts[codes]


def holds_numbers(column: pa.ChunkedArray) -> bool:
    """Returns whether a column can be read as numbers throughout: its type is one, or all of its texts stand for numbers."""
    kind = _value_type(column)
    if _is_text(kind):
        return all(_number(str(text).strip()) is not None for text in _encoded(column)[1] if text is not None)
    return is_number(kind)


def holds_names(column: pa.ChunkedArray) -> bool:
    """Returns whether a column is text of which no value stands for a number."""
    if not _is_text(_value_type(column)):
        return False
    texts = [str(text).strip() for text in _encoded(column)[1] if text is not None]
    present = [text for text in texts if text not in MISSING_TEXTS]
    return bool(present) and all(_number(text) is None for text in present)


def is_number(kind: pa.DataType) -> bool:
    """Returns whether values of this type are numbers or booleans."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or pa.types.is_boolean(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _category(value: object) -> str | None:
    """The name that a value stands for; None where it is missing, empty text where it cannot be a name."""
    if value is None or value == "" or value != value:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    number = float(value)  # type: ignore[arg-type]
    return str(int(number)) if number.is_integer() else ""


def _value_type(column: pa.ChunkedArray) -> pa.DataType:
    return column.type.value_type if pa.types.is_dictionary(column.type) else column.type


def _encoded(column: pa.ChunkedArray) -> tuple[AnyArray, list[Any]]:
    """Codes [rows] (-1 where null) into the distinct values."""
    encoded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    array = encoded.unify_dictionaries().combine_chunks()
    codes = pc.fill_null(array.indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    return codes, array.dictionary.to_pylist()


def _absent(codes: AnyArray, empty: BoolArray) -> BoolArray:
    """Rows that are null or whose distinct value is empty."""
    return np.append(empty, True)[codes]


def _refuse_missing(column: pa.ChunkedArray, origin: Origin) -> None:
    if column.null_count:
        missing = pc.is_null(column).to_numpy()
        refuse(origin, missing, "ds", [""] * OFFENCES_KEPT, "time stamp present", "every row needs a time stamp")


def _whole_stamps(column: pa.ChunkedArray, origin: Origin) -> AnyArray:
    values = np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        bad = ~(np.floor(values) == values) | (np.abs(values) > 2.0**53)
    if bad.any():
        shown = [f"{v:g}" for v in values[bad][:OFFENCES_KEPT]]
        refuse(origin, bad, "ds", shown, "a date or a whole number", "time is dates or whole numbers")
    return values.astype(np.int64)


def _stamps_of_text(column: pa.ChunkedArray, origin: Origin, date_format: str | None) -> AnyArray:
    codes, values = _encoded(column)
    texts = ["" if v is None else str(v).strip() for v in values]
    absent = _absent(codes, np.array([t == "" for t in texts], dtype=np.bool_))
    if absent.any():
        refuse(origin, absent, "ds", [""] * OFFENCES_KEPT, "time stamp present", "every row needs a time stamp")
    if date_format is None and texts and all(_WHOLE.fullmatch(t) for t in texts):
        return np.array([int(t) for t in texts], dtype=np.int64)[codes]
    zoned = np.array([bool(_OFFSET.search(t)) for t in texts], dtype=np.bool_)
    _refuse_values(origin, codes, zoned, texts, "ds", "no offset from UTC", "give local times without Z or +hh:mm")
    parsed = pd.to_datetime(pd.Series(texts, dtype=object), format=date_format or "ISO8601", errors="coerce").to_numpy(
        "datetime64[ns]"
    )
    rule = f"a date in the format {date_format}" if date_format else "an ISO date such as 2026-05-03 or 2026-05-03 14:00"
    _refuse_values(origin, codes, np.isnat(parsed), texts, "ds", rule, "repair it, or give `date_format` (%d.%m.%Y) in the source")
    return np.asarray(parsed[codes])


def _numbers_of_text(column: pa.ChunkedArray, name: str, origin: Origin) -> FloatArray:
    codes, values = _encoded(column)
    texts = ["" if v is None else str(v).strip() for v in values]
    numbers = np.array([_number(t) for t in texts], dtype=object)
    unread = np.array([n is None for n in numbers], dtype=np.bool_)
    present = [t for t in texts if t not in MISSING_TEXTS]
    if present and unread.sum() == len(present):
        raise DataError(
            f"column {name!r} is text (the first values are {present[:3]}); y and covariates must be numbers or true and false: "
            f"encode it as numbers, or take it out of the covariates"
        )
    _refuse_values(origin, codes, unread, texts, name, "a number", "repair the value, or leave it empty where it is missing")
    table = numbers.astype(np.float64)
    _refuse_values(
        origin, codes, np.isinf(table), texts, name, "finite", "infinite values and overflow cannot be used: repair them"
    )
    return np.append(table, np.nan)[codes]


def _number(text: str) -> float | None:
    """The number that a text stands for, NaN for missing, None for something else."""
    if text in MISSING_TEXTS:
        return float("nan")
    if _NUMBER.fullmatch(text):
        return float(text)
    return _BOOLEANS.get(text.lower())


def _refuse_values(origin: Origin, codes: AnyArray, bad: BoolArray, texts: list[str], column: str, rule: str, advice: str) -> None:
    """Refuses the rows whose distinct value is bad."""
    if not bad.any():
        return
    rows = np.append(bad, False)[codes]
    shown = [texts[code] for code in codes[np.flatnonzero(rows)[:OFFENCES_KEPT]]]
    refuse(origin, rows, column, shown, rule, advice)
