"""The autoregressive network: trained one step ahead at every origin, forecasting by sample paths.

It wraps a direct network whose horizon is 1; what a step reads and how it is scaled is the direct network's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import final

import torch
from torch import Tensor
from torch.nn.functional import pad

from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.interfaces import Batch, EncoderState, HeadInput, Prediction
from forecast.networks.network import Network
from forecast.networks.rollout import SampledRollout, noise
from forecast.networks.state import NetworkState

PATHS_AT_ONCE = 25_600  # paths that are held at a time, whatever is asked for


@final
class AutoregressiveNetwork(ForecastingNetwork):
    """Forecasts of H steps out of a network that knows one (Salinas et al. 2020, "DeepAR").

    Mean and quantiles are those of S sample paths. Past covariates count as missing along the paths.

    Args:
        one_step: Horizon 1; its head can draw.
        horizon: H.
        levels: Ascending, between 0 and 1.
        samples: S.
    """

    ranks: Tensor
    probabilities: Tensor

    def __init__(self, one_step: Network, *, horizon: int, levels: tuple[float, ...], samples: int) -> None:
        super().__init__()
        self.one_step, self.horizon, self.lead, self.calendar = one_step, horizon, one_step.lead, one_step.calendar
        self.carries = one_step.carries
        # The quantile of S equally likely paths is the smallest that enough of them do not exceed: a count stays a count.
        ranks = [min(max(math.ceil(level * samples - 1e-9) - 1, 0), samples - 1) for level in levels]
        self.register_buffer("ranks", torch.tensor(ranks), persistent=False)
        self.register_buffer("probabilities", noise(samples, horizon), persistent=False)

    def initial_state(self, batch: int) -> NetworkState:
        """Returns the state of series of which nothing was read yet."""
        return self.one_step.initial_state(batch)

    def state_inside(self, before: Tensor, counts: Tensor) -> NetworkState:
        """Returns the state of series that begin to be read after their lead; see `ForecastingNetwork.state_inside`."""
        return self.one_step.state_inside(before, counts)

    def prepare(self, values: Tensor, covariate_loc: Tensor, covariate_scale: Tensor) -> None:
        """Shows the one-step network the data; see `ForecastingNetwork.prepare`."""
        self.one_step.prepare(values, covariate_loc, covariate_scale)

    def loss_onwards(self, batch: Batch, before: NetworkState | None) -> tuple[Tensor, NetworkState]:
        """Returns the mean one-step loss: of every step of the segment, or of the H steps after the only origin of each row.

        The state is the one after the last step that was read.
        """
        alone = batch.origins.shape[1] == 1
        steps = batch.steps + (self.horizon - 1 if alone else 0)
        ahead = torch.arange(self.horizon if alone else steps, device=batch.y.device)
        return self.one_step.loss_onwards(
            batch._replace(
                steps=steps, y=batch.y[:, : self.lead + steps + 1], known=batch.known[:, : steps + 1],
                past=pad(batch.past, (0, 0, 0, steps - batch.steps), value=torch.nan),
                origins=batch.origins + ahead if alone else ahead.expand(len(batch.y), -1),
            ),
            before,
        )  # fmt: skip

    def predict(self, batch: Batch, encoder_state: EncoderState | None) -> tuple[Prediction, NetworkState]:
        """Returns mean and quantiles of the paths from the wanted origins, 0 elsewhere; see `ForecastingNetwork.predict`."""
        mean = batch.y.new_zeros(*batch.origins.shape, self.horizon)
        quantiles = batch.y.new_zeros(*batch.origins.shape, self.horizon, len(self.ranks))
        given, after = self._first_steps(batch, encoder_state)
        for row, column, paths in self._paths(batch, encoder_state, given):
            mean[row, column] = paths.mean(dim=1)
            quantiles[row, column] = paths.sort(dim=1).values[:, self.ranks].transpose(1, 2)
        return Prediction(mean, quantiles), after

    def sample_paths(self, batch: Batch, encoder_state: EncoderState | None) -> tuple[Tensor, NetworkState]:
        """Returns joint paths from the wanted origins, NaN elsewhere, [B, O, S, H] in data units, and the state; see `predict`."""
        out = batch.y.new_full((*batch.origins.shape, *self.probabilities.shape), torch.nan)
        given, after = self._first_steps(batch, encoder_state)
        for row, column, paths in self._paths(batch, encoder_state, given):
            out[row, column] = paths
        return out, after

    def _first_steps(self, batch: Batch, encoder_state: EncoderState | None) -> tuple[HeadInput, NetworkState]:
        """What the head reads at every origin for its first step, and the state after each row's last real step."""
        return self.one_step.distribution(batch._replace(known=batch.known[:, : batch.steps + 1]), encoder_state)

    def _paths(self, batch: Batch, encoder_state: EncoderState | None, given: HeadInput) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yields rows [n], columns [n] and paths [n, S, H] of the wanted origins, the first of each row first.

        The state of an origin is reached from that of the row's origin before, so the history is read once whatever O is.
        """
        wanted = torch.ones_like(batch.origins, dtype=torch.bool) if batch.wanted is None else batch.wanted
        order = torch.where(wanted, batch.origins, batch.steps).argsort(dim=1, stable=True)
        start = self.one_step.encoder.initial_state(len(order)) if encoder_state is None else encoder_state
        state, here = NetworkState(start, batch.y[:, : self.lead], batch.statistics), order.new_full((len(order),), -1)
        at_once = max(PATHS_AT_ONCE // len(self.probabilities), 1)
        for column in order.T:
            asked = wanted.gather(1, column[:, None])[:, 0]
            origin = torch.where(asked, batch.origins.gather(1, column[:, None])[:, 0], here)
            if not asked.any():
                return
            state, here = self._advance(batch, state, here, origin), origin
            for rows in asked.nonzero()[:, 0].split(at_once):
                yield rows, column[rows], self._rolled(batch, state, given, rows, column, origin)

    def _advance(self, batch: Batch, state: NetworkState, here: Tensor, there: Tensor) -> NetworkState:
        """The state after step `there` of each row, from the one after step `here`; -1 is before the first."""
        lengths = there - here
        steps = int(lengths.max())
        if steps == 0:
            return state
        begin, every = here[:, None] + 1, torch.arange(steps + 1, device=here.device)
        place = begin + self.lead + every[:-1]
        fresh = batch.y.gather(1, place.clamp(max=batch.y.shape[1] - 1))
        y = torch.cat([state.ring, torch.where(every[:-1] < lengths[:, None], fresh, torch.nan)], dim=1)
        row, origins = torch.arange(len(here), device=here.device)[:, None], torch.zeros_like(begin)
        known = batch.known[row, (begin + every).clamp(max=batch.known.shape[1] - 1)]
        past = batch.past[row, (begin + every[:-1]).clamp(max=batch.steps - 1)]
        part = Batch(steps, y, known, past, batch.static, origins, lengths, state.statistics, batch.unit)
        _, after = self.one_step.distribution(part, state.encoder)
        return after

    def _rolled(self, batch: Batch, state: NetworkState, given: HeadInput, rows: Tensor, column: Tensor, origin: Tensor) -> Tensor:
        """The paths of some rows [n, S, H]; the batch is filled up to a power of two, so that few sizes occur."""
        filled = torch.cat([rows, rows[:1].expand((1 << (len(rows) - 1).bit_length()) - len(rows))])
        first = HeadInput(*(t[filled, column[filled]][:, None] for t in given))
        picked = NetworkState(tuple(t[filled] for t in state.encoder), state.ring[filled], state.statistics[filled])
        ahead = torch.arange(1, self.horizon + 1, device=origin.device)
        known = batch.known[filled[:, None], origin[filled][:, None] + ahead]
        rollout = SampledRollout(self.one_step, self.probabilities)
        return rollout.rollout(first, picked, known, batch.static[filled])[: len(rows)]
