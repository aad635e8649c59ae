"""The contracts between the parts of a network: tensors in, tensors out.

Encoders, decoders and heads do not know each other; only `network.py` puts them together. No pandas here, no Lightning, no files.

Axis letters: B batch, L lead (rows before the first step), T time, O origins, H horizon, C input channels, D hidden size,
P head parameters, Q quantile levels, R naive paths, K known covariates, S static covariates.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from forecast.core.errors import ModelError
from forecast.networks.attention import Attention
from forecast.networks.timeline import gather_steps

if TYPE_CHECKING:
    from forecast.networks.state import NetworkState

EncoderState: TypeAlias = tuple[Tensor, ...]


class Batch(NamedTuple):
    """Segments of B series. Column L + t of `y` is time step t; the L columns before it are what came before the segment.

    steps: T.
    y: data units, float64, NaN where missing; a batch to learn from has H more columns, which only the loss reads.
        Shape [B, L + T] or [B, L + T + H].
    known: known covariates of steps 0...T+H-1, NaN where unknown. Shape [B, T + H, K].
    past: past covariates of steps 0...T-1. Shape [B, T, P].
    static: Shape [B, S].
    origins: the steps to forecast from. Shape [B, O].
    lengths: steps of each row that are real; later ones are padding on the right. None: all T. Shape [B].
    statistics: of the rows before step 0. A batch to learn from has count and mean of |y| over the observed ones [B, 2]; one to
        forecast from has what the normaliser carries [B, its width].
    unit: what one unit of loss is, data units: the row's in-sample seasonal error. Shape [B].
    continues: which rows go on where that row of the batch before ended; None where every batch begins anew. Shape [B].
    wanted: which origins are asked for, where forecasts are too dear to make and throw away. None: all. Shape [B, O].
    """

    steps: int
    y: Tensor
    known: Tensor
    past: Tensor
    static: Tensor
    origins: Tensor
    lengths: Tensor | None
    statistics: Tensor
    unit: Tensor
    wanted: Tensor | None = None
    continues: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Returns the batch on a device."""
        return Batch._make(part.to(device) if isinstance(part, Tensor) else part for part in self)


class Scales(NamedTuple):
    """What the normaliser knows at every step, data units, float64, each [B, T]; scale 0 says that nothing but 0 was seen.

    loc: the level. scale: one scaled unit. spread: the usual error of the seasonal naive. own: what else the normaliser that made
    them wants to find again, each [B, T, ...].
    """

    loc: Tensor
    scale: Tensor
    spread: Tensor
    own: tuple[Tensor, ...] = ()

    def at(self, steps: Tensor) -> Scales:
        """Returns the scales of some steps. steps [B, O]. Each [B, O, ...]."""
        loc, scale, spread, *own = (gather_steps(x, steps) for x in (self.loc, self.scale, self.spread, *self.own))
        return Scales(loc, scale, spread, tuple(own))


class Feedback(NamedTuple):
    """What a decoder that feeds its own forecasts back needs to know of them, scaled units.

    naive: the naive paths. Shape [B, O, H, R].
    blocked: which of them have nothing to be made from. Shape [B, O, 1, R].
    targets: the true values to learn from, NaN where missing; None where there are none to see. Shape [B, O, H].
    """

    naive: Tensor
    blocked: Tensor
    targets: Tensor | None


class Encoding(NamedTuple):
    """What an encoder has read: attention reads the memory, direct decoders the summary [B, O, D].

    The memory of a causal encoder is [B, M, D], that of a windowed one [B, O, M, D]. feedback: for decoders that ask for it.
    """

    memory: Tensor
    memory_mask: Tensor | None
    summary: Tensor
    feedback: Feedback | None = None


class HeadInput(NamedTuple):
    """What a head reads. raw [B, O, H, P]; centre [B, O, H] scaled units; spread, loc, scale [B, O, 1 or H].

    spread is in scaled units; loc and scale, which turn scaled units into data units, are in data units.
    """

    raw: Tensor
    centre: Tensor
    spread: Tensor
    loc: Tensor
    scale: Tensor


class Normaliser(nn.Module, ABC):
    """Loc and scale of every step from `y[<= t]` alone, recomputed from the lead and never from running sums of values.

    lead: rows before a step that it reads.
    width: numbers that it carries of each series; the first two are count and mean of |y|.
    is_path: whether its loc at the target steps is a forecast of its own, which the network mixes with the naive paths.
    """

    lead: int
    width: int = 2
    is_path: ClassVar[bool] = False

    @abstractmethod
    def forward(self, y: Tensor, statistics: Tensor) -> tuple[Scales, Tensor]:
        """Returns the scales of the T steps after the lead, and the statistics after the last of them.

        Args:
            y: data units, float64, NaN where missing. Shape [B, lead + T].
            statistics: what is carried, before the first step. Shape [B, width].
        """

    def initial_statistics(self, batch: int) -> Tensor:
        """Returns the statistics of series of which nothing was read yet. Shape [B, width]."""
        return torch.zeros(batch, self.width, dtype=torch.float64)

    def warm(self, before: Tensor, counts: Tensor) -> Tensor:
        """Returns the statistics at the start of segments that were cut out of their series.

        Args:
            before: The rows before the segment, data units, NaN where missing. Shape [B, lead].
            counts: Count and mean of |y| over all observed rows before the segment. Shape [B, 2].
        """
        return counts

    def rewound(self, statistics: Tensor, padding: Tensor) -> Tensor:
        """Returns the statistics as they were `padding` steps earlier, all of which were missing. padding [B]."""
        return statistics

    def scaled(self, windows: Tensor, scales: Scales) -> Tensor:
        """Returns the values of a window that ends at each step in scaled units, NaN where missing.

        Gradients reach the scales from the observed values alone.

        Args:
            windows: Data units, NaN where missing. Shape [B, T, D].
            scales: Of the T steps.
        """
        return (windows - scales.loc[..., None]) / torch.where(scales.scale > 0, scales.scale, 1.0)[..., None]

    def penalty(self, scales: Scales) -> Tensor:
        """Returns what the scales themselves add to the loss; a scalar."""
        return scales.loc.new_zeros(())

    @abstractmethod
    def at(self, scales: Scales, origins: Tensor, horizon: int) -> tuple[Tensor, Tensor]:
        """Returns loc and scale for the target steps of each origin: [B, O, 1], or [B, O, H] where they differ by step."""


class Encoder(nn.Module, ABC):
    """Reads inputs [B, T, C] into states.

    causal: step t depends on inputs <= t alone, and T steps at once equal T single steps with the carried state. An encoder that is
        not causal is windowed: it is handed the raw inputs of the origins [B, O, C], see `LagWindow`, reads each of them on its own
        and carries no state.
    carries: whether its reading can be carried on from one observation to the next; a reading of the whole window cannot.
    width: D of the summary.
    """

    causal: ClassVar[bool]
    carries: ClassVar[bool] = True
    width: int

    @abstractmethod
    def forward(
        self, inputs: Tensor, origins: Tensor, state: EncoderState | None = None, lengths: Tensor | None = None
    ) -> tuple[Encoding, EncoderState]:
        """Returns the encoding and the state after each row's last real step.

        Args:
            inputs: Shape [B, T, C].
            origins: Steps whose summary is wanted. Shape [B, O].
            state: Carried state, batch first; None starts anew.
            lengths: Real steps of each row, 0 keeps the row's state; None: all T. Shape [B].
        """

    @abstractmethod
    def initial_state(self, batch: int) -> EncoderState:
        """Returns the state of `batch` rows that have read nothing. Each tensor [B, ...]."""


class Decoder(nn.Module, ABC):
    """Turns an encoding into numbers for every origin and step.

    feeds_back: it reads its own forecasts; the encoding then has the feedback.
    """

    feeds_back: ClassVar[bool] = False

    @property
    def attention(self) -> Attention | None:
        """What weighs the steps of the memory at every step of the horizon; None in a decoder that weighs none."""
        return None

    @abstractmethod
    def forward(self, encoding: Encoding, known: Tensor, origins: Tensor) -> Tensor:
        """Returns raw [B, O, H, R + P]: the weights of the naive paths, then the head's numbers.

        Args:
            encoding: From the encoder.
            known: Standardised known covariates of steps 0...T+H-1. Shape [B, T + H, K].
            origins: Shape [B, O].
        """


class Head(nn.Module, ABC):
    """Turns P numbers per step into a loss, a mean and quantiles. It has no weights of its own.

    width: P. The first number is the residual that the network has already added to the centre.
    """

    width: int

    @abstractmethod
    def loss(self, given: HeadInput, target: Tensor) -> Tensor:
        """Returns the loss of each target in scaled units. target: data units [B, O, H]. Shape [B, O, H]."""

    @abstractmethod
    def mean(self, given: HeadInput) -> Tensor:
        """Returns the mean forecast, data units. Shape [B, O, H]."""

    @abstractmethod
    def quantiles(self, given: HeadInput) -> Tensor:
        """Returns the quantiles at the head's levels, data units; they never cross. Shape [B, O, H, Q]."""

    def forecast(self, given: HeadInput) -> tuple[Tensor, Tensor]:
        """Returns the mean and the quantiles, as heads do that can work out both at once."""
        return self.mean(given), self.quantiles(given)

    def prepare(self, values: Tensor) -> None:
        """Looks at all observed values of the training panel, data units, before the first step. Shape [n].

        Raises:
            ModelError: the head's distribution cannot give some of them.
        """

    def draw(self, given: HeadInput, probability: Tensor) -> Tensor:
        """Returns the value that the target stays below with a probability, one for each target, data units. Shape [B, O, H].

        Raises:
            ModelError: the head has no distribution of which to draw.
        """
        raise ModelError(f"{type(self).__name__} has no distribution to draw from; take a head with a likelihood")


class Prediction(NamedTuple):
    """Forecasts in data units, float64: mean [B, O, H] and quantiles [B, O, H, Q]."""

    mean: Tensor
    quantiles: Tensor


class Rollout(ABC):
    """Autoregressive forecasting: joint sample paths from a carried state, one step at a time."""

    @abstractmethod
    def rollout(self, first: HeadInput, state: NetworkState, known: Tensor, static: Tensor) -> Tensor:
        """Returns S sample paths of steps 1...H from the origin that the state stands at, data units. Shape [B, S, H].

        Args:
            first: What the head reads at that origin, of which step 1 is drawn. centre [B, 1, 1 or H].
            state: After the origin's observation.
            known: Known covariates of the steps after the origin, as far as they are read. Shape [B, H or more, K].
            static: Shape [B, S].
        """
