"""Sample paths of a network that looks one step ahead: what is drawn is read as if it had been observed.

All paths of all rows are one batch; the loop runs over the steps of the horizon alone.
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from forecast.networks.interfaces import Batch, HeadInput, Rollout
from forecast.networks.network import Network
from forecast.networks.state import NetworkState

_SEED = 20_200_701


def noise(samples: int, horizon: int) -> Tensor:
    """Returns the cumulative probabilities of which all paths are drawn: the same for every series, origin and model.

    At every step the S paths stand in the middle of S equal shares of probability, in another random order (Latin hypercube:
    McKay, Beckman & Conover 1979, Technometrics 21(2)). So a forecast depends neither on chance nor on the companions of a series,
    and a few paths give smooth quantiles. Shape [S, H], float64.
    """
    generator = torch.Generator().manual_seed(_SEED)
    order = torch.stack([torch.randperm(samples, generator=generator) for _ in range(horizon)], dim=1)
    return (order + 0.5) / samples


@final
class SampledRollout(Rollout):
    """Ancestral sampling (Salinas et al. 2020, section 3.1): step h + 1 is drawn given the drawn steps up to h.

    Args:
        network: Its horizon is 1 and its head can draw.
        probabilities: See `noise`. Shape [S, H].
    """

    def __init__(self, network: Network, probabilities: Tensor) -> None:
        self.network, self.probabilities = network, probabilities

    def rollout(self, first: HeadInput, state: NetworkState, known: Tensor, static: Tensor) -> Tensor:
        """Returns the paths; see `Rollout.rollout`. Path s of every row is drawn of row s of the probabilities."""
        samples, horizon = self.probabilities.shape
        given = HeadInput(*(t.repeat_interleave(samples, 0) for t in first))
        *encoder, ring, statistics = (t.repeat_interleave(samples, 0) for t in (*state.encoder, state.ring, state.statistics))
        state = NetworkState(tuple(encoder), ring, statistics)
        rows, future, constant = len(ring), known.repeat_interleave(samples, 0), static.repeat_interleave(samples, 0)
        each = self.probabilities.repeat(len(known), 1)[:, None]  # [rows, 1, H]
        past = static.new_full((rows, 1, len(self.network.columns.past)), torch.nan)
        origin, unit = torch.zeros(rows, 1, dtype=torch.long, device=ring.device), ring.new_ones(rows)
        paths = [self.network.head.draw(given, each[..., :1])[:, 0]]
        for step in range(1, horizon):
            y = torch.cat([state.ring, paths[-1]], dim=1)
            batch = Batch(1, y, future[:, step - 1 : step + 1], past, constant, origin, None, state.statistics, unit)
            given, state = self.network.distribution(batch, state.encoder)
            paths.append(self.network.head.draw(given, each[..., step : step + 1])[:, 0])
        joint: Tensor = torch.cat(paths, dim=1).unflatten(0, (-1, samples))
        return joint
