"""What is refused before a state is used, each with a type of its own and the ids of the series concerned."""

from __future__ import annotations

from typing import cast

import numpy as np

from forecast.core.arrays import BoolArray, TextArray
from forecast.core.errors import RowsBeforeState, StateOfAnotherGrid, StateOfAnotherModel, StateTooOld
from forecast.core.forecaster import Forecaster, require
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.core.panel_schema import panel_schema
from forecast.neural.forecaster import NeuralForecaster
from forecast.neural.state_value import CarriedState, model_version


def carrying(forecaster: Forecaster) -> NeuralForecaster:
    """Returns the forecaster as one that can be fed what is new.

    Raises:
        ModelError: not fitted, or it reads whole histories each time.
    """
    require(forecaster.carries_state, f"{forecaster.name} reads whole histories each time and carries no state; use predict")
    network = cast(NeuralForecaster, forecaster)
    require(network.network.carries, f"the {network.settings.encoder} encoder reads its whole window; use predict")
    return network


def check_fit(forecaster: NeuralForecaster, state: CarriedState, rows: Panel, known_future: KnownFuture | None) -> Panel:
    """Returns the rows as the forecaster reads them, after comparing model, grid and covariates of a state, of rows and of it.

    Raises:
        StateOfAnotherModel, StateOfAnotherGrid: they differ.
        ModelError: known covariates of the horizon are needed.
    """
    found = model_version(forecaster)
    if found != state.model:
        raise StateOfAnotherModel(
            f"the state was made by the model {state.model[:12]} and given to {found[:12]}",
            _texts(state.ids),
            "start the series again",
        )
    mine, theirs = panel_schema(state.recent), panel_schema(rows)
    if mine != theirs:
        raise StateOfAnotherGrid(
            f"the state has read {mine} and the rows are {theirs}", _texts(state.ids), "give rows of the same frequency and columns"
        )
    names = list(rows.roles.known)
    require(not names or known_future is not None, f"{forecaster.name} needs the known covariates {names} of the horizon")
    return forecaster.check(rows)


def check_rows(state: CarriedState, rows: Panel, max_age: int | None) -> None:
    """Compares where the state's series end with where their rows lie.

    Raises:
        RowsBeforeState, StateTooOld: rows from before the snapshot; more than `max_age` steps since the state's end.
    """
    early = rows.starts <= state.snapshot.ends
    if early.any():
        raise RowsBeforeState(
            f"rows reach back to before the snapshot, {int((state.ends - state.snapshot.ends)[early].min())} steps or more before the state's end",
            _texts(state.ids, early), "start these series again from their histories",
        )  # fmt: skip
    old = too_old(state, rows, max_age)
    if old.any():
        age = int((rows.ends - state.ends).max())
        raise StateTooOld(
            f"the state ends {age} steps before the rows do, {max_age} are allowed",
            _texts(state.ids, old),
            "start these series again",
        )


def too_old(state: CarriedState, rows: Panel, max_age: int | None) -> BoolArray:
    """Returns which series of the state end more than `max_age` steps before their rows do; None: any age is allowed. Shape [N]."""
    return np.zeros(len(state), dtype=bool) if max_age is None else np.asarray(rows.ends - state.ends > max_age)


def _texts(ids: TextArray, mask: BoolArray | None = None) -> list[str]:
    return [str(unique_id) for unique_id in (ids if mask is None else ids[mask])]
