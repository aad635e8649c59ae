"""An exported model run by onnxruntime: the state goes in with every observation and comes out with every forecast.

It must not know the network that the model was made of.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import NamedTuple, final

import numpy as np
import onnxruntime

from forecast.core.arrays import AnyArray, FloatArray, IntArray
from forecast.core.panel import Panel
from forecast.exporting.step_graph import NEXT
from forecast.windowing.segments import SegmentReader

State = Mapping[str, AnyArray]
_KINDS = {"tensor(float)": np.float32, "tensor(double)": np.float64}


class Followed(NamedTuple):
    """Forecasts of some series and origins: series [R], origins [R] rows, mean [R, H], quantiles [R, H, Q], data units."""

    series: IntArray
    origins: IntArray
    mean: FloatArray
    quantiles: FloatArray


@final
class ExportedStep:
    """A session of one exported model, on one thread.

    Args:
        model: The bytes of the ONNX file.
    """

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.inputs = {port.name: (tuple(port.shape[1:]), _KINDS[port.type]) for port in self.session.get_inputs()}
        self.outputs = [port.name for port in self.session.get_outputs()]
        self.carried = [name.removeprefix(NEXT) for name in self.outputs if name.startswith(NEXT)]

    def initial(self, rows: int) -> State:
        """Returns the state of series of which nothing was read yet."""
        blank = {name: np.zeros((rows, *self.inputs[name][0]), self.inputs[name][1]) for name in self.carried}
        blank["ring"][:] = np.nan
        return blank

    def step(self, state: State, y: FloatArray, covariates: State) -> tuple[FloatArray, FloatArray, State]:
        """Returns mean [B, H], quantiles [B, H, Q] and the state after one observation of each series.

        Args:
            state: Of B series.
            y: Data units, NaN where missing. Shape [B].
            covariates: `known` of this step and the H after it [B, 1 + H, K], `past` [B, P] and `static` [B, S], those that there are.
        """
        given = {name: value.astype(self.inputs[name][1], copy=False) for name, value in covariates.items() if name in self.inputs}
        out = dict(zip(self.outputs, self.session.run(self.outputs, {**state, **given, "y": y[:, None]}), strict=True))
        return out["mean"], out["quantiles"], {name: out[NEXT + name] for name in self.carried}

    def bound(self, given: State) -> onnxruntime.IOBinding:
        """Returns a binding of some inputs, of all outputs to memory of the runtime's: the quickest way to run a step."""
        binding = self.session.io_binding()
        for name, value in given.items():
            binding.bind_ortvalue_input(name, onnxruntime.OrtValue.ortvalue_from_numpy(value))
        for name in self.outputs:
            binding.bind_output(name, "cpu")
        return binding

    def microseconds(self, calls: int = 1000) -> float:
        """Returns the median time of one step of one series whose every row was observed, inputs and outputs bound."""
        rng, taken = np.random.default_rng(0), []
        binding = self.bound(
            {name: rng.normal(100.0, 1.0, (1, *shape)).astype(kind) for name, (shape, kind) in self.inputs.items()}
        )
        for _ in range(calls + calls // 10):
            begin = time.perf_counter_ns()
            self.session.run_with_iobinding(binding)
            taken.append(time.perf_counter_ns() - begin)
        return float(np.median(taken[calls // 10 :])) / 1e3


def follow(step: ExportedStep, panel: Panel, cycles: tuple[str, ...], horizon: int, origins: IntArray) -> Followed:
    """Streams every row of a panel through an exported model, one step of all series at a time.

    Args:
        step: The model.
        panel: Histories; series of different lengths begin at different steps and end together.
        cycles: What the network is told of the calendar.
        horizon: H.
        origins: Rows inside each series whose forecasts are kept. Shape [N, W].
    """
    reader, lengths = SegmentReader.of(panel, cycles), panel.lengths
    longest, state, kept = int(lengths.max()), dict(step.initial(len(panel))), []
    for t in range(int(lengths.max())):
        rows = t - longest + lengths
        active = np.flatnonzero(rows >= 0)
        here = reader.read(active, rows[active], lead=0, steps=1, horizon=horizon)
        covariates = {"known": here.known, "past": here.past[:, 0], "static": here.static}
        mean, quantiles, after = step.step({name: value[active] for name, value in state.items()}, here.y[:, 0], covariates)
        for name, value in after.items():
            state[name][active] = value
        wanted = (origins[active] == rows[active, None]).any(axis=1)
        kept.append((active[wanted], rows[active][wanted], mean[wanted], quantiles[wanted]))
    return Followed(*(np.concatenate(parts) for parts in zip(*kept, strict=True)))
