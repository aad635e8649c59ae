"""Where published forecasts go: the Sink contract. A sink publishes one run whole or leaves the last one untouched."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import pyarrow as pa

Footer: TypeAlias = Mapping[str, Any]
"""What is stored with the rows and committed together with them: run key, model version, digests, counts. Plain JSON values."""


class Sink(ABC):
    """Holds the forecasts of many run dates, each as one whole."""

    @abstractmethod
    def footer(self, run_date: date) -> Footer | None:
        """Returns the footer of what is published for a run date; None where nothing that can be read is."""

    @abstractmethod
    def publish(self, run_date: date, schema: pa.Schema, tables: Iterator[pa.Table], footer: Footer) -> None:
        """Replaces what is published for a run date. Readers see all of the old rows or all of the new ones, at any instant.

        Args:
            run_date: Names the place.
            schema: Of the rows.
            tables: The rows in their final order; where one table ends and the next begins makes no difference to the output.
            footer: Committed together with the rows.

        Raises:
            SinkError: it cannot be written; the old rows are untouched.
        """

    @abstractmethod
    def place(self, run_date: date) -> str:
        """Returns where a reader finds the rows of a run date: a path, a table, an address."""
