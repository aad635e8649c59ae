"""What people and log collectors see of a job: results on stdout, everything else on stderr.

On a terminal stderr shows one plain line per event and a progress bar; off a terminal each event is one JSON line.
It must not decide what is worth saying.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias, final

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress, ProgressColumn

Facts: TypeAlias = Mapping[str, object]

_WIDTH = 160  # of tables off a terminal, where there is no width to fit


@final
class Console:
    """The two streams of a job.

    Args:
        verb: Name of the command, in every JSON line.
    """

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._bound: dict[str, object] = {}
        self._progress: Progress | None = None

    def bind(self, facts: Facts) -> None:
        """Adds facts, such as the run's key, to every later JSON line."""
        self._bound |= facts

    def note(self, event: str, facts: Facts | None = None) -> None:
        """Writes one event to stderr: as text on a terminal, as a JSON line elsewhere."""
        self._write("info", event, facts or {})

    def warn(self, event: str, facts: Facts | None = None) -> None:
        """Writes one event that someone should look at."""
        self._write("warning", event, facts or {})

    def result(self, text: str = "") -> None:
        """Writes text to stdout as it is, whatever markup it seems to hold."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def table(
        self,
        title: str,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        right: Sequence[str] = (),
        spare: Sequence[str] = (),
    ) -> None:
        """Writes a table to stdout.

        Args:
            title: Line above it.
            columns: Headings.
            rows: One value per column; text is shown as it is.
            right: Columns of numbers; they are never broken.
            spare: Columns to leave out where the terminal is too narrow for all, least important first.
        """
        from rich import box
        from rich.table import Table
        from rich.text import Text

        from pipelines.tables import columns_that_fit

        console, cells = _rich(sys.stdout), [[str(value) for value in row] for row in rows]
        kept = columns_that_fit(columns, cells, console.width, spare)
        table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
        for column in kept:
            table.add_column(column, justify="right" if column in right else "left", overflow="fold", no_wrap=column in right)
        for row in cells:
            table.add_row(*(Text(cell) for column, cell in zip(columns, row, strict=True) if column in kept))
        console.print(table)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Progress | None]:
        """Yields a progress bar on stderr while something runs; None off a terminal, where events tell the same."""
        if not sys.stderr.isatty():
            yield None
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

        with self._bar(what, total, TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()) as bar:
            yield bar

    @contextmanager
    def working(self, what: str) -> Iterator[WorkProgress]:
        """Yields what long work tells its progress to: a bar with the time left on a terminal, a line for each quarter elsewhere."""
        if not sys.stderr.isatty():
            yield WorkProgress(self, what, None)
            return
        from rich.progress import BarColumn, TextColumn

        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
        with self._bar(what, None, *columns) as bar:
            yield WorkProgress(self, what, bar)

    @contextmanager
    def _bar(self, what: str, total: int | None, *columns: ProgressColumn) -> Iterator[Progress]:
        """A line on stderr that is gone afterwards; events go above it."""
        from rich.progress import Progress, TimeElapsedColumn

        with Progress(*columns, TimeElapsedColumn(), console=_rich(sys.stderr), transient=True) as bar:
            bar.add_task(what, total=total, left="")
            self._progress = bar
            try:
                yield bar
            finally:
                self._progress = None

    def _write(self, level: str, event: str, facts: Facts) -> None:
        if not sys.stderr.isatty():
            from forecast.scoring.events import stream_logger

            logger = stream_logger(sys.stderr).bind(verb=self._verb, **self._bound, **facts)
            (logger.warning if level == "warning" else logger.info)(event)
            return
        shown = "  ".join(f"{name} {_short(value)}" for name, value in facts.items())
        line = f"{'! ' if level == 'warning' else ''}{event}" + (f"  ({shown})" if shown else "")
        if self._progress is not None:
            self._progress.console.print(line, markup=False, highlight=False)
        else:
            sys.stderr.write(f"{line}\n")


@final
class WorkProgress:
    """Hears how far work is; see `forecast.core.forecaster.Progress`."""

    def __init__(self, console: Console, what: str, bar: Progress | None) -> None:
        self._console, self._what, self._bar, self._quarter = console, what, bar, 0

    def advance(self, share: float, seconds_left: float | None) -> None:
        """Shows the share that is done and the time left."""
        left = "" if seconds_left is None else f"about {_minutes(seconds_left)} left"
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], total=1.0, completed=share, left=left)
        elif int(4 * share) > self._quarter and share < 1:
            self._quarter = int(4 * share)
            facts = {"percent": round(100 * share)} | ({} if seconds_left is None else {"seconds_left": round(seconds_left)})
            self._console.note(self._what, facts)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _rich(stream: Any) -> RichConsole:
    from rich.console import Console as RichConsole

    return RichConsole(file=stream, width=None if stream.isatty() else _WIDTH, highlight=False, soft_wrap=False)
