"""Four toy parts of kinds that are still to come fit the interfaces as they are, inside the same Network.

A windowed attention encoder (not causal, reads the lag vectors of the origins), a normaliser with a season (loc and scale differ by target step), a sampled
rollout (joint paths), a count head (data units, exact zeros).
"""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from forecast.networks.decoders.direct import DirectDecoder
from forecast.networks.encoders.fused import FusedRecurrent
from forecast.networks.heads.quantile import QuantileHead
from forecast.networks.interfaces import (
    Batch,
    Decoder,
    Encoder,
    EncoderState,
    Encoding,
    Head,
    HeadInput,
    Normaliser,
    Prediction,
    Rollout,
    Scales,
)
from forecast.networks.lag_window import LagWindow
from forecast.networks.naive_paths import NaivePaths
from forecast.networks.network import Network
from forecast.networks.normalisers.windowed_spread import WindowedSpread
from forecast.networks.state import NetworkState
from forecast.networks.timeline import gather_steps
from tests.unit.networks.worlds import COLUMNS, HORIZON, LEVELS, WIDTHS, Reader, random_y

LAGS, HIDDEN, SEASON, STEPS = 8, 12, 4, 24


@final
class WindowedAttention(Encoder):
    """Every lag of an origin's window attends to every observed one."""

    causal = False

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.embed = nn.Linear(2, width)
        self.attention = nn.MultiheadAttention(width, 2, batch_first=True)

    def initial_state(self, batch: int) -> EncoderState:
        """Returns nothing: there is no state to carry."""
        return ()

    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        """Returns the attended window of every origin; lags without a value are masked."""
        window = LagWindow.of(inputs, LAGS)
        embedded = self.embed(torch.stack([window.values, window.seen], dim=-1)).flatten(0, 1)
        missing = (window.seen == 0).flatten(0, 1) & (window.seen > 0).any(dim=-1).flatten()[:, None]
        attended, _ = self.attention(embedded, embedded, embedded, key_padding_mask=missing, need_weights=False)
        memory = attended.unflatten(0, inputs.shape[:2])
        return Encoding(memory, ~missing.unflatten(0, inputs.shape[:2]), memory[:, :, -1]), ()


@final
class MemoryDecoder(Decoder):
    """Reads the memory as attention decoders do: one query per step of the horizon."""

    def __init__(self, summary: int, memory: int, outputs: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(HORIZON, memory))
        self.out = nn.Linear(memory + summary, outputs)

    def forward(self, encoding: Encoding, known: Tensor, origins: Tensor) -> Tensor:
        """Returns raw [B, O, H, R + P]."""
        scores = self.queries @ encoding.memory.transpose(-1, -2)
        if encoding.memory_mask is not None:
            scores = scores.masked_fill(~encoding.memory_mask[:, :, None], -torch.inf)
        read = scores.softmax(dim=-1) @ encoding.memory
        summary = encoding.summary[:, :, None].expand(-1, -1, HORIZON, -1)
        raw: Tensor = self.out(torch.cat([read, summary], dim=-1))
        return raw


@final
class SeasonalLevel(Normaliser):
    """loc of a target step = level x index of its season's phase: differs along the horizon."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = WindowedSpread(season_length=SEASON, level_window=SEASON, spread_window=8)
        self.lead = self.inner.lead
        self.indices = nn.Parameter(torch.linspace(0.8, 1.2, SEASON, dtype=torch.float64))

    def forward(self, y: Tensor, statistics: Tensor) -> tuple[Scales, Tensor]:
        """Returns the inner scales."""
        scales: Scales
        scales, after = self.inner(y, statistics)
        return scales, after

    def at(self, scales: Scales, origins: Tensor, horizon: int) -> tuple[Tensor, Tensor]:
        """Returns loc and scale [B, O, H]."""
        index = self.indices[(origins[..., None] + 1 + torch.arange(horizon)) % SEASON]
        return gather_steps(scales.loc, origins)[..., None] * index, gather_steps(scales.scale, origins)[..., None] * index


@final
class PoissonCount(Head):
    """Counts in data units, loc = 0: rate = softplus of the shifted centre times scale; quantiles may be exactly 0."""

    def __init__(self) -> None:
        super().__init__()
        self.width = 1

    def _rate(self, given: HeadInput) -> Tensor:
        return softplus(given.centre + given.loc / given.scale.clamp(min=1e-9)) * given.scale

    def loss(self, given: HeadInput, target: Tensor) -> Tensor:
        """Returns the Poisson deviance part that depends on the rate."""
        rate = self._rate(given).clamp(min=1e-6)
        return rate - target * rate.log()

    def mean(self, given: HeadInput) -> Tensor:
        """Returns the rate."""
        return self._rate(given)

    def quantiles(self, given: HeadInput) -> Tensor:
        """Returns quantiles of the Poisson distribution by summing its probabilities up to 60."""
        counts = torch.arange(60.0, dtype=torch.float64)
        rate = self._rate(given).clamp(1e-6, 40)[..., None]
        cumulative = (counts * rate.log() - rate - torch.lgamma(counts + 1)).exp().cumsum(-1)
        return torch.stack([(cumulative < level).sum(-1).to(rate.dtype) for level in LEVELS], dim=-1)


@final
class GaussianRollout(Rollout):
    """Feeds sampled values back one step at a time: joint paths."""

    def __init__(self, network: Network, samples: int) -> None:
        self.network, self.samples = network, samples

    def rollout(self, first: HeadInput, state: NetworkState, known: Tensor, static: Tensor) -> Tensor:
        """Returns paths [B, S, H]."""
        samples = self.samples
        forecast = Prediction(self.network.head.mean(first), self.network.head.quantiles(first))
        *encoder, ring, statistics = (t.repeat_interleave(samples, 0) for t in (*state.encoder, state.ring, state.statistics))
        current, future, rows = tuple(encoder), known.repeat_interleave(samples, 0), len(ring)
        generator = torch.Generator().manual_seed(0)
        mean, low, high = (t[:, 0, 0].repeat_interleave(samples)[:, None]
                           for t in (forecast.mean, forecast.quantiles[..., 0], forecast.quantiles[..., -1]))  # fmt: skip
        paths: list[Tensor] = []
        for step in range(HORIZON):
            paths.append(mean + (high - low) / 2 * torch.randn(rows, 1, generator=generator, dtype=torch.float64))
            batch = Batch(
                1, torch.cat([ring, paths[-1]], dim=1), future[:, step : step + 1 + HORIZON], torch.zeros(rows, 1, WIDTHS.past),
                torch.zeros(rows, WIDTHS.static), torch.zeros(rows, 1, dtype=torch.long), None, statistics, torch.ones(rows),
            )  # fmt: skip
            prediction, after = self.network.predict(batch, current)
            current, ring, statistics = after.encoder, after.ring, after.statistics
            mean, low, high = prediction.mean[:, :, 0], prediction.quantiles[:, :, 0, 0], prediction.quantiles[:, :, 0, -1]
        joint: Tensor = torch.cat(paths, dim=1).unflatten(0, (-1, samples))
        return joint


def _network(
    normaliser: Normaliser | None = None, encoder: Encoder | None = None, head: Head | None = None, memory: bool = False
) -> Network:
    torch.manual_seed(0)
    paths = NaivePaths(horizon=HORIZON, season_lengths=(SEASON,), level_window=SEASON)
    cells = encoder or FusedRecurrent(cell="gru", inputs=HIDDEN, hidden_size=HIDDEN)
    top = head or QuantileHead(levels=LEVELS, horizon=HORIZON, season_length=SEASON)
    scales = normaliser or WindowedSpread(season_length=SEASON, level_window=SEASON, spread_window=8)
    summary, outputs = cells.width + (HIDDEN if cells.causal else 0), paths.count + top.width
    decoder: Decoder = DirectDecoder(summary=summary, horizon=HORIZON, outputs=outputs, known=WIDTHS.known)
    if memory:
        decoder = MemoryDecoder(summary, cells.width, outputs)
    return Network(
        normaliser=scales, paths=paths, encoder=cells, decoder=decoder, head=top, lags=LAGS, columns=COLUMNS, hidden_size=HIDDEN
    )


def _trains(network: Network) -> None:
    """A few steps of gradient descent lower the loss on one batch."""
    y = random_y(4, STEPS + HORIZON).nan_to_num(50.0).abs().round()
    reader = Reader(network, y)
    batch = reader.batch(0, STEPS, torch.full((4, 1), STEPS - 1))
    lead = torch.full((4, network.lead), torch.nan, dtype=torch.float64)
    batch = batch._replace(y=torch.cat([lead, y], dim=1))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        loss = network.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_windowed_attention_encoder_and_a_decoder_of_its_memory_fit() -> None:
    network = _network(encoder=WindowedAttention(HIDDEN), memory=True)
    _trains(network)
    reader = Reader(network.eval(), random_y(3, STEPS))
    lengths = torch.tensor([STEPS, 10, 5])
    prediction, state = reader.read(network.initial_state(3), 0, STEPS, lengths[:, None] - 1, lengths)
    assert torch.isfinite(prediction.quantiles).all()
    assert state.encoder == ()
    every, _ = reader.read(network.initial_state(3), 0, STEPS, reader.every(0, STEPS))
    at_end = torch.stack([every.quantiles[row, length - 1] for row, length in enumerate(lengths)])
    torch.testing.assert_close(at_end, prediction.quantiles[:, 0], rtol=1e-5, atol=1e-4)
    reader.y[1:, 10:] = 1e6
    again, _ = reader.read(network.initial_state(3), 0, STEPS, lengths[:, None] - 1, lengths)
    assert torch.equal(prediction.quantiles[1:], again.quantiles[1:]), "padding is not read"


def test_a_normaliser_whose_scales_differ_by_target_step_fits() -> None:
    network = _network(normaliser=SeasonalLevel())
    _trains(network)
    reader = Reader(network.eval(), random_y(3, STEPS))
    prediction, _ = reader.whole()
    assert prediction.mean.shape == (3, STEPS, HORIZON)
    assert network.normaliser.indices.grad is not None, "its own parameters learn"


def test_a_count_head_that_forecasts_exact_zeros_fits() -> None:
    network = _network(head=PoissonCount())
    _trains(network)
    y = torch.zeros(1, STEPS, dtype=torch.float64)
    y[0, ::6] = 1.0
    prediction, _ = Reader(network.eval(), y).whole()
    assert (prediction.quantiles[0, -1, :, 0] == 0).all()
    assert (prediction.mean >= 0).all()


def test_a_sampled_rollout_gives_joint_paths_from_a_carried_state() -> None:
    network = _network().eval()
    reader = Reader(network, random_y(3, STEPS))
    origin = torch.full((3, 1), STEPS - 1)
    prediction, state = reader.read(network.initial_state(3), 0, STEPS, origin)
    batch = reader.batch(0, STEPS, origin)._replace(y=torch.cat([network.initial_state(3).ring, reader.y], dim=1))
    first, _ = network.distribution(batch, None)
    known = torch.randn(3, 2 * HORIZON, WIDTHS.known)
    paths = GaussianRollout(network, 200).rollout(first, state, known, torch.zeros(3, WIDTHS.static))
    assert paths.shape == (3, 200, HORIZON)
    assert torch.isfinite(paths).all()
    width = prediction.quantiles[:, 0, 0, -1] - prediction.quantiles[:, 0, 0, 0]
    assert ((paths[:, :, 0].mean(dim=1) - prediction.mean[:, 0, 0]).abs() < width / 2).all(), (
        "step 1 is drawn from the first forecast"
    )
    assert (paths.std(dim=1) > 0).all(), "the samples differ"
