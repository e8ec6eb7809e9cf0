"""What is running now: bars that move on a terminal, plain lines in a log."""

from __future__ import annotations

import os
from threading import Lock
from types import TracebackType

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from converter.model.result import ModelReport, StageResult
from converter.model.wording import shorten
from converter.report import format as fmt
from converter.report.console import StderrConsole
from converter.report.summary import (
    Mark,
    model_mark,
    notes_of,
    seconds_of,
    stage_fact,
    stage_mark,
)
from converter.report.tones import STYLES, Writer

#: Characters of what atc says that are shown beside a model.
_DETAIL = 60


class Progress:
    """Shows the models and stages at work, on stderr; silent when ``quiet``.

    Calls may come from several threads, and several models may be at work at once. ``live`` says
    whether to draw bars; by default they are drawn on a terminal that is not a CI job's. Without
    ``lines`` nothing stays: for one stage of one model, of which the command's answer tells all.
    """

    def __init__(
        self,
        total: int,
        *,
        quiet: bool = False,
        console: Console | None = None,
        live: bool | None = None,
        lines: bool = True,
    ) -> None:
        self._console = console or StderrConsole()
        self._write = Writer(self._console.encoding)
        self._quiet = quiet or not lines
        self._total = total
        self._numbers: dict[str, int] = {}
        self._lock = Lock()
        if live is None:
            # FORCE_COLOR makes rich call a file interactive, hence isatty as well.
            live = self._console.is_interactive and self._console.file.isatty()
            live = live and not os.environ.get("CI")
        self._board = _Board(self._console, total) if live and not quiet else None

    def __enter__(self) -> Progress:
        if self._board:
            self._board.live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._board:
            self._board.live.stop()

    def model_started(self, name: str) -> None:
        """Say that work on a model begins."""
        self._number(name)
        if self._board:
            self._board.begin(name, self._write.line(name))

    def stage_started(self, name: str, stage: str) -> None:
        """Say which stage of a model is running."""
        self._number(name)
        if self._board:
            self._board.begin(name, f"{self._write.line(name)}: {stage}")

    def stage_detail(self, name: str, stage: str, text: str) -> None:
        """Show what a stage is doing beside its name, on a terminal only."""
        if self._board:
            said = self._write.line(shorten(fmt.one_line(text), _DETAIL))
            self._board.begin(name, f"{self._write.line(name)}: {stage}: {said}")

    def stage_finished(self, name: str, result: StageResult) -> None:
        """Say how a stage ended. On a terminal the model's line says it, when the model is done."""
        if self._quiet or self._board:
            return
        mark, fact = stage_mark(result), stage_fact(result).full
        line = f"{result.stage} {mark.label} {result.seconds:.1f}s"
        line += f" ({fact})" if fact else ""
        line += f": {fmt.one_line(result.error.message)}" if result.error else ""
        self._print(self._prefix(name) + self._write.line(line), mark)

    def model_finished(self, report: ModelReport) -> None:
        """Say how a model ended."""
        if self._board:
            self._board.end(report.name)
        if self._quiet:
            return
        mark, name = model_mark(report), self._write.line(report.name)
        if self._board is None:
            done = f"{mark.label} {seconds_of(report):.1f}s"
            self._print(self._prefix(report.name) + done, mark)
            return
        line = f"{self._write.sign(mark)} {name}  {fmt.seconds(seconds_of(report))}"
        note = next(notes_of(report), None)
        if note:
            line += f"  {note.stage}: {self._write.line(note.message)}"
        self._print(line, mark)

    def _number(self, name: str) -> int:
        """The place of a model among those started; a model keeps the number it got first."""
        with self._lock:
            return self._numbers.setdefault(name, len(self._numbers) + 1)

    def _prefix(self, name: str) -> str:
        return f"[{self._number(name)}/{self._total}] {self._write.line(name)}: "

    def _print(self, line: str, mark: Mark) -> None:
        style = "" if mark.tone == "ok" else STYLES[mark.tone]
        # A log line stays one line, however narrow rich takes the log to be.
        try:
            self._console.print(Text(line, style), soft_wrap=self._board is None)
        except OSError:
            self._quiet = True  # nobody can read it any more; the work goes on


class _Board:
    """The moving part: one bar for all models, one line for each model at work."""

    def __init__(self, console: Console, total: int) -> None:
        self._lock = Lock()
        self._running: dict[str, TaskID] = {}
        self._overall = Bars(
            TextColumn("models", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._all = self._overall.add_task("models", total=total)
        plain = not console.encoding.lower().startswith("utf")
        self._models = Bars(
            SpinnerColumn("line" if plain else "dots"),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=console,
        )
        # Until the first model begins, Paddle is loaded: that takes seconds.
        self._starting: TaskID | None = self._models.add_task("starting", total=None)
        self.live = Live(
            Group(self._models, self._overall),
            console=console,
            transient=True,
            refresh_per_second=8,
        )

    def begin(self, name: str, text: str) -> None:
        """Show ``text`` for a model, in the line that it has or in a new one."""
        with self._lock:
            if self._starting is not None:
                self._models.remove_task(self._starting)
                self._starting = None
            if name in self._running:
                self._models.update(self._running[name], description=text)
            else:
                self._running[name] = self._models.add_task(text, total=None)

    def end(self, name: str) -> None:
        """Take a model's line away and count it as done."""
        with self._lock:
            task = self._running.pop(name, None)
            if task is not None:
                self._models.remove_task(task)
            self._overall.advance(self._all)
