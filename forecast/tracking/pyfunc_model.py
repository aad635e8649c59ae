"""A bundle as an MLflow model: what `mlflow models predict` and `mlflow.pyfunc.load_model` call.

The input is a long frame: unique_id, ds, y and the covariates of the model. Where the model has known covariates, the rows of a series
after its last observation are its future. No schema of MLflow's stands before it, so that it can convert what people send: ids and
targets as whole numbers, stamps as text or with a time zone (taken as local time). It must not read files or know the registry.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd

from forecast.core.errors import DataError, InputMissing
from forecast.core.forecaster import Forecaster
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.storage.bundle import LoadedBundle


@final
class LongFrameModel:
    """Forecasts the series of a long frame.

    Args:
        forecaster: Fitted.
        bundle: Where it comes from; says frequency and covariates.
    """

    def __init__(self, forecaster: Forecaster, bundle: LoadedBundle) -> None:
        self._forecaster = forecaster
        self._bundle = bundle

    def predict(self, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Returns one row per series and step: the table of a ForecastFrame.

        Args:
            model_input: Long frame, rows in any order.
            params: MLflow passes it; there are no parameters.

        Raises:
            DataError: no table, a missing column, stamps that are none or off the grid, values that are no numbers.
        """
        if not isinstance(model_input, pd.DataFrame):
            raise DataError(
                f"the input is {type(model_input).__name__}, a table is needed: send dataframe_split, dataframe_records or CSV"
            )
        frame = self._converted(model_input)
        frequency, roles = self._bundle.frequency, self._bundle.roles
        static = frame.drop_duplicates("unique_id")[["unique_id", *roles.static]] if roles.static else None
        if not roles.known:
            return self._forecaster.predict(Panel.from_frame(frame, frequency, roles, static)).to_frame()
        future = _after_last_observation(frame)
        history = Panel.from_frame(frame[~future], frequency, roles, static)
        return self._forecaster.predict(
            history, KnownFuture.from_frame(frame[future], frequency, roles.known, roles.categorical)
        ).to_frame()

    def _converted(self, sent: pd.DataFrame) -> pd.DataFrame:
        roles = self._bundle.roles
        needed = ("unique_id", "ds", "y", *roles.known, *roles.past, *roles.static)
        missing = [name for name in needed if name not in sent.columns]
        if missing:
            raise InputMissing(
                f"the input has no column {missing}; it has {[str(c) for c in sent.columns]}: one row per unique_id and ds"
            )
        frame = sent[list(needed)].reset_index(drop=True)
        frame["unique_id"] = frame["unique_id"].map(str, na_action="ignore").astype(object)
        frame["ds"] = _whole(frame["ds"]) if self._bundle.frequency.is_integer else _stamps(frame["ds"])
        if frame["y"].isna().all():
            frame["y"] = np.nan  # a column of nulls comes as objects
        return frame


def _stamps(column: pd.Series) -> pd.Series:
    """The column as time stamps of the local calendar."""
    if pd.api.types.is_numeric_dtype(column):
        raise DataError(
            f"'ds' holds numbers ({column.iloc[0] if len(column) else 'none'}), the model's frequency needs dates: send them as text"
        )
    if pd.api.types.is_datetime64_any_dtype(column):
        return pd.Series(pd.DatetimeIndex(column).tz_localize(None), index=column.index).astype("datetime64[ns]")
    try:
        local = [_local(value) for value in column]  # one by one: zones may differ from row to row
    except (ValueError, TypeError) as error:
        raise DataError(f"'ds' holds what is no time stamp: {error}; send dates as YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS") from error
    return pd.Series(np.array(local, dtype="datetime64[ns]"), index=column.index)


def _local(value: Any) -> np.datetime64:
    return np.datetime64("NaT") if pd.isna(value) else pd.Timestamp(value).replace(tzinfo=None).to_datetime64()


def _whole(column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.isna().any():
        raise DataError(f"'ds' holds {column[numbers.isna()].iloc[0]!r}, the model counts time in whole numbers: send integers")
    return numbers


def _after_last_observation(frame: pd.DataFrame) -> pd.Series:
    """True in the rows of a series that are later than its last y."""
    last = frame["ds"].where(frame["y"].notna()).groupby(frame["unique_id"]).transform("max")
    return frame["ds"] > last


def _load_pyfunc(path: str) -> LongFrameModel:
    """Returns the model of a bundle; MLflow calls it by this name.

    Raises:
        ModelError: a damaged bundle.
    """
    from forecast.factory import load_forecaster

    return LongFrameModel(*load_forecaster(Path(path)))
