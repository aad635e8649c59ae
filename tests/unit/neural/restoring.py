"""Restores every network of a folder in a process of its own and writes what it forecasts: the other half of a test."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from forecast.neural.registry import NEURAL
from tests.unit.neural.worlds import future_of, ragged_panel


def main(folder: Path) -> None:
    """Forecasts the panel of the test with each restored network."""
    panel = ragged_panel(covariates=True)
    for file in sorted(folder.glob("*.json")):
        recipe = json.loads(file.read_text())
        forecaster = NEURAL[recipe.pop("kind")](**recipe)
        forecaster.restore(load_file(file.with_suffix(".safetensors")))
        np.save(file.with_suffix(".npy"), forecaster.predict(panel, future_of(panel)).quantiles)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
