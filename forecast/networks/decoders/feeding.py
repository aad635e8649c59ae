"""What a decoder hears that walks through the horizon: its own last forecast or the true value, and how often which."""

from __future__ import annotations

from torch import Tensor

from forecast.networks.interfaces import Feedback


def forced_share(trained: Tensor, forced_steps: int, feedback: Feedback) -> float:
    """Returns the probability of hearing the true value at this training step, and counts it; 0 outside of training.

    Scheduled sampling (Bengio et al. 2015, "Scheduled sampling for sequence prediction with recurrent neural networks", linear
    decay): always for the first half of `forced_steps`, then with a probability that falls linearly to 0.

    Args:
        trained: Training steps so far; one more afterwards. Shape [1].
        forced_steps: Training steps after which no true value is heard; 0 for none from the start.
        feedback: Has targets in training alone.
    """
    if feedback.targets is None or not forced_steps:
        return 0.0
    share = 2 * (1 - trained.item() / forced_steps)
    trained += 1
    return min(max(share, 0.0), 1.0)


def true_values(feedback: Feedback) -> Tensor:
    """Returns the true values, NaN where missing, of a feedback that has them. Shape [B * O, H]."""
    assert feedback.targets is not None
    return feedback.targets.flatten(0, 1)


def compressed(x: Tensor) -> Tensor:
    """Returns sign(x) log(1 + |x|), as the network's inputs are."""
    return x.sign() * x.abs().log1p()
