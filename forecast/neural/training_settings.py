"""How to train, as plain values. docs/training.md has a table of them with sources and measured effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from forecast.neural.device import DeviceName, Precision


@final
@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train.

    max_steps: Length of the schedule and the most steps that are taken. validate_every: Steps between validations; 0 takes
    max_steps without validation. patience: Validations without a new best one after which no more steps are tried; 0 for all.
    learning_rate, weight_decay, warm_up: see ForecastingModule. average_decay: Of the running average of the weights, which is used in
    the end. average_last: Where it is not 0, the mean over so many last steps is used instead. clip_norm, clip_value: Largest norm of
    the gradient and largest size of each of its numbers, which are cut first; 0 for no limit. batch_size, segment, stride: see
    SegmentPlan. truncate_after: Steps after which the gradient is cut while the state goes on: batches then walk through series in
    consecutive segments of as many steps; 0 for random segments of `segment` steps. seed: Of everything. budget: Seconds that the
    training may take; fewer steps are taken where it is short, so that the weights then depend on the machine. None for as many as it
    takes. deterministic: Refuse kernels whose result may differ from run to run; those of the processor never do. precision:
    `bf16-mixed` multiplies matrices in bfloat16, which is faster where the machine has instructions for it and slower where not;
    `auto` sees. compile: Translate the loss with torch.compile, see `compiling`. device: Where to train and to forecast; `auto` takes
    the GPU where there is one.
    """

    max_steps: int = 400
    validate_every: int = 50
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    warm_up: int = 20
    average_decay: float = 0.99
    clip_norm: float = 1.0
    batch_size: int = 64
    segment: int = 192
    stride: int = 4
    seed: int = 0
    budget: float | None = None
    deterministic: bool = False
    precision: Precision = "32-true"
    clip_value: float = 0.0
    truncate_after: int = 0
    patience: int = 0
    average_last: int = 0
    compile: bool = False
    device: DeviceName = "auto"
