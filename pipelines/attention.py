"""`forecast attention`: which past steps the forecast of one series looks at, as a page and a table.

It must not train: the model is the one that `forecast train` left.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast, final

import numpy as np
import pandas as pd

from forecast.config.sections import Config
from forecast.core.errors import ModelError, UsageError
from forecast.factory import load_forecaster, read_future, read_panel
from forecast.neural.attention import attention_weights
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.registry import NEURAL
from forecast.reporting.attention import write_attention
from forecast.reporting.wording import percent
from pipelines.child import BUNDLE
from pipelines.train import FOLDER

PAGE, TABLE = "attention.html", "attention.parquet"
ROWS_SHOWN = 8


@final
@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What was found of one series. weights: see `attention_weights`. page, table: where both were written."""

    unique_id: str
    weights: pd.DataFrame
    page: Path
    table: Path


def attention(config: Config, unique_id: str | None = None, bundle: Path | None = None) -> Shown:
    """Writes the weights of a series into the output folder, as a page and as a table.

    Args:
        config: Of the training.
        unique_id: The series; None for the first of the panel.
        bundle: Folder of the model; None for the one in the output folder.

    Raises:
        UsageError: a series that is not in the panel.
        ModelNotFound: no trained model there.
        ModelError: a model without attention.
    """
    forecaster, loaded = load_forecaster(bundle or config.output / FOLDER / BUNDLE)
    if loaded.recipe["kind"] not in NEURAL:
        raise ModelError(f"{forecaster.name} has no attention to show: it is no network; train `seq2seq_attention`")
    panel, future = read_panel(config.data), read_future(config.data)
    name = str(panel.ids[0]) if unique_id is None else unique_id
    if name not in set(panel.ids):
        examples = [str(i) for i in panel.ids[:5]]
        raise UsageError(f"no series {name!r} in the panel of {len(panel)} series, among them {examples}; ask for one of them")
    own = panel.take(np.flatnonzero(panel.ids == name))
    weights = attention_weights(cast(NeuralForecaster, forecaster), own, future)
    page = write_attention(config.output / PAGE, weights, own, forecaster.predict(own, future), name)
    weights.to_parquet(config.output / TABLE, index=False)
    return Shown(name, weights, page, config.output / TABLE)


def rows(shown: Shown) -> list[tuple[str, str]]:
    """Returns the distances with the largest weights, as a mean over the steps of the horizon."""
    weights = shown.weights
    mean = weights["weight"].groupby(weights["step"] + weights["lag"]).mean()
    return [(str(distance), percent(weight, 1)) for distance, weight in mean.nlargest(ROWS_SHOWN).items()]
