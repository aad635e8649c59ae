"""The one tree of errors that the library raises on purpose, each with the exit code of a job that it ends.

    ForecastError           70   internal: anything not below
    ├── UsageError           2   a call or a command line that makes no sense
    ├── ConfigError         78   the configuration, all mistakes at once, each with the path of its key
    ├── DataError           65   the input contract, with offences: file, row, column, value, rule
    │   ├── InputMissing    66   a file, table or column that is not there
    │   ├── StaleInput      81   the newest observation is older than allowed
    │   └── StateError      65   a carried state that does not fit the model or the rows, with the ids of the series
    │       ├── StateOfAnotherModel, StateOfAnotherGrid, StateTooOld, RowsBeforeState
    │       └── StateDamaged
    ├── ModelError          70   a model that cannot do what is asked, or a damaged bundle
    │   └── ModelNotFound   69   the registry or the bundle cannot be reached
    ├── GateError           80   a check refused to publish or to promote
    └── SinkError           73   the output cannot be written
        └── LockHeld        75   another run holds the output

A message has three parts: what is wrong with the value found; where, with at most five examples and the total; what to do.
This module must not import anything of the project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

EXAMPLES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Offence:
    """One breach of the input contract: the rule, and the place and value that break it."""

    rule: str
    column: str
    value: str
    row: int | None = None
    unique_id: str | None = None
    file: str | None = None

    def __str__(self) -> str:
        place = [f"file {self.file}"] if self.file is not None else []
        place += [f"row {self.row}"] if self.row is not None else []
        place += [f"series {self.unique_id!r}"] if self.unique_id is not None else []
        place.append(f"column {self.column!r}")
        return f"{', '.join(place)}: {self.value} ({self.rule})"


class ForecastError(Exception):
    """The root: every error that the library raises on purpose."""

    exit_code: ClassVar[int] = 70


class UsageError(ForecastError):
    """A call or a command line that makes no sense."""

    exit_code = 2


class ConfigError(ForecastError):
    """A configuration with mistakes; `mistakes` has one line for each, beginning with the path of its key."""

    exit_code = 78

    def __init__(self, message: str, mistakes: Sequence[str] = ()) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join([message, *(f"  {m}" for m in mistakes)]))


class DataError(ForecastError):
    """Data that break the input contract; `offences` names rows, columns, values and rules, `total` counts all of them.

    `message` says what is wrong; the text of the error is the message and the first offences.
    """

    exit_code = 65

    def __init__(self, message: str, offences: Sequence[Offence] = (), total: int | None = None) -> None:
        self.message = message
        self.offences = tuple(offences)
        self.total = len(self.offences) if total is None else total
        lines = [message, *(f"  {offence}" for offence in self.offences[:EXAMPLES_SHOWN])]
        hidden = self.total - min(len(self.offences), EXAMPLES_SHOWN)
        if self.offences and hidden > 0:
            lines.append(f"  ... and {hidden} more ({self.total} in all)")
        super().__init__("\n".join(lines))


class InputMissing(DataError):
    """A file, table or column that is not there."""

    exit_code = 66


class StaleInput(DataError):
    """The newest observation is older than allowed."""

    exit_code = 81


class StateError(DataError):
    """A carried state that does not fit the model or the rows it is given; `ids` are the series concerned, all of them."""

    def __init__(self, problem: str, ids: Sequence[str] = (), advice: str = "") -> None:
        self.ids = tuple(ids)
        shown = f": {list(self.ids[:EXAMPLES_SHOWN])} ({len(self.ids)} in all)" if self.ids else ""
        super().__init__(f"{problem}{shown}; {advice}" if advice else f"{problem}{shown}", total=len(self.ids))


class StateOfAnotherModel(StateError):
    """The state was made by other weights or settings than those it is given to."""


class StateOfAnotherGrid(StateError):
    """The rows have another frequency or other covariates than those that the state has read."""


class StateTooOld(StateError):
    """The state ends longer ago than allowed."""


class RowsBeforeState(StateError):
    """Rows from before the snapshot that the state can be taken back to."""


class StateDamaged(StateError):
    """A saved state with a missing, changed or unreadable file; nothing of it was used."""


class ModelError(ForecastError):
    """A model that cannot do what is asked of it, or a bundle that is damaged or of another format."""


class ModelNotFound(ModelError):
    """No model at the place named: the registry or the bundle cannot be reached."""

    exit_code = 69


class GateError(ForecastError):
    """A check refused to publish or to promote."""

    exit_code = 80


class SinkError(ForecastError):
    """The output cannot be written."""

    exit_code = 73


class LockHeld(SinkError):
    """Another run holds the output."""

    exit_code = 75
