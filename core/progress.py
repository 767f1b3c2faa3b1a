"""Progress of learning on one line of a terminal; silent elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Protocol, TextIO, TypeVar

BETWEEN = 0.2  # seconds between two updates
CLEAR = "\r\x1b[K"  # to the start of the line, which is then empty


class Counted(Protocol):
    """Has a step and the number of all steps."""

    @property
    def step(self) -> int: ...
    @property
    def steps(self) -> int: ...


R = TypeVar("R", bound=Counted)


def watched(reports: Iterable[R], progress: bool | None = None, to: TextIO | None = None) -> Iterator[R]:
    """The reports, with a progress line on `to` (by default stderr).

    progress: show the line; by default only on a terminal.
    """
    to = to or sys.stderr
    if progress is None:
        progress = to is not None and to.isatty()
    if not progress:
        yield from reports
        return
    began, told = time.monotonic(), float("-inf")
    try:
        for report in reports:
            now = time.monotonic()
            if now - told >= BETWEEN:
                told = now
                left = (now - began) / max(1, report.step) * (report.steps - report.step)
                after = f", about {left:.0f} s left" if report.step else ""
                to.write(f"{CLEAR}learning: step {report.step:,} of {report.steps:,}{after}")
                to.flush()
            yield report
    finally:
        to.write(CLEAR)
        to.flush()
