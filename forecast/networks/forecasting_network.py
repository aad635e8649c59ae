"""The contract of whole networks: what training and inference see of them, whatever they are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from forecast.core.errors import ModelError
from forecast.networks.attention import Attention
from forecast.networks.interfaces import Batch, EncoderState, Prediction
from forecast.networks.state import NetworkState


class ForecastingNetwork(nn.Module, ABC):
    """What is trained and read: from every step of a series it forecasts the next H.

    lead: L, rows before a step that it reads. horizon: H. calendar: Names of the cycles whose features are the last of the known
    covariates; whoever makes batches appends them. carries: A series can be fed piece by piece.
    """

    lead: int
    horizon: int
    calendar: tuple[str, ...]
    carries: bool = True

    @property
    def attention(self) -> Attention | None:
        """What weighs the steps of the window at every step of the horizon; None where nothing does."""
        return None

    @abstractmethod
    def initial_state(self, batch: int) -> NetworkState:
        """Returns the state of series of which nothing was read yet."""

    @abstractmethod
    def state_inside(self, before: Tensor, counts: Tensor) -> NetworkState:
        """Returns the state of series that begin to be read somewhere inside: the encoder has read nothing.

        Args:
            before: The rows before, data units, float64, NaN where missing. Shape [B, L].
            counts: Count and mean of |y| over all observed rows before, however long ago. Shape [B, 2].
        """

    @abstractmethod
    def prepare(self, values: Tensor, covariate_loc: Tensor, covariate_scale: Tensor) -> None:
        """Takes what must be known of the training panel before the first step.

        Args:
            values: All observed values, data units. Shape [n].
            covariate_loc, covariate_scale: Mean and deviation of every covariate: known, past, static. Shape [K + P + S].
        """

    def loss(self, batch: Batch) -> Tensor:
        """Returns the mean loss over all observed targets of all usable origins; a scalar, 0 where there are none."""
        return self.loss_onwards(batch, None)[0]

    @abstractmethod
    def loss_onwards(self, batch: Batch, before: NetworkState | None) -> tuple[Tensor, NetworkState]:
        """Returns the loss of segments of which some go on where the last ones ended, and the state after them.

        Args:
            batch: Its `continues` says which rows take `before`; the others begin anew.
            before: The state after the batch before; None: all begin anew.
        """

    @abstractmethod
    def predict(self, batch: Batch, encoder_state: EncoderState | None) -> tuple[Prediction, NetworkState]:
        """Returns the forecasts from the batch's origins and the state after each row's last real step.

        Args:
            batch: Its lead is the ring of the state that `encoder_state` belongs to.
            encoder_state: None for series that begin here.
        """

    def sample_paths(self, batch: Batch, encoder_state: EncoderState | None) -> tuple[Tensor, NetworkState]:
        """Returns joint sample paths from the batch's origins, data units, and the state; see `predict`. Shape [B, O, S, H].

        Raises:
            ModelError: the network forecasts each step on its own.
        """
        raise ModelError("the network forecasts each step on its own and draws no joint paths; take `deepar`")
