"""Dynamic quantisation to int8: the large layers of an exported model with weights of a byte, inputs rounded as they come."""

from __future__ import annotations

import logging
import tempfile
from math import prod
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

LEAST_WEIGHTS = 4096  # smaller layers would lose digits and gain nothing


def to_int8(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns the model with the weights of its dense layers as int8; values in data units stay float64."""
    sizes = {weights.name: prod(weights.dims) for weights in model.graph.initializer}
    layers = [node.name for node in model.graph.node if node.op_type == "Gemm" and sizes.get(node.input[1], 0) >= LEAST_WEIGHTS]
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # it advises, through the root logger, to do what was done
    try:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "int8.onnx"
            # It writes a Gemm as a product and a sum before it looks for names.
            quantize_dynamic(
                model, place, op_types_to_quantize=["Gemm", "MatMul"], weight_type=QuantType.QInt8,
                nodes_to_quantize=[f"{name}_MatMul" for name in layers],
            )  # fmt: skip
            made = onnx.load(place)
    finally:
        root.setLevel(level)
    if not made.metadata_props:
        made.metadata_props.extend(model.metadata_props)
    return made
