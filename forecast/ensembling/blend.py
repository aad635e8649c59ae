"""A fitted combination: what each candidate counts, and how wide the intervals are. It must not know what the candidates are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from forecast.core.arrays import FloatArray
from forecast.core.forecast_frame import ForecastFrame
from forecast.core.forecaster import Weights, require
from forecast.ensembling.calibration import calibrated, calibration_factors
from forecast.ensembling.combination import Judgement, choose_weights

_WEIGHTS, _FACTORS = "combination/weights", "combination/factors"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """weights: of the K candidates, summing to 1. Shape [K]. factors: of the intervals' widths by step and level. Shape [H, Q]."""

    weights: FloatArray
    factors: FloatArray

    @classmethod
    def judged(cls, judgement: Judgement, prior: FloatArray) -> Blend:
        """Returns the combination that does best on held-back rows; with none of them the prior and unchanged widths."""
        _, rows, horizon, levels = judgement.quantiles.shape
        if not rows:
            return cls(prior, np.ones((horizon, levels)))
        weights = choose_weights(judgement, prior)
        mixed = np.tensordot(weights, judgement.quantiles, axes=1)
        return cls(weights, calibration_factors(mixed, judgement.targets, judgement.levels))

    def without_the_weightless(self) -> Blend:
        """Returns the combination of the candidates that have a weight."""
        return Blend(self.weights[self.weights > 0], self.factors)

    def combine(self, name: str, frames: Sequence[ForecastFrame]) -> ForecastFrame:
        """Returns the combined forecasts of frames that agree in rows, one frame per candidate."""
        first, (mean, mixed) = frames[0], (np.zeros_like(frames[0].mean), np.zeros_like(frames[0].quantiles))
        for weight, frame in zip(self.weights, frames, strict=True):  # added up one by one: many series times steps times levels
            mean += weight * frame.mean
            mixed += weight * frame.quantiles
        wide = calibrated(mixed, self.factors, np.array(first.levels))
        return ForecastFrame.build(first.frequency, name, first.levels, first.ids, first.cutoffs, mean, wide)

    def arrays(self) -> Weights:
        """Returns what `restored` takes back."""
        return {_WEIGHTS: self.weights, _FACTORS: self.factors}

    @classmethod
    def restored(cls, weights: Weights, candidates: int, horizon: int, levels: int) -> Blend:
        """Returns the combination of saved arrays.

        Raises:
            ModelError: they are missing or of another shape.
        """
        require(_WEIGHTS in weights and _FACTORS in weights, "the arrays of the combination are missing")
        own, factors = np.array(weights[_WEIGHTS]), np.array(weights[_FACTORS])
        require(own.shape == (candidates,), f"weights of shape {own.shape} for {candidates} members and guards")
        require(factors.shape == (horizon, levels), f"widths of shape {factors.shape}, not {(horizon, levels)}")
        return cls(own, factors)
