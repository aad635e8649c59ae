"""Reading histories with a trained network: blocks of series, pieces of time, the state carried from piece to piece.

Predicting, backtesting and carrying state are this one pass with other origins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import numpy as np
import torch

from forecast.core.arrays import BoolArray, FloatArray, IntArray
from forecast.core.panel import Panel
from forecast.networks.forecasting_network import ForecastingNetwork
from forecast.networks.state import NetworkState
from forecast.neural.data import to_batch
from forecast.windowing.segments import SegmentReader, Segments

Values = TypeVar("Values", IntArray, BoolArray)

BLOCK_ROWS = 256  # equal batch shapes give equal bytes, so blocks are filled up with empty rows
PIECE_STEPS = 128
FED_ROWS = 4096


class Block(NamedTuple):
    """Forecasts of some series and origins: series [R] positions in the panel, origins [R] rows, mean [R, H], quantiles [R, H, Q]."""

    series: IntArray
    origins: IntArray
    mean: FloatArray
    quantiles: FloatArray


def block_rows(count: int) -> int:
    """Returns how many rows a block of a panel of `count` series has: 256, or the power of two that holds a small panel."""
    return min(BLOCK_ROWS, 1 << max(count - 1, 3).bit_length())


def read_panel(
    network: ForecastingNetwork,
    panel: Panel,
    origins: IntArray,
    horizon_known: FloatArray | None = None,
) -> Iterator[tuple[list[Block], NetworkState]]:
    """Reads every series once and yields, block by block, the forecasts of the wanted origins and the final states.

    The states have the rows of a full block, in the processor's memory; those beyond the block's series are empty.

    Args:
        network: In evaluation mode.
        panel: Histories.
        origins: Rows inside each series to forecast from; outside the series: none. Shape [N, W].
        horizon_known: Known covariates of the H steps after each series' end; otherwise those of the panel count. Shape [N, H, K].
    """
    rows, reader = block_rows(len(panel)), SegmentReader.of(panel, network.calendar)
    for begin in range(0, len(panel), rows):
        series = np.arange(begin, min(begin + rows, len(panel)))
        known = None if horizon_known is None else horizon_known[series]
        yield _read_block(network, reader, series, origins[series], network.initial_state(rows), known)


def feed_panel(
    network: ForecastingNetwork, panel: Panel, state: NetworkState, horizon_known: FloatArray | None = None
) -> tuple[Block, NetworkState]:
    """Reads every series on from a state and returns the forecasts after its last row, and the states there.

    The work is cut by each series' own length, into the smallest piece of time that holds it, so that what the others bring has no
    say in how a series is computed.

    Args:
        network: In evaluation mode.
        panel: N series, the rows after the state.
        state: Of the N series before the panel's rows.
        horizon_known: See `read_panel`.
    """
    reader, last, steps = SegmentReader.of(panel, network.calendar), panel.lengths[:, None] - 1, piece_steps(panel.lengths)
    order, blocks, states = [], [], []
    for size in np.unique(steps):
        alike = np.flatnonzero(steps == size)
        rows = fed_rows(len(alike), int(size))
        for series in np.split(alike, np.arange(rows, len(alike), rows)):
            filled = fed_rows(len(series), int(size))  # the last block may be smaller
            nothing = network.initial_state(filled)
            before = nothing.put_first(state.take(_chosen(series)).to(nothing.ring.device))
            known = None if horizon_known is None else horizon_known[series]
            found, after = _read_block(network, reader, series, last[series], before, known, int(size))
            order.append(series)
            blocks += found
            states.append(after.take(slice(0, len(series))))
    place = torch.from_numpy(np.argsort(np.concatenate(order)))
    return in_order(blocks), NetworkState.concatenate(states).take(place)


def in_order(blocks: Sequence[Block]) -> Block:
    """Returns what several blocks hold as one, ordered by series and origin."""
    series, origins, mean, quantiles = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    order = np.lexsort((origins, series))
    return Block(series[order], origins[order], mean[order], quantiles[order])


def piece_steps(lengths: IntArray) -> IntArray:
    """Returns the steps of the pieces that series of some lengths are fed in: a power of two, PIECE_STEPS at most. Shape [N]."""
    powers = 1 << np.arange(PIECE_STEPS.bit_length())
    return np.asarray(np.minimum(powers[np.searchsorted(powers, np.minimum(lengths, PIECE_STEPS))], PIECE_STEPS))


def fed_rows(count: int, steps: int) -> int:
    """Returns the rows of a block of `count` series that are fed in pieces of some steps: more of them where the pieces are short."""
    most = min(max(BLOCK_ROWS * PIECE_STEPS // (8 * steps), BLOCK_ROWS), FED_ROWS)
    return min(most, 1 << max(count - 1, 3).bit_length())


def _chosen(series: IntArray) -> slice | torch.Tensor:
    """The positions as a slice where they follow each other, which costs no copy."""
    whole = len(series) == series[-1] + 1 - series[0]
    return slice(int(series[0]), int(series[-1]) + 1) if whole else torch.from_numpy(series)


def stream_panel(network: ForecastingNetwork, panel: Panel, origins: IntArray) -> Iterator[Block]:
    """Yields what `read_panel` gives from the panel's first row on, each piece of time as soon as it is read.

    No more than the forecasts of BLOCK_ROWS series and PIECE_STEPS origins each are held at once.
    """
    rows, reader = block_rows(len(panel)), SegmentReader.of(panel, network.calendar)
    for begin in range(0, len(panel), rows):
        series = np.arange(begin, min(begin + rows, len(panel)))
        for block, _ in _read_pieces(network, reader, series, origins[series], network.initial_state(rows), None):
            if block is not None:
                yield block


def _read_block(
    network: ForecastingNetwork,
    reader: SegmentReader,
    series: IntArray,
    origins: IntArray,
    state: NetworkState,
    horizon_known: FloatArray | None,
    steps: int = PIECE_STEPS,
) -> tuple[list[Block], NetworkState]:
    blocks = []
    for block, after in _read_pieces(network, reader, series, origins, state, horizon_known, steps):
        state = after
        if block is not None:
            blocks.append(block)
    return blocks, state.to(torch.device("cpu"))


def _read_pieces(
    network: ForecastingNetwork,
    reader: SegmentReader,
    series: IntArray,
    origins: IntArray,
    state: NetworkState,
    horizon_known: FloatArray | None,
    steps: int = PIECE_STEPS,
) -> Iterator[tuple[Block | None, NetworkState]]:
    """Yields piece by piece the forecasts from the wanted origins, None where there are none, and the states after the piece."""
    lengths, rows = reader.panel.lengths[series], len(state.ring)
    for first in range(0, int(lengths.max()), steps):
        here = (origins >= first) & (origins < np.minimum(first + steps, lengths[:, None]))
        starts = np.full(len(series), first)
        piece = reader.read(series, starts, lead=0, steps=steps, horizon=network.horizon)
        if horizon_known is not None:
            _put_future(piece.known, horizon_known, lengths - first)
        inside, count = np.clip(lengths - first, 0, steps), max(int(here.sum(axis=1).max()), 1)
        order = np.argsort(~here, axis=1, kind="stable")[:, :count]
        wanted = np.take_along_axis(here, order, axis=1)
        local = np.where(wanted, np.take_along_axis(origins, order, axis=1) - first, 0)
        mean, quantiles, state = read_piece(
            network, state, _filled(piece, rows), _fill(local, rows), _fill(inside, rows), _fill(wanted, rows)
        )
        row, column = np.nonzero(wanted)
        block = Block(series[row], local[row, column] + first, mean[row, column], quantiles[row, column]) if len(row) else None
        yield block, state


def read_piece(
    network: ForecastingNetwork,
    state: NetworkState,
    piece: Segments,
    origins: IntArray,
    lengths: IntArray,
    wanted: BoolArray | None = None,
) -> tuple[FloatArray, FloatArray, NetworkState]:
    """Feeds one piece of T steps to the network.

    Args:
        network: In evaluation mode.
        state: Before the piece, on the network's device.
        piece: Without lead. y [B, T + H] of which the last H are not read.
        origins: Steps to forecast from. Shape [B, O].
        lengths: Real steps of each row. Shape [B].
        wanted: Which of the origins are asked for; None: all. Shape [B, O].

    Returns:
        mean [B, O, H], quantiles [B, O, H, Q] and the state after each row's last real step.
    """
    steps, device = piece.past.shape[1], state.ring.device
    batch = to_batch(piece, steps, origins, torch.ones(len(lengths)), lengths)
    asked = None if wanted is None else torch.from_numpy(wanted)
    batch = batch._replace(statistics=state.statistics, wanted=asked).to(device)
    y = torch.cat([state.ring, batch.y[:, :steps]], dim=1)
    with torch.inference_mode():
        prediction, after = network.predict(batch._replace(y=y), state.encoder)
    return prediction.mean.cpu().numpy(), prediction.quantiles.cpu().numpy(), after


def _put_future(known: FloatArray, future: FloatArray, lengths: IntArray) -> None:
    """Writes the known covariates of the horizon behind the end of each row whose end is in sight.

    known: [B, T + H, K + F], of which the calendar's F stay. future: [B, H, K].
    """
    place = lengths[:, None] + np.arange(future.shape[1])
    row, step = np.nonzero((place >= 0) & (place < known.shape[1]))
    known[row, place[row, step], : future.shape[2]] = future[row, step]


def _fill(array: Values, rows: int) -> Values:
    return np.concatenate([array, np.zeros((rows - len(array), *array.shape[1:]), dtype=array.dtype)])


def _filled(piece: Segments, rows: int) -> Segments:
    """The piece with empty rows up to the size of a block."""
    missing = rows - len(piece.y)
    if not missing:
        return piece
    return Segments(*(np.concatenate([a, np.full((missing, *a.shape[1:]), fill)])
                      for a, fill in zip(piece, (np.nan, np.nan, np.nan, np.nan, 0.0), strict=True)))  # fmt: skip
