"""Laws of the served model: a long frame in whatever types people send gives the forecasts of the forecaster itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from forecast.core.errors import DataError, InputMissing
from forecast.core.frequency import Frequency
from forecast.core.panel import Panel, Roles
from forecast.factory import build_forecaster
from forecast.storage.bundle import load_bundle, save_bundle
from forecast.tracking.pyfunc_model import LongFrameModel, _load_pyfunc
from forecast.tracking.registry import Registry
from forecast.tracking.store import Store
from forecast.tracking.tracker import Tracker
from tests.unit.storage.toy_forecaster import LastPlusBias


def long_frame() -> pd.DataFrame:
    stamps = pd.date_range("2024-01-01", periods=21, freq="D")
    frames = [pd.DataFrame({"unique_id": str(100 + i), "ds": stamps, "y": np.arange(21.0) % 7 + i}) for i in range(2)]
    return pd.concat(frames, ignore_index=True)


def save_seasonal_naive(directory: Path, frequency: str = "D") -> pd.DataFrame:
    """Saves a fitted seasonal naive; returns what it forecasts."""
    frame = long_frame()
    if frequency == "integer":
        frame["ds"] = frame.groupby("unique_id").cumcount()
    panel = Panel.from_frame(frame, Frequency.parse(frequency, (7,)))
    forecaster = build_forecaster("seasonal_naive", horizon=4, levels=(0.1, 0.5, 0.9), season_lengths=(7,))
    forecaster.fit(panel)
    save_bundle(directory, forecaster, frequency=panel.frequency, roles=panel.roles, training_cutoff="2024-01-21",
                panel_fingerprint=panel.fingerprint(), profile={})  # fmt: skip
    return forecaster.predict(panel).to_frame()


SENT: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "as it is": lambda f: f,
    "whole numbers as y": lambda f: f.assign(y=f["y"].astype(int)),
    "whole numbers as ids": lambda f: f.assign(unique_id=f["unique_id"].astype(int)),
    "text stamps": lambda f: f.assign(ds=f["ds"].dt.strftime("%Y-%m-%d")),
    "stamps with a zone": lambda f: f.assign(ds=f["ds"].dt.tz_localize("Europe/Rome")),
    "text stamps with changing zones": lambda f: f.assign(ds=[f"{d:%Y-%m-%dT00:00:00}+0{i % 3}:00" for i, d in enumerate(f["ds"])]),
    "dates": lambda f: f.assign(ds=f["ds"].dt.date),
    "microseconds": lambda f: f.assign(ds=f["ds"].astype("datetime64[us]")),
    "another order and more columns": lambda f: f.iloc[::-1].assign(note="x")[["note", "y", "ds", "unique_id"]],
    "text numbers": lambda f: f.assign(y=f["y"].astype(str)),
}


@pytest.mark.parametrize("how", SENT)
def test_what_people_send_gives_the_forecasts_of_the_forecaster(tmp_path: Path, how: str) -> None:
    expected = save_seasonal_naive(tmp_path / "b")
    pd.testing.assert_frame_equal(_load_pyfunc(str(tmp_path / "b")).predict(SENT[how](long_frame())), expected)


def test_whole_number_time_may_come_as_text(tmp_path: Path) -> None:
    expected = save_seasonal_naive(tmp_path / "b", "integer")
    sent = long_frame().assign(ds=lambda f: f.groupby("unique_id").cumcount().astype(str))
    pd.testing.assert_frame_equal(_load_pyfunc(str(tmp_path / "b")).predict(sent), expected)
    with pytest.raises(DataError, match="whole numbers: send integers"):
        _load_pyfunc(str(tmp_path / "b")).predict(sent.assign(ds="monday"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [(lambda f: f.drop(columns="y"), "no column"), (lambda f: f.assign(ds="soon"), "no time stamp"), (lambda f: f.assign(ds=5), "holds numbers"),
     (lambda f: f.assign(unique_id=None), "id"), (lambda f: f.assign(y="much"), "a number"), (lambda f: f.to_numpy(), "a table is needed")],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_a_typed_error(
    tmp_path: Path, damage: Callable[..., pd.DataFrame], message: str
) -> None:
    save_seasonal_naive(tmp_path / "b")
    with pytest.raises(DataError, match=message):
        _load_pyfunc(str(tmp_path / "b")).predict(damage(long_frame()))
    assert issubclass(InputMissing, DataError)


def test_rows_after_the_last_observation_are_the_known_future(tmp_path: Path) -> None:
    frame, roles = long_frame().assign(price=1.0), Roles(known=("price",))
    panel = Panel.from_frame(frame, Frequency.parse("D"), roles)
    forecaster = LastPlusBias()
    forecaster.fit(panel)
    save_bundle(
        tmp_path / "b", forecaster, frequency=panel.frequency, roles=roles, training_cutoff="", panel_fingerprint="", profile={}
    )
    stamps = pd.date_range("2024-01-22", periods=3, freq="D")
    future = pd.concat([pd.DataFrame({"unique_id": i, "ds": stamps, "y": np.nan, "price": [5.0, 6, 7]}) for i in ("100", "101")])
    gap = frame["ds"] == "2024-01-10"
    sent = pd.concat([frame.assign(y=frame["y"].mask(gap)), future])
    forecasts = LongFrameModel(forecaster, load_bundle(tmp_path / "b")).predict(sent)
    assert forecasts["cutoff"].unique() == [pd.Timestamp("2024-01-21")]
    assert list(np.diff(forecasts["mean"])[:2]) == [1, 1]
    with pytest.raises(DataError, match="known covariates"):
        LongFrameModel(forecaster, load_bundle(tmp_path / "b")).predict(frame)


def test_mlflow_loads_and_runs_a_registered_bundle(store: Store, tmp_path: Path) -> None:
    expected = save_seasonal_naive(tmp_path / "b")
    run = Tracker(store, "trial").start_model("seasonal_naive", parent=None, parameters={})
    registry = Registry(store)
    registry.log_bundle(run, tmp_path / "b", "sales")
    from mlflow.pyfunc import load_model

    (folder,) = (tmp_path / "mlflow" / "artifacts" / "models").glob("*/artifacts")
    loaded = load_model(str(folder))
    for how in ("stamps with a zone", "whole numbers as y", "whole numbers as ids"):  # a schema of MLflow's would refuse each
        forecasts = loaded.predict(SENT[how](long_frame()))
        assert isinstance(forecasts, pd.DataFrame)
        pd.testing.assert_frame_equal(forecasts, expected)
