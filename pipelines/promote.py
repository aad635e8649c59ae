"""`forecast promote`: measures a candidate beside the champion and the seasonal naive, and moves the alias only if every gate lets it.

All three are measured the same way: trained anew before the task's cutoffs. A registered model itself has seen the rows that it would be
measured on. It must not catch an error and promote all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

from forecast.config.load import require_sections
from forecast.config.sections import Config, ModelSection
from forecast.core.errors import ConfigError, GateError, ModelError, ModelNotFound
from forecast.evaluation.evaluation import Evaluation
from forecast.evaluation.leaderboard import BASELINE
from forecast.evaluation.metrics import METRICS
from forecast.factory import build_task, read_panel
from forecast.tracking.registry import RegisteredVersion, Registry
from forecast.tracking.store import Store
from pipelines.console import Console
from pipelines.evaluations import evaluate_models
from pipelines.train import section_of

_COVERAGE, _NOMINAL = "coverage_80", 0.8


@final
@dataclass(frozen=True, slots=True)
class Promotion:
    """What became of a candidate. moved: False where it was champion already. values: the metric of each that was measured."""

    version: RegisteredVersion
    previous: RegisteredVersion | None
    metric: str
    values: dict[str, float]
    moved: bool


def promote(config: Config, console: Console, version: int | None = None) -> Promotion:
    """Makes a version the champion, if it passes the gates; the old champion stays reachable.

    Args:
        config: With data, task and the gates.
        console: Told what is measured.
        version: The newest one by default.

    Raises:
        GateError: with every gate that refused.
        ModelNotFound: no such version.
    """
    require_sections(config, "promote", "task")
    metric = _metric(config)
    name, registry = config.tracking.registered_model, Registry(Store.at(config.tracking.uri))
    candidate, champion = _candidate(registry, name, version), registry.champion(name)
    if champion is not None and champion.version == candidate.version:
        return Promotion(candidate, champion, metric, {}, False)
    found = _measure(config, console, candidate, champion)
    reasons = refusals(config, metric, found)
    values = {role: evaluation.aggregate().get(metric, math.nan) for role, evaluation in found.items()}
    console.note("candidate measured", {"metric": metric, **{role: round(value, 4) for role, value in values.items()}})
    if reasons:
        lines = "\n  ".join(reasons)
        raise GateError(f"version {candidate.version} of {name!r} is not promoted, {len(reasons)} gates refuse:\n  {lines}")
    registry.set_champion(name, candidate.version)
    return Promotion(candidate, champion, metric, values, True)


def roll_back(config: Config) -> RegisteredVersion:
    """Makes the previous champion the champion again and returns it.

    Raises:
        ModelNotFound: there is none.
    """
    return Registry(Store.at(config.tracking.uri)).roll_back(config.tracking.registered_model)


def refusals(config: Config, metric: str, found: dict[str, Evaluation]) -> list[str]:
    """Returns why a candidate may not become champion; nothing if it may.

    Args:
        config: Has the gates.
        metric: Lower is better.
        found: Evaluations of `candidate`, `seasonal naive` and, where there is one, `champion`.
    """
    gates, candidate = config.promote, found["candidate"]
    if not candidate.ok:
        return [f"the candidate has no scores: {candidate.status}"]
    value = candidate.aggregate()[metric]
    limits = {"seasonal naive": 1 - gates.better_than_naive, "champion": 1 + gates.worse_than_champion}
    reasons = [] if math.isfinite(value) else [f"{metric} of the candidate cannot be measured"]
    for role, factor in limits.items():
        other = found.get(role)
        if other is None:
            continue
        rival = other.aggregate()[metric] if other.ok else math.nan
        if not math.isfinite(rival):
            reasons.append(f"the {role} has no scores to compare with: {other.status}")
        elif not value <= rival * factor:
            reasons.append(f"{metric} {value:.4g} is above {rival * factor:.4g}, the limit from the {role}'s {rival:.4g}")
    coverage = candidate.aggregate().get(_COVERAGE, math.nan)
    if gates.coverage_error is not None and not abs(coverage - _NOMINAL) <= gates.coverage_error:
        reasons.append(f"the 80 % interval covers {coverage:.3f}; it may be {gates.coverage_error:g} off at most")
    return reasons


def _metric(config: Config) -> str:
    task = build_task(config)
    metric = config.promote.metric or task.metrics[0]
    if metric not in task.metrics or METRICS[metric].better != "lower":
        usable = [name for name in task.metrics if METRICS[name].better == "lower"]
        raise ConfigError("the gates cannot compare by that metric", [f"promote.metric: {metric!r}; this task has {usable}"])
    return metric


def _candidate(registry: Registry, name: str, version: int | None) -> RegisteredVersion:
    versions = registry.versions(name)
    if not versions:
        raise ModelNotFound(f"no model is registered as {name!r} in {registry.store.uri}; train one first")
    if version is None:
        return versions[-1]
    chosen = [one for one in versions if one.version == version]
    if not chosen:
        raise ModelNotFound(f"model {name!r} has no version {version}; it has {[one.version for one in versions][-5:]}")
    return chosen[0]


def _measure(
    config: Config, console: Console, candidate: RegisteredVersion, champion: RegisteredVersion | None
) -> dict[str, Evaluation]:
    """The evaluations by role; what a benchmark has measured is not measured again."""
    baseline = next((section for section in config.models if section.model == BASELINE), ModelSection(model=BASELINE))
    roles = {"candidate": section_of(candidate), "seasonal naive": baseline}
    if champion is not None:
        roles["champion"] = _champion_section(champion)
    done = evaluate_models(config, read_panel(config.data), list(roles.values()), console, reuse=True)
    return {role: one.evaluation for role, one in zip(roles, done, strict=True)}


def _champion_section(champion: RegisteredVersion) -> ModelSection:
    try:
        return section_of(champion)
    except ModelError as error:
        raise GateError(f"the champion cannot be measured beside the candidate: {error}") from error
