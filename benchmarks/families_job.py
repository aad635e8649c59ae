"""One measurement of one named model: `families.py` starts it in a process of its own, with one thread, through a job file.

It must not know the other models, nor the tables.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast, final, get_args

from benchmarks.accuracy import scores
from benchmarks.panel_cases import LEVELS, Case, read_case, task_of
from benchmarks.peers import code_digest
from forecast.config.load import load_config
from forecast.config.sections import Config
from forecast.core.arrays import IntArray
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.forecaster import Forecaster, Recipe, Weights
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.evaluation.backtest import evaluate
from forecast.factory import build_forecaster, read_panel
from forecast.networks.settings import EncoderName
from pipelines.shipped import locate

if TYPE_CHECKING:
    from forecast.neural.forecaster import NeuralForecaster

Variant: TypeAlias = Literal["whole", "short", "reset", "no_lags"]

SAMPLE = "sample"
# `short` is the whole model with as many steps as the ablations take, where those are fewer.
VARIANTS: Mapping[Variant, Mapping[str, Any]] = {"whole": {}, "short": {}, "reset": {"carry": False}, "no_lags": {"lags": 1}}
# Arguments in steps of the sample's days: on another panel the model chooses them from its seasons.
IN_STEPS = ("lags", "patch", "dilations")


@final
@dataclass(frozen=True, slots=True)
class Job:
    """What is measured. folder: of the panel; None for the sample. scorer: reads the test part; without it the end of the training
    part is the judge. max_steps: in the place of the configuration's; None for those.
    """

    model: str
    variant: Variant = "whole"
    folder: str | None = None
    scorer: str | None = None
    max_steps: int | None = None

    @property
    def panel(self) -> str:
        """What the panel is called in lines."""
        return SAMPLE if self.folder is None else Path(self.folder).name

    def arguments(self) -> dict[str, Any]:
        """Returns the model's arguments: those of its shipped configuration, with what the variant takes away."""
        shipped = shipped_config(self.model).models[0].arguments
        own = {name: value for name, value in shipped.items() if self.folder is None or name not in IN_STEPS}
        steps = {} if self.max_steps is None else {"max_steps": self.max_steps}
        return {**own, **VARIANTS[self.variant], **steps}

    def facts(self) -> dict[str, Any]:
        """Returns what a line must have to be this job's: plain values as JSON gives them back."""
        part = "validation" if self.folder is not None and self.scorer is None else "test"
        named = {"model": self.model, "panel": self.panel, "variant": self.variant, "part": part, "arguments": self.arguments()}
        plain: dict[str, Any] = json.loads(json.dumps({**named, "code": code_digest(self.model)}))
        return plain


@final
class Timed(Forecaster):
    """A forecaster whose last fit was timed. seconds, cpu_seconds: of it."""

    def __init__(self, inner: Forecaster) -> None:
        self.inner, self.name, self.horizon, self.levels = inner, inner.name, inner.horizon, inner.levels
        self.history_limit = inner.history_limit
        self.seconds = self.cpu_seconds = 0.0

    def fit(self, panel: Panel) -> None:
        """Fits and takes the times; see `Forecaster.fit`."""
        began, began_cpu = time.perf_counter(), time.process_time()
        self.inner.fit(panel)
        self.seconds, self.cpu_seconds = time.perf_counter() - began, time.process_time() - began_cpu

    def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
        """Returns the inner forecaster's forecasts; see `Forecaster.predict`."""
        return self.inner.predict(history, known_future)

    def backtest(self, panel: Panel, cutoffs: IntArray) -> Iterator[ForecastFrame]:
        """Yields the inner forecaster's forecasts; see `Forecaster.backtest`."""
        yield from self.inner.backtest(panel, cutoffs)

    def recipe(self) -> Recipe:
        """Returns the inner forecaster's recipe."""
        return self.inner.recipe()

    def weights(self) -> Weights:
        """Returns the inner forecaster's weights."""
        return self.inner.weights()

    def restore(self, weights: Weights) -> None:
        """Restores the inner forecaster."""
        self.inner.restore(weights)


def shipped_config(model: str) -> Config:
    """Returns the shipped configuration of a named model."""
    return load_config(locate(f"configs/models/{model}.yaml"), locate=locate)


def case_of(job: Job) -> Case:
    """Returns the panel with its truth: of the sample the last H days of each series, H as its configuration has it."""
    if job.folder is not None:
        return read_case(Path(job.folder), "validation" if job.scorer is None else "test")
    config = shipped_config(job.model)
    assert config.task is not None  # every shipped configuration of a model has one
    panel = read_panel(config.data)
    return Case(SAMPLE, panel, task_of(config.task.horizon, panel.frequency.season_length))


def measure(job: Job) -> dict[str, Any]:
    """Returns the line of a job: what was run, scores, costs, and what is known of the network."""
    case = case_of(job)
    forecaster = Timed(
        build_forecaster(
            job.model, horizon=case.task.horizon, levels=LEVELS, season_lengths=case.panel.frequency.season_lengths,
            arguments=job.arguments(),
        )
    )  # fmt: skip
    evaluation = evaluate(forecaster, case.panel, case.task)
    found = scores(evaluation, case, None if job.scorer is None or case.folder is None else Path(job.scorer))
    costs = {
        "fit_seconds": forecaster.seconds,
        "fit_cpu_seconds": forecaster.cpu_seconds,
        "predict_seconds": evaluation.costs.predict_seconds,
    }
    rounded = {name: round(value, 3) for name, value in costs.items()}
    network = (
        of_network(cast("NeuralForecaster", forecaster.inner), case.panel, job.variant)
        if job.model in get_args(EncoderName)
        else {}
    )
    return {**job.facts(), **found, **rounded, **network}


def of_network(forecaster: NeuralForecaster, panel: Panel, variant: Variant) -> dict[str, Any]:
    """Returns parameters, the floats that are carried of each series and, of a whole model without covariates, the step's latency."""
    from benchmarks.step_latency import step_latency

    network = forecaster.network
    out: dict[str, Any] = {
        "parameters": sum(p.numel() for p in network.parameters()),
        "state_floats": network.initial_state(1).floats_per_series(),
        "steps_taken": forecaster.steps_taken,
    }
    if variant == "whole" and not (panel.roles.known or panel.roles.past or panel.roles.static):
        latency = step_latency(forecaster, panel)
        out |= {f"step_{name}": value for name, value in asdict(latency).items()}
    return out


def main() -> int:
    """Measures what the job file says and writes the line beside it."""
    import torch

    torch.set_num_threads(1)
    place = Path(sys.argv[1])
    line = measure(Job(**json.loads(place.read_text(encoding="utf-8"))))
    place.with_suffix(".line").write_text(json.dumps(line), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
