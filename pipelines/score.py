"""`forecast score`: the batch job of one run date, from a configuration to a publication; then, and only then, it is tracked.

The publish protocol is `forecast.scoring`'s. It must not know how a forecast is made.
"""

from __future__ import annotations

import hashlib
import json
import sys
from datetime import date
from pathlib import Path
from typing import final

from forecast.config.load import require_sections
from forecast.config.sections import Config, ScoreSection
from forecast.config.show import resolved
from forecast.config.text import to_yaml
from forecast.core.errors import ForecastError, ModelError, UsageError
from forecast.core.forecaster import Forecaster, ModelSource
from forecast.factory import (
    build_calendar,
    build_frequency,
    build_roles,
    build_sink,
    future_source,
    history_source,
    rebuild,
    static_source,
)
from forecast.scoring.events import stream_logger
from forecast.scoring.job import Surroundings, run_score
from forecast.scoring.request import Bounds, Gates, Inputs, Policies, Rules, ScoreReport, ScoreRequest, Staleness
from forecast.storage.bundle import LoadedBundle, load_bundle
from forecast.tracking.code_version import code_version
from forecast.tracking.model_source import RegistryModelSource
from forecast.tracking.outbox import Outbox, RunRecord, run_sender
from forecast.tracking.store import Store
from pipelines.console import Console


def score(config: Config, console: Console, run_date: date | None = None) -> ScoreReport:
    """Publishes the forecasts of a run date, or finds them published; returns what is published.

    Args:
        config: With data and score.
        console: Told what became of tracking.
        run_date: Instead of the configuration's.

    Raises:
        ForecastError: nothing was published, and the last publication is untouched; `exit_code` says why.
    """
    request = score_request(config, run_date)
    request.output.mkdir(parents=True, exist_ok=True)
    report = run_score(request, Surroundings(logger=stream_logger(sys.stderr)))
    _track(config, request, report, console)
    return report


def score_request(config: Config, run_date: date | None = None) -> ScoreRequest:
    """Returns the run that a configuration describes.

    Raises:
        ConfigError: no score section.
        UsageError: no run date.
    """
    require_sections(config, "score", "score")
    section = config.score
    assert section is not None
    chosen = run_date or section.run_date
    if chosen is None:
        raise UsageError("which date is forecast? give --run-date YYYY-MM-DD, or score.run_date in the configuration")
    data = config.data
    inputs = Inputs(
        history_source(data), build_frequency(data), build_roles(data), future_source(data), static_source(data), section.cutoff,
        build_calendar(data),
    )  # fmt: skip
    output = section.output or config.output / "forecasts"
    return ScoreRequest(output, chosen, inputs, ConfiguredModel(config, section, output), _decisive(config), code_version(),
                        _rules(section), section.shard_series,
                        None if section.sink is None else build_sink(section.sink))  # fmt: skip


@final
class ConfiguredModel(ModelSource):
    """The bundle of a folder or of a registry's alias, refused where it was trained for another grid or other covariates."""

    def __init__(self, config: Config, section: ScoreSection, output: Path) -> None:
        self._config, self._section, self._output = config, section, output

    def fetch(self) -> tuple[Forecaster, str]:
        """Returns the verified forecaster and its version; see `ModelSource.fetch`."""
        bundle, version = self._bundle()
        self._require_fit(bundle)
        return rebuild(bundle.recipe, bundle.weights), version

    def _bundle(self) -> tuple[LoadedBundle, str]:
        if self._section.model is not None:
            bundle = load_bundle(self._section.model)
            return bundle, f"bundle:{bundle.digest[:12]}"
        tracking, alias = self._config.tracking, self._section.alias
        names = json.dumps([tracking.uri, tracking.registered_model, alias])
        cache = self._output / "_models" / hashlib.sha256(names.encode()).hexdigest()[:16]
        return RegistryModelSource(tracking.uri, tracking.registered_model, cache, rebuild, alias).fetch_bundle()

    def _require_fit(self, bundle: LoadedBundle) -> None:
        frequency, roles = build_frequency(self._config.data), build_roles(self._config.data)
        pairs = {"frequency": (bundle.frequency.alias, frequency.alias), "covariates": (bundle.roles, roles)}
        wrong = [f"{what} {trained}, the configuration has {given}" for what, (trained, given) in pairs.items() if trained != given]
        if wrong:
            raise ModelError(
                f"the model was trained with {'; '.join(wrong)}: mend data in the configuration, or choose another model"
            )


def _rules(section: ScoreSection) -> Rules:
    return Rules(
        Policies(**section.policies.model_dump()), Staleness(**section.staleness.model_dump()), Gates(**section.gates.model_dump()),
        Bounds(**section.bounds.model_dump()),
    )  # fmt: skip


def _decisive(config: Config) -> str:
    """The part of the configuration that decides what is published: not where it goes, nor what other commands read."""
    shown = resolved(config)
    beside = ("output", "run_date", "model", "alias", "shard_series")
    return to_yaml({"data": shown["data"], "score": {key: value for key, value in shown["score"].items() if key not in beside}})


def _track(config: Config, request: ScoreRequest, report: ScoreReport, console: Console) -> None:
    """Leaves a record in the outbox and sends what waits; a store that is away changes nothing that was published."""
    outbox = Outbox(request.output)
    counts = {f"series_{name}": float(count) for name, count in report.counts.items()}
    record = RunRecord(
        key=report.key, name=f"score {report.run_date}", parameters={"run_date": report.run_date.isoformat(), "cutoff": report.cutoff},
        tags={"model_version": report.model_version, "place": report.place}, metrics={**counts, "lag": float(report.lag)},
    )  # fmt: skip
    try:
        outbox.put(record)
        sent = outbox.flush(run_sender(Store.at(config.tracking.uri), config.tracking.experiment))
    except ForecastError as error:
        console.warn("not tracked", {"reason": str(error)})
        return
    if sent.left:
        console.warn("tracking waits in the outbox", {"records": sent.left, "reason": sent.reason})
