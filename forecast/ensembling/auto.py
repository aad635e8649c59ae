"""The default forecaster: a few different recurrent networks whose quantiles are averaged.

The members differ in cell and seed; each chooses its own number of training steps on the end of the training part.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np

from forecast.core.arrays import IntArray
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.forecaster import DEFAULT_LEVELS, Forecaster, MetricSink, Recipe, Weights, require
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.core.quota import cpu_quota
from forecast.ensembling.members import train_members
from forecast.networks.build import EncoderName
from forecast.networks.network import LossWeight
from forecast.neural.registry import NEURAL

START_SECONDS = 10.0  # a member's process loads torch and Lightning


@final
@dataclass(frozen=True, slots=True)
class MemberSettings:
    """What makes a member differ from the others."""

    encoder: EncoderName
    loss_weight: LossWeight
    dropout: float


MEMBERS = (MemberSettings("gru", "both", 0.1), MemberSettings("lstm", "both", 0.1))


@final
class AutoForecaster(Forecaster):
    """The mean of the members' quantiles, level by level (Vincent averaging: Genest 1992, Annals of Statistics 20(2)).

    Args:
        horizon: H.
        levels: Quantile levels, ascending.
        season_lengths: In steps, shortest first.
        name: Shown in tables.
        seed: Member i is trained with seed + i.
        max_steps: The most training steps of a member.
        budget: Seconds that `fit` may take, about; None for as many as it takes.
        sink: Where training reports its curves.
        lags, carry: Of every member, where they are given; see NetworkSettings. Both are for ablations.
    """

    def __init__(
        self, *, horizon: int, levels: tuple[float, ...] = DEFAULT_LEVELS, season_lengths: tuple[int, ...] = (),
        name: str | None = None, seed: int = 0, max_steps: int = 400, budget: float | None = None, sink: MetricSink | None = None,
        lags: int | None = None, carry: bool = True,
    ) -> None:  # fmt: skip
        self.name, self.horizon, self.levels = name or "auto", horizon, tuple(levels)
        self.season_lengths, self.seed, self.max_steps = tuple(season_lengths), seed, max_steps
        self.workers, self.budget, self.sink, self.lags, self.carry = cpu_quota(), budget, sink, lags, carry
        self.members = [self._member(number, settings) for number, settings in enumerate(MEMBERS)]

    def fit(self, panel: Panel) -> None:
        """Trains the members side by side; see `Forecaster.fit`."""
        rounds = -(-len(self.members) // self.workers)
        budget = None if self.budget is None else self.budget / rounds - START_SECONDS
        recipes = [{**member.recipe(), "budget": budget} for member in self.members]
        learned = train_members(recipes, panel, self.workers, self.sink)
        for member, weights in zip(self.members, learned, strict=True):
            member.restore(weights)

    def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
        """Returns the members' averaged forecasts; see `Forecaster.predict`."""
        return self._average([member.predict(history, known_future) for member in self.members])

    def backtest(self, panel: Panel, cutoffs: IntArray) -> Iterator[ForecastFrame]:
        """Yields the averaged forecasts of all cutoffs, from one pass of each member; see `Forecaster.backtest`."""
        for frames in zip(*(member.backtest(panel, cutoffs) for member in self.members), strict=True):
            yield self._average(list(frames))

    def recipe(self) -> Recipe:
        """Returns what rebuilds the ensemble; the budget is not part of it."""
        return {"kind": "auto", "name": self.name, "horizon": self.horizon, "levels": list(self.levels),
                "season_lengths": list(self.season_lengths), "seed": self.seed, "max_steps": self.max_steps,
                "lags": self.lags, "carry": self.carry}  # fmt: skip

    def weights(self) -> Weights:
        """Returns the members' weights, each under `member-<number>/`."""
        return {f"member-{n}/{name}": value for n, member in enumerate(self.members) for name, value in member.weights().items()}

    def restore(self, weights: Weights) -> None:
        """Gives each member its weights back; see `Forecaster.restore`."""
        prefixes = [f"member-{number}/" for number in range(len(self.members))]
        strangers = [name for name in weights if not name.startswith(tuple(prefixes))]
        require(not strangers, f"{self.name}: {len(strangers)} weights belong to no member, among them {strangers[:5]}")
        for prefix, member in zip(prefixes, self.members, strict=True):
            member.restore({name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)})

    def _member(self, number: int, settings: MemberSettings) -> Forecaster:
        return NEURAL[settings.encoder](
            horizon=self.horizon, levels=self.levels, season_lengths=self.season_lengths, name=f"{settings.encoder}-{number}",
            seed=self.seed + number, max_steps=self.max_steps, dropout=settings.dropout, loss_weight=settings.loss_weight,
            lags=self.lags, carry=self.carry,
        )  # fmt: skip

    def _average(self, frames: list[ForecastFrame]) -> ForecastFrame:
        first = frames[0]
        return ForecastFrame.build(
            first.frequency, self.name, self.levels, first.ids, first.cutoffs,
            np.mean([f.mean for f in frames], axis=0), np.mean([f.quantiles for f in frames], axis=0),
        )  # fmt: skip
