"""Puts the named networks together from plain numbers. It must not know panels or training."""

from __future__ import annotations

from forecast.core.errors import ModelError
from forecast.networks.autoregressive import AutoregressiveNetwork
from forecast.networks.covariates import Columns
from forecast.networks.decoder_table import DECODERS, summary_width
from forecast.networks.encoder_table import FAMILIES, WINDOWED, cell_options, window_lags
from forecast.networks.encoders.fused import USUAL
from forecast.networks.encoders.memoryless import Memoryless
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.interfaces import Decoder, Encoder
from forecast.networks.local_mixer import LocalMixer
from forecast.networks.naive_paths import NaivePaths
from forecast.networks.network import Network
from forecast.networks.parts import DRAWN, build_head, build_normaliser
from forecast.networks.settings import NetworkSettings, Sizes

LONGEST_LEAD = 400  # rows: a longer season is no naive path and no lag
SPARE_ROWS = 14  # of the ring of a short memory, beside the lags: with count and mean of |y| the state has 16 numbers more


def default_lags(season_lengths: tuple[int, ...]) -> int:
    """Returns the length of the lag vector: the longest season that fits, or some cycles of the only one."""
    fitting = [m for m in season_lengths if m <= LONGEST_LEAD]
    if not fitting:
        return 8
    shortest, longest = min(fitting), max(fitting)
    cycles = 7 if shortest >= 24 else (8 if 4 < shortest < 8 else 3)
    return min(max(longest if longest > shortest else 0, cycles * shortest, 8), LONGEST_LEAD)


def build_parts(settings: NetworkSettings, sizes: Sizes) -> tuple[Encoder, Decoder]:
    """Returns a new encoder and its decoder.

    Raises:
        ModelError: a decoder that the encoder cannot have, or options of cells for an encoder without them.
    """
    family = FAMILIES[settings.encoder]
    decoder = settings.decoder or family.decoders[0]
    if decoder not in family.decoders:
        raise ModelError(
            f"the encoder {settings.encoder!r} was given the decoder {decoder!r}, which does not fit; take one of {list(family.decoders)}"
        )
    if not family.cells and cell_options(settings) != USUAL:
        raise ModelError(
            f"the encoder {settings.encoder!r} is not made of Elman, LSTM or GRU cells and has none of their options "
            f"{list(USUAL._fields)}; leave them out, or take one of {[n for n, f in FAMILIES.items() if f.cells]}"
        )
    encoder = family.build(settings, sizes)
    return encoder, DECODERS[decoder](encoder, settings, sizes)


def build_network(
    settings: NetworkSettings,
    *,
    horizon: int,
    levels: tuple[float, ...],
    season_lengths: tuple[int, ...],
    columns: Columns,
    calendar: tuple[str, ...] = (),
) -> Network:
    """Returns a new network; before training it forecasts (mostly) the seasonal naive with its intervals.

    Args:
        settings: Parts and sizes.
        horizon, levels: H and the quantile levels.
        season_lengths: In steps; those longer than LONGEST_LEAD are left to the covariates.
        columns: Kinds of the covariates, the features of the calendar last among the known ones.
        calendar: Names of the cycles that these features stand for.
    """
    seasons = tuple(m for m in season_lengths if 1 < m <= LONGEST_LEAD)
    season, size = (seasons[0] if seasons else 1), settings.hidden_size
    usual = default_lags(season_lengths)
    lags = settings.lags or (window_lags(usual, horizon) if settings.encoder in WINDOWED else usual)
    # Without a lag vector the level stays that of the default: an ablation takes one thing away.
    reach = lags if lags > 1 else usual
    level_window = max([*(m for m in seasons if m <= reach), 4])
    rows = reach + SPARE_ROWS + 1 if settings.memory == "short" else None  # the ring, and the value of the step itself
    paths = _naive_paths(horizon, seasons, level_window, rows)
    normaliser = build_normaliser(
        settings.normaliser or ("exponential_smoothing" if settings.encoder == "esrnn" else "windowed_spread"),
        season_lengths=seasons, level_window=level_window, wiggle=settings.wiggle, rows=rows,
    )  # fmt: skip
    head = build_head(settings.head, horizon=horizon, levels=levels, season_length=season, tau=settings.tau)
    count, first = paths.count + normaliser.is_path, paths.count if normaliser.is_path else paths.first
    widths = columns.widths()
    sizes = Sizes(lags, widths.inputs(lags) - 2 * lags, size, horizon, count, count + head.width, widths.known, first,
                  seasons)  # fmt: skip
    encoder, decoder = build_parts(settings, sizes)
    encoder = encoder if settings.carry or not encoder.causal else Memoryless(encoder)
    mixer = None
    if settings.mixer:
        mixer = LocalMixer(paths=count, summary=summary_width(encoder, sizes), horizon=horizon, outputs=sizes.outputs,
                           hidden=settings.mixer)  # fmt: skip
    return Network(normaliser=normaliser, paths=paths, encoder=encoder, decoder=decoder, head=head, lags=lags, columns=columns,
                   hidden_size=size, dropout=settings.dropout, loss_weight=settings.loss_weight, mixer=mixer, calendar=calendar,
                   input_noise=settings.input_noise)  # fmt: skip


def _naive_paths(horizon: int, seasons: tuple[int, ...], level_window: int, rows: int | None) -> NaivePaths:
    """The paths that the last `rows` rows hold; None: all that there are."""
    if rows is None:
        return NaivePaths(horizon=horizon, season_lengths=seasons, level_window=level_window)
    return NaivePaths(horizon=horizon, season_lengths=tuple(m for m in seasons if m <= rows), level_window=level_window,
                      drift_window=_drift_window(seasons, level_window, rows), rows=rows)  # fmt: skip


def _drift_window(seasons: tuple[int, ...], level_window: int, rows: int) -> int:
    """Steps of a level of which two fit: whole cycles, of the longest season that can."""
    half = rows // 2
    cycles = [half // m * m for m in reversed(seasons) if m <= half]
    return level_window if level_window <= half else max(cycles[0] if cycles else half, 1)


def build_model(
    settings: NetworkSettings,
    *,
    horizon: int,
    levels: tuple[float, ...],
    season_lengths: tuple[int, ...],
    columns: Columns,
    calendar: tuple[str, ...] = (),
) -> ForecastingNetwork:
    """Returns the network of a name: `deepar` looks one step ahead and is rolled out, the others are direct; see `build_network`.

    Raises:
        ModelError: a head without a distribution, of which nothing can be drawn, for `deepar`.
    """
    rolled = settings.encoder == "deepar"
    if rolled and settings.head not in DRAWN:
        raise ModelError(f"deepar draws from its head and {settings.head!r} has no distribution; take one of {sorted(DRAWN)}")
    if rolled and settings.samples < 1:
        raise ModelError(f"deepar forecasts from samples, found samples {settings.samples}; ask for 1 or more")
    direct = build_network(settings, horizon=1 if rolled else horizon, levels=levels, season_lengths=season_lengths, columns=columns,
                           calendar=calendar)  # fmt: skip
    return AutoregressiveNetwork(direct, horizon=horizon, levels=levels, samples=settings.samples) if rolled else direct
