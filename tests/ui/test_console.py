"""Progress on a terminal and in a file."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ui.console import LearningBar


def printed(left: float | None, step: int) -> str:
    file = io.StringIO()
    with LearningBar(Console(file=file, width=80), lambda: left) as bar:
        bar.set_total(50)
        bar.advance(step)
        bar.print_line()
    return file.getvalue()


@pytest.mark.parametrize(
    "left, step, line",
    [
        (95.0, 25, "  25 of 50 steps, about 1 min 35 s left\n"),
        (None, 25, "  25 of 50 steps\n"),
        (95.0, 50, ""),
    ],
)
def test_in_a_file_a_line_tells_the_steps_and_the_jobs_own_time_left(left, step, line):
    assert printed(left, step) == line


def test_on_a_terminal_the_time_left_stands_beside_drawings_too():
    file = io.StringIO()
    with LearningBar(Console(file=file, width=80, force_terminal=True), lambda: 20.0) as bar:
        bar.set_total(50)
        bar.advance(50)
        bar.describe("drawing 2 of 6")
    assert "drawing 2 of 6" in file.getvalue() and "about 20 s left" in file.getvalue()
