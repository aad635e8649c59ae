"""Why rows and series were refused, written down so that their owner can repair them.

It must not decide what is refused. Evidence is Parquet inside but is not called so: a reader of forecasts must not find it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
import pyarrow as pa

from forecast.core.arrays import BoolArray
from forecast.core.errors import DataError, Offence
from forecast.scoring.reading import Placed

EXAMPLES_PER_SERIES = 5
VALUE_CHARACTERS = 200

Action = Literal["error", "quarantine", "excluded"]

SCHEMA = pa.schema(
    [("unique_id", pa.string()), ("defect", pa.string()), ("action", pa.string()), ("offences", pa.int64()), ("file", pa.string()),
     ("row", pa.int64()), ("column", pa.string()), ("value", pa.string()), ("rule", pa.string())]
)  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Refusal:
    """One series refused for one defect. offences: how many there are; examples: the first of them."""

    defect: str
    action: Action
    unique_id: str
    offences: int
    examples: tuple[Offence, ...]


@final
class Breach(DataError):
    """The input contract is broken where a policy says error; `evidence` has all refusals found, `offences` the examples."""

    def __init__(self, message: str, evidence: tuple[Refusal, ...]) -> None:
        self.evidence = evidence
        errors = [refusal for refusal in evidence if refusal.action == "error"]
        super().__init__(message, [offence for refusal in errors for offence in refusal.examples], sum(r.offences for r in errors))


def refusals(history: Placed, bad: BoolArray, defect: str, action: Action, column: str, rule: str, file: str) -> list[Refusal]:
    """Returns one refusal for each series with bad rows, ordered by id; rows without an id come first, under no id."""
    chosen = history.where(bad)
    order = np.argsort(chosen.series, kind="stable")
    groups = np.unique(chosen.series[order], return_index=True, return_counts=True)
    found = []
    for series, first, count in zip(*(part.tolist() for part in groups), strict=True):
        unique_id = str(history.ids[series]) if series >= 0 else ""
        shown = chosen.rows[column].iloc[order[first : first + min(count, EXAMPLES_PER_SERIES)]]
        examples = tuple(Offence(rule, column, str(value)[:VALUE_CHARACTERS], row, unique_id, file)
                         for row, value in zip(shown.index.tolist(), shown, strict=True))  # fmt: skip
        found.append(Refusal(defect, action, unique_id, count, examples))
    return found


def series_refusal(defect: str, action: Action, unique_id: str, value: str, rule: str, file: str) -> Refusal:
    """Returns the refusal of a whole series, where no single row is to blame."""
    return Refusal(defect, action, unique_id, 1, (Offence(rule, "y", value, None, unique_id, file),))


def evidence_table(found: Sequence[Refusal]) -> pa.Table:
    """Returns one row for each example, ordered by id and defect."""
    ordered = sorted(found, key=lambda refusal: (refusal.unique_id, refusal.defect))
    rows = [
        {"unique_id": storable(refusal.unique_id), "defect": refusal.defect, "action": refusal.action, "offences": refusal.offences,
         "file": offence.file, "row": offence.row, "column": offence.column, "value": storable(offence.value), "rule": offence.rule}
        for refusal in ordered for offence in refusal.examples
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, SCHEMA)


def evidence_of(error: DataError) -> tuple[Refusal, ...]:
    """Returns what a DataError knows of the rows that it refuses."""
    if isinstance(error, Breach):
        return error.evidence
    return tuple(Refusal(offence.rule, "error", offence.unique_id or "", 1, (offence,)) for offence in error.offences)


def storable(text: str) -> str:
    """Returns the text with what UTF-8 cannot hold (half of a surrogate pair) written as an escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def distinct(found: Sequence[Refusal]) -> frozenset[str]:
    """Returns the ids of the series refused."""
    return frozenset(refusal.unique_id for refusal in found)
