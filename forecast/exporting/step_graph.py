"""One step of a network as an ONNX model whose state goes in and comes out: `networks.step_program` once more, in another language.

Written node by node from the same arrays, because a step of one series costs as much as it has nodes. It must not know panels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import final

import numpy as np
import onnx

from forecast.exporting.graph import DOUBLE, FLOAT, Graph, Port, doubles, floats, integers, silu
from forecast.exporting.row_graph import RowGraph, RowNames, through_cell
from forecast.networks.normalisers.windowed_spread import FLOOR
from forecast.networks.one_step import CELLS, STATES, Affine, Cell, OneStep, Weights

STATE_NAMES = ("h", "c")
NEXT = "next_"


def exportable() -> tuple[Cell, ...]:
    """Returns the kinds of models that have a graph."""
    return CELLS


@final
class StepGraph:
    """Writes the graph of a laid-out network.

    Args:
        step: The network's arrays.
    """

    def __init__(self, step: OneStep) -> None:
        self.step, self.g = step, Graph()

    def inputs(self) -> list[Port]:
        """Returns the inputs: the state, the observation, and the covariates that there are."""
        step, widths = self.step, self.step.widths
        covariates = {"known": ("B", 1 + step.horizon, widths.known), "past": ("B", widths.past), "static": ("B", widths.static)}
        told = [Port(name, FLOAT, shape) for name, shape in covariates.items() if shape[-1]]
        return [*self._state(""), Port("y", DOUBLE, ("B", 1)), *told]

    def outputs(self) -> list[Port]:
        """Returns the outputs: the forecasts, and the state under its names with `next_` before them."""
        step, levels = self.step, len(self.step.quantiles.signs) - 1
        mean, quantiles = Port("mean", DOUBLE, ("B", step.horizon)), Port("quantiles", DOUBLE, ("B", step.horizon, levels))
        return [mean, quantiles, *self._state(NEXT)]

    def model(self, facts: Mapping[str, str]) -> onnx.ModelProto:
        """Returns the checked model; facts: its metadata."""
        self._add()
        return self.g.model(self.inputs(), self.outputs(), facts)

    def _state(self, prefix: str) -> list[Port]:
        step = self.step
        cells = [Port(prefix + name, FLOAT, ("B", step.hidden)) for name in STATE_NAMES[: STATES[step.cell]]]
        return [*cells, Port(prefix + "ring", DOUBLE, ("B", step.paths.rows - 1)), Port(prefix + "statistics", DOUBLE, ("B", 2))]

    def _add(self) -> None:
        g, step = self.g, self.step
        every = g.concat("ring", "y")
        g("Slice", every, integers(g, 1), integers(g, step.paths.rows), integers(g, 1), name=NEXT + "ring")
        rows = RowGraph(step).add(g, every, self._floor())
        context, told = self._covariates()
        lags, paths = step.lags, step.horizon * len(step.paths.order)
        recent, seen = g.split(_compressed(g, rows.values), [lags, paths])
        add_cell, parts = _CELLS[step.cell]
        embedded, *given = g.split(self._embedded(rows, recent, context), [step.hidden * part for part in (1, *parts)])
        output = add_cell(g, step, given)
        shape = integers(g, -1, step.horizon, len(step.paths.order))
        naive = g("Reshape", g.slice(rows.values, lags, lags + paths), shape)
        numbers = self._numbers(g.concat(output, silu(g, embedded)), g("Reshape", seen, shape), told)
        self._forecasts(numbers, naive, rows)

    def _floor(self) -> str:
        """The least scale [B, 1]; counts the observation on the way."""
        g = self.g
        count, mean = g.split("statistics", [1, 1])
        there = g("Equal", "y", "y")
        size, more = g("Where", there, g("Abs", "y"), doubles(g, 0.0)), g("Add", count, g.cast(there, DOUBLE))
        after = g("Div", g("Add", g("Mul", mean, count), size), g("Max", more, doubles(g, 1.0)))
        g.concat(more, after, name=NEXT + "statistics")
        return g("Mul", after, doubles(g, FLOOR))

    def _covariates(self) -> tuple[str | None, str | None]:
        """Covariates of the step in the panel's units [B, K + P + S], and what the decoder is told of the H after it [B, H, E]."""
        g, step, widths = self.g, self.step, self.step.widths
        offsets = np.cumsum([0, *widths])
        parts, told = [], None
        for number, name in enumerate(("known", "past", "static")):
            if widths[number]:
                here = slice(offsets[number], offsets[number + 1])
                value = g("Div", g("Sub", name, g.constant(step.covariate_loc[here])), g.constant(step.covariate_scale[here]))
                value = g("Where", g("IsNaN", value), floats(g, 0.0), value)
                parts.append(g("Gather", value, g.constant(np.array(0)), attributes={"axis": 1}) if name == "known" else value)
                if name == "known" and step.known is not None:
                    ahead = g("MatMul", g.slice(value, 1, 1 + step.horizon), g.constant(step.known.embed.weight))
                    told = silu(g, g("Add", ahead, g.constant(step.known.embed.bias)))
        return (g.concat(*parts) if parts else None), told

    def _embedded(self, rows: RowNames, recent: str, context: str | None) -> str:
        """The embedded input and, after it, what the cell makes of it. Shape [B, D + gates * D]."""
        g, step, lags = self.g, self.step, self.step.lags
        of_lags, of_seen, of_rest = np.split(step.embed.weight, [lags, 2 * lags])
        total = g("Max", g("Add", g("Abs", rows.loc), rows.scale), doubles(g, np.finfo(np.float64).tiny))
        ratio = g("Log", g("Add", g.cast(g("Div", rows.scale, total), FLOAT), floats(g, 1e-4)))
        inputs = g.concat(recent, ratio, *([] if context is None else [context]))
        bias = through_cell(step, (step.embed.bias + of_seen.sum(axis=0))[None])[0]
        bias[step.hidden :] += step.inputs.bias
        embedded = _affine(g, inputs, through_cell(step, np.concatenate([of_lags, of_rest])), bias)
        return g("Sub", embedded, rows.unseen)

    def _numbers(self, summary: str, seen: str, told: str | None) -> str:
        """Weights of the paths and numbers of the head, [B, H, R + P]. seen: the compressed paths [B, H, R]."""
        g, step = self.g, self.step
        hidden = silu(g, _affine(g, summary, *step.decode))
        numbers = g("Reshape", _affine(g, hidden, *_by_step(step)), integers(g, -1, step.horizon, step.numbers))
        if told is not None and step.known is not None:
            effect = g("Reshape", _affine(g, hidden, *step.known.effect), integers(g, -1, len(step.known.embed.bias), step.numbers))
            numbers = g("Add", numbers, g("MatMul", told, effect))
        if step.mixer is None:
            return numbers
        of_summary = g("Unsqueeze", _affine(g, summary, *step.mixer.summary), integers(g, 1))
        mixed = g("Add", g("MatMul", seen, g.constant(step.mixer.paths)), g.constant(step.mixer.steps))
        return g("Add", numbers, g("MatMul", silu(g, g("Add", mixed, of_summary)), g.constant(step.mixer.out)))

    def _forecasts(self, numbers: str, naive: str, rows: RowNames) -> None:
        g, quantiles, count = self.g, self.step.quantiles, len(self.step.paths.order)
        learned = len(quantiles.gaps)
        weights, residual, *gaps = g.split(numbers, [count, 1, *([learned] if learned else [])], axis=2)
        weights = g("Softmax", g("Add", weights, rows.barrier), attributes={"axis": 2})
        centre = g("Add", g("ReduceSum", g("Mul", weights, naive), integers(g, 2)), residual)
        if not learned:
            distances = g.constant(quantiles.fixed.T)
        else:
            # softplus(x) = max(x, 0) - log sigmoid(|x|)
            soft = g("Sub", g("Relu", gaps[0]), g("Log", g("Sigmoid", g("Abs", gaps[0]))))
            distances = g("MatMul", g("Mul", soft, g.constant(quantiles.gaps.T)), g.constant(quantiles.signs.T))
        scaled = g.cast(g("Add", distances, centre), DOUBLE)
        scale, loc = (g("Unsqueeze", value, integers(g, 2)) for value in (rows.scale, rows.loc))
        every = g("Add", g("Mul", scaled, scale), loc)
        g.several("Split", (every, integers(g, len(quantiles.signs) - 1, 1)), ["quantiles", "last"], {"axis": 2})
        g("Squeeze", "last", integers(g, 2), name="mean")


def _by_step(step: OneStep) -> Affine:
    """The output layer with all numbers of a step side by side, the head's shift in its bias."""
    shape = (-1, step.numbers, step.horizon)
    bias = step.out.bias.reshape(step.numbers, -1).copy()
    bias[len(step.paths.order) + 1 :] += np.float32(step.quantiles.shift)
    return Affine(step.out.weight.reshape(shape).swapaxes(1, 2).reshape(len(step.out.weight), -1), bias.T.reshape(-1))


def _elman(g: Graph, step: OneStep, given: list[str]) -> str:
    """h' = tanh(W x + U h + b)."""
    return g("Tanh", g("Add", given[0], _affine(g, "h", *step.recurrent)), name=NEXT + "h")


def _lstm(g: Graph, step: OneStep, given: list[str]) -> str:
    """c' = f c + i g, h' = o tanh(c')."""
    i, f, candidate, o = g.split(g("Add", given[0], _affine(g, "h", *step.recurrent)), [step.hidden] * 4)
    cell = g("Add", g("Mul", g("Sigmoid", f), "c"), g("Mul", g("Sigmoid", i), g("Tanh", candidate)), name=NEXT + "c")
    return g("Mul", g("Sigmoid", o), g("Tanh", cell), name=NEXT + "h")


def _gru(g: Graph, step: OneStep, given: list[str]) -> str:
    """n = tanh(W_n x + b_n + r (U_n h + c)), h' = n + z (h - n)."""
    width = step.hidden
    gates, x_n = given
    past, h_n = g.split(_affine(g, "h", *step.recurrent), [2 * width, width])
    r, z = g.split(g("Sigmoid", g("Add", gates, past)), [width, width])
    n = g("Tanh", g("Add", x_n, g("Mul", r, h_n)))
    return g("Add", n, g("Mul", z, g("Sub", "h", n)), name=NEXT + "h")


# How a cell goes on, and in which parts, in units of D, it wants what was given to it.
_CELLS: Mapping[Cell, tuple[Callable[[Graph, OneStep, list[str]], str], tuple[int, ...]]] = {
    "elman": (_elman, (1,)), "lstm": (_lstm, (4,)), "gru": (_gru, (2, 1)),
}  # fmt: skip


def _affine(g: Graph, x: str, weight: Weights, bias: Weights) -> str:
    return g("Gemm", x, g.constant(weight), g.constant(bias))


def _compressed(g: Graph, z: str) -> str:
    """sign(z) log(1 + |z|)."""
    return g("Mul", g("Sign", z), g("Log", g("Add", g("Abs", z), floats(g, 1.0))))
