"""A person at a terminal sees how far learning is; elsewhere nothing is printed."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

import core.progress
from core.optimizer import ConceptLab
from core.progress import CLEAR, watched

REPORTS = [SimpleNamespace(step=step, steps=1200) for step in (0, 600, 1200)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_line_that_is_gone_in_the_end(monkeypatch):
    monkeypatch.setattr(core.progress, "BETWEEN", 0.0)
    to = Terminal()
    assert list(watched(REPORTS, to=to)) == REPORTS
    _, first, second, third, last = to.getvalue().split(CLEAR)
    assert first == "learning: step 0 of 1,200" and second.startswith("learning: step 600 of 1,200, about 0 s left")
    assert third.startswith("learning: step 1,200") and last == ""


@pytest.mark.parametrize(("to", "progress"), [(io.StringIO(), None), (Terminal(), False)])
def test_it_is_silent_where_nobody_watches_or_wants_it(to, progress):
    assert list(watched(REPORTS, progress, to)) == REPORTS
    assert to.getvalue() == ""


def test_a_file_gets_it_if_it_is_asked_for():
    to = io.StringIO()
    list(watched(REPORTS, True, to))
    assert "step 0 of 1,200" in to.getvalue()


def test_the_line_is_cleared_where_learning_fails():
    def fails():
        yield REPORTS[0]
        raise KeyboardInterrupt

    to = Terminal()
    with pytest.raises(KeyboardInterrupt):
        list(watched(fails(), to=to))
    assert to.getvalue().endswith(CLEAR)


def test_run_shows_it(monkeypatch):
    shown = []
    monkeypatch.setattr(ConceptLab, "learn", lambda self, requests, options: iter([]))
    monkeypatch.setattr("core.optimizer.watched", lambda reports, progress: shown.append(progress) or reports)
    lab = object.__new__(ConceptLab)
    assert lab.run([]) == [] and lab.run([], progress=False) == []
    assert shown == [None, False]
