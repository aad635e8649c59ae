"""The normaliser and the naive paths of one step as ONNX: `networks.step_rows` once more, in another language.

Rows without a gap take a branch of few nodes, others one with masks. It must not know weights.
"""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np

from forecast.exporting.graph import DOUBLE, FLOAT, INT64, Graph, doubles, floats, integers
from forecast.networks.one_step import OneStep, Weights


class RowNames(NamedTuple):
    """Names of values.

    values: the lags and the paths of all steps in scaled units, float. Shape [B, lags + H * R]. loc, scale: double [B, 1].
    unseen: what is missing of the lags takes off the embedded input and off what the cell makes of it [B, D + gates * D]; barrier:
    what is added to the weights of the paths [B, 1, R]; both float, and single zeros where nothing is missing.
    """

    values: str
    loc: str
    scale: str
    unseen: str
    barrier: str


KINDS = (FLOAT, DOUBLE, DOUBLE, FLOAT, FLOAT)


def through_cell(step: OneStep, embed: Weights) -> Weights:
    """Returns weights to the embedded input with those through it to the cell beside them: both are linear. [n, D + gates * D]."""
    return np.concatenate([embed, (embed.astype(np.float64) @ step.inputs.weight).astype(np.float32)], axis=1)


@final
class RowGraph:
    """Adds the reading of rows to a graph.

    Args:
        step: The network's arrays.
    """

    def __init__(self, step: OneStep) -> None:
        self.paths, self.spread, self.horizon, self.lags = step.paths, step.spread, step.horizon, step.lags
        self.of_seen = through_cell(step, step.embed.weight[step.lags : 2 * step.lags])
        self.ahead = np.arange(1, step.horizon + 1, dtype=np.float32)

    def add(self, graph: Graph, rows: str, floor: str) -> RowNames:
        """Adds the reading of rows [B, n] to a graph; floor: the least scale [B, 1], both double.

        Rows are read as if nothing were missing, and once more with masks where that gave no number: for missing rows, of which
        every product with them is missing too, and for a scale of 0.
        """
        whole, same, gapped = self._whole(graph, rows, floor), Graph(graph), Graph(graph)
        total = graph("ReduceSum", whole.values, attributes={"keepdims": 0})
        ends = [(a, same("Identity", b), kind) for a, b, kind in zip(self._gapped(gapped, rows, floor), whole, KINDS, strict=True)]
        return RowNames(*graph.branch(graph("IsNaN", total), gapped, same, ends))

    def _whole(self, g: Graph, rows: str, floor: str) -> RowNames:
        """Where nothing is missing all that is read is a product with constants; else `values` has no number."""
        n, (season, window, _, _) = self.paths.rows, self.spread
        level = np.zeros((n, 1))
        level[n - self.paths.level :] = 1 / self.paths.level
        loc = g("MatMul", rows, g.constant(level))
        difference = g("Abs", g("Sub", g.slice(rows, n - window, n), g.slice(rows, n - window - season, n - season)))
        scale = g("Max", g("MatMul", difference, g.constant(np.full((window, 1), 1 / window))), floor)
        values = g("MatMul", g.cast(g("Div", g("Sub", rows, loc), scale), FLOAT), g.constant(self._table()))
        nothing = np.zeros((1, 1), np.float32)
        return RowNames(values, loc, scale, g.constant(nothing), g.constant(nothing[None]))

    def _table(self) -> Weights:
        """From scaled rows to the lags and the paths of each step; the level is loc, 0 in scaled units. Shape [n, lags + H * R]."""
        n, drift, first = self.paths.rows, self.paths.drift, 1 + len(self.paths.cycles)
        table = np.zeros((len(self.paths.order), n, self.horizon))
        place = np.arange(self.horizon)
        table[0, -1] = 1.0
        for path, cycle in enumerate(self.paths.cycles, start=1):
            table[path, cycle, place] = 1.0
        table[first:-2] = np.tensordot(self.paths.means, table[1:first], axes=1)
        table[-2, -1] = 1.0
        table[-2, n - drift :] += self.ahead / drift**2
        table[-2, n - 2 * drift : n - drift] -= self.ahead / drift**2
        lags = np.eye(n)[:, n - self.lags :]
        return np.concatenate([lags, table.transpose(1, 2, 0).reshape(n, -1)], axis=1).astype(np.float32)

    def _gapped(self, g: Graph, rows: str, floor: str) -> RowNames:
        """Where something is missing, every sum has its count, and every step of a path its candidates."""
        n = self.paths.rows
        gone = g("IsNaN", rows)
        values = g("Where", gone, doubles(g, 0.0), rows)
        place = g("Where", gone, floats(g, -1.0), g.constant(np.arange(n, dtype=np.float32)))
        level, slope, has_level, has_drift = self._levels(g, values, gone)
        near = g("ReduceMax", g.slice(place, self.spread.first, n), integers(g, 1))
        newest_value = g("Where", g("Less", near, floats(g, 0.0)), doubles(g, 0.0), _at(g, values, near))
        loc = g("Where", has_level, level, newest_value)
        scale = g("Max", self._spread(g, rows), floor)
        safe = g("Where", g("Greater", scale, doubles(g, 0.0)), scale, doubles(g, 1.0))
        z = g.cast(g("Div", g("Sub", values, loc), safe), FLOAT)
        z = g("Where", gone, floats(g, 0.0), z)
        newest = g("ReduceMax", place, integers(g, 1))
        last, there = _at(g, z, newest), g("GreaterOrEqual", newest, floats(g, float(self.paths.oldest)))
        drift = g("Add", last, g("Mul", g.cast(g("Div", slope, safe), FLOAT), g.constant(self.ahead)))
        flat = g("Mul", g("Where", has_level, floats(g, 0.0), last), g.constant(np.ones(self.horizon, np.float32)))
        first = g("Mul", last, g.constant(np.ones(self.horizon, np.float32)))
        cycles, flags = self._cycles(g, z, place, last)
        lines = [g("Unsqueeze", line, integers(g, 1)) for line in (first, drift, flat)]
        naive = g.concat(lines[0], *cycles, *lines[1:])
        found = g.concat(there, *flags, g("And", there, has_drift), g("And", there, has_level))
        by_step = g(
            "Reshape", g("Transpose", naive, attributes={"perm": [0, 2, 1]}), integers(g, -1, self.horizon * len(self.paths.order))
        )
        unseen = g("MatMul", g.slice(g.cast(gone, FLOAT), n - self.lags, n), g.constant(self.of_seen))
        return RowNames(g.concat(g.slice(z, n - self.lags, n), by_step), loc, scale, unseen, _barrier(g, found))

    def _levels(self, g: Graph, values: str, gone: str) -> tuple[str, str, str, str]:
        """Level, its change per step, and whether there is anything to make either from, each [B, 1]."""
        n, level, drift = self.paths.rows, self.paths.level, self.paths.drift
        inside = np.zeros((n, 3))
        inside[n - level :, 0] = inside[n - drift :, 1] = inside[n - 2 * drift : n - drift, 2] = 1.0
        member = g.constant(inside)
        count = g("Sub", g.constant(inside.sum(axis=0)), g("MatMul", g.cast(gone, DOUBLE), member))
        mean = g("Div", g("MatMul", values, member), g("Max", count, doubles(g, 1.0)))
        (now, recent, earlier), (first, second, third) = (
            g.split(mean, [1, 1, 1]),
            g.split(g("Greater", count, doubles(g, 0.0)), [1, 1, 1]),
        )
        return now, g("Div", g("Sub", recent, earlier), doubles(g, drift)), first, g("And", second, third)

    def _spread(self, g: Graph, rows: str) -> str:
        """The mean seasonal difference, of neighbours where there are few. Shape [B, 1]."""
        season, _, fewest, _ = self.spread
        mean, count = self._differences(g, rows, season)
        if season == 1:
            return mean
        return g("Where", g("Less", count, doubles(g, fewest)), self._differences(g, rows, 1)[0], mean)

    def _differences(self, g: Graph, rows: str, lag: int) -> tuple[str, str]:
        n, window = self.paths.rows, self.spread.window
        difference = g("Abs", g("Sub", g.slice(rows, n - window, n), g.slice(rows, n - window - lag, n - lag)))
        gone = g("IsNaN", difference)
        count = g("Sub", doubles(g, window), g("ReduceSum", g.cast(gone, DOUBLE), integers(g, 1)))
        total = g("ReduceSum", g("Where", gone, doubles(g, 0.0), difference), integers(g, 1))
        return g("Div", total, g("Max", count, doubles(g, 1.0))), count

    def _cycles(self, g: Graph, z: str, place: str, last: str) -> tuple[list[str], list[str]]:
        """The cycles and their means [B, paths, H], and which there is anything of [B, paths]."""
        if not len(self.paths.cycles):
            return [], []
        shape, padded = self.paths.cycles.shape, g("Pad", place, integers(g, 0, 0, 0, 1), floats(g, -1.0))
        candidates = g("Gather", padded, g.constant(self.paths.candidates), attributes={"axis": 1})
        best = g("ReduceMax", candidates, integers(g, 3), attributes={"keepdims": 0})
        nothing = g("Less", best, floats(g, 0.0))
        flat = g("Reshape", g("Max", best, floats(g, 0.0)), integers(g, -1, shape[0] * shape[1]))
        value = g("Reshape", g("GatherElements", z, g.cast(flat, INT64), attributes={"axis": 1}), integers(g, -1, *shape))
        beside = g("Unsqueeze", last, integers(g, 2))
        filled, some = [g("Where", nothing, beside, value)], [_any(g, g("Sub", floats(g, 1.0), g.cast(nothing, FLOAT)))]
        if len(self.paths.means):
            members = g.constant((self.paths.means > 0).astype(np.float32))
            count = g("MatMul", members, g("Sub", floats(g, 1.0), g.cast(nothing, FLOAT)))
            total = g("MatMul", members, g("Where", nothing, floats(g, 0.0), value))
            mean = g("Div", total, g("Max", count, floats(g, 1.0)))
            filled.append(g("Where", g("Greater", count, floats(g, 0.0)), mean, beside))
            some.append(_any(g, count))
        return filled, some


def _at(g: Graph, values: str, place: str) -> str:
    """The value of each row at a place [B, 1], the first one where the place is negative."""
    index = g.cast(g("Max", place, floats(g, 0.0)), INT64)
    return g("GatherElements", values, index, attributes={"axis": 1})


def _any(g: Graph, count: str) -> str:
    return g("Greater", g("ReduceMax", count, integers(g, 2), attributes={"keepdims": 0}), floats(g, 0.0))


def _barrier(g: Graph, found: str) -> str:
    """-inf for paths of which nothing was found, where anything was found of others. Shape [B, 1, R]."""
    some = g("Greater", g("ReduceMax", g.cast(found, FLOAT), integers(g, 1)), floats(g, 0.0))
    blocked = g("And", g("Not", found), some)
    return g("Unsqueeze", g("Where", blocked, floats(g, -np.inf), floats(g, 0.0)), integers(g, 1))
