"""All named recurrent models from their shipped configurations, on M4 Hourly and on the sample panel, beside the seasonal naive.

    python benchmarks/families.py DATA/m4_hourly --scorer SCRIPT --lines lines.jsonl --ablations --workers 2 \
        --table docs/families.md --pages docs/models

Accuracy, the same with the state reset before every step and without lags, parameters, training time, and the latency of a step beside
torch's bare cell. Every model, panel and variant is a process of its own with one thread. What is in the lines already, of the same
code and arguments, is not run again, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the checkout that this script lies in is what is measured

from benchmarks.families_job import Job, Variant, shipped_config
from benchmarks.families_table import NAIVE, between, by_job, not_better, page_rows, table
from forecast.networks.encoder_table import WINDOWED
from forecast.networks.settings import EncoderName
from pipelines.workers import Work, run_all

NAMES: tuple[str, ...] = get_args(EncoderName)
PARTS = ("m4", "sample")
ABLATIONS: tuple[Variant, ...] = ("reset", "no_lags")
TABLE_MARK, PAGE_MARK, INDEX_MARK = "table", "row", "index"
CONFIGS = Path(__file__).resolve().parent.parent / "configs" / "models"
IGNORED = {"code"}  # of a line, where lines of other code are good enough


def wanted(options: argparse.Namespace) -> list[Job]:
    """Returns the jobs of the command line: whole models first, then the ablations of those that carry a state."""
    names = [name for name in NAMES if not options.only or name in options.only]
    places: list[tuple[str | None, str | None]] = [(None, None)] if "sample" in options.parts else []
    if "m4" in options.parts:
        places.append((str(options.folder), None if options.scorer is None else str(options.scorer)))
    steps = options.ablation_steps
    variants = () if not options.ablations else ABLATIONS if steps is None else ("short", *ABLATIONS)
    whole = [
        Job(name, "whole", *place, _steps(name, options.m4_steps) if place[0] else None)
        for place in places
        for name in (NAIVE, *names)
    ]
    return whole + [
        Job(name, variant, *place, steps) for place in places for name in names if name not in WINDOWED for variant in variants
    ]


def _steps(name: str, most: int | None) -> int | None:
    """The training steps of a model on M4 Hourly; None for those of its configuration."""
    own = None if name == NAIVE else shipped_config(name).models[0].arguments["max_steps"]
    return None if own is None or most is None else min(own, most)


def left_to_do(jobs: Iterable[Job], lines: Sequence[dict[str, Any]], any_code: bool = False) -> list[Job]:
    """Returns the jobs that have no line with all of their facts; those of other code count where `any_code`."""
    ignored = IGNORED if any_code else set()
    return [job for job in jobs if not any(_is_of(line, job.facts(), ignored) for line in lines)]


def _is_of(line: dict[str, Any], facts: dict[str, Any], ignored: set[str]) -> bool:
    return all(line.get(name) == value for name, value in facts.items() if name not in ignored)


def run_jobs(jobs: Sequence[Job], workers: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Yields the line of each job as it ends, with the seconds and memory of its process; one that fails has said why on stderr."""
    works = []
    for number, job in enumerate(jobs):
        place = folder / f"{number}.json"
        place.write_text(json.dumps(asdict(job)), encoding="utf-8")
        works.append(Work(number, "benchmarks.families_job", (str(place),), folder / f"{number}.log"))
    for outcome in run_all(works, workers):
        job, line = jobs[outcome.key], folder / f"{outcome.key}.line"
        if outcome.code == 0:
            costs = {"seconds": round(outcome.seconds, 1), "peak_mb": round(outcome.peak_memory_mb)}
            yield json.loads(line.read_text(encoding="utf-8")) | costs
        else:
            print(f"{job.model} ({job.variant}) on {job.panel} failed: {outcome.last_words()}", file=sys.stderr, flush=True)


def read_lines(file: Path | None) -> list[dict[str, Any]]:
    """Returns the lines of a file; none where there is no file yet."""
    if file is None or not file.exists():
        return []
    return [json.loads(text) for text in file.read_text(encoding="utf-8").splitlines() if text.strip()]


def measured(jobs: Sequence[Job], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns the new lines; each is printed and added to the file as soon as it is there."""
    found, began = [], time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for line in run_jobs(jobs, options.workers, Path(folder)):
            found.append(line)
            text = json.dumps(line)
            print(text, flush=True)
            if options.lines is not None:
                with options.lines.open("a", encoding="utf-8") as file:
                    file.write(text + "\n")
            print(f"{len(found)} of {len(jobs)} after {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return found


def write_documents(lines: Iterable[dict[str, Any]], document: Path | None, pages: Path | None) -> None:
    """Puts the numbers between the marks of the document and of the pages of all named models that have one, and lists the pages."""
    found = by_job(lines)
    if document is not None:
        _put(document, TABLE_MARK, table(found))
    if pages is None:
        return
    for page in [page for name in NAMES if (page := pages / f"{name}.md").exists()]:
        _put(page, PAGE_MARK, page_rows(found, page.stem))
    _put(pages / "README.md", INDEX_MARK, index(pages))


def index(pages: Path) -> str:
    """Returns the list of the pages in a folder, each with what its shipped configuration says that it is."""
    rows = []
    for page in sorted(pages.glob("*.md")):
        if page.stem != "README":
            first = (CONFIGS / f"{page.stem}.yaml").read_text(encoding="utf-8").splitlines()[0]
            mode = "window" if page.stem in WINDOWED else "causal" if page.stem in NAMES else "ensemble"
            rows.append([f"[{page.stem}]({page.name})", mode, first.removeprefix(f"# {page.stem}: ")])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (["Model", "Reads", "What it is"], ["---"] * 3, *rows))


def _put(file: Path, mark: str, content: str) -> None:
    try:
        file.write_text(between(file.read_text(encoding="utf-8"), mark, content), encoding="utf-8")
    except ValueError as error:
        raise SystemExit(f"{file}: {error}") from error


def arguments() -> argparse.ArgumentParser:
    """Returns the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="of M4 Hourly; see README.md beside this file")
    parser.add_argument(
        "--scorer", type=Path, help="reads the test part of M4 Hourly; without it the end of the training part counts"
    )
    parser.add_argument("--lines", type=Path, metavar="FILE", help="where the JSON lines are added; what is in it is not run again")
    parser.add_argument("--only", type=_names, default=(), metavar="NAMES", help="these models and the seasonal naive: gru,lstm")
    parser.add_argument("--parts", type=_parts, default=PARTS, metavar="PARTS", help="m4,sample")
    parser.add_argument("--ablations", action="store_true", help="with the state reset, and without lags, too")
    parser.add_argument(
        "--ablation-steps", type=int, metavar="N", help="training steps of the ablations and of what they are beside"
    )
    parser.add_argument(
        "--m4-steps", type=int, metavar="N", help="most training steps on M4 Hourly; those of the configuration if left out"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes at a time")
    parser.add_argument("--any-code", action="store_true", help="lines of other code count as measured too")
    parser.add_argument("--documents-only", action="store_true", help="run nothing, write the documents from the lines")
    parser.add_argument("--table", type=Path, metavar="FILE", help="the document with the table")
    parser.add_argument("--pages", type=Path, metavar="FOLDER", help="of the pages of the models")
    return parser


def _names(text: str) -> tuple[str, ...]:
    return _known(text, NAMES)


def _parts(text: str) -> tuple[str, ...]:
    return _known(text, PARTS)


def _known(text: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names in a text; argparse shows what is wrong with one that is not known."""
    given = tuple(name for name in text.split(",") if name)
    unknown = [name for name in given if name not in names]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown} are not among {', '.join(names)}")
    return given


def main() -> int:
    """Measures what is missing and writes the documents; 1 where a job failed or a model does not beat the seasonal naive."""
    parser = arguments()
    options = parser.parse_args()
    if "m4" in options.parts and options.folder is None and not options.documents_only:
        parser.error("the part m4 needs the folder of M4 Hourly; or take --parts sample")
    before = read_lines(options.lines)
    jobs = [] if options.documents_only else left_to_do(wanted(options), before, options.any_code)
    lines = measured(jobs, options)
    write_documents([*before, *lines], options.table, options.pages)
    for text in (bad := not_better(by_job([*before, *lines]))):
        print(f"not better than the seasonal naive: {text}", file=sys.stderr)
    return int(len(lines) < len(jobs) or bool(bad))


if __name__ == "__main__":
    sys.exit(main())
