"""Writes a fitted network as ONNX, after running it beside the original; a model that answers differently is not written.

It must not know where the model or the data come from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np

from forecast.core.arrays import FloatArray, IntArray
from forecast.core.errors import GateError, SinkError, UsageError
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.panel import Panel
from forecast.core.panel_schema import frequency_in, roles_in
from forecast.core.seasonal_error import seasonal_errors
from forecast.evaluation.metrics import Outcome, score
from forecast.evaluation.tally import truth_after
from forecast.exporting.quantisation import to_int8
from forecast.exporting.replay import ExportedStep, follow
from forecast.exporting.step_graph import StepGraph
from forecast.networks.one_step import lay_out
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.inference import Block

TOLERANCE = 1e-5  # of the largest value of a forecast
ORIGINS = 24  # last origins of each series that are compared
FLOAT_FILE, INT8_FILE, STATE_FILE = "step.onnx", "step_int8.onnx", "initial_state.npz"


@final
@dataclass(frozen=True, slots=True)
class Exported:
    """One exported model beside the original, or the original itself.

    absolute, relative: the largest difference, in data units and in units of the forecast's largest value. mase, wql: errors on the
    last H rows. size: bytes. microseconds: of one step of one series; None for the original.
    """

    name: str
    absolute: float
    relative: float
    mase: float
    wql: float
    size: int = 0
    microseconds: float | None = None


def export(forecaster: NeuralForecaster, panel: Panel, folder: Path, *, version: str, int8: bool = False) -> list[Exported]:
    """Writes the step of a fitted network and its initial state, and returns how the original and each file did.

    Args:
        forecaster: elman, lstm or gru, direct, with quantiles or points.
        panel: What original and exports are compared on.
        folder: Where the files go; made where it is not there.
        version: Of the model, kept in the files.
        int8: Write a quantised model too.

    Raises:
        ModelError: a network that no single step was written out for.
        UsageError: a panel without a series long enough.
        GateError: the exported model answers differently; nothing was written.
        SinkError: the folder cannot be written.
    """
    step = lay_out(forecaster.network, forecaster.settings)
    model = StepGraph(step).model(_facts(forecaster, version))
    made = {FLOAT_FILE: model.SerializeToString()}
    if int8:
        made[INT8_FILE] = to_int8(model).SerializeToString()
    trial = Trial.of(forecaster, panel)
    report = [trial.original(), *(trial.run(name, data) for name, data in made.items())]
    _require_same(report[1])
    _write(folder, made)
    return report


@final
@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """The last origins of a panel's series, and what the original forecasts from them.

    expected: ordered by series and cutoff. Rows: N series by W origins.
    """

    forecaster: NeuralForecaster
    panel: Panel
    origins: IntArray
    expected: ForecastFrame

    @classmethod
    def of(cls, forecaster: NeuralForecaster, panel: Panel) -> Trial:
        """Returns the trial on the series that are long enough."""
        panel = forecaster.check(panel)
        long = panel.take(np.flatnonzero(panel.lengths > forecaster.horizon + ORIGINS))
        if not len(long):
            raise UsageError(
                f"none of the {len(panel)} series has the {forecaster.horizon + ORIGINS + 1} rows that a comparison takes; give longer ones"
            )
        origins = (long.lengths - 1 - forecaster.horizon)[:, None] - np.arange(ORIGINS)[::-1]
        frames = list(forecaster.backtest(long, origins + long.starts[:, None]))
        return cls(forecaster, long, origins, _ordered(ForecastFrame.concatenate(frames)))

    def original(self) -> Exported:
        """Returns how the original did."""
        return Exported(self.expected.model, 0.0, 0.0, *self._errors(self.expected))

    def run(self, name: str, data: bytes) -> Exported:
        """Returns how a model did."""
        step = ExportedStep(data)
        found = follow(step, self.panel, self.forecaster.network.calendar, self.forecaster.horizon, self.origins)
        frame = _ordered(self.forecaster.frame_of(self.panel, [Block(*found)]))
        difference = np.abs(frame.quantiles - self.expected.quantiles).max(axis=(1, 2))
        size = np.abs(self.expected.quantiles).max(axis=(1, 2))
        relative = difference / np.where(size > 0, size, 1.0)
        errors = self._errors(frame)
        return Exported(name, float(difference.max()), float(relative.max()), *errors, len(data), step.microseconds())

    def _errors(self, frame: ForecastFrame) -> tuple[float, float]:
        """MASE and weighted quantile loss of the forecasts of the last H rows."""
        last = frame.take(np.arange(ORIGINS - 1, len(frame), ORIGINS))
        every = np.arange(len(self.panel))
        errors = seasonal_errors(self.panel, last.cutoffs[:, None], max(self.forecaster.season_lengths[:1], default=1))
        scales = (errors.absolute[:, 0], errors.squared[:, 0])
        outcome = Outcome.build(last, truth_after(self.panel, every, last.cutoffs, last.horizon), *scales)
        found = score(outcome, ("mase", "wql"))
        return _mean(*found["mase"]), _mean(*found["wql"])


def _mean(numerator: FloatArray, weight: FloatArray) -> float:
    """Sum over sum, of the forecasts that have a value."""
    there = np.isfinite(numerator) & (weight > 0)
    return float(numerator[there].sum() / weight[there].sum()) if there.any() else float("nan")


def _ordered(frame: ForecastFrame) -> ForecastFrame:
    return frame.take(np.lexsort((frame.cutoffs, frame.ids)))


def _facts(forecaster: NeuralForecaster, version: str) -> Mapping[str, str]:
    """What a reader of the file must know, as text; lists as JSON."""
    roles, frequency = roles_in(forecaster.schema), frequency_in(forecaster.schema)
    return {
        "model": forecaster.name, "version": version, "frequency": frequency.alias, "horizon": str(forecaster.horizon),
        "levels": json.dumps(list(forecaster.levels)), "season_lengths": json.dumps(list(forecaster.season_lengths)),
        "known": json.dumps(list(roles.known)), "past": json.dumps(list(roles.past)), "static": json.dumps(list(roles.static)),
        "calendar": json.dumps(list(forecaster.network.calendar)),
    }  # fmt: skip


def _require_same(found: Exported) -> None:
    if not found.relative <= TOLERANCE:
        raise GateError(
            f"the exported model differs from the original by {found.relative:.2e} of a forecast's largest value, {TOLERANCE:.0e} is "
            "allowed: nothing was written; report the model's recipe"
        )


def _write(folder: Path, models: Mapping[str, bytes]) -> None:
    blank = ExportedStep(models[FLOAT_FILE]).initial(1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in models.items():
            (folder / name).write_bytes(data)
        with (folder / STATE_FILE).open("wb") as file:
            np.savez(file, allow_pickle=False, **blank)
    except OSError as error:
        raise SinkError(f"{folder} cannot be written ({error}); choose another place with --output") from error
