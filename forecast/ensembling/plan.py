"""Which members and which statistical guards a panel gets, from what was measured on its training part.

Every rule stands in one function, with its reason; docs/log.md has the figures behind them. It must not train.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, final

import numpy as np

from forecast.core.arrays import FloatArray
from forecast.ensembling.profile import PanelProfile
from forecast.networks.build import default_lags
from forecast.networks.encoder_table import LONGEST_WINDOW
from forecast.networks.network import LossWeight
from forecast.networks.parts import HeadName
from forecast.networks.settings import Memory
from forecast.neural.device import Precision
from forecast.neural.training_settings import TrainingSettings

LONG_HORIZON, LONGEST_LAGS = 96, 336
EPOCHS = 16
LOCAL_ROWS, LOCAL_LENGTH = 3_000_000, 5_000  # beyond them a model that is fitted to each series at every forecast is left out
THETA = "dynamic_optimized_theta"
SHORT_LENGTH = 200  # rows: panels of short series
PRIOR_OF_MEAN = 0.5  # of panels whose values remember nothing
PRIOR_OF_THETA, PRIOR_OF_OTHERS = (0.45, 0.15), 0.04  # in panels of short series, and of longer ones
PRIOR_OF_MEMBERS = 0.2  # of all networks together, at least


@final
@dataclass(frozen=True, slots=True)
class Member:
    """One network of an ensemble: its name in the registry and what differs from the registry's defaults."""

    model: str = "gru"
    lags: int | None = None
    loss_weight: LossWeight = "both"
    head: HeadName = "quantile"
    hidden_size: int = 128
    dropout: float = 0.1
    max_steps: int = 400
    learning_rate: float = 3e-3
    segment: int = 192
    stride: int = 4
    carry: bool = True
    precision: Precision = "auto"
    memory: Memory = "long"

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}  # a mistyped name in a configuration is a mistake

    def arguments(self) -> dict[str, Any]:
        """Returns the arguments of the registry's maker."""
        named = asdict(self)
        del named["model"]
        return named


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """Members, most important first, and names of statistical guards."""

    members: tuple[Member, ...]
    guards: tuple[str, ...]


def plan_for(profile: PanelProfile, horizon: int, season_lengths: tuple[int, ...]) -> Plan:
    """Returns the plan of a panel."""
    return Plan(_members(profile, horizon, season_lengths), _guards(profile, season_lengths))


def _members(profile: PanelProfile, horizon: int, season_lengths: tuple[int, ...]) -> tuple[Member, ...]:
    """Networks that differ in cell, in what an error counts, in the length of the lag vector and in the head, best pair first."""
    base, steps, stride = default_lags(season_lengths), training_steps(profile), origin_stride(horizon)
    longer = min(2 * base, LONGEST_LAGS)
    first, second = _heads(profile)
    recurrent = (
        Member("lstm", base, head=first), Member("gru", base, "level", head=second), Member("gru", longer, head=first),
        Member("lstm", base, "spread", head=second), Member("gru", base, head=first), Member("lstm", longer, "level", head=second),
    )  # fmt: skip
    windows = _windowed(horizon) if horizon >= LONG_HORIZON else ()
    return tuple(replace(one, max_steps=steps, stride=max(stride, one.stride)) for one in (*windows, *recurrent))


def _windowed(horizon: int) -> tuple[Member, ...]:
    """Linear models of a long look-back: over hundreds of steps a recurrent network alone loses to them (docs/log.md)."""
    look_back = min(max(2 * horizon, 336), LONGEST_WINDOW)
    return (Member("linear", look_back, dropout=0.0, stride=16), Member("linear", 336, "spread", dropout=0.0, stride=16))


def _heads(profile: PanelProfile) -> tuple[HeadName, HeadName]:
    """Count heads for intermittent counts, quantiles that may be 0 for other intermittent panels, plain quantiles else."""
    if profile.intermittent:
        return ("zero_inflated", "negative_binomial") if profile.counts else ("nonnegative_quantile", "nonnegative_quantile")
    return "quantile", "quantile"


def training_steps(profile: PanelProfile) -> int:
    """Returns the most training steps: about EPOCHS passes over the panel, between 200 and 400. Fewer underfit, more overfit."""
    usual = TrainingSettings()
    rows_of_step = usual.batch_size * min(usual.segment, max(profile.median_length, 1.0))
    return int(np.clip(round(EPOCHS * profile.rows / rows_of_step / 50) * 50, 200, 400))


def origin_stride(horizon: int) -> int:
    """Returns every how many steps there is an origin: rarer for a long horizon, whose origins have more targets each."""
    return 4 * max(round(horizon / 48), 1)


def _guards(profile: PanelProfile, season_lengths: tuple[int, ...]) -> tuple[str, ...]:
    """Naive, mean and seasonal naive for panels with nothing to learn; Theta where its price per series can be paid."""
    seasonal = ("seasonal_naive",) if any(m > 1 for m in season_lengths) else ()
    affordable = profile.rows <= LOCAL_ROWS and profile.median_length <= LOCAL_LENGTH
    local = (THETA,) if affordable else ()
    return ("naive", "mean", *seasonal, *local)


def prior_of(profile: PanelProfile, members: int, guards: Sequence[str]) -> FloatArray:
    """Returns the weights that candidates have before the held-back rows speak, members first; summing to 1.

    Theta is as good as the networks where series are short, and the mean of both better than either (docs/log.md). Where values
    remember nothing, nothing beats their mean.
    """
    theta = PRIOR_OF_THETA[profile.median_length >= SHORT_LENGTH]
    mean = PRIOR_OF_MEAN if profile.memoryless else PRIOR_OF_OTHERS
    of_guards = np.array([{THETA: theta, "mean": mean}.get(name, PRIOR_OF_OTHERS) for name in guards])
    of_guards *= min(1.0, (1 - PRIOR_OF_MEMBERS) / max(of_guards.sum(), 1e-12))  # short and without memory they would be above 1
    return np.concatenate([np.full(members, (1 - of_guards.sum()) / members), of_guards])


def measured_facts(profile: PanelProfile) -> Mapping[str, object]:
    """Returns what was measured, as plain values for a log."""
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(profile).items()}


def planned_facts(plan: Plan) -> Mapping[str, object]:
    """Returns what was planned, as plain values for a log."""
    members = [f"{m.model} ({m.head}, {m.lags} lags, {m.loss_weight}, up to {m.max_steps} steps)" for m in plan.members]
    return {"members": members, "guards": list(plan.guards)}
