"""The network: normaliser -> lag vector and covariates -> encoder -> decoder -> head and naive paths -> data units.

It puts the parts together and is the only place that knows missing values and units. It must not know pandas, training or files.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, final

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, silu

from forecast.networks.interfaces import Batch, Decoder, Encoder, EncoderState, Head, HeadInput, Normaliser, Prediction, Scales
from forecast.networks.naive_paths import NaivePaths
from forecast.networks.state import NetworkState
from forecast.networks.timeline import gather_steps

LossWeight = Literal["spread", "level", "both"]
WEIGHT_CAP = 30.0


class Widths(NamedTuple):
    """Numbers of covariates: K known, P past, S static."""

    known: int = 0
    past: int = 0
    static: int = 0

    def inputs(self, lags: int) -> int:
        """Returns C, the width of one step's input."""
        return 2 * lags + 1 + self.known + self.past + self.static


@final
class Network(nn.Module):
    """A causal recurrent forecaster: from every step of a series it forecasts the next H.

    The input of a step is the vector of the last D values in scaled units, compressed by sign(z) log(1 + |z|), which of them were
    observed, the ratio of spread to level, and the covariates of the step.

    Args:
        normaliser, paths, encoder, decoder, head: The parts. The encoder reads `hidden_size` inputs; the decoder's summary has
            `encoder.width + hidden_size` numbers.
        lags: D.
        hidden_size: Width of the embedded input.
        widths: Numbers of covariates.
        dropout: Of the embedded input and of the summary.
        loss_weight: `spread` counts errors in units of the row's seasonal error (like MASE), `level` in units of the origin's level
            (like sMAPE), `both` in the sum of the two.
    """

    covariate_loc: Tensor
    covariate_scale: Tensor

    def __init__(
        self, *, normaliser: Normaliser, paths: NaivePaths, encoder: Encoder, decoder: Decoder, head: Head, lags: int,
        widths: Widths, hidden_size: int, dropout: float = 0.0, loss_weight: LossWeight = "both",
    ) -> None:  # fmt: skip
        super().__init__()
        self.normaliser, self.paths, self.encoder, self.decoder, self.head = normaliser, paths, encoder, decoder, head
        self.lags, self.widths, self.loss_weight = lags, widths, loss_weight
        self.lead = max(lags - 1, normaliser.lead, paths.lead, 1)
        self.horizon = paths.horizon
        self.embed = nn.Linear(widths.inputs(lags), hidden_size)
        self.dropout = nn.Dropout(dropout)
        total = sum(widths)
        self.register_buffer("covariate_loc", torch.zeros(total))
        self.register_buffer("covariate_scale", torch.ones(total))

    def initial_state(self, batch: int) -> NetworkState:
        """Returns the state of series of which nothing was read yet."""
        ring = torch.full((batch, self.lead), torch.nan, dtype=torch.float64)
        return NetworkState(self.encoder.initial_state(batch), ring, self.normaliser.initial_statistics(batch))

    def loss(self, batch: Batch) -> Tensor:
        """Returns the mean weighted loss over all observed targets of all usable origins; a scalar, 0 where there are none."""
        before = batch.y[:, self.lead - self.normaliser.lead : self.lead]
        batch = batch._replace(statistics=self.normaliser.warm(before, batch.statistics))
        given, scales, usable, _, _ = self._read(batch, None)
        first = self.lead + 1
        targets = gather_steps(batch.y[:, first:].unfold(1, self.horizon, 1)[:, : batch.steps], batch.origins)
        counted = ~torch.isnan(targets) & usable[..., None] & (given.scale > 0)
        each = self.head.loss(given, torch.where(counted, targets, given.loc))
        weight = self._weight(batch, scales)[..., None] * given.scale
        weighted = each * torch.where(counted, weight.clamp(max=WEIGHT_CAP), 0.0).to(each.dtype)
        return weighted.sum() / counted.sum().clamp(min=1) + self.normaliser.penalty(scales).to(each.dtype)

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
        """Returns the forecasts from the batch's origins and the state after each row's last real step.

        Args:
            batch: Its lead is the ring of the state that `encoder_state` belongs to.
            encoder_state: None for series that begin here.
        """
        given, _, _, encoder_after, statistics = self._read(batch, encoder_state)
        lengths = torch.full((len(batch.y),), batch.steps) if batch.lengths is None else batch.lengths
        ring = batch.y.gather(1, lengths[:, None] + torch.arange(self.lead))
        state = NetworkState(encoder_after, ring, self.normaliser.rewound(statistics, batch.steps - lengths))
        return Prediction(self.head.mean(given), self.head.quantiles(given)), state

    def _read(self, batch: Batch, state: EncoderState | None) -> tuple[HeadInput, Scales, Tensor, EncoderState, Tensor]:
        """What the head needs at the origins, the scales, which origins have a history [B, O], and the state afterwards."""
        history = batch.y[:, : self.lead + batch.steps]
        scales, statistics = self.normaliser(history[:, self.lead - self.normaliser.lead :], batch.statistics)
        known, past, static = self._covariates(batch)
        embedded = self.dropout(self.embed(self._inputs(history, scales, known[:, : batch.steps], past, static)))
        encoding, after = self.encoder(embedded, batch.origins, state, batch.lengths)
        skip = silu(gather_steps(embedded, batch.origins))
        encoding = encoding._replace(summary=self.dropout(torch.cat([encoding.summary, skip], dim=-1)))
        raw = self.decoder(encoding, known, batch.origins)
        paths = self.paths(history, self.lead, batch.origins)
        loc, scale = self.normaliser.at(scales, batch.origins, self.horizon)
        safe = torch.where(scale > 0, scale, 1.0)
        naive, available = ((paths.values - loc[:, :, None]) / safe[:, :, None]).to(raw.dtype), paths.available
        if self.normaliser.is_path:
            naive, available = pad(naive, (0, 0, 0, 1)), torch.cat([available, available[..., :1]], dim=-1)
        count, blocked = naive.shape[2], ~available & available.any(dim=-1, keepdim=True)
        weights = torch.softmax(raw[..., :count].masked_fill(blocked[:, :, None], -torch.inf), dim=-1)
        centre = (weights * naive.transpose(-1, -2)).sum(dim=-1) + raw[..., count]
        spread = (gather_steps(scales.spread, batch.origins)[..., None] / safe).to(raw.dtype)
        given = HeadInput(raw[..., count:], centre, spread, loc, scale)
        return given, scales, paths.available[..., 0], after, statistics

    def _inputs(self, history: Tensor, scales: Scales, known: Tensor, past: Tensor, static: Tensor) -> Tensor:
        """The input of every step, float32 [B, T, C]."""
        steps = known.shape[1]
        windows = history[:, self.lead - self.lags + 1 :].unfold(1, self.lags, 1)
        seen = ~torch.isnan(windows)
        z = self.normaliser.scaled(windows, scales).to(known.dtype)
        total = scales.loc.abs() + scales.scale
        ratio = (scales.scale / torch.where(total > 0, total, 1.0))[..., None].to(known.dtype)
        constant = static[:, None].expand(-1, steps, -1)
        return torch.cat([z.sign() * z.abs().log1p(), seen.to(known.dtype), torch.log(ratio + 1e-4), known, past, constant], dim=-1)

    def _covariates(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Known, past and static covariates in units of the training panel's deviation, float32; 0 where missing."""
        out = []
        for values, loc, scale in zip(
            (batch.known, batch.past, batch.static), self.covariate_loc.split(self.widths), self.covariate_scale.split(self.widths),
            strict=True,
        ):  # fmt: skip
            out.append(torch.nan_to_num((values - loc) / scale, nan=0.0).to(torch.float32))
        return out[0], out[1], out[2]


def _inverse(x: Tensor) -> Tensor:
    """1 / x, and 0 where x is 0."""
    return torch.where(x > 0, 1 / torch.where(x > 0, x, 1.0), 0.0)
