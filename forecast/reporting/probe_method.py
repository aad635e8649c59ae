"""How each number of the probe came about, in words that carry the settings of the run. It must not measure or judge."""

from __future__ import annotations

from forecast.probing.recall_rule import RECALLED
from forecast.probing.settings import ProbeSettings


def method(settings: ProbeSettings) -> str:
    """Returns the section of the page, as Markdown."""
    return "## How it is measured\n\n" + "\n".join(f"- {line}" for line in (*_recall(settings), *_costs(settings)))


def _recall(s: ProbeSettings) -> tuple[str, ...]:
    rates = " and ".join(f"{rate:g}" for rate in s.rates)
    return (
        "**Recalls.** The input is a stream of uniform random numbers of which some are marked; at every step the last marked one is asked "
        "for, read off the state by one linear map. Every cell is trained alike: "
        f"{s.steps} steps of {s.batch} rows by {s.length} time steps, gaps between marks log-uniform up to {s.longest_gap}, Adam with a "
        f"one-cycle rate, the better (by training loss) of the rates {rates}. Then one value is marked and only random numbers follow. "
        f"A value of some age is *recalled* if R² over {s.rows} rows is above {RECALLED:g}; the horizon is the greatest such age up to "
        f"{s.oldest:,}.",
        "The bar is that high because one bit is not a value: the sign alone, which a saturated unit can hold for ever, explains 0.75. "
        "Much of what an Elman net shows beyond its mark is that bit.",
        "This task was chosen because a state of D numbers cannot hold hundreds of values: the value that came k steps ago, asked for at "
        "every step, would measure D. One value over a stretch of distractors measures for how long a cell protects what it holds, which "
        "is what gates are for. A forecaster also has its lag vector and does not live off this alone.",
        f"This is seed {s.seed}, one run for each cell: repeat with `--seed` before reading much into a factor of two.",
        f"**Stacks.** GRU layers with layer norm, {s.stack_steps} training steps on the recall task, the better of the rates for each; a "
        "loss of 1 is having learned nothing.",
    )


def _costs(s: ProbeSettings) -> tuple[str, ...]:
    last = f"{s.lengths[-1]:,}"
    return (
        "**Parameters, state.** Of the encoder alone, inputs as wide as the state, as the model of that name has it by default: those that "
        "stack layers or blocks with all of them, `dilated` with its four layers for a season of 24. Bidirectional: a GRU layer of torch.",
        "**µs a step.** One series, one carried step, without gradients, through the encoder's own interface; that of attention after 20 "
        "steps at most, and it grows with them.",
        f"**Seconds per 1,000 training steps.** Forward, backward and optimiser on {s.batch} rows by {s.length} time steps, at the hidden "
        "size of the costs. A cell that has a kernel of its own for training (`lstm` that of torch, `gru` one of this library) is measured "
        "with it: the time is that of this implementation, not of the equations.",
        f"**Growth.** One series read at once at {s.lengths[0]} to {last} steps; the slope of log time on log length over the longer half "
        "of the lengths.",
        f"**Memory of a step.** The bytes of all tensors that live at once within step number {last}, weights left out, counted storage by "
        "storage. What a fused kernel uses inside of one call is not seen. The picture shows what is kept between two steps.",
        f"All times are seconds of the processor on one thread, the best of {s.repeats} or more, so that a busy machine matters little.",
    )
