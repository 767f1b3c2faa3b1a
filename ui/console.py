"""Output of commands: plain text, tables, JSON, progress, and commands to paste."""

from __future__ import annotations

import json
import math
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

from core.wording import counted

WIDTH_IN_FILES = 100
DEFAULT_RUNS = Path("runs")  # default of --runs


def new_console() -> Console:
    """A console without markup, emoji codes or highlighting."""
    width = None if sys.stdout.isatty() else WIDTH_IN_FILES
    return Console(markup=False, emoji=False, highlight=False, width=width)


def printable(text: str) -> str:
    """`text` without control characters, such as escape sequences."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def say(out: Console, text: str = "") -> None:
    """Print lines without breaking them, so that paths and commands can be copied."""
    out.print("\n".join(printable(line) for line in text.split("\n")), soft_wrap=True)


def duration(seconds: float) -> str:
    """`45 s`, `3 min 20 s`"""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def to_type(*words: object, runs: Path | None = None) -> str:
    """A command that can be pasted, with quoted words. runs: folder of its run."""
    where = [] if runs in (None, DEFAULT_RUNS) else ["--runs", str(runs)]
    return shlex.join([own_command(), *map(str, words), *where])


def own_command() -> str:
    """The name or path under which this command can be called again."""
    called = Path(sys.argv[0])
    if called.name != "conceptree" or shutil.which("conceptree") or not called.is_file():
        return "conceptree"
    return os.path.relpath(called)


def warn(text: str) -> None:
    click.echo(f"conceptree: {printable(' '.join(text.split()))}", err=True)


def print_json(values: Any) -> None:
    # ASCII, so that a terminal shows escape sequences instead of obeying them
    click.echo(json.dumps(_finite(values), indent=1, allow_nan=False))


def print_line(values: Mapping[str, Any]) -> None:
    """Print one JSON object on a line, in ASCII, which terminals print as it is."""
    click.echo(json.dumps(values, default=str))


def _finite(values: Any) -> Any:
    """Values with None for NaN and infinity, which JSON lacks."""
    if isinstance(values, Mapping):
        return {key: _finite(value) for key, value in values.items()}
    if isinstance(values, list | tuple):
        return [_finite(value) for value in values]
    return None if isinstance(values, float) and not math.isfinite(values) else values


def new_table(*heads: str) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def add_row(table: Table, *cells: str) -> None:
    table.add_row(*map(printable, cells))


def rounded(value: float | None) -> str:
    """`0.48`, or a dash for a missing value."""
    return "–" if value is None or not math.isfinite(value) else f"{value:.2f}"


class LearningBar:
    """Progress of learning: a bar with the time left on a terminal, elsewhere a line now and then.

    seconds_left: estimated to the end of the job; None if unknown.
    """

    def __init__(self, out: Console, seconds_left: Callable[[], float | None]) -> None:
        self._out, self._seconds_left = out, seconds_left
        self.steps = self._step = 0
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # half of rich's import time

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=out,
            transient=True,
            disable=not out.is_terminal,
        )
        self._task = self._bar.add_task("steps", total=0, left="")

    def __enter__(self) -> LearningBar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def set_total(self, steps: int) -> None:
        """Set the number of all steps."""
        self.steps = steps
        self._bar.update(self._task, total=steps)

    def describe(self, doing: str) -> None:
        """Show work beside steps, such as drawing, until the next step."""
        self._bar.update(self._task, description=doing, left=self.left)

    def advance(self, step: int) -> None:
        """Show that `step` of all steps are done."""
        self._step = step
        self._bar.update(self._task, completed=step, left=self.left, description="steps")

    @property
    def left(self) -> str:
        """Time left in words, drawings included; empty if unknown."""
        seconds = self._seconds_left()
        return "" if seconds is None else f"about {duration(seconds)} left"

    def print_line(self) -> None:
        """Print the progress before the last step where no bar can be drawn, such as in a file."""
        if not self._out.is_terminal and self._step < self.steps:
            left = f", {self.left}" if self.left else ""
            say(self._out, f"  {self._step} of {counted(self.steps, 'step')}{left}")
