"""How candidates are put together: weights and widths that do best on the rows that were held back.

The quantiles of the combination are the weighted mean of the candidates' quantiles, level by level (Vincent averaging: Genest 1992,
Annals of Statistics 20(2)). It must not know what the candidates are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from forecast.core.arrays import FloatArray
from forecast.networks.heads.quantile import MEDIAN_WEIGHT  # what the members were trained with

# What one nat away from the prior has to gain, as a share of the loss: all rows share their dates (docs/log.md).
PRIOR_STRENGTH = 0.05
SMALLEST_WEIGHT = 0.03
ITERATIONS = 300
_RATE = 2.0
_BLOCK = 256


@final
@dataclass(frozen=True, slots=True)
class Judgement:
    """What the candidates are judged by: R forecasts of held-back rows.

    quantiles: of the K candidates, data units. Shape [K, R, H, Q]. targets: NaN where there is none. Shape [R, H]. levels: [Q].
    worth: what an error of one data unit counts. Shape [R].
    """

    quantiles: FloatArray
    targets: FloatArray
    levels: FloatArray
    worth: FloatArray

    def loss_and_slope(self, weights: FloatArray) -> tuple[float, FloatArray]:
        """Returns the weighted quantile loss of a combination and its slope along each weight. weights, slope: [K]."""
        total, slope = 0.0, np.zeros(len(weights))
        emphasis = level_emphasis(self.levels)
        for begin in range(0, len(self.targets), _BLOCK):
            part = slice(begin, begin + _BLOCK)
            target, candidates = self.targets[part, :, None], self.quantiles[:, part]
            error = target - np.tensordot(weights, candidates, axes=1)
            counted = np.where(np.isnan(error), 0.0, self.worth[part, None, None] * emphasis)
            side = np.where(error > 0, self.levels, self.levels - 1) * counted
            total += float(np.sum(side * np.nan_to_num(error)))
            slope -= np.tensordot(candidates, side, axes=3)
        return total, slope


def level_emphasis(levels: FloatArray) -> FloatArray:
    """Returns what each level counts in the loss: the median MEDIAN_WEIGHT times. Shape [Q]."""
    return np.where(np.isclose(levels, 0.5), MEDIAN_WEIGHT, 1.0)


def worth_of(unit: FloatArray, level: FloatArray) -> FloatArray:
    """Returns what an error counts: half in units of the seasonal error (like MASE), half of the level (like sMAPE).

    Args:
        unit: In-sample seasonal error, data units; 0 or NaN where there is none. Shape [R].
        level: Mean absolute value, data units. Shape [R].
    """
    parts = []
    for scale in (unit, level):
        known = np.isfinite(scale) & (scale > 0)
        inverse = np.where(known, 1 / np.where(known, scale, 1.0), 0.0)
        parts.append(inverse * np.nanmean(scale[known]) if known.any() else inverse)
    typical = [np.median(part[part > 0]) if (part > 0).any() else 1.0 for part in parts]
    return np.asarray(parts[0] / typical[0] + parts[1] / typical[1])


def choose_weights(judgement: Judgement, prior: FloatArray) -> FloatArray:
    """Returns the weights of the candidates: non-negative, summing to 1, those below SMALLEST_WEIGHT set to 0. Shape [K].

    They minimise loss / loss(prior) + PRIOR_STRENGTH * KL(weights | prior), a convex function, by exponentiated gradient
    (Kivinen & Warmuth 1997, Information and Computation 132(1), eq. 3.5) with averaging of the iterates.

    Args:
        judgement: The candidates' forecasts of the held-back rows.
        prior: Weights to keep where the rows say little; positive, summing to 1. Shape [K].
    """
    reference, _ = judgement.loss_and_slope(prior)
    if not reference > 0:
        return prior
    logs, average = np.log(prior), np.zeros(len(prior))
    for iteration in range(ITERATIONS):
        weights = _softmax(logs)
        _, slope = judgement.loss_and_slope(weights)
        gradient = slope / reference + PRIOR_STRENGTH * (np.log(np.maximum(weights, 1e-300)) - np.log(prior))
        logs = np.log(np.maximum(weights, 1e-300)) - _RATE / np.sqrt(1 + iteration / 10) * (gradient - gradient.mean())
        if iteration >= ITERATIONS // 2:
            average += weights
    average /= average.sum()
    kept = np.where(average >= SMALLEST_WEIGHT, average, 0.0)
    return np.asarray(kept / kept.sum())


def _softmax(logs: FloatArray) -> FloatArray:
    shifted = np.exp(logs - logs.max())
    return np.asarray(shifted / shifted.sum())
