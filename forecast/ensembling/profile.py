"""What can be measured on a training panel before anything is trained: the facts from which the default adapts itself.

Nothing here reads a row that a fit must not see: it is handed the training part alone. It must not choose.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from forecast.core.arrays import FloatArray
from forecast.core.panel import Panel

SAMPLE = 1000  # series that are looked at
WEAK_AUTOCORRELATION, WEAK_SEASON = 0.1, 0.3


@final
@dataclass(frozen=True, slots=True)
class PanelProfile:
    """Facts of a panel; shares and strengths are between 0 and 1, medians are over series.

    series, rows: counts. median_length, longest: rows of a series. season_strength: 1 - var(rest) / var(season + rest) after a
    moving average (Wang, Smith & Hyndman 2006, Data Mining and Knowledge Discovery 13(3)); 0 without a season. trend_strength:
    the same of the moving average itself. autocorrelation: of neighbouring values. noise_ratio: mean |seasonal difference| over
    mean |y|. zeros: share of observed values that are 0. missing: share of rows without a value. nonnegative, counts: all
    observed values are at least 0, are whole numbers.
    """

    series: int
    rows: int
    median_length: float
    longest: int
    season_strength: float
    trend_strength: float
    autocorrelation: float
    noise_ratio: float
    zeros: float
    missing: float
    nonnegative: bool
    counts: bool

    @property
    def intermittent(self) -> bool:
        """Whether a fifth of the values of a non-negative panel are 0."""
        return self.nonnegative and self.zeros >= 0.2

    @property
    def memoryless(self) -> bool:
        """Whether neither the last value nor the season says much of the next value: what is left is the mean."""
        return abs(self.autocorrelation) < WEAK_AUTOCORRELATION and self.season_strength < WEAK_SEASON and not self.intermittent


def measure(panel: Panel, season_length: int) -> PanelProfile:
    """Returns the profile of a training panel.

    Args:
        panel: The training part.
        season_length: m of the shortest season; 1 for none.
    """
    seen = panel.y[~np.isnan(panel.y)]
    chosen = np.arange(len(panel))
    if len(chosen) > SAMPLE:
        chosen = np.sort(np.random.default_rng(0).choice(chosen, SAMPLE, replace=False))
    facts = np.array([_strengths(panel.series(int(i)), season_length) for i in chosen]).reshape(-1, 4)
    known = ~np.isnan(facts)
    season, trend, noise, memory = (
        float(np.median(column[ok])) if ok.any() else unknown
        for column, ok, unknown in zip(
            facts.T, known.T, (0.0, 0.0, 0.0, 1.0), strict=True
        )  # where nothing is known there is a memory
    )
    return PanelProfile(
        series=len(panel), rows=panel.rows, median_length=float(np.median(panel.lengths)) if len(panel) else 0.0,
        longest=int(panel.lengths.max(initial=0)), season_strength=season, trend_strength=trend, noise_ratio=noise,
        autocorrelation=memory,
        zeros=float(np.mean(seen == 0)) if len(seen) else 0.0, missing=1 - len(seen) / max(panel.rows, 1),
        nonnegative=bool((seen >= 0).all()), counts=bool((seen == np.round(seen)).all()),
    )  # fmt: skip


def _strengths(y: FloatArray, m: int) -> tuple[float, float, float, float]:
    """Strength of season and trend, noise ratio and autocorrelation of one series; NaN where it is too short to tell."""
    y = y[~np.isnan(y)][-20 * max(m, 20) :]
    width = max(m, 5) + (max(m, 5) % 2 == 0)
    if len(y) < 2 * width or y.min() == y.max():
        return np.nan, np.nan, np.nan, np.nan
    trend = np.convolve(y, np.full(width, 1 / width), mode="valid")
    detrended = y[width // 2 : width // 2 + len(trend)] - trend
    phase = np.arange(len(detrended)) % m
    means = np.bincount(phase, detrended, minlength=m) / np.maximum(np.bincount(phase, minlength=m), 1)
    rest = detrended - means[phase]
    difference, size = np.abs(y[m:] - y[:-m]).mean(), np.abs(y).mean()
    centred = y - y.mean()
    memory = float(centred[1:] @ centred[:-1] / max(centred @ centred, 1e-300))
    season = 1 - rest.var() / max(detrended.var(), 1e-300) if m > 1 else 0.0
    return max(season, 0.0), max(1 - rest.var() / max((trend + rest).var(), 1e-300), 0.0), difference / max(size, 1e-300), memory
