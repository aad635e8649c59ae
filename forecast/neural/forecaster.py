"""NeuralForecaster: a causal network behind the Forecaster contract.

It holds a network and how it was made, no data. Reading histories is in `inference`, learning in `training`, state in `carried_state`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import final

import numpy as np
import torch

from forecast.core.arrays import FloatArray, IntArray
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.forecaster import DEFAULT_LEVELS, Forecaster, MetricSink, Recipe, Weights, require
from forecast.core.known_future import KnownFuture
from forecast.core.panel import Panel
from forecast.core.panel_schema import panel_schema, roles_in
from forecast.networks.build import NetworkSettings, build_network
from forecast.networks.network import Network, Widths
from forecast.neural.inference import Block, read_panel
from forecast.neural.training import TrainingSettings, train

_SCHEMA = "schema"


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

    def __init__(
        self, *, horizon: int, levels: tuple[float, ...] = DEFAULT_LEVELS, season_lengths: tuple[int, ...] = (),
        network: NetworkSettings | None = None, training: TrainingSettings | None = None, name: str | None = None,
        sink: MetricSink | None = None, checkpoints: Path | None = None,
    ) -> None:  # fmt: skip
        self.settings, self.training = network or NetworkSettings(), training or TrainingSettings()
        self.name, self.horizon, self.levels = name or self.settings.encoder, horizon, tuple(levels)
        self.season_lengths, self.sink, self.checkpoints = tuple(season_lengths), sink, checkpoints
        self.steps_taken = 0
        self._network: Network | None = None
        self._schema = ""

    @property
    def network(self) -> Network:
        """The trained network.

        Raises:
            ModelError: not fitted.
        """
        require(self._network is not None, f"{self.name} is not fitted; call fit or restore first")
        assert self._network is not None  # for the type checker
        return self._network

    def fit(self, panel: Panel) -> None:
        """Trains a new network; the last H targets of each series choose the number of steps. See `Forecaster.fit`."""
        torch.manual_seed(self.training.seed)
        schema = panel_schema(panel)
        network = self._new_network(schema)
        loc, scale = covariate_scales(panel)
        network.covariate_loc.copy_(torch.from_numpy(loc))
        network.covariate_scale.copy_(torch.from_numpy(scale))
        self.steps_taken = train(network, panel, self.training, self.sink, self.checkpoints, repr(sorted(self.recipe().items())))
        self._network, self._schema = network, schema

    def predict(self, history: Panel, known_future: KnownFuture | None = None) -> ForecastFrame:
        """Returns the forecasts after the end of each series; see `Forecaster.predict`."""
        self.check(history)
        empty = np.add.reduceat(~np.isnan(history.y), history.offsets[:-1]) == 0 if len(history) else np.zeros(0, dtype=bool)
        names = [str(uid) for uid in history.ids[empty][:5]]
        require(not names, f"{self.name}: {int(empty.sum())} series have no observed value, among them {names}; leave them out")
        future = self.future_of(history, known_future)
        blocks = [b for some, _ in read_panel(self.network, history, history.lengths[:, None] - 1, future) for b in some]
        return self.frame_of(history, blocks)

    def backtest(self, panel: Panel, cutoffs: IntArray) -> Iterator[ForecastFrame]:
        """Yields the forecasts of all cutoffs from one pass over each series; see `Forecaster.backtest`."""
        self.check(panel)
        for blocks, _ in read_panel(self.network, panel, cutoffs - panel.starts[:, None]):
            if blocks:
                yield self.frame_of(panel, blocks)

    def recipe(self) -> Recipe:
        """Returns the registry name and all settings but the budget, which belongs to one training."""
        flat = {**asdict(self.settings), **asdict(self.training)}
        kind, _ = flat.pop("encoder"), flat.pop("budget")
        if self.settings.dilations is not None:
            flat["dilations"] = [list(block) for block in self.settings.dilations]
        return {"kind": kind, "name": self.name, "horizon": self.horizon, "levels": list(self.levels),
                "season_lengths": list(self.season_lengths), **flat}  # fmt: skip

    def weights(self) -> Weights:
        """Returns the network's tensors and the schema of the panels that they belong to (JSON as bytes)."""
        arrays = {name: value.numpy().copy() for name, value in self.network.state_dict().items()}
        return {**arrays, _SCHEMA: np.frombuffer(self._schema.encode(), dtype=np.uint8).copy()}

    def restore(self, weights: Weights) -> None:
        """Takes trained weights back; see `Forecaster.restore`."""
        require(_SCHEMA in weights, f"{self.name}: the weights do not say which frequency and covariates they were trained with")
        schema = np.asarray(weights[_SCHEMA], dtype=np.uint8).tobytes().decode()
        network = self._new_network(schema)
        expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        found = {name: tuple(value.shape) for name, value in weights.items() if name != _SCHEMA}
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        require(not wrong, f"{self.name}: {len(wrong)} weights are missing, unknown or of another shape, among them {wrong[:5]}")
        network.load_state_dict({name: torch.from_numpy(np.array(weights[name])) for name in expected})
        self._network, self._schema = network.eval(), schema

    def _new_network(self, schema: str) -> Network:
        roles = roles_in(schema)
        widths = Widths(len(roles.known), len(roles.past), len(roles.static))
        return build_network(
            self.settings, horizon=self.horizon, levels=self.levels, season_lengths=self.season_lengths, widths=widths
        )

    def check(self, panel: Panel) -> None:
        """Raises ModelError unless the panel has the frequency and the covariates of training."""
        require(self._network is not None, f"{self.name} is not fitted; call fit or restore first")
        found = panel_schema(panel)
        require(found == self._schema, f"{self.name} was trained on {self._schema}, the panel has {found}: give the same columns")

    def future_of(self, history: Panel, known_future: KnownFuture | None) -> FloatArray | None:
        """Returns the known covariates of the H steps after each series' end; None for a panel without them. Shape [N, H, K]."""
        if not history.roles.known:
            return None
        require(known_future is not None, f"{self.name} needs the known covariates {list(history.roles.known)} of the horizon")
        assert known_future is not None  # for the type checker
        return known_future.window(history.ids, history.ends + 1, self.horizon)

    def frame_of(self, panel: Panel, blocks: list[Block]) -> ForecastFrame:
        """Returns what was read of a panel as a frame, ordered by series and cutoff."""
        series, origins = (np.concatenate(parts) for parts in zip(*((b.series, b.origins) for b in blocks), strict=True))
        order = np.lexsort((origins, series))
        mean, quantiles = (np.concatenate(parts)[order] for parts in zip(*((b.mean, b.quantiles) for b in blocks), strict=True))
        series, origins = series[order], origins[order]
        return ForecastFrame.build(
            panel.frequency, self.name, self.levels, panel.ids[series], panel.starts[series] + origins, mean, quantiles
        )


def covariate_scales(panel: Panel) -> tuple[FloatArray, FloatArray]:
    """Returns mean and standard deviation of every covariate, known, past and static; 1 where it is constant. Shape [K + P + S]."""
    loc, scale = [], []
    for values in (panel.known, panel.past, panel.static):
        for column in values.T:
            seen = column[~np.isnan(column)]
            loc.append(float(seen.mean()) if len(seen) else 0.0)
            deviation = float(seen.std()) if len(seen) else 0.0
            scale.append(deviation if deviation > 0 else 1.0)
    return np.array(loc), np.array(scale)
