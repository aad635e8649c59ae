"""What an ensemble is made of, networks and statistical guards, and what the guards would have forecast for the rows held back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from forecast.baselines.registry import BASELINES
from forecast.core.arrays import FloatArray, IntArray
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.forecaster import Forecaster, require
from forecast.core.holdout import Holdout, targets_after
from forecast.core.panel import Panel
from forecast.core.seasonal_error import seasonal_errors
from forecast.ensembling.combination import Judgement, worth_of
from forecast.ensembling.member_process import HeldOut
from forecast.ensembling.plan import Member
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.registry import NEURAL

JUDGED_ROWS = 2000  # forecasts of held-back rows that choose weights and widths at most
GUARD_CYCLES, MIN_GUARD_HISTORY = 28, 200  # seasons and rows of history that a guard reads


def new_member(
    member: Member, *, horizon: int, levels: tuple[float, ...], season_lengths: tuple[int, ...], name: str, seed: int,
    max_steps: int | None,
) -> NeuralForecaster:  # fmt: skip
    """Returns an untrained network; `max_steps` limits the member's own.

    Raises:
        ModelError: no network of the member's name.
    """
    require(member.model in NEURAL, f"there is no network {member.model!r} for a member of an ensemble: {', '.join(NEURAL)}")
    arguments = member.arguments()
    if max_steps is not None:
        arguments["max_steps"] = min(max_steps, member.max_steps)
    return NEURAL[member.model](horizon=horizon, levels=levels, season_lengths=season_lengths, name=name, seed=seed, **arguments)


def new_guard(name: str, horizon: int, levels: tuple[float, ...], season_lengths: tuple[int, ...]) -> Forecaster:
    """Returns the guard of a name in the registry of baselines.

    Raises:
        ModelError: there is none.
    """
    require(name in BASELINES, f"there is no guard {name!r} among the baselines: {', '.join(BASELINES)}")
    limit = max(GUARD_CYCLES * (season_lengths[0] if season_lengths else 1), MIN_GUARD_HISTORY)
    return BASELINES[name](horizon=horizon, levels=levels, season_lengths=season_lengths, history_limit=limit)


@final
@dataclass(frozen=True, slots=True, eq=False)
class GuardJudgement:
    """The held-back rows that judge, with the guards' forecasts of them.

    rows: where they stand among all held-back rows. Shape [R]. guards: one for each guard. The others are as in Judgement.
    """

    rows: IntArray
    guards: tuple[HeldOut, ...]
    targets: FloatArray
    levels: FloatArray
    worth: FloatArray

    def beside(self, members: Sequence[HeldOut | None]) -> Judgement:
        """Returns the judgement of members and guards; one without rows where a member held nothing back."""
        held = [HeldOut(one.mean[self.rows], one.quantiles[self.rows]) for one in members if one is not None]
        complete = len(held) == len(members)
        candidates = [one.quantiles for one in (*held, *self.guards)]
        if complete and candidates:
            return Judgement(np.stack(candidates), self.targets, self.levels, self.worth)
        nothing = np.zeros((len(members) + len(self.guards), 0, self.targets.shape[1], len(self.levels)))
        return Judgement(nothing, self.targets[:0], self.levels, self.worth[:0])


def judge(panel: Panel, holdout: Holdout, guards: Sequence[Forecaster], horizon: int, levels: tuple[float, ...]) -> GuardJudgement:
    """Returns the rows that judge, a fixed sample where there are more than JUDGED_ROWS, and the guards' forecasts of them."""
    series, cutoffs = holdout.rows(panel)
    rows = np.arange(len(series))
    if len(rows) > JUDGED_ROWS:
        rows = np.sort(np.random.default_rng(0).choice(rows, JUDGED_ROWS, replace=False))
    series, cutoffs = series[rows], cutoffs[rows]
    history = panel.until(holdout.ends)
    unit = seasonal_errors(panel, holdout.ends[:, None], panel.frequency.season_length).absolute[:, 0]
    held = []
    for guard in guards if len(rows) else ():
        frame = forecasts_at(guard, panel, series, cutoffs)
        held.append(HeldOut(frame.mean, frame.quantiles))
    nothing = HeldOut(np.zeros((0, horizon)), np.zeros((0, horizon, len(levels))))
    return GuardJudgement(
        rows, tuple(held) if len(rows) else (nothing,) * len(guards), targets_after(panel, series, cutoffs, horizon), np.array(levels),
        worth_of(unit[series], mean_sizes(history, panel)[series]),
    )  # fmt: skip


def forecasts_at(forecaster: Forecaster, panel: Panel, series: IntArray, cutoffs: IntArray) -> ForecastFrame:
    """Returns the forecasts from given cutoffs by a model that learns nothing across series, in the order given.

    Args:
        forecaster: Its forecast of a series depends on that series' rows alone.
        panel: Histories; rows after a cutoff are cut off before the model sees them.
        series: Positions in the panel, ascending; a series comes once for each of its cutoffs. Shape [R], R > 0.
        cutoffs: Ordinals inside the series. Shape [R].
    """
    place = np.arange(len(series))
    first = np.concatenate([[True], series[1:] != series[:-1]])
    turn = place - np.maximum.accumulate(np.where(first, place, 0))
    frames, places = [], []
    for number in range(int(turn.max()) + 1):  # the n-th cutoff of every series together: a panel has each series once
        here = np.flatnonzero(turn == number)
        frames.append(forecaster.predict(panel.take(series[here]).until(cutoffs[here])))
        places.append(here)
    return ForecastFrame.concatenate(frames).take(np.argsort(np.concatenate(places), kind="stable"))


def mean_sizes(history: Panel, panel: Panel) -> FloatArray:
    """Returns the mean |y| of each series of the panel in the history, data units; NaN where it has no value there. Shape [N]."""
    out = np.full(len(panel), np.nan)
    if not len(history):
        return out
    seen = ~np.isnan(history.y)
    size = np.where(seen, np.abs(history.y), 0.0)
    peak = np.maximum.reduceat(size, history.offsets[:-1])
    peak = np.where(peak > 0, peak, 1.0)  # sums in units of the series' peak do not overflow
    total, count = (
        np.add.reduceat(x, history.offsets[:-1]) for x in (size / np.repeat(peak, history.lengths), seen.astype(np.float64))
    )
    out[np.searchsorted(panel.ids, history.ids)] = np.where(count > 0, total / np.maximum(count, 1) * peak, np.nan)
    return out
