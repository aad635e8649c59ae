"""From accepted series to what the model is asked: all series up to one cutoff, their covariates, and who gets no model forecast.

It must not call the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np

from forecast.core.arrays import BoolArray, IntArray
from forecast.core.errors import StaleInput
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.core.panel_extend import extend_to
from forecast.scoring.contract import Accepted, raise_breaches
from forecast.scoring.evidence import Action, Refusal, distinct, series_refusal
from forecast.scoring.reading import Known
from forecast.scoring.request import Rules, Staleness

FEW_OBSERVED = "few observed values"
NO_COVARIATES = "no covariates"
ENDED = "ended"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """The work of a run.

    panel: the series to forecast, all ending at the cutoff.
    future: known covariates, where the panel has any.
    no_model: reason for each series that goes to the fallback chain without asking the model.
    refused: quarantined and excluded series, from the contract and from here.
    lag: steps between the newest observation and the cutoff; stale: series that are older than `warn_after`.
    """

    panel: Panel
    future: KnownFuture | None
    no_model: Mapping[str, str]
    refused: tuple[Refusal, ...]
    lag: int
    stale: int


def prepare(known: Known, accepted: Accepted, horizon: int, rules: Rules) -> Prepared:
    """Returns the work of a run.

    Raises:
        Breach: a known covariate is missing inside the horizon and the policy is `error`.
        StaleInput: the newest observation of all series is older than allowed.
    """
    lags = known.cutoff - _last_observed(accepted.panel)
    lag = int(lags.min(initial=np.iinfo(np.int64).max)) if len(lags) else 0
    _require_fresh(lag, rules.staleness, known.file)
    judged = _Judged(accepted.panel, lags, known, rules, horizon)
    found = [*judged.ended(), *judged.too_few()]
    gone = distinct(found)
    panel = accepted.panel.take(np.array([i for i, name in enumerate(accepted.panel.ids) if name not in gone], dtype=np.int64))
    future = _future(known, panel)
    bare, missing = judged.without_covariates(panel, future)
    raise_breaches(missing)
    found += missing
    if rules.policies.no_covariates == "quarantine":
        panel, bare = panel.take(np.flatnonzero(~bare)), bare[~bare]
    few = _observed(panel) < rules.bounds.minimum_observed
    no_model = {str(name): NO_COVARIATES for name in panel.ids[bare]} | {str(name): FEW_OBSERVED for name in panel.ids[few]}
    warn = rules.staleness.warn_after
    stale = 0 if warn is None else int((lags > warn).sum())
    return Prepared(extend_to(panel, known.cutoff, future), future, no_model, (*accepted.refused, *found), lag, stale)


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """The accepted series and what decides about them."""

    panel: Panel
    lags: IntArray
    known: Known
    rules: Rules
    horizon: int

    def ended(self) -> list[Refusal]:
        """Series that stopped long ago, where the policy does not forecast them."""
        policy, limit = self.rules.policies.ended, self.rules.staleness.error_after
        if policy == "forecast" or limit is None:
            return []
        action: Action = "quarantine" if policy == "quarantine" else "excluded"
        return [
            self._refuse(ENDED, action, int(i), f"{self.lags[i]} steps old", f"at most {limit} steps")
            for i in np.flatnonzero(self.lags > limit)
        ]

    def too_few(self) -> list[Refusal]:
        """Series with fewer observed values than the least number, where the policy is quarantine."""
        least = self.rules.bounds.minimum_observed
        if self.rules.policies.few_observed == "fallback":
            return []
        observed = _observed(self.panel)
        return [self._refuse(FEW_OBSERVED, "quarantine", int(i), f"{observed[i]} observed", f"at least {least} observed values")
                for i in np.flatnonzero(observed < least)]  # fmt: skip

    def without_covariates(self, panel: Panel, future: KnownFuture | None) -> tuple[BoolArray, list[Refusal]]:
        """Mask of the series with a hole in the horizon's covariates, and their refusals unless the policy is fallback."""
        if future is None:
            return np.zeros(len(panel), dtype=np.bool_), []
        firsts = np.full(len(panel), self.known.cutoff + 1)
        bare: BoolArray = np.isnan(future.window(panel.ids, firsts, self.horizon)).any(axis=(1, 2))  # type: ignore[assignment]
        policy = self.rules.policies.no_covariates
        if policy == "fallback":
            return bare, []
        rule = f"{list(future.names)} given for all {self.horizon} steps after the cutoff"
        return bare, [
            series_refusal(NO_COVARIATES, policy, str(name), "missing", rule, self.known.file) for name in panel.ids[bare]
        ]

    def _refuse(self, defect: str, action: Action, position: int, value: str, rule: str) -> Refusal:
        return series_refusal(defect, action, str(self.panel.ids[position]), value, rule, self.known.file)


def _future(known: Known, panel: Panel) -> KnownFuture | None:
    if known.future is None:
        return None
    chosen = known.future[known.future["unique_id"].isin(frozenset(panel.ids))]
    return KnownFuture.from_frame(chosen, panel.frequency, panel.roles.known, panel.roles.categorical)


def _observed(panel: Panel) -> IntArray:
    """Observed values of each series. Shape [N]."""
    counted = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.isfinite(panel.y))])
    return np.asarray(counted[panel.offsets[1:]] - counted[panel.offsets[:-1]], dtype=np.int64)


def _last_observed(panel: Panel) -> IntArray:
    """Ordinal of the last observed value of each series; each has one. Shape [N]."""
    last = np.maximum.accumulate(np.where(np.isfinite(panel.y), np.arange(panel.rows), -1))
    return np.asarray(panel.starts + last[panel.offsets[1:] - 1] - panel.offsets[:-1], dtype=np.int64)


def _require_fresh(lag: int, staleness: Staleness, file: str) -> None:
    limit = staleness.error_after
    if limit is not None and lag > limit:
        raise StaleInput(
            f"{file}: the newest observation is {lag} steps older than the cutoff, {limit} are allowed; load newer data, or raise error_after"
        )
