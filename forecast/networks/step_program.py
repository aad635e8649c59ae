"""One step of a network as a short list of numpy operations, every constant worked out before.

It is a second reading of `Network.predict` for one step of every row, and a test holds the two together. With a single series the price
of a step is the number of operations. It must not know torch, nor where a state lives.
"""

from __future__ import annotations

from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from forecast.networks.one_step import OneStep, Weights
from forecast.networks.step_cells import CELL_STEPS
from forecast.networks.step_rows import RowReader, ScaledRows

Values = NDArray[np.float64]
HALF = np.float32(0.5)


class StepInput(NamedTuple):
    """What a step reads of B series.

    states: of the cell, each [B, D]. ring: data units, NaN where missing [B, L]. statistics: count and mean of |y| [B, 2].
    y: the observation, NaN where missing [B]. context: what `StepProgram.context` makes of the covariates of this step
    [B, K + P + S]. told: what `StepProgram.told` makes of the known covariates of the H steps after it [B, H, E]. None where there are none.
    """

    states: tuple[Weights, ...]
    ring: Values
    statistics: Values
    y: Values
    context: Weights | None = None
    told: Weights | None = None


class StepOutput(NamedTuple):
    """mean [B, H] and quantiles [B, H, Q] in data units, and the state after the step; see StepInput."""

    mean: Values
    quantiles: Values
    states: tuple[Weights, ...]
    ring: Values
    statistics: Values


@final
class StepProgram:
    """One step of a network, weights laid out for it.

    silu(2a) = a (1 + tanh a) of half the argument: the layers before a silu are halved.

    Args:
        step: The network's arrays.
    """

    def __init__(self, step: OneStep) -> None:
        self.step, lags = step, step.lags
        self.rows = RowReader(step.paths, step.spread, step.horizon)
        embed = step.embed.weight * HALF
        self.of_lags, self.of_seen, self.of_rest = (np.ascontiguousarray(x) for x in np.split(embed, [lags, 2 * lags]))
        self.of_all = np.concatenate([self.of_lags, self.of_rest])
        self.embed_bias = step.embed.bias * HALF + self.of_seen.sum(axis=0)
        twice = step.inputs._replace(weight=step.inputs.weight * np.float32(2.0))
        self.cell = CELL_STEPS[step.cell](twice, step.recurrent)
        layers = [step.decode] if step.mixer is None else [step.decode, step.mixer.summary]
        self.decode = np.concatenate([layer.weight for layer in layers], axis=1) * HALF
        self.decode_bias = np.concatenate([layer.bias for layer in layers]) * HALF
        self.width = len(step.decode.bias)
        self.flat = len(step.out.bias)
        last = [step.out] if step.known is None else [step.out, step.known.effect]
        self.out, self.out_bias = (np.concatenate(parts, axis=-1) for parts in zip(*last, strict=True))
        self.out_bias[: self.flat].reshape(step.numbers, -1)[len(step.paths.order) + 1 :] += np.float32(step.quantiles.shift)
        if step.mixer is not None:
            self.mix_paths = np.ascontiguousarray(step.mixer.paths.T) * HALF
            self.mix_steps = np.ascontiguousarray(step.mixer.steps.T) * HALF
            self.mix_out = np.ascontiguousarray(step.mixer.out.T)

    def context(self, covariates: Values) -> Weights:
        """Returns covariates in units of the training panel, 0 where missing: known, past, static, or the first of them. [..., C]."""
        count = covariates.shape[-1]
        scaled = (covariates - self.step.covariate_loc[:count]) / self.step.covariate_scale[:count]
        return np.where(np.isnan(scaled), 0.0, scaled).astype(np.float32)

    def told(self, known: Values) -> Weights | None:
        """Returns what the decoder is told of steps with some known covariates: [..., K] to [..., E]; None without covariates."""
        step = self.step
        if step.known is None:
            return None
        return _silu(np.dot(self.context(known), step.known.embed.weight * HALF) + step.known.embed.bias * HALF)

    def run(self, given: StepInput) -> StepOutput:
        """Returns the forecasts after one observation of each series, and the state."""
        step = self.step
        every = np.empty((len(given.y), step.paths.rows))
        every[:, :-1], every[:, -1] = given.ring, given.y
        rows = self.rows.read(every, given.statistics)
        embedded = self._embedded(rows, given.context)
        states = self.cell(embedded, given.states)
        summary = np.concatenate([states[0], _silu(embedded)], axis=1)
        hidden = np.dot(summary, self.decode)
        hidden += self.decode_bias
        numbers = self._numbers(rows.naive, hidden, given.told)
        scaled = self._scaled(numbers, rows)
        out = scaled * rows.scale[:, None, None]
        out += rows.loc[:, None, None]
        return StepOutput(out[:, -1], out[:, :-1].swapaxes(1, 2), states, every[:, 1:], rows.statistics)

    def _embedded(self, rows: ScaledRows, context: Weights | None) -> Weights:
        """Half of the embedded input, [B, D]."""
        lags, widths = self.step.lags, self.step.covariate_loc
        inputs = np.empty((len(rows.z), lags + 1 + len(widths)), np.float32)
        _compressed(rows.z[:, -lags:], inputs[:, :lags])
        total = np.abs(rows.loc) + rows.scale
        inputs[:, lags] = np.log((rows.scale / (total + (total == 0))).astype(np.float32) + np.float32(1e-4))
        if context is not None:
            inputs[:, lags + 1 :] = context
        embedded: Weights = np.dot(inputs, self.of_all)
        embedded += self.embed_bias
        if rows.seen is not None:
            embedded -= np.dot((~rows.seen[:, -lags:]).astype(np.float32), self.of_seen)
        return embedded

    def _numbers(self, naive: Weights, hidden: Weights, told: Weights | None) -> Weights:
        """Weights of the paths and numbers of the head, [B, R + P, H]."""
        step, rows = self.step, len(hidden)
        flat = np.dot(_silu(hidden[:, : self.width]), self.out)
        flat += self.out_bias
        numbers: Weights = flat[:, : self.flat].reshape(rows, -1, step.horizon)
        if told is not None:
            effect = flat[:, self.flat :].reshape(rows, told.shape[-1], -1)
            numbers += np.matmul(effect.swapaxes(1, 2), told.swapaxes(1, 2))
        if step.mixer is not None:
            mixed = np.matmul(self.mix_paths, _compressed(naive, np.empty_like(naive)))
            mixed += self.mix_steps
            mixed += hidden[:, self.width :, None]
            numbers += np.matmul(self.mix_out, _silu(mixed))
        return numbers

    def _scaled(self, numbers: Weights, rows: ScaledRows) -> Weights:
        """Quantiles and, last, the mean in scaled units, [B, Q + 1, H]."""
        quantiles, count = self.step.quantiles, len(self.step.paths.order)
        weights = numbers[:, :count]
        if rows.blocked is not None:
            weights[rows.blocked] = -np.inf
        weights -= np.maximum.reduce(weights, axis=1, keepdims=True)
        np.exp(weights, out=weights)
        centre = np.add.reduce(weights * rows.naive, axis=1)
        centre /= np.add.reduce(weights, axis=1)
        centre += numbers[:, count]
        gaps = _softplus(numbers[:, count + 1 :])
        gaps *= quantiles.gaps
        scaled: Weights = np.matmul(quantiles.signs, gaps)
        scaled += quantiles.fixed
        scaled += centre[:, None]
        return scaled


def _silu(half: Weights) -> Weights:
    """silu(2 half)."""
    out = np.tanh(half)
    out += np.float32(1.0)
    out *= half
    return out


def _softplus(x: Weights) -> Weights:
    """log(1 + exp(x)) for any x: max(x, 0) + log(1 + exp(-|x|))."""
    out = np.abs(x)
    np.negative(out, out=out)
    np.exp(out, out=out)
    np.log1p(out, out=out)
    out += np.maximum(x, np.float32(0.0))
    return out


def _compressed(z: Weights, out: Weights) -> Weights:
    """sign(z) log(1 + |z|), written to `out`."""
    size = np.abs(z)
    np.log1p(size, out=size)
    return np.copysign(size, z, out=out)
