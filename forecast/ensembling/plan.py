"""Which members and which statistical guards a panel gets, from what was measured on its training part.

Every rule stands in one function, with its reason; docs/log.md has the figures behind them. It must not train.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, final

import numpy as np

from forecast.core.arrays import FloatArray
from forecast.core.forecaster import Recipe
from forecast.ensembling.profile import PanelProfile
from forecast.networks.build import default_lags
from forecast.networks.network import LossWeight
from forecast.networks.parts import HeadName

LOCAL_ROWS = 3_000_000  # a model fitted to each series at every forecast is left out of larger panels
PRIOR_OF_GUARDS = 0.1  # share of the weights that the guards start with together


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
    base = default_lags(season_lengths)
    return (
        Member("gru", base), Member("lstm", base), Member("gru", base, loss_weight="level"), Member("lstm", base, loss_weight="spread"),
    )  # fmt: skip


def _guards(profile: PanelProfile, season_lengths: tuple[int, ...]) -> tuple[str, ...]:
    """Naive, mean and seasonal naive for panels with nothing to learn; Theta where its price per series can be paid."""
    seasonal = ("seasonal_naive",) if any(m > 1 for m in season_lengths) else ()
    local = ("dynamic_optimized_theta",) if profile.rows <= LOCAL_ROWS else ()
    return ("naive", "mean", *seasonal, *local)


def prior_of(members: int, guards: int) -> FloatArray:
    """Returns the weights that candidates have before the held-back rows speak, members first; summing to 1."""
    share = PRIOR_OF_GUARDS if guards else 0.0
    return np.array([(1 - share) / members] * members + [share / max(guards, 1)] * guards)


def facts_of(profile: PanelProfile, plan: Plan) -> Recipe:
    """Returns what was measured and chosen, as plain values for a log."""
    measured = {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(profile).items()}
    members = [f"{m.model} lags={m.lags} loss={m.loss_weight} steps<={m.max_steps}" for m in plan.members]
    return {**measured, "members": members, "guards": list(plan.guards)}
