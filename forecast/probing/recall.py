"""How many steps back a value can still be recalled after equal training.

The task is a stream of random numbers of which some are marked; at every step the last marked one is asked for, read off the state by one
linear map. A state holds few numbers and need not hold more here: what is measured is for how long, not how many.
"""

from __future__ import annotations

import math
from typing import NamedTuple, final

import torch
from torch import Tensor, nn

from forecast.networks.interfaces import Encoder, EncoderState
from forecast.probing.cells import build_cell, origins_of
from forecast.probing.recall_rule import recall_of
from forecast.probing.results import Recall
from forecast.probing.settings import ProbeSettings

_VARIANCE = 1 / 3  # of a value that is uniform on -1...1
_WARM_SHARE, _CLIP = 0.1, 1.0
_LAST_SHARE = 0.1  # of the training steps, whose mean loss is what a run ended at
_CHUNK = 128  # steps of the test read at once


class Stream(NamedTuple):
    """inputs: the numbers and which of them are marked [B, T, 2]. asked: the last marked number at every step [B, T]."""

    inputs: Tensor
    asked: Tensor


@final
class Reader(nn.Module):
    """An encoder between two linear maps: two inputs become its own, its states become one number.

    Args:
        encoder: A causal one with as many inputs as `hidden_size`.
        hidden_size: C.
    """

    def __init__(self, encoder: Encoder, hidden_size: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.embed, self.readout = nn.Linear(2, hidden_size), nn.Linear(encoder.width, 1)

    def forward(self, inputs: Tensor, state: EncoderState | None = None) -> tuple[Tensor, EncoderState]:
        """Returns a number for every step [B, T], and the state after the last. inputs [B, T, 2]."""
        encoding, after = self.encoder(self.embed(inputs), origins_of(inputs), state)
        return self.readout(encoding.memory)[..., 0], after


def marked_stream(rows: int, steps: int, longest_gap: int, generator: torch.Generator) -> Stream:
    """Returns streams to learn from; the first step is marked, the gaps between marks are log-uniform on 1...longest_gap."""
    values = 2 * torch.rand(rows, steps, generator=generator) - 1
    gaps = torch.exp(torch.rand(rows, steps, generator=generator) * math.log(longest_gap)).ceil().long()
    places = gaps.cumsum(dim=1) - gaps[:, :1]
    marks = torch.zeros(rows, steps + 1).scatter_(1, places.clamp(max=steps), 1.0)[:, :steps]
    last = torch.where(marks > 0, torch.arange(steps), 0).cummax(dim=1).values
    return Stream(torch.stack([values, marks], dim=-1), values.gather(1, last))


def train(reader: Reader, steps: int, rate: float, settings: ProbeSettings) -> list[float]:
    """Trains a reader on fresh streams with a one-cycle rate; returns the loss of each step as a share of the variance."""
    generator = torch.Generator().manual_seed(settings.seed)
    optimiser = torch.optim.Adam(reader.parameters(), lr=rate)
    warm = max(_WARM_SHARE, 2 / steps)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1, pct_start=min(warm, 0.9))
    losses = []
    for _ in range(steps):
        losses.append(
            train_step(reader, optimiser, marked_stream(settings.batch, settings.length, settings.longest_gap, generator))
        )
        schedule.step()
    return losses


def train_step(reader: Reader, optimiser: torch.optim.Optimizer, stream: Stream) -> float:
    """Takes one step on one batch; returns its loss as a share of the variance."""
    guess, _ = reader(stream.inputs)
    loss = (guess - stream.asked).square().mean() / _VARIANCE
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(reader.parameters(), _CLIP)
    optimiser.step()
    return float(loss.detach())


def final_loss(losses: list[float]) -> float:
    """Returns the mean loss of the last tenth of the steps; infinite where one of them is not a number."""
    last = losses[-max(1, round(_LAST_SHARE * len(losses))) :]
    mean = sum(last) / len(last)
    return mean if math.isfinite(mean) else math.inf


@torch.no_grad()
def explained_by_age(reader: Reader, settings: ProbeSettings) -> list[float]:
    """Returns R^2 of a single marked value at ages 1...oldest, with nothing but other random numbers after it."""
    generator = torch.Generator().manual_seed(settings.seed + 1)
    values = 2 * torch.rand(settings.rows, settings.oldest + 1, generator=generator) - 1
    marks = torch.zeros_like(values)
    marks[:, 0] = 1.0
    reader.eval()
    state: EncoderState | None = None
    errors = []
    for part in torch.stack([values, marks], dim=-1).split(_CHUNK, dim=1):
        guess, state = reader(part, state)
        errors.append((guess - values[:, :1]).square().mean(dim=0))
    explained = 1 - torch.cat(errors)[1:] / values[:, 0].var(unbiased=False)
    return [float(share) for share in explained.nan_to_num(nan=-1.0, neginf=-1.0)]


def measure_recall(name: str, settings: ProbeSettings) -> Recall:
    """Returns how far back a cell recalls after training at the rate, of those allowed, that brought its loss lowest."""
    runs = []
    for rate in settings.rates:
        torch.manual_seed(settings.seed)
        reader = Reader(build_cell(name, settings.recall_size), settings.recall_size)
        runs.append((final_loss(train(reader, settings.steps, rate, settings)), rate, reader))
    loss, rate, reader = min(runs, key=lambda run: run[0])
    return recall_of(explained_by_age(reader, settings), rate, loss)
