"""The measured lines of all named models as one table, and each model's part of it for its page. It must not measure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

Line: TypeAlias = Mapping[str, Any]
Lines: TypeAlias = Mapping[tuple[str, str, str], Line]  # by model, panel and variant

NAIVE, M4, SAMPLE = "seasonal_naive", "m4_hourly", "sample"
SCORES = {"OWA": ("OWA", "owa"), "MASE": ("MASE", "mase"), "sMAPE": ("sMAPE", "smape")}  # the scorer's name first
NOTHING = "-"

HEADINGS = (
    "Model", "M4 Hourly: OWA", "MASE", "sMAPE", "OWA, state reset", "OWA, no lags", "Sample: MASE", "state reset", "no lags", "Parameters",
    "Training on M4, CPU s", "on the sample, CPU s", "State, floats a series", "Step, µs", "bare cell, µs",
)  # fmt: skip
PAGE_HEADINGS = (
    "Panel", "OWA", "MASE", "sMAPE", "seasonal naive's MASE", "MASE, state reset", "MASE, no lags", "parameters", "training, CPU s",
    "state, floats a series", "step, µs", "bare cell, µs",
)  # fmt: skip


def by_job(lines: Iterable[Line]) -> Lines:
    """Returns the lines by model, panel and variant; of several the last one counts."""
    return {(line["model"], line["panel"], line["variant"]): line for line in lines}


def table(lines: Lines) -> str:
    """Returns the Markdown table: the seasonal naive, then the models by their OWA, and what the numbers were read on."""
    models = sorted({model for model, _, _ in lines} - {NAIVE}, key=lambda model: (_rank(lines, model), model))
    rows = [_row(lines, model) for model in [NAIVE, *models]]
    return "\n".join([markdown(HEADINGS, rows), "", *_remarks(lines)])


def page_rows(lines: Lines, model: str) -> str:
    """Returns the Markdown table of one model, a row for each panel; a sentence where nothing was measured yet."""
    panels = [panel for panel in (M4, SAMPLE) if (model, panel, "whole") in lines]
    if not panels:
        return "Not measured yet: `benchmarks/families.py` fills this in."
    return markdown(PAGE_HEADINGS, [_page_row(lines, model, panel) for panel in panels])


def not_better(lines: Lines) -> list[str]:
    """Returns the models that do not beat the seasonal naive, as `model on panel`; those without a line are not judged."""
    whole = [(model, panel) for model, panel, variant in lines if variant == "whole" and model != NAIVE]
    return [f"{model} on {panel}" for model, panel in sorted(whole) if not _beats(lines, model, panel)]


def between(text: str, mark: str, content: str) -> str:
    """Returns the text with what stands between `<!-- mark -->` and `<!-- /mark -->` replaced.

    Raises:
        ValueError: the two marks are not there once each, in this order.
    """
    opening, closing = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, found, rest = text.partition(opening)
    _, closed, after = rest.partition(closing)
    if not found or not closed or opening in after or closing in before + after:
        raise ValueError(f"the text needs {opening} and after it {closing}, once each; put them where the numbers belong")
    return f"{before}{opening}\n{content}\n{closing}{after}"


def markdown(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a Markdown table; the first column is text, all others are numbers."""
    rule = ["---", *["---:"] * (len(headings) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows))


def _row(lines: Lines, model: str) -> list[str]:
    hourly, sample = lines.get((model, M4, "whole")), lines.get((model, SAMPLE, "whole"))
    return [
        f"`{model}`", _judged(lines, model, M4, "OWA"), _score(hourly, "MASE"), _score(hourly, "sMAPE"),
        *(_ablated(lines, model, M4, variant, "OWA") for variant in ("reset", "no_lags")), _judged(lines, model, SAMPLE, "MASE"),
        *(_ablated(lines, model, SAMPLE, variant, "MASE") for variant in ("reset", "no_lags")),
        _whole(hourly or sample, "parameters"), _whole(hourly, "fit_cpu_seconds"), _whole(sample, "fit_cpu_seconds"),
        _whole(hourly or sample, "state_floats"), *_latency(hourly),
    ]  # fmt: skip


def _page_row(lines: Lines, model: str, panel: str) -> list[str]:
    line = lines[model, panel, "whole"]
    return [
        panel, _score(line, "OWA"), _judged(lines, model, panel, "MASE"), _score(line, "sMAPE"),
        _score(lines.get((NAIVE, panel, "whole")), "MASE"),
        *(_ablated(lines, model, panel, variant, "MASE") for variant in ("reset", "no_lags")), _whole(line, "parameters"),
        _whole(line, "fit_cpu_seconds"), _whole(line, "state_floats"), *_latency(line),
    ]  # fmt: skip


def _value(line: Line | None, score: str) -> float | None:
    found = (line or {}).get(SCORES[score][0])
    return found if found is not None else (line or {}).get(SCORES[score][1])


def _score(line: Line | None, score: str) -> str:
    value = _value(line, score)
    return NOTHING if value is None else f"{value:.2f}" if score == "sMAPE" else f"{value:.3f}"


def _judged(lines: Lines, model: str, panel: str, score: str) -> str:
    """The score; bold where the model does not beat the seasonal naive on the panel."""
    shown = _score(lines.get((model, panel, "whole")), score)
    return shown if shown == NOTHING or model == NAIVE or _beats(lines, model, panel) else f"**{shown}**"


def _beats(lines: Lines, model: str, panel: str) -> bool:
    """Whether the MASE is below that of the seasonal naive, and the OWA too where both have one."""
    own, naive = (lines.get((name, panel, "whole")) for name in (model, NAIVE))
    pairs = [(_value(own, score), _value(naive, score)) for score in ("MASE", "OWA")]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    return bool(known) and all(a < b for a, b in known)


def _ablated(lines: Lines, model: str, panel: str, variant: str, score: str) -> str:
    """The score of an ablation, and how much that is above the whole model's of as many steps."""
    value = _value(lines.get((model, panel, variant)), score)
    beside = lines.get((model, panel, "short")) or lines.get((model, panel, "whole"))
    whole = _value(beside, score)
    if value is None:
        return NOTHING
    return f"{value:.3f}" if not whole else f"{value:.3f} ({100 * (value / whole - 1):+.0f} %)"


def _whole(line: Line | None, name: str) -> str:
    value = (line or {}).get(name)
    return NOTHING if value is None else f"{value:,.0f}"


def _latency(line: Line | None) -> tuple[str, str]:
    """Microseconds, marked where they are those of a prediction from the window, and the bare cell's in its own run."""
    step, bare = ((line or {}).get(name) for name in ("step_network", "step_bare"))
    if step is None or bare is None:
        return NOTHING, NOTHING
    return f"{step:,.0f}{'' if (line or {})['step_way'] == 'step' else ' (window)'}", f"{bare:,.0f}"


def _rank(lines: Lines, model: str) -> float:
    hourly = _value(lines.get((model, M4, "whole")), "OWA")
    return float("inf") if hourly is None else hourly


def _remarks(lines: Lines) -> list[str]:
    """What the numbers were read on, and how many steps the ablations took where the configurations take others."""
    parts = sorted({line["part"] for (_, panel, _), line in lines.items() if panel == M4})
    ablations = [line for (_, _, variant), line in lines.items() if variant in ("reset", "no_lags")]
    steps = sorted({line["arguments"]["max_steps"] for line in ablations if "max_steps" in line["arguments"]})
    bad, models, panels = not_better(lines), {model for model, _, _ in lines} - {NAIVE}, {panel for _, panel, _ in lines}
    return [
        f"Read on: M4 Hourly, {' and '.join(parts) or 'nothing yet'}; the sample, the last 28 days of each series.",
        *([f"Training steps of the ablations, and of the whole model that they are compared with: {', '.join(map(str, steps))}."] if steps else []),
        f"Of {len(models)} models on {len(panels)} panels not better than the seasonal naive: {', '.join(bad) or 'none'}.",
    ]  # fmt: skip
