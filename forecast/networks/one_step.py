"""What one step of a network needs, laid out once as arrays: for programs that take single steps, here or on another runtime.

Whole passes through a network go through torch; a single step of one series is dominated by the price of each operation there. It
must not compute a step: `neural.fast_step` does with numpy, `exporting` with ONNX.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, cast, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from forecast.core.errors import ModelError
from forecast.networks.covariates import Widths
from forecast.networks.decoders.direct import DirectDecoder
from forecast.networks.encoder_table import FAMILIES
from forecast.networks.encoders.fused import FusedRecurrent
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.heads.point import PointHead
from forecast.networks.heads.quantile import UNIT, QuantileHead
from forecast.networks.interfaces import Head
from forecast.networks.local_mixer import LocalMixer
from forecast.networks.network import Network
from forecast.networks.normalisers.windowed_spread import WindowedSpread, fewest_differences
from forecast.networks.path_table import PathTable
from forecast.networks.settings import NetworkSettings

Weights: TypeAlias = NDArray[np.float32]
Cell = Literal["elman", "lstm", "gru"]
CELLS: tuple[Cell, ...] = ("elman", "lstm", "gru")
STATES: dict[Cell, int] = {"elman": 1, "lstm": 2, "gru": 1}


class Affine(NamedTuple):
    """x @ weight + bias. weight [from, to], bias [to]."""

    weight: Weights
    bias: Weights


class Mixer(NamedTuple):
    """The LocalMixer. summary: [2D, M]. paths: [R, M]. steps: [H, M]. out: [M, R + P]."""

    summary: Affine
    paths: Weights
    steps: Weights
    out: Weights


class Known(NamedTuple):
    """What known covariates of a step add. embed: [K, E]. effect: of the hidden layer of the decoder, [hidden, E * (R + P)]."""

    embed: Affine
    effect: Affine


class Spread(NamedTuple):
    """The WindowedSpread.

    season: m. window: differences that make the spread. fewest: with fewer seasonal ones, those of neighbours count. first: the row
    from which on the normaliser reads.
    """

    season: int
    window: int
    fewest: int
    first: int


class Quantiles(NamedTuple):
    """How the head's numbers become quantiles and, last, their mean: centre + signs @ (softplus(numbers + shift) * gaps) + fixed.

    gaps: none for a point head. Shape [P - 1, H]. signs: Shape [Q + 1, P - 1]. fixed: distances not learned. Shape [Q + 1, H].
    """

    gaps: Weights
    shift: float
    signs: Weights
    fixed: Weights


@final
@dataclass(frozen=True, slots=True, eq=False)
class OneStep:
    """A network as arrays. Paths are in the order of `PathTable`, wherever weights have them.

    cell, lags, hidden, horizon, widths: kind and sizes. paths, spread, quantiles: the parts without weights.
    covariate_loc, covariate_scale: Shape [K + P + S].
    embed: of the lag vector, what was observed of it, the ratio of spread to level, the covariates. [C, D].
    inputs, recurrent: of the cell, gates in torch's order. [D, gates * D].
    decode: of the summary, hidden state first. [2D, hidden]. out: [hidden, (R + P) * H], all steps of a number side by side.
    """

    cell: Cell
    lags: int
    hidden: int
    horizon: int
    widths: Widths
    paths: PathTable
    spread: Spread
    quantiles: Quantiles
    covariate_loc: Weights
    covariate_scale: Weights
    embed: Affine
    inputs: Affine
    recurrent: Affine
    decode: Affine
    out: Affine
    known: Known | None
    mixer: Mixer | None

    @property
    def numbers(self) -> int:
        """R + P."""
        return len(self.out.bias) // self.horizon


def obstacles(settings: NetworkSettings) -> list[str]:
    """Returns what keeps a network of these settings from being laid out; nothing where it can be."""
    decoder = settings.decoder or FAMILIES[settings.encoder].decoders[0]
    found = {
        f"the encoder {settings.encoder!r}": settings.encoder not in CELLS,
        f"the decoder {decoder!r}": decoder != "direct",
        f"the head {settings.head!r}": settings.head not in _QUANTILES,
        f"the normaliser {settings.normaliser!r}": settings.normaliser not in (None, "windowed_spread"),
        "a state that is not carried": not settings.carry,
        "peepholes": settings.peepholes,
        f"the activation {settings.activation!r}": settings.activation != "tanh",
    }
    return [what for what, is_one in found.items() if is_one]


def lay_out(network: ForecastingNetwork, settings: NetworkSettings) -> OneStep:
    """Returns a network's arrays, copies of its weights.

    Raises:
        ModelError: parts that are not laid out.
    """
    against = obstacles(settings)
    if not against and not cast(Network, network).columns.plain:
        against = ["covariates that are names or have gaps"]
    if against:
        raise ModelError(
            f"a single step was not written out for {', '.join(against)}; take elman, lstm or gru with the direct decoder and the head "
            "quantile or point"
        )
    return _laid_out(cast(Network, network), settings)


def _laid_out(network: Network, settings: NetworkSettings) -> OneStep:
    """The parts are those that the settings name: `obstacles` has looked."""
    kernel, decoder = cast(FusedRecurrent, network.encoder).kernel, cast(DirectDecoder, network.decoder)
    scales, paths = cast(WindowedSpread, network.normaliser), PathTable.of(network.paths, network.lead + 1)
    numbers = np.concatenate([paths.order, np.arange(len(paths.order), decoder.outputs)])  # paths as in the table, then the head's
    season = scales.season_length
    weight_ih, weight_hh, bias_ih, bias_hh = kernel.all_weights[0]
    return OneStep(
        cell=cast(Cell, settings.encoder), lags=network.lags, hidden=kernel.hidden_size, horizon=network.horizon, widths=network.columns.widths(),
        paths=paths, spread=Spread(season, scales.spread_window, fewest_differences(season), network.lead - scales.lead),
        quantiles=_QUANTILES[settings.head](network.head, network.horizon),
        covariate_loc=_array(network.covariate_loc), covariate_scale=_array(network.covariate_scale),
        embed=_affine(cast(nn.Linear, network.embed)),
        inputs=Affine(_array(weight_ih).T, _array(bias_ih)),
        recurrent=Affine(_array(weight_hh).T, _array(bias_hh)),
        decode=_affine(decoder.hidden), out=_by_number(_affine(decoder.out), network.horizon, numbers), known=_known(decoder, numbers),
        mixer=None if network.mixer is None else _mixer(network.mixer, paths, numbers),
    )  # fmt: skip


def _by_number(out: Affine, horizon: int, numbers: NDArray[np.int64]) -> Affine:
    """The output layer with all steps of a number side by side, numbers in another order."""
    weight, bias = (x.reshape(-1, horizon, len(numbers))[:, :, numbers].swapaxes(1, 2) for x in out)
    return Affine(weight.reshape(len(out.weight), -1), bias.reshape(-1))


def _known(decoder: DirectDecoder, numbers: NDArray[np.int64]) -> Known | None:
    if decoder.known is None or decoder.effect is None:
        return None
    effect = _affine(decoder.effect)
    weight, bias = (x.reshape(-1, decoder.embedding, len(numbers))[:, :, numbers] for x in effect)
    return Known(_affine(decoder.known), Affine(weight.reshape(len(effect.weight), -1), bias.reshape(-1)))


def _mixer(mixer: LocalMixer, paths: PathTable, numbers: NDArray[np.int64]) -> Mixer:
    of_paths, out = _array(mixer.of_paths.weight).T[paths.order], _array(mixer.out.weight).T[:, numbers]
    return Mixer(_affine(mixer.of_summary), of_paths, _array(mixer.of_step), out)


def _learned_gaps(head: Head, horizon: int) -> Quantiles:
    quantile = cast(QuantileHead, head)
    signs = _array(quantile.signs).T  # [Q, P - 1]
    signs = np.concatenate([signs, _array(quantile.masses)[None] @ signs])
    return Quantiles(_array(quantile.gaps).T, UNIT, signs, np.zeros((len(signs), horizon), np.float32))


def _fixed_gaps(head: Head, horizon: int) -> Quantiles:
    distances = _array(cast(PointHead, head).distances).T  # [Q, H]
    nothing = np.zeros((len(distances) + 1, 0), np.float32)
    return Quantiles(np.zeros((0, horizon), np.float32), 0.0, nothing, np.pad(distances, ((0, 1), (0, 0))))


_QUANTILES: dict[str, Callable[[Head, int], Quantiles]] = {"quantile": _learned_gaps, "point": _fixed_gaps}


def _affine(layer: nn.Linear) -> Affine:
    return Affine(_array(layer.weight).T, _array(layer.bias))


def _array(tensor: Tensor) -> Weights:
    """A copy in C order."""
    return np.array(tensor.detach().cpu().numpy(), dtype=np.float32)
