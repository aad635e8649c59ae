"""Weights to safetensors and back: numbers as tensors, text as JSON beside them. Nothing here can run code.

It must not know which forecaster the weights belong to.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np

from forecast.core.arrays import AnyArray
from forecast.core.errors import ModelError

_TEXT = "text"  # the only metadata key: safetensors writes several in an order that changes from run to run


def encode_weights(weights: Mapping[str, AnyArray]) -> bytes:
    """Returns the safetensors file of the arrays; the same arrays give the same bytes.

    Args:
        weights: Arrays of booleans, integers, floats or text by name, any shape.

    Raises:
        ModelError: an array of anything else.
    """
    from safetensors.numpy import save

    numbers, text = {}, {}
    for name in sorted(weights):
        array = np.asarray(weights[name])
        if array.dtype.kind in "biuf":
            # C order first: safetensors writes the buffer of a transposed view as it lies, which scrambles it
            numbers[name] = np.array(array, order="C")
        elif array.dtype.kind in "UO" and all(isinstance(value, str) for value in array.ravel()):
            text[name] = {"shape": list(array.shape), "values": array.ravel().tolist()}
        else:
            raise ModelError(
                f"weight {name!r} has the type {array.dtype}: a bundle holds numbers, booleans and text; convert it in `weights`"
            )
    return bytes(save(numbers, metadata={_TEXT: json.dumps(text, sort_keys=True)} if text else None))


def decode_weights(data: bytes, where: str) -> dict[str, AnyArray]:
    """Returns the arrays of a safetensors file; text comes back as object arrays.

    Raises:
        ModelError: bytes that are not what `encode_weights` writes.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays: dict[str, AnyArray] = dict(load(data))
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        text = json.loads(header.get("__metadata__", {}).get(_TEXT, "{}"))
        for name, entry in text.items():
            arrays[name] = np.array(entry["values"], dtype=object).reshape(entry["shape"])
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{where} is not a file of weights: {error}; nothing of it was used, fetch the bundle again") from error
    return arrays
