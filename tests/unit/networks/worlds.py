"""Small random networks and batches for the laws of networks: no training, no data."""

from __future__ import annotations

import torch
from torch import Tensor

from forecast.networks.build import build_network
from forecast.networks.covariates import AMOUNT, Columns
from forecast.networks.interfaces import Batch, Prediction
from forecast.networks.network import Network
from forecast.networks.parts import HeadName
from forecast.networks.settings import EncoderName, NetworkSettings
from forecast.networks.state import NetworkState

HORIZON = 6
LEVELS = (0.1, 0.5, 0.9)
SEASONS = (4, 12)
COLUMNS = Columns((AMOUNT, AMOUNT), (AMOUNT,), (AMOUNT,))
WIDTHS = COLUMNS.widths()


def random_network(encoder: EncoderName, head: HeadName = "quantile", columns: Columns = COLUMNS) -> Network:
    """Returns a network in evaluation mode whose every weight is random: an untrained one would ignore its encoder."""
    torch.manual_seed(3)
    settings = NetworkSettings(encoder=encoder, head=head, lags=12, hidden_size=16, layers=3, dropout=0.2)
    network = build_network(settings, horizon=HORIZON, levels=LEVELS, season_lengths=SEASONS, columns=columns)
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(torch.randn_like(weight) * 0.15)
    return network.eval()


def random_y(rows: int, steps: int, seed: int = 0) -> Tensor:
    """Returns ragged, gapped, restated-looking series: a walk with a season, values missing at random and at the start. [B, T]."""
    generator = torch.Generator().manual_seed(seed)
    walk = torch.randn(rows, steps, generator=generator, dtype=torch.float64).cumsum(1)
    y = 50 + 3 * walk + 5 * torch.sin(torch.arange(steps) * torch.pi / 2)
    y[torch.rand(rows, steps, generator=generator) < 0.1] = torch.nan
    for row in range(rows):
        y[row, : row % 5] = torch.nan
    return y


class Reader:
    """Feeds rows of y and covariates to a network, from any step to any other, with the carried state."""

    def __init__(self, network: Network, y: Tensor, seed: int = 1) -> None:
        generator = torch.Generator().manual_seed(seed)
        rows, steps = y.shape
        self.network, self.y = network, y
        self.known = torch.randn(rows, steps + HORIZON, len(network.columns.known), generator=generator)
        self.past = torch.randn(rows, steps, len(network.columns.past), generator=generator)
        self.static = torch.randn(rows, len(network.columns.static), generator=generator)

    def read(
        self, state: NetworkState, first: int, last: int, origins: Tensor, lengths: Tensor | None = None
    ) -> tuple[Prediction, NetworkState]:
        """Feeds the steps first...last-1."""
        batch = self.batch(first, last, origins, lengths)._replace(statistics=state.statistics)
        return self.network.predict(batch._replace(y=torch.cat([state.ring, self.y[:, first:last]], dim=1)), state.encoder)

    def every(self, first: int, last: int) -> Tensor:
        """All steps as origins."""
        return torch.arange(last - first).expand(len(self.y), -1)

    def batch(self, first: int, last: int, origins: Tensor, lengths: Tensor | None = None) -> Batch:
        """The batch of some steps without lead."""
        known = self.known[:, first : last + HORIZON]
        zero = torch.zeros(len(self.y), 2, dtype=torch.float64)
        y = self.y[:, first:last]
        return Batch(last - first, y, known, self.past[:, first:last], self.static, origins, lengths, zero, torch.ones(len(self.y)))

    def whole(self) -> tuple[Prediction, NetworkState]:
        """One pass over everything with every step as origin."""
        steps = self.y.shape[1]
        return self.read(self.network.initial_state(len(self.y)), 0, steps, self.every(0, steps))


def batch_of(network: Network, y: Tensor, steps: int) -> Batch:
    """Returns whole series without covariates to learn from: every step is an origin, H targets follow the last."""
    rows = len(y)
    lead = torch.full((rows, network.lead), torch.nan, dtype=torch.float64)
    empty = (torch.zeros(rows, steps + network.horizon, 0), torch.zeros(rows, steps, 0), torch.zeros(rows, 0))
    origins = torch.arange(steps).expand(rows, -1)
    zero = torch.zeros(rows, 2, dtype=torch.float64)
    return Batch(steps, torch.cat([lead, y], dim=1), *empty, origins, None, zero, torch.ones(rows))


def calibration(network: Network, y: Tensor) -> float:
    """Returns the mean distance between a level and the share of values below its quantile, for the last 26 origins.

    Of a value that equals the quantile the middle of what lies between below and not above counts, as counts are often equal.
    """
    horizon = network.horizon
    steps = y.shape[1] - horizon
    prediction, _ = network.predict(batch_of(network, y, steps), None)
    targets = y[:, 1:].unfold(1, horizon, 1)[:, :steps]
    levels = torch.tensor((0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95))
    quantiles, late = prediction.quantiles[:, -26:], targets[:, -26:, :, None]
    below = (late < quantiles).double().mean(dim=(0, 1, 2))
    not_above = (late <= quantiles).double().mean(dim=(0, 1, 2))
    return float((levels - torch.minimum(torch.maximum(levels, below), not_above)).abs().mean())
