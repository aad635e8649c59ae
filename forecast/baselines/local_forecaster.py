"""A Forecaster out of a model of one series: the guarded loop over the panel, with a fallback for every series that fails.

It must not know what the models compute.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import final

import numpy as np

from forecast.baselines.arguments import checked_arguments, refuse_unobserved
from forecast.baselines.filling import trimmed
from forecast.baselines.local_model import LocalForecast, LocalModel, Question, TooShort
from forecast.baselines.naive_models import fallback_forecast
from forecast.core.arrays import FloatArray
from forecast.core.errors import ModelError
from forecast.core.forecast_frame import FALLBACK, OK, ForecastFrame
from forecast.core.forecaster import DEFAULT_LEVELS, Forecaster, Recipe, Weights
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel


@final
class LocalForecaster(Forecaster):
    """Fits its model to each series of the history when it predicts; learns nothing across series and uses no covariates.

    A series whose model crashes, is too short for it, or gives a value that is not finite gets the forecast of the chain seasonal
    naive, naive, mean, the status `fallback` and the reason; the others are unharmed.
    """

    def __init__(
        self, model: LocalModel, *, horizon: int, levels: Sequence[float] = DEFAULT_LEVELS, season_lengths: Sequence[int] = (),
        name: str | None = None, history_limit: int | None = None,
    ) -> None:  # fmt: skip
        """Args: `history_limit` replaces the model's own limit of rows; `name` its kind. The others are as in Forecaster."""
        self._model = model
        self.name = name or model.kind
        self.horizon, self.levels, self.season_lengths = checked_arguments(horizon, levels, season_lengths)
        self.history_limit = history_limit or model.history_limit
        self.cost = model.cost

    def fit(self, panel: Panel) -> None:
        """Learns nothing: the model is fitted to each history when it is predicted."""

    def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
        """Returns one forecast per series; see the class for failures.

        Raises:
            ModelError: a series without any observed value.
        """
        refuse_unobserved(history, self.name)
        rows = len(history)
        mean, quantiles = np.empty((rows, self.horizon)), np.empty((rows, self.horizon, len(self.levels)))
        status, reason = np.full(rows, OK, dtype=object), np.full(rows, "", dtype=object)
        question = Question(self.horizon, self.levels, self.season_lengths)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # optimisers warn by the hundred; what they return is checked below
            for row in range(rows):
                forecast, why = self._one(history.series(row), question)
                mean[row], quantiles[row] = forecast.mean, forecast.quantiles
                status[row], reason[row] = (FALLBACK if why else OK), why
        return ForecastFrame(history.frequency, self.name, self.levels, history.ids, history.ends, mean, quantiles, status, reason)

    def recipe(self) -> Recipe:
        """Returns kind, arguments and the model's own options."""
        return {"kind": self._model.kind, "horizon": self.horizon, "levels": list(self.levels), "name": self.name,
                "season_lengths": list(self.season_lengths), "history_limit": self.history_limit, **self._model.options()}  # fmt: skip

    def weights(self) -> Weights:
        """Returns nothing: there is nothing learned."""
        return {}

    def restore(self, weights: Weights) -> None:
        """Takes nothing back.

        Raises:
            ModelError: any array: it belongs to another model.
        """
        if weights:
            raise ModelError(
                f"{self.name} learns nothing, but was given the arrays {sorted(weights)[:5]}: this is another model's bundle"
            )

    def _one(self, whole: FloatArray, question: Question) -> tuple[LocalForecast, str]:
        """The forecast of one series, and why it is a fallback (empty if it is not)."""
        y = trimmed(whole if self.history_limit is None else whole[-self.history_limit :])
        try:
            if not len(y):
                raise TooShort(f"no observed value in the last {self.history_limit} rows")
            forecast = self._model.forecast(y, question)
            if np.isfinite(forecast.quantiles).all() and np.isfinite(forecast.mean).all():
                return forecast, ""
            why = "the model's forecast is not finite"
        except TooShort as short:
            why = str(short)
        except Exception as crash:  # the guarded per-series call: a crash is a reason in the output
            why = f"{type(crash).__name__}: {crash}"
        forecast, used = fallback_forecast(trimmed(whole), question)
        return forecast, f"{used}, because {self._model.kind}: {why}"
