"""Forecasts a stream with an exported model, without torch: `tail -f y.csv | python stream_onnx.py FOLDER`, one number a line."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

folder = Path(sys.argv[1])
model = onnxruntime.InferenceSession(folder / "step.onnx", providers=["CPUExecutionProvider"])
facts = model.get_modelmeta().custom_metadata_map
if {"known", "past", "static"} & {port.name for port in model.get_inputs()}:
    sys.exit(f"{facts['model']} also wants covariates or the calendar; this stream has numbers alone")
names = [port.name for port in model.get_outputs()]
state = dict(np.load(folder / "initial_state.npz"))
for line in sys.stdin:  # an empty line is a missing value
    y = np.array([[float(line) if line.strip() else np.nan]])
    out = dict(zip(names, model.run(names, {**state, "y": y}), strict=True))
    state = {name: out[f"next_{name}"] for name in state}
    levels = dict(zip(json.loads(facts["levels"]), out["quantiles"][0].T.round(3).tolist(), strict=True))
    print(json.dumps({"mean": out["mean"][0].round(3).tolist(), **levels}), flush=True)
