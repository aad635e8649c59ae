"""The network: normaliser -> lag vector and covariates -> encoder -> decoder -> head and naive paths -> data units.

It puts the parts together and is the only place that knows missing values and units. It must not know pandas, training or files.
"""

from __future__ import annotations

from typing import Literal, final

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, silu

from forecast.networks.attention import Attention
from forecast.networks.covariates import Columns, CovariateReader
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.interfaces import (
    Batch,
    Decoder,
    Encoder,
    EncoderState,
    Encoding,
    Feedback,
    Head,
    HeadInput,
    Normaliser,
    Prediction,
    Scales,
)
from forecast.networks.lag_window import few_windows
from forecast.networks.local_mixer import LocalMixer
from forecast.networks.naive_paths import NaivePaths, Paths
from forecast.networks.products import row_product
from forecast.networks.state import NetworkState, goes_on
from forecast.networks.timeline import gather_steps

LossWeight = Literal["spread", "level", "both"]
WEIGHT_CAP = 30.0


@final
class Network(ForecastingNetwork):
    """A causal forecaster: from every step of a series it forecasts the next H.

    The input of a step is the vector of the last D values in scaled units, compressed by sign(z) log(1 + |z|), which of them were
    observed, the ratio of spread to level, and the covariates of the step. A windowed encoder reads the inputs of the origins alone,
    neither compressed nor embedded.

    Args:
        normaliser, paths, encoder, decoder, head: The parts. A causal encoder reads `hidden_size` inputs and the decoder's summary
            has `encoder.width + hidden_size` numbers; a windowed one reads `columns.widths().inputs(lags)`, the summary has
            `encoder.width`.
        lags: D.
        hidden_size: Width of the embedded input.
        columns: Kinds of the covariates.
        dropout: Of the embedded input and of the summary of a causal encoder.
        loss_weight: `spread` counts errors in units of the row's seasonal error (like MASE), `level` in units of the origin's level
            (like sMAPE), `both` in the sum of the two.
        mixer: Lets every step see what the paths say of it; None for none.
        calendar: See `ForecastingNetwork`.
        input_noise: Deviation of the noise on the lag vectors while the network learns, scaled units.
    """

    covariate_loc: Tensor
    covariate_scale: Tensor

    def __init__(
        self, *, normaliser: Normaliser, paths: NaivePaths, encoder: Encoder, decoder: Decoder, head: Head, lags: int,
        columns: Columns, hidden_size: int, dropout: float = 0.0, loss_weight: LossWeight = "both", mixer: LocalMixer | None = None,
        calendar: tuple[str, ...] = (), input_noise: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.input_noise = input_noise
        self.normaliser, self.paths, self.encoder, self.decoder, self.head = normaliser, paths, encoder, decoder, head
        self.lags, self.columns, self.loss_weight, self.mixer = lags, columns, loss_weight, mixer
        self.lead = max(lags - 1, normaliser.lead, paths.lead, 1)
        self.horizon, self.calendar, self.carries = paths.horizon, calendar, encoder.carries
        self.covariates = None if columns.plain else CovariateReader(columns)
        self.embed = nn.Linear(columns.widths().inputs(lags), hidden_size) if encoder.causal else None
        self.dropout = nn.Dropout(dropout)
        total = sum(len(role) for role in columns)
        self.register_buffer("covariate_loc", torch.zeros(total))
        self.register_buffer("covariate_scale", torch.ones(total))

    @property
    def attention(self) -> Attention | None:
        """The decoder's; see `ForecastingNetwork.attention`."""
        return self.decoder.attention

    def initial_state(self, batch: int) -> NetworkState:
        """Returns the state of series of which nothing was read yet."""
        device = self.covariate_loc.device
        ring = torch.full((batch, self.lead), torch.nan, dtype=torch.float64, device=device)
        state = tuple(tensor.detach() for tensor in self.encoder.initial_state(batch))
        return NetworkState(state, ring, self.normaliser.initial_statistics(batch).to(device))

    def state_inside(self, before: Tensor, counts: Tensor) -> NetworkState:
        """Returns the state of series that begin to be read after their lead; see `ForecastingNetwork.state_inside`."""
        statistics = self.normaliser.warm(before[:, self.lead - self.normaliser.lead :], counts)
        return NetworkState(self.encoder.initial_state(len(before)), before, statistics)

    def prepare(self, values: Tensor, covariate_loc: Tensor, covariate_scale: Tensor) -> None:
        """Takes the scales of the covariates and shows the head the data; see `ForecastingNetwork.prepare`."""
        self.head.prepare(values)
        self.covariate_loc.copy_(covariate_loc)
        self.covariate_scale.copy_(covariate_scale)

    def loss_onwards(self, batch: Batch, before: NetworkState | None) -> tuple[Tensor, NetworkState]:
        """Returns the mean weighted loss and the state after the last step; see `ForecastingNetwork.loss_onwards`."""
        lead = batch.y[:, self.lead - self.normaliser.lead : self.lead]
        batch = batch._replace(statistics=self.normaliser.warm(lead, batch.statistics))
        state = None
        if before is not None and batch.continues is not None:
            on = batch.continues
            batch = batch._replace(statistics=torch.where(on[:, None], before.statistics, batch.statistics))
            state = goes_on(on, before.encoder, self.encoder.initial_state(len(on)))
        first = self.lead + 1
        targets = gather_steps(batch.y[:, first:].unfold(1, self.horizon, 1)[:, : batch.steps], batch.origins)
        given, scales, usable, after, statistics = self._read(batch, state, targets if self.training else None)
        counted = ~torch.isnan(targets) & usable[..., None] & (given.scale > 0)
        each = self.head.loss(given, torch.where(counted, targets, given.loc))
        weight = self._weight(batch, scales)[..., None] * given.scale
        weighted = each * torch.where(counted, weight.clamp(max=WEIGHT_CAP), 0.0).to(each.dtype)
        loss = weighted.sum() / counted.sum().clamp(min=1) + self.normaliser.penalty(scales).to(each.dtype)
        return loss, NetworkState(after, batch.y[:, batch.steps : batch.steps + self.lead], statistics)

    def _weight(self, batch: Batch, scales: Scales) -> Tensor:
        """What an error of one data unit counts at each origin; 0 where there is no unit. Not for the network to change. Shape [B, O]."""
        spread = _inverse(batch.unit)[:, None].expand(batch.origins.shape)
        if self.loss_weight == "spread":
            return spread
        loc, scale = (gather_steps(x.detach(), batch.origins) for x in (scales.loc, scales.scale))
        level = _inverse(torch.maximum(loc.abs(), scale))
        if self.loss_weight == "level":
            return level
        relative = level * batch.unit[:, None]  # how large the seasonal error is beside the level: differs from series to series
        return spread * (1 + relative / relative.mean().clamp(min=1e-12))

    def predict(self, batch: Batch, encoder_state: EncoderState | None) -> tuple[Prediction, NetworkState]:
        """Returns the forecasts from the batch's origins and the state afterwards; see `ForecastingNetwork.predict`."""
        given, state = self.distribution(batch, encoder_state)
        return Prediction(*self.head.forecast(given)), state

    def distribution(self, batch: Batch, encoder_state: EncoderState | None) -> tuple[HeadInput, NetworkState]:
        """Returns what the head reads at the batch's origins and the state after each row's last real step; see `predict`."""
        first, *others = [batch] if self.encoder.causal else few_windows(batch, self.lags)
        given, _, _, encoder_after, statistics = self._read(first, encoder_state)
        if others:
            every = [given, *(self._read(part, encoder_state)[0] for part in others)]
            given = HeadInput(*(torch.cat(tensors, dim=1) for tensors in zip(*every, strict=True)))
        device = batch.y.device
        lengths = torch.full((len(batch.y),), batch.steps, device=device) if batch.lengths is None else batch.lengths
        ring = batch.y.gather(1, lengths[:, None] + torch.arange(self.lead, device=device))
        return given, NetworkState(encoder_after, ring, self.normaliser.rewound(statistics, batch.steps - lengths))

    def _read(
        self, batch: Batch, state: EncoderState | None, targets: Tensor | None = None
    ) -> tuple[HeadInput, Scales, Tensor, EncoderState, Tensor]:
        """What the head needs at the origins, the scales, which origins have a history [B, O], and the state afterwards."""
        history = batch.y[:, : self.lead + batch.steps]
        scales, statistics = self.normaliser(history[:, self.lead - self.normaliser.lead :], batch.statistics)
        covariates = _covariates(self, batch)
        encoding, after = self._encode(batch, self._inputs(batch, history, scales, covariates), state)
        loc, scale = self.normaliser.at(scales, batch.origins, self.horizon)
        safe = torch.where(scale > 0, scale, 1.0)
        paths = self._naive(history, batch.origins, loc, safe)
        naive = paths.values.to(encoding.summary.dtype)
        blocked = ~paths.available & paths.available.any(dim=-1, keepdim=True)
        if self.decoder.feeds_back:
            # What is heard is no way for the scale to learn, least of all where a true value is missing.
            true = None if targets is None else ((targets - loc.detach()) / safe.detach()).to(naive.dtype)
            encoding = encoding._replace(feedback=Feedback(naive.transpose(-1, -2), blocked[:, :, None], true))
        numbers = self.decoder(encoding, covariates[0], batch.origins)
        if self.mixer is not None:
            numbers = self.mixer(numbers, naive, encoding.summary)
        mixing, raw = numbers.split([naive.shape[2], self.head.width], dim=-1)
        barrier = torch.where(blocked, -torch.inf, 0.0)[..., None].to(raw.dtype)
        weights = torch.softmax(mixing.transpose(-1, -2) + barrier, dim=2)  # [B, O, R, H]: along R it is fast with the steps last
        centre = (weights * naive).sum(dim=2) + raw[..., 0]
        spread = (gather_steps(scales.spread, batch.origins)[..., None] / safe).to(raw.dtype)
        return HeadInput(raw, centre, spread, loc, scale), scales, paths.available[..., 0], after, statistics

    def _naive(self, history: Tensor, origins: Tensor, loc: Tensor, scale: Tensor) -> Paths:
        """The naive paths in scaled units; after them loc itself, 0 in these units, where the normaliser calls it a forecast."""
        values, available = self.paths(history, self.lead, origins)
        values = (values - loc[:, :, None]) / scale[:, :, None]
        if not self.normaliser.is_path:
            return Paths(values, available)
        return Paths(pad(values, (0, 0, 0, 1)), torch.cat([available, available[..., :1]], dim=-1))

    def _encode(self, batch: Batch, inputs: Tensor, state: EncoderState | None) -> tuple[Encoding, EncoderState]:
        """The encoding, and the encoder's state after each row's last real step."""
        encoding: Encoding
        if self.embed is None:
            encoding, after = self.encoder(inputs, batch.origins)
            return encoding, after
        embedded = self.dropout(row_product(inputs, self.embed.weight, self.embed.bias))
        encoding, after = self.encoder(embedded, batch.origins, state, batch.lengths)
        skip = silu(gather_steps(embedded, batch.origins))
        return encoding._replace(summary=self.dropout(torch.cat([encoding.summary, skip], dim=-1))), after

    def _inputs(self, batch: Batch, history: Tensor, scales: Scales, covariates: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """The input of every step, float32 [B, T, C]; for a windowed encoder of every origin, values as they are, [B, O, C]."""
        known, past, static = covariates
        recent = history[:, self.lead - self.lags + 1 :]
        windows, seen = (x.unfold(1, self.lags, 1) for x in (recent, (~torch.isnan(recent)).to(known.dtype)))
        if not self.encoder.causal:
            windows, seen, known, past = (gather_steps(x, batch.origins) for x in (windows, seen, known, past))
            scales = scales.at(batch.origins)
        z = self.normaliser.scaled(windows, scales).to(known.dtype)
        if self.input_noise and self.training:
            z = z + self.input_noise * torch.randn_like(z)  # what is missing stays so
        values = torch.copysign(z.abs().log1p(), z) if self.encoder.causal else z
        lagged = torch.nan_to_num(values, nan=0.0, posinf=torch.inf, neginf=-torch.inf)
        steps, total = windows.shape[1], scales.loc.abs() + scales.scale
        ratio = (scales.scale / torch.where(total > 0, total, 1.0))[..., None].to(known.dtype)
        constant = static[:, None].expand(-1, steps, -1)
        return torch.cat([lagged, seen, torch.log(ratio + 1e-4), known[:, :steps], past, constant], dim=-1)


def _inverse(x: Tensor) -> Tensor:
    """1 / x, and 0 where x is 0."""
    return torch.where(x > 0, 1 / torch.where(x > 0, x, 1.0), 0.0)


def _covariates(network: Network, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Known, past and static covariates in units of the training panel's deviation, float32, 0 where missing; names as vectors."""
    counts, loc, scale = [len(role) for role in network.columns], network.covariate_loc, network.covariate_scale
    roles = zip((batch.known, batch.past, batch.static), loc.split(counts), scale.split(counts), strict=True)
    known, past, static = ((values - centre) / unit for values, centre, unit in roles)
    if network.covariates is not None:
        read: tuple[Tensor, Tensor, Tensor] = network.covariates(known, past, static)
        return read
    known, past, static = (torch.nan_to_num(x, nan=0.0).to(torch.float32) for x in (known, past, static))
    return known, past, static
