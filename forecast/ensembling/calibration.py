"""Conformal calibration: how much wider or narrower the intervals must be at each step to hold what they promise.

It must not know where the forecasts come from.
"""

from __future__ import annotations

import numpy as np

from forecast.core.arrays import FloatArray

NARROWEST, WIDEST = 0.3, 4.0
NARROWING = 0.5  # share of a factor below 1 that is taken over
PSEUDO_COUNT = 100.0  # observations that a step needs for its own factor to count half beside the factor of all steps
POOLED_COUNT = 40.0  # the same for the factor of all steps beside 1


def calibration_factors(quantiles: FloatArray, targets: FloatArray, levels: FloatArray) -> FloatArray:
    """Returns the factors of the distances between each quantile and the median, by step and level; 1 at the median. Shape [H, Q].

    The factor of the interval from level q to 1 - q is the smallest c for which a share 1 - 2 q of the targets (with the finite-sample
    correction, (n + 1) (1 - 2 q) / n) lies between median + c (quantile_q - median) and median + c (quantile_1-q - median): the split
    conformal quantile of the scores of Romano, Patterson & Candes (2019), "Conformalized quantile regression", in their scaled form.
    Both ends of an interval share it, so that the bias of one window is not taken for a width. The factor of a step is drawn towards
    that of all steps, and that towards 1, by the number of observations behind them. A level without its partner keeps its distance.

    Args:
        quantiles: Of held-back rows, data units. Shape [R, H, Q].
        targets: NaN where missing. Shape [R, H].
        levels: Ascending. Shape [Q].
    """
    middle = int(np.argmin(np.abs(levels - 0.5)))
    median = quantiles[..., middle]
    out = np.ones((targets.shape[1], len(levels)))
    for low in range(middle):
        partner = np.flatnonzero(np.isclose(levels, 1 - levels[low]))
        if not len(partner):
            continue
        below, above = median - quantiles[..., low], quantiles[..., partner[0]] - median
        with np.errstate(divide="ignore", invalid="ignore"):
            scores = np.where(targets > median, (targets - median) / above, (median - targets) / below)
        scores = np.where(np.isnan(targets) | ((below == 0) & (above == 0)), np.nan, scores)
        share = 1 - 2 * levels[low]
        pooled, count = _conformal(scores.reshape(-1), share)
        pooled = _drawn(pooled, 1.0, count, POOLED_COUNT)
        steps = [_drawn(own, pooled, n, PSEUDO_COUNT) for own, n in (_conformal(step, share) for step in scores.T)]
        out[:, low] = out[:, partner[0]] = steps
    out = np.where(out < 1, 1 - NARROWING * (1 - out), out)  # one calm window is no promise of another
    return np.asarray(np.clip(out, NARROWEST, WIDEST))


def calibrated(quantiles: FloatArray, factors: FloatArray, levels: FloatArray) -> FloatArray:
    """Returns the quantiles with their distances from the median multiplied; they never cross. Shape [R, H, Q].

    Args:
        quantiles: Data units. Shape [R, H, Q].
        factors: From `calibration_factors`. Shape [H, Q].
        levels: Ascending. Shape [Q].
    """
    middle = int(np.argmin(np.abs(levels - 0.5)))
    median = quantiles[..., middle : middle + 1]
    moved = median + (quantiles - median) * factors
    above = np.maximum.accumulate(moved[..., middle:], axis=-1)
    below = np.minimum.accumulate(moved[..., middle::-1], axis=-1)[..., ::-1]
    return np.concatenate([below[..., :-1], above], axis=-1)


def _conformal(scores: FloatArray, share: float) -> tuple[float, int]:
    """The conformal quantile of the scores that are known, and how many there are; infinite scores rank last."""
    known = np.sort(scores[~np.isnan(scores)])
    if not len(known):
        return 1.0, 0
    rank = min(int(np.ceil((len(known) + 1) * share)), len(known)) - 1
    return float(min(known[rank], WIDEST)), len(known)


def _drawn(own: float, towards: float, count: int, pseudo: float) -> float:
    """A number drawn towards another by the weight of its observations."""
    return towards + (own - towards) * count / (count + pseudo)
