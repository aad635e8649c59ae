"""The default forecaster: an ensemble of different recurrent networks, weighed and calibrated on rows that none of them had seen.

What the ensemble is made of depends on what can be measured on the training part alone (`plan`); statistical guards get a weight where
the held-back rows say that they help. `choices` tells what was measured and chosen.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import final

import numpy as np

from forecast.core.arrays import IntArray
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.forecaster import DEFAULT_LEVELS, Forecaster, MetricSink, Progress, Recipe, Weights, require
from forecast.core.holdout import hold_out
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.core.quota import cpu_quota
from forecast.ensembling.blend import Blend
from forecast.ensembling.candidates import forecasts_at, judge, new_guard, new_member
from forecast.ensembling.member_process import Learned
from forecast.ensembling.members import START_SECONDS, train_members
from forecast.ensembling.plan import Member, measured_facts, plan_for, planned_facts, prior_of
from forecast.ensembling.profile import measure


@final
class AutoForecaster(Forecaster):
    """The weighted mean of members' and guards' quantiles, level by level, with conformal widths.

    Args:
        horizon: H.
        levels: Quantile levels, ascending.
        season_lengths: In steps, shortest first.
        name: Shown in tables.
        seed: Member i is trained with seed + i.
        budget: Seconds that `fit` may take, about; None for as many as it takes.
        members, guards: What to combine; None leaves both to the plan.
        max_steps: The most training steps of any member; None leaves it to the plan.
        lags, carry: Of every member, where they are given; see NetworkSettings. Both are for ablations.
        sink: Where training reports its curves.
        progress: Is told how far a fit is.
    """

    def __init__(
        self, *, horizon: int, levels: tuple[float, ...] = DEFAULT_LEVELS, season_lengths: tuple[int, ...] = (),
        name: str | None = None, seed: int = 0, budget: float | None = None, members: tuple[Member, ...] | None = None,
        guards: tuple[str, ...] | None = None, max_steps: int | None = None, lags: int | None = None, carry: bool = True,
        sink: MetricSink | None = None, progress: Progress | None = None,
    ) -> None:  # fmt: skip
        self.name, self.horizon, self.levels = name or "auto", horizon, tuple(levels)
        self.season_lengths, self.seed, self.max_steps = tuple(season_lengths), seed, max_steps
        self.budget, self.sink, self.progress = budget, sink, progress
        self._events: Mapping[str, Mapping[str, object]] = {}
        self._wanted, self._ablation = (members, guards), (lags, carry)
        self._blend: Blend | None = None
        self._assemble(members or (), guards or ())

    def _assemble(self, members: Sequence[Member], guards: Sequence[str]) -> None:
        self.settings, self.guards = tuple(members), tuple(guards)
        self.members = [
            new_member(one, horizon=self.horizon, levels=self.levels, season_lengths=self.season_lengths, name=f"{one.model}-{number}",
                       seed=self.seed + number, max_steps=self.max_steps)
            for number, one in enumerate(members)
        ]  # fmt: skip
        self.statistical = [new_guard(one, self.horizon, self.levels, self.season_lengths) for one in guards]

    def fit(self, panel: Panel) -> None:
        """Measures the panel, trains the members side by side, weighs them and the guards; see `Forecaster.fit`."""
        began = time.perf_counter()
        profile = measure(panel, panel.frequency.season_length)
        plan = plan_for(profile, self.horizon, self.season_lengths)
        members, guards = self._wanted
        lags, carry = self._ablation
        chosen = [replace(one, lags=lags or one.lags, carry=carry and one.carry) for one in members or plan.members]
        self._assemble(chosen, plan.guards if guards is None else guards)
        judgement = judge(panel, hold_out(panel, self.horizon), self.statistical, self.horizon, self.levels)
        left = None if self.budget is None else max(self.budget - (time.perf_counter() - began), START_SECONDS)
        recipes = [member.recipe() for member in self.members]
        learned = train_members(recipes, panel, cpu_quota(), sink=self.sink, seconds=left, progress=self.progress)
        self.members, self.settings = self.members[: len(learned)], self.settings[: len(learned)]
        for member, one in zip(self.members, learned, strict=True):
            member.restore(one.weights)
        blend = Blend.judged(judgement.beside([one.held_out for one in learned]), prior_of(profile, len(learned), self.guards))
        self._events = {
            "panel measured": measured_facts(profile),
            "ensemble planned": planned_facts(plan),
            "ensemble weighed": self._found(learned, blend),
        }
        self._keep(blend)

    def _found(self, learned: Sequence[Learned], blend: Blend) -> Mapping[str, object]:
        names = [one.name for one in (*self.members, *self.statistical)]
        return {"weights": {name: round(float(w), 3) for name, w in zip(names, blend.weights, strict=True) if w > 0},
                "steps": [one.steps for one in learned], "seconds": [round(one.seconds, 1) for one in learned],
                "interval_factor": round(float(np.median(blend.factors)), 3)}  # fmt: skip

    def _keep(self, blend: Blend) -> None:
        """Keeps the candidates with a weight: the others would cost time at every forecast."""
        of_members, of_guards = np.split(blend.weights > 0, [len(self.members)])
        self.settings = tuple(one for one, keep in zip(self.settings, of_members, strict=True) if keep)
        self.members = [one for one, keep in zip(self.members, of_members, strict=True) if keep]
        self.guards = tuple(one for one, keep in zip(self.guards, of_guards, strict=True) if keep)
        self.statistical = [one for one, keep in zip(self.statistical, of_guards, strict=True) if keep]
        self._blend = blend.without_the_weightless()

    def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
        """Returns the combined forecasts; see `Forecaster.predict`."""
        blend = self._fitted()
        return blend.combine(self.name, [one.predict(history, known_future) for one in (*self.members, *self.statistical)])

    def backtest(self, panel: Panel, cutoffs: IntArray) -> Iterator[ForecastFrame]:
        """Yields the combined forecasts of all cutoffs, from one pass of each member; see `Forecaster.backtest`."""
        blend = self._fitted()
        if not self.members:
            series, window = np.nonzero((cutoffs >= panel.starts[:, None]) & (cutoffs <= panel.ends[:, None]))
            yield blend.combine(self.name, [forecasts_at(one, panel, series, cutoffs[series, window]) for one in self.statistical])
            return
        for frames in zip(*(member.backtest(panel, cutoffs) for member in self.members), strict=True):
            series = np.searchsorted(panel.ids, frames[0].ids)
            guesses = [forecasts_at(one, panel, series, frames[0].cutoffs) for one in self.statistical]
            yield blend.combine(self.name, [*frames, *guesses])

    def choices(self) -> Mapping[str, Mapping[str, object]]:
        """Returns the panel's profile, the members with their steps and seconds, and all weights; see `Forecaster.choices`."""
        return self._events

    def recipe(self) -> Recipe:
        """Returns what rebuilds the ensemble: the members and guards that were chosen; the budget is not part of it."""
        chosen = {"members": [asdict(one) for one in self.settings], "guards": list(self.guards)} if self._blend else {}
        return {"kind": "auto", "name": self.name, "horizon": self.horizon, "levels": list(self.levels),
                "season_lengths": list(self.season_lengths), "seed": self.seed, "max_steps": self.max_steps, **chosen}  # fmt: skip

    def weights(self) -> Weights:
        """Returns the arrays of the combination, and the members' weights, each under `member-<number>/`."""
        inside = {f"member-{n}/{name}": value for n, one in enumerate(self.members) for name, value in one.weights().items()}
        return {**self._fitted().arrays(), **inside}

    def restore(self, weights: Weights) -> None:
        """Gives each member its weights back; see `Forecaster.restore`."""
        blend = Blend.restored(weights, len(self.members) + len(self.guards), self.horizon, len(self.levels))
        prefixes = [f"member-{number}/" for number in range(len(self.members))]
        strangers = [name for name in weights if name not in blend.arrays() and not name.startswith(tuple(prefixes))]
        require(not strangers, f"{self.name}: {len(strangers)} weights belong to no member, among them {strangers[:5]}")
        for prefix, member in zip(prefixes, self.members, strict=True):
            member.restore({name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)})
        self._blend = blend

    def _fitted(self) -> Blend:
        require(self._blend is not None, f"{self.name} is not fitted; call fit or restore first")
        assert self._blend is not None  # for the type checker
        return self._blend
