"""NeuralForecaster: a causal network behind the Forecaster contract.

It holds a network and how it was made, no data. Reading histories is in `inference`, learning in `training`, state in `carried_state`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import final

import numpy as np
import torch

from forecast.core.arrays import FloatArray, IntArray
from forecast.core.categories import recoded_future
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.forecaster import DEFAULT_LEVELS, Forecaster, MetricSink, Recipe, Weights, require
from forecast.core.holdout import hold_out
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.networks.build import build_model
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.settings import NetworkSettings
from forecast.neural.burn_in import measured_burn_in
from forecast.neural.device import device_here
from forecast.neural.inference import Block, in_order, read_panel, stream_panel
from forecast.neural.panel_facts import KEYS, PanelFacts
from forecast.neural.training import Trained, train
from forecast.neural.training_settings import TrainingSettings

_BURN_IN = "burn_in"


@final
class NeuralForecaster(Forecaster):
    """A recurrent network trained on every origin of every series; one pass over a series gives the forecasts of all origins.

    Args:
        horizon: H.
        levels: Quantile levels, ascending.
        season_lengths: In steps, shortest first.
        network: Parts and sizes.
        training: How it is trained.
        name: Shown in tables; the encoder's name by default.
        sink: Where training reports its curve.
        checkpoints: Folder from which an interrupted `fit` goes on.
    """

    carries_state = True

    def __init__(
        self, *, horizon: int, levels: tuple[float, ...] = DEFAULT_LEVELS, season_lengths: tuple[int, ...] = (),
        network: NetworkSettings | None = None, training: TrainingSettings | None = None, name: str | None = None,
        sink: MetricSink | None = None, checkpoints: Path | None = None,
    ) -> None:  # fmt: skip
        self.settings, self.training = network or NetworkSettings(), training or TrainingSettings()
        self.name, self.horizon, self.levels = name or self.settings.encoder, horizon, tuple(map(float, levels))
        self.season_lengths, self.sink, self.checkpoints = tuple(season_lengths), sink, checkpoints
        self.steps_taken = 0
        self._network: ForecastingNetwork | None = None
        self.facts = PanelFacts("")

    @property
    def schema(self) -> str:
        """What a panel must be like, see `panel_schema`; empty before `fit`."""
        return self.facts.schema

    @property
    def network(self) -> ForecastingNetwork:
        """The trained network.

        Raises:
            ModelError: not fitted.
        """
        require(self._network is not None, f"{self.name} is not fitted; call fit or restore first")
        assert self._network is not None  # for the type checker
        return self._network

    def fit(self, panel: Panel) -> None:
        """Trains a new network; the end of each series chooses the number of steps. See `Forecaster.fit`."""
        self._fit(panel)

    def fit_and_validate(self, panel: Panel) -> ForecastFrame | None:
        """Does what `fit` does and returns forecasts of the rows that were held back, made by a network that had not seen them.

        They are those from the cutoffs of `hold_out(panel, horizon)`; None where the panel is too short to hold anything back or the
        number of steps is not chosen.
        """
        validated = self._fit(panel).validated
        if validated is None:
            return None
        final = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(validated)
        read = read_panel(self.network, panel, hold_out(panel, self.horizon).cutoffs - panel.starts[:, None])
        blocks = [block for some, _ in read for block in some]
        self.network.load_state_dict(final)
        return self.frame_of(panel, blocks)

    def _fit(self, panel: Panel) -> Trained:
        torch.manual_seed(self.training.seed)
        facts = PanelFacts.of(panel, self.settings.calendar)
        network = _new_network(self, facts)
        loc, scale = facts.scales(panel)
        network.prepare(torch.from_numpy(panel.y[~np.isnan(panel.y)]), torch.from_numpy(loc), torch.from_numpy(scale))
        trained = train(network, panel, self.training, self.sink, self.checkpoints, repr(sorted(self.recipe().items())))
        self._network, self.facts, self.steps_taken = network.to(device_here(self.training.device)), facts, trained.steps
        self.burn_in = measured_burn_in(self.network, panel)
        return trained

    def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
        """Returns the forecasts after the end of each series; see `Forecaster.predict`."""
        history = self.check(history)
        empty = np.add.reduceat(~np.isnan(history.y), history.offsets[:-1]) == 0 if len(history) else np.zeros(0, dtype=bool)
        names = [str(uid) for uid in history.ids[empty][:5]]
        require(not names, f"{self.name}: {int(empty.sum())} series have no observed value, among them {names}; leave them out")
        future = self.future_of(history, known_future)
        blocks = [b for some, _ in read_panel(self.network, history, history.lengths[:, None] - 1, future) for b in some]
        return self.frame_of(history, blocks)

    def backtest(self, panel: Panel, cutoffs: IntArray) -> Iterator[ForecastFrame]:
        """Yields the forecasts of all cutoffs from one pass over each series; see `Forecaster.backtest`."""
        panel = self.check(panel)
        for block in stream_panel(self.network, panel, cutoffs - panel.starts[:, None]):
            yield self.frame_of(panel, [block])

    @property
    def state_floats(self) -> Mapping[str, int]:
        """How many numbers the carried state of one series has, by part."""
        return {name: math.prod(shape) for name, shape in self.network.initial_state(1).spec().items()}

    def recipe(self) -> Recipe:
        """Returns the registry name and all settings but the budget and the device, which belong to one training."""
        flat = {**asdict(self.settings), **asdict(self.training)}
        kind, _, _ = flat.pop("encoder"), flat.pop("budget"), flat.pop("device")
        if self.settings.dilations is not None:
            flat["dilations"] = [list(block) for block in self.settings.dilations]
        return {"kind": kind, "name": self.name, "horizon": self.horizon, "levels": list(self.levels),
                "season_lengths": list(self.season_lengths), **flat}  # fmt: skip

    def weights(self) -> Weights:
        """Returns the network's tensors, what they know of the panel of training (see PanelFacts), and the burn-in."""
        arrays = {name: value.cpu().numpy().copy() for name, value in self.network.state_dict().items()}
        burn_in = np.array([] if self.burn_in is None else [self.burn_in], dtype=np.int64)
        return {**arrays, **self.facts.arrays(), _BURN_IN: burn_in}

    def restore(self, weights: Weights) -> None:
        """Takes trained weights back; see `Forecaster.restore`."""
        facts = PanelFacts.kept(weights, self.name)
        network = _new_network(self, facts)
        expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        found = {name: tuple(value.shape) for name, value in weights.items() if name not in KEYS | {_BURN_IN}}
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        require(not wrong, f"{self.name}: {len(wrong)} weights are missing, unknown or of another shape, among them {wrong[:5]}")
        network.load_state_dict({name: torch.from_numpy(np.array(weights[name])) for name in expected})
        self._network, self.facts = network.eval().to(device_here(self.training.device)), facts
        steps = weights.get(_BURN_IN, np.zeros(0))  # weights from before it was measured: read from the start
        self.burn_in = int(steps[0]) if len(steps) else None

    def check(self, panel: Panel) -> Panel:
        """Returns the panel as the network reads it: with the names of its categorical covariates in the lists of training.

        Raises:
            ModelError: not fitted, or another frequency or other covariates than in training.
        """
        require(self._network is not None, f"{self.name} is not fitted; call fit or restore first")
        return self.facts.read(panel, self.name)

    def future_of(self, history: Panel, known_future: KnownFuture | None) -> FloatArray | None:
        """Returns the known covariates of the H steps after each series' end; None for a panel without them. Shape [N, H, K]."""
        if not history.roles.known:
            return None
        require(known_future is not None, f"{self.name} needs the known covariates {list(history.roles.known)} of the horizon")
        assert known_future is not None  # for the type checker
        future = recoded_future(known_future, {n: v for n, v in self.facts.vocabulary.items() if n in known_future.names})
        return future.window(history.ids, history.ends + 1, self.horizon)

    def frame_of(self, panel: Panel, blocks: list[Block]) -> ForecastFrame:
        """Returns what was read of a panel as a frame, ordered by series and cutoff."""
        series, origins, mean, quantiles = in_order(blocks)
        return ForecastFrame.build(
            panel.frequency, self.name, self.levels, panel.ids[series], panel.starts[series] + origins, mean, quantiles
        )


def _new_network(forecaster: NeuralForecaster, facts: PanelFacts) -> ForecastingNetwork:
    """An untrained network for panels like the one that the facts are of."""
    return build_model(
        forecaster.settings, horizon=forecaster.horizon, levels=forecaster.levels, season_lengths=forecaster.season_lengths,
        columns=facts.columns(), calendar=facts.calendar,
    )  # fmt: skip
