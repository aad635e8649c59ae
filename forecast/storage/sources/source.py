"""The Source contract: where a table comes from, and what every table looks like once it is inside.

A source renames columns, types them and applies the declared policies for duplicates and gaps; nothing else in the library renames.
It must not know frequencies of models, roles of covariates or where a forecast goes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, TypeAlias

import pandas as pd

Content: TypeAlias = Literal["history", "future", "static"]


class Source(ABC):
    """One table of series. Constructors take plain keyword arguments and read nothing; a source can be read any number of times."""

    @abstractmethod
    def read(self, content: Content = "history") -> pd.DataFrame:
        """Returns the table with its columns under the names of the library.

        Args:
            content: What the table is: a `history` has unique_id, ds, y and covariates, a `future` has no y, a `static` table
                neither y nor ds.

        Returns:
            unique_id as text, ds as datetime64[ns] (int64 for whole-number time), categorical columns as text with None
            where missing, the others as float64 with NaN where missing.
            Rows in the order of the files.

        Raises:
            InputMissing: a file or a column is not there.
            DataError: a value that cannot be read, with file, row, column, value and rule.
        """

    @abstractmethod
    def describe(self) -> str:
        """Returns one line for people: what kind of source it is and where it reads."""
