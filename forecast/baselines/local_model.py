"""What a local model is: it reads one series and forecasts it. It must not know panels, ids or other series."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from forecast.core.arrays import FloatArray
from forecast.core.errors import ModelError


class TooShort(ModelError):
    """A history that is too short for a model; the forecaster answers with its fallback."""


@final
@dataclass(frozen=True, slots=True)
class LocalForecast:
    """The forecast of one series, data units. mean: [H]; quantiles: [H, Q]."""

    mean: FloatArray
    quantiles: FloatArray


@final
@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a local model: H steps, Q quantile levels, season lengths above 1 (shortest first, maybe none)."""

    horizon: int
    levels: tuple[float, ...]
    season_lengths: tuple[int, ...]

    @property
    def season_length(self) -> int:
        """The shortest season, 1 where there is none."""
        return self.season_lengths[0] if self.season_lengths else 1


class LocalModel(ABC):
    """A model of one series at a time: a value without state, so that series, order and threads cannot meet in it.

    kind: name in the registry.
    cost: what a forecast costs, for people who set time limits.
    history_limit: rows that it reads at most; None for all.
    """

    kind: str
    cost: str
    history_limit: int | None = None

    @abstractmethod
    def forecast(self, y: FloatArray, question: Question) -> LocalForecast:
        """Returns the forecast after the last row.

        Args:
            y: One series, data units, observed at its first row, NaN where missing. Shape [n].
            question: What is asked.

        Raises:
            TooShort: too few rows for this model. Whatever else is raised counts as a crash on this series.
        """

    def options(self) -> Mapping[str, Any]:
        """Returns the arguments of its own that rebuild it, as JSON values."""
        return {}
