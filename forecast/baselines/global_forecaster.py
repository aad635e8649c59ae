"""A Forecaster out of a regression: one model for all series, on the lag table of their origins, with conformal quantiles.

It must not know what kind of regression it drives.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import final

import numpy as np

from forecast.baselines.arguments import checked_arguments, refuse_unobserved
from forecast.baselines.filling import trimmed
from forecast.baselines.intervals import empirical_quantiles
from forecast.baselines.learner import Learner
from forecast.baselines.local_model import Question
from forecast.baselines.naive_models import fallback_forecast
from forecast.core.arrays import AnyArray, FloatArray, IntArray
from forecast.core.categories import Vocabulary
from forecast.core.errors import ModelError
from forecast.core.event_calendar import EventCalendar
from forecast.core.forecast_frame import FALLBACK, OK, ForecastFrame
from forecast.core.forecaster import DEFAULT_LEVELS, Forecaster, Recipe, Weights, require
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.core.panel_schema import panel_schema, with_calendar
from forecast.windowing.lag_table import LagTable, lag_table
from forecast.windowing.one_hot import common_names, one_hot, one_hot_future

BLOCK = 1024  # series predicted together: bounds memory, changes no bit
CALIBRATION_ORIGINS = 300  # held-back origins wanted over all series
MOST_PER_SERIES = 64


@final
class GlobalForecaster(Forecaster):
    """A learner over all series. The history that a forecast reads is the learner's context: `history_limit` rows.

    Quantiles: the learner is first fitted without the last H rows of each series (and some more where series are few), its
    errors there, in units of each series' scale, give the quantiles of each step, signed: a skewed series has its
    median below its mean. Where the learner predicts medians, they are shifted so that the level 0.5 is its prediction. Then it is fitted again on all rows.
    """

    def __init__(
        self, learner: Learner, *, horizon: int, levels: Sequence[float] = DEFAULT_LEVELS, season_lengths: Sequence[int] = (),
        seed: int = 0, name: str | None = None,
    ) -> None:  # fmt: skip
        """Args: `seed` draws the origins that the learner sees; the others are as in Forecaster."""
        self._learner = learner
        self.name = name or learner.kind
        self.cost = learner.cost
        self.horizon, self.levels, self.season_lengths = checked_arguments(horizon, levels, season_lengths)
        self.seed = int(seed)
        self._plan = learner.plan(self.horizon, self.season_lengths)
        self.history_limit = self._plan.context
        self._schema: str | None = None
        self._lists: Vocabulary = {}
        self._calendar = EventCalendar()
        self._error_quantiles: FloatArray = np.zeros((self.horizon, len(self.levels)))

    def fit(self, panel: Panel) -> None:
        """Learns from the whole panel; see the class.

        Raises:
            ModelError: no series with two rows.
        """
        self._schema = None
        require(bool((panel.lengths > 1).any()), f"{self.name}: no series has two rows, so there is nothing to learn from")
        seed, lists = np.random.default_rng(self.seed), common_names(panel)
        amounts = one_hot(panel, lists)
        self._error_quantiles = self._calibrated(amounts, seed)
        self._learn(amounts, seed)
        self._schema, self._lists, self._calendar = panel_schema(panel), lists, panel.calendar

    def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
        """Returns one forecast per series; the chain seasonal naive, naive, mean where a context has no two values to compare.

        Raises:
            ModelError: not fitted, another frequency or other covariates than at `fit`, known covariates not given, a series
                without any observed value.
            DataError: known covariates missing inside the horizon.
        """
        require(self._schema is not None, f"{self.name} is not fitted: call fit, or restore its weights")
        require(
            panel_schema(history) == self._schema,
            f"{self.name} was fitted on {self._schema}, the history has {panel_schema(history)}",
        )
        refuse_unobserved(history, self.name)
        history = one_hot(with_calendar(history, self._calendar, self.name), self._lists)
        known = np.zeros((len(history), self.horizon, 0))
        if history.roles.known:
            require(known_future is not None, f"{self.name} needs the known covariates {list(history.roles.known)} of the horizon")
            assert known_future is not None
            known = one_hot_future(known_future, self._lists).require(history.ids, history.ends + 1, self.horizon)
        blocks = [np.arange(first, min(first + BLOCK, len(history))) for first in range(0, len(history), BLOCK)]
        return ForecastFrame.concatenate([self._block(history, positions, known[positions]) for positions in blocks])

    def recipe(self) -> Recipe:
        """Returns kind, arguments and the learner's own options."""
        return {"kind": self._learner.kind, "horizon": self.horizon, "levels": list(self.levels), "name": self.name,
                "season_lengths": list(self.season_lengths), "seed": self.seed, **self._learner.options()}  # fmt: skip

    def weights(self) -> Weights:
        """Returns the learner's arrays, the error quantiles, and schema and names of categorical covariates (JSON as bytes).

        Raises:
            ModelError: not fitted.
        """
        if self._schema is None:
            raise ModelError(f"{self.name} is not fitted: there are no weights to save")
        schema: AnyArray = np.frombuffer(self._schema.encode(), dtype=np.uint8).copy()
        learned = {f"learner.{name}": array for name, array in self._learner.weights().items()}
        texts = {"names": json.dumps(dict(self._lists))} if self._lists else {}
        texts |= {"events": self._calendar.to_json()} if self._calendar.names else {}
        more = {name: np.frombuffer(text.encode(), dtype=np.uint8).copy() for name, text in texts.items()}
        return {"schema": schema, "error_quantiles": self._error_quantiles, **more, **learned}

    def restore(self, weights: Weights) -> None:
        """Takes the arrays back.

        Raises:
            ModelError: arrays missing or of another shape.
        """
        try:
            quantiles, schema = weights["error_quantiles"], bytes(weights["schema"]).decode()
            self._learner.restore({name.removeprefix("learner."): array for name, array in weights.items()})
        except KeyError as missing:
            raise ModelError(f"{self.name}: the array {missing} is not among the weights {sorted(weights)}") from missing
        wanted = (self.horizon, len(self.levels))
        require(quantiles.shape == wanted, f"{self.name}: error quantiles of shape {quantiles.shape}, the recipe asks for {wanted}")
        self._error_quantiles, self._schema = quantiles, schema
        lists = json.loads(bytes(weights["names"]).decode()) if "names" in weights else {}
        self._lists = {name: tuple(texts) for name, texts in lists.items()}
        self._calendar = EventCalendar.from_json(bytes(weights["events"]).decode()) if "events" in weights else EventCalendar()

    def _learn(self, panel: Panel, seed: np.random.Generator) -> None:
        series, rows = drawn_origins(panel.lengths, self._plan.season_length, self._learner.origins, seed)
        self._learner.fit(lag_table(panel, series, rows, self._plan), seed)

    def _calibrated(self, panel: Panel, seed: np.random.Generator) -> FloatArray:
        """Quantiles of the signed, scaled errors at the held-back origins. Shape [H, Q]."""
        chosen = np.flatnonzero(panel.lengths > 3)
        if not len(chosen):
            return np.zeros((self.horizon, len(self.levels)))
        panel = panel.take(chosen)
        each = int(np.clip(-(-CALIBRATION_ORIGINS // len(panel)), 1, MOST_PER_SERIES))
        first = np.maximum(panel.lengths - self.horizon - each, (panel.lengths - 1) // 2)
        self._learn(panel.until(panel.starts + first), seed)
        count = np.minimum(each, panel.lengths - 1 - first)
        series = np.repeat(np.arange(len(panel)), count)
        rows = first[series] + np.arange(len(series)) - np.repeat(np.cumsum(count) - count, count)
        table = lag_table(panel, series, rows, self._plan)
        errors = table.residual - self._learner.predict(table)
        quantiles = empirical_quantiles(np.zeros(self.horizon), errors, (*self.levels, 0.5))
        return np.asarray(quantiles[:, :-1] - quantiles[:, -1:] * self._learner.predicts_median)

    def _block(self, history: Panel, positions: IntArray, known: FloatArray) -> ForecastFrame:
        """The forecasts of some series. known: [series, H, K]."""
        table = lag_table(history, positions, history.lengths[positions] - 1, self._plan, known)
        mean = table.base + table.scale[:, None] * self._learner.predict(table)
        quantiles = mean[:, :, None] + table.scale[:, None, None] * self._error_quantiles
        status, reason = np.full(len(positions), OK, dtype=object), np.full(len(positions), "", dtype=object)
        question = Question(self.horizon, self.levels, self.season_lengths)
        for row in np.flatnonzero(~np.isfinite(quantiles).all(axis=(1, 2))):
            forecast, used = fallback_forecast(trimmed(history.series(int(positions[row]))), question)
            mean[row], quantiles[row], status[row] = forecast.mean, forecast.quantiles, FALLBACK
            reason[row] = f"{used}, because {self._learner.kind}: {_why(table, int(row), self._plan.context)}"
        return ForecastFrame(history.frequency, self.name, self.levels, history.ids[positions], history.ends[positions], mean,
                             quantiles, status, reason)  # fmt: skip


def drawn_origins(lengths: IntArray, season_length: int, most: int, seed: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Returns series and row of at most `most` origins, the same number from each series as far as its length allows.

    Origins begin one season into a series (halfway into shorter ones) and end before its last row. Each is drawn from its own
    stretch of the series, so that they are spread out but in step with no season.
    """
    first = np.minimum(season_length, (lengths - 1) // 2)
    eligible = lengths - 1 - first
    count = np.minimum(eligible, _quota(eligible, most))
    if count.sum() > most:  # more series than origins
        keep = np.zeros(len(lengths), dtype=bool)
        keep[seed.permutation(np.flatnonzero(count))[:most]] = True
        count = count * keep
    series = np.repeat(np.arange(len(lengths)), count)
    number = np.arange(len(series)) - np.repeat(np.cumsum(count) - count, count)
    low, high = (eligible[series] * edge // count[series] for edge in (number, number + 1))
    return series, first[series] + low + np.floor(seed.random(len(series)) * (high - low)).astype(np.int64)


def _quota(eligible: IntArray, most: int) -> int:
    """The largest number of origins per series that keeps all together within `most`; at least 1."""
    low, high = 1, int(eligible.max())
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if np.minimum(eligible, middle).sum() <= most else (low, middle - 1)
    return low


def _why(table: LagTable, row: int, context: int) -> str:
    if np.isnan(table.scale[row]):
        return f"no two observed values to compare in the last {context} rows"
    return "the model's forecast is not finite"
