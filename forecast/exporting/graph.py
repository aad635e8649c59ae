"""Writes ONNX graphs node by node: names, constants and nested graphs. It must not know networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR = 18, 10  # what onnxruntime has read for years
FLOAT, DOUBLE, INT64 = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64

Array = NDArray[Any]
Shape = tuple[int | str, ...]


class Port(NamedTuple):
    """An input or output of a model. kind: of its elements, FLOAT or DOUBLE. shape: a text where any length will do."""

    name: str
    kind: int
    shape: Shape


@final
class Graph:
    """A graph that grows by one node for each call; nested graphs share the constants and the names of the outermost.

    Args:
        outer: The graph that this one is nested in.
    """

    def __init__(self, outer: Graph | None = None) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, Array] = {} if outer is None else outer.constants
        self._numbers: list[int] = [0] if outer is None else outer._numbers

    def __call__(self, kind: str, *inputs: str, attributes: Mapping[str, Any] | None = None, name: str | None = None) -> str:
        """Adds a node with one output and returns its name."""
        return self.several(kind, inputs, [name or self._new(kind)], attributes)[0]

    def split(self, value: str, sizes: Sequence[int], axis: int = 1) -> list[str]:
        """Adds the parts of a value along an axis."""
        names = [self._new("part") for _ in sizes]
        return self.several("Split", (value, self.constant(np.array(sizes, np.int64))), names, {"axis": axis})

    def several(
        self, kind: str, inputs: Sequence[str], outputs: list[str], attributes: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Adds a node with several outputs and returns their names."""
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, name=outputs[0], **dict(attributes or {})))
        return outputs

    def constant(self, value: Array) -> str:
        """Returns the name of a constant."""
        name = self._new("const")
        self.constants[name] = np.array(value, order="C")
        return name

    def slice(self, value: str, start: int, stop: int, axis: int = 1) -> str:
        """Adds a stretch of a value along an axis."""
        return self("Slice", value, integers(self, start), integers(self, stop), integers(self, axis))

    def cast(self, value: str, kind: int) -> str:
        """Adds a change of the type of elements."""
        return self("Cast", value, attributes={"to": kind})

    def concat(self, *values: str, axis: int = 1, name: str | None = None) -> str:
        """Adds values end to end along an axis."""
        return self("Concat", *values, attributes={"axis": axis}, name=name)

    def branch(self, condition: str, then: Graph, otherwise: Graph, ends: Sequence[tuple[str, str, int]]) -> list[str]:
        """Adds a choice between two nested graphs and returns the names of its values.

        ends: for each value its name in the one graph, in the other, and the type of its elements.
        """
        names = [self._new("chosen") for _ in ends]
        bodies = {
            "then_branch": then._nested([(one, kind) for one, _, kind in ends]),
            "else_branch": otherwise._nested([(other, kind) for _, other, kind in ends]),
        }
        return self.several("If", [condition], names, bodies)

    def model(self, inputs: Sequence[Port], outputs: Sequence[Port], facts: Mapping[str, str]) -> onnx.ModelProto:
        """Returns the checked model; facts: its metadata."""
        given, made = ([helper.make_tensor_value_info(p.name, p.kind, p.shape) for p in ports] for ports in (inputs, outputs))
        weights = [numpy_helper.from_array(value, name) for name, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, "step", given, made, initializer=weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="forecast")
        helper.set_model_props(model, dict(facts))
        onnx.checker.check_model(model, full_check=True)
        return model

    def _nested(self, outputs: Sequence[tuple[str, int]]) -> onnx.GraphProto:
        ends = [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs]
        return helper.make_graph(self.nodes, self._new("branch"), [], ends)

    def _new(self, stem: str) -> str:
        self._numbers[0] += 1
        return f"{stem.lower()}_{self._numbers[0]}"


def floats(graph: Graph, *values: float) -> str:
    """Returns the name of a constant vector, float32."""
    return graph.constant(np.array(values, np.float32))


def doubles(graph: Graph, *values: float) -> str:
    """Returns the name of a constant vector, float64."""
    return graph.constant(np.array(values, np.float64))


def integers(graph: Graph, *values: int) -> str:
    """Returns the name of a constant vector of whole numbers."""
    return graph.constant(np.array(values, np.int64))


def silu(graph: Graph, value: str) -> str:
    """Adds x sigmoid(x)."""
    return graph("Mul", value, graph("Sigmoid", value))
