"""Drawing with a large stack: one process after the other, and the reason of a failure."""

from __future__ import annotations

import threading
import time
from collections import deque
from types import SimpleNamespace

import pytest

from evolve import Run
from tests.families import learned
from ui.view import drawing, model

PHOTO, SKETCH = "a photo of a {}", "a sketch of a {}"


class Drawer:
    """A drawing process that runs until `end`."""

    def __init__(self, command, stderr, **_) -> None:
        self.command, self.log, self.returncode = command, stderr, None
        self.ended = threading.Event()

    def end(self, code: int = 0, said: bytes = b"") -> None:
        self.log.write(said)
        self.returncode = code
        self.ended.set()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self) -> None:
        self.ended.wait(20)


@pytest.fixture
def drawers(monkeypatch, backbone) -> list[Drawer]:
    """The started processes; the stack counts as a large one."""
    begun: list[Drawer] = []

    def popen(command, **options):
        begun.append(Drawer(command, **options))
        return begun[-1]

    monkeypatch.setattr(drawing, "is_quick", lambda backbone: False)
    monkeypatch.setattr(model, "backbone", lambda run: backbone)
    monkeypatch.setattr(drawing, "_errands", {})
    monkeypatch.setattr(drawing, "_waiting", deque())
    monkeypatch.setattr(drawing, "_thread", None)
    monkeypatch.setattr(drawing, "subprocess", SimpleNamespace(Popen=popen, DEVNULL=None))
    return begun


@pytest.fixture
def run(tmp_path, backbone) -> Run:
    made = Run.create(tmp_path / "pets", "pet", backbone)
    made.add([learned(seed, backbone) for seed in range(2)])
    return made


@pytest.fixture
def ids(run) -> list[str]:
    return [each.id for each in run.entries()]


def until(drawers: list[Drawer], number: int) -> Drawer:
    """Process number `number`, once it has started."""
    end = time.monotonic() + 20
    while len(drawers) < number and time.monotonic() < end:
        time.sleep(0.01)
    assert len(drawers) == number
    return drawers[-1]


def asked(drawer: Drawer) -> tuple[str, list[str]]:
    """(seed, prompts) of a command."""
    seed = next(each for each in drawer.command if each.startswith("--seed="))
    return seed[7:], [each[9:] for each in drawer.command if each.startswith("--prompt=")]


def test_all_that_is_asked_for_is_drawn_one_process_after_the_other(run, ids, drawers):
    assert not drawing.draw(run, [(ids[0], PHOTO, 1), (ids[0], SKETCH, 1), (ids[0], PHOTO, 2), (ids[1], PHOTO, 1)])
    first = until(drawers, 1)
    assert asked(first) == ("1", [PHOTO, SKETCH]) and first.command[-2:] == ["pets", ids[0]]
    time.sleep(0.1)
    assert len(drawers) == 1, "a second one would need a large stack's memory again"
    assert drawing.errand(run, ids[0]).at_work and drawing.errand(run, ids[1]).at_work
    first.end()
    second = until(drawers, 2)
    assert asked(second) == ("2", [PHOTO]) and drawing.errand(run, ids[0]).at_work
    second.end()
    third = until(drawers, 3)
    assert third.command[-1] == ids[1] and not drawing.errand(run, ids[0]).at_work
    third.end()
    assert not drawing.errand(run, ids[1]).at_work and drawing.errand(run, ids[1]).problem == ""


def test_what_is_being_drawn_is_not_drawn_again_and_what_is_new_is(run, ids, drawers):
    drawing.draw(run, [(ids[0], PHOTO, 1)])
    first = until(drawers, 1)
    drawing.draw(run, [(ids[0], PHOTO, 1), (ids[0], SKETCH, 1)])
    first.end()
    second = until(drawers, 2)
    assert asked(second) == ("1", [SKETCH])
    second.end()


def test_why_it_could_not_be_drawn_is_its_last_line_and_the_next_goes_on(run, ids, drawers):
    drawing.draw(run, [(ids[0], PHOTO, 1), (ids[1], PHOTO, 1)])
    until(drawers, 1).end(2, b"Loading ...\nconceptree: the disk is full\n")
    until(drawers, 2).end()
    assert drawing.errand(run, ids[0]).problem == "conceptree: the disk is full"
    assert not drawing.errand(run, ids[0]).at_work and drawing.errand(run, ids[1]).problem == ""


def test_a_process_that_cannot_be_started_is_said(run, ids, drawers, monkeypatch):
    def none(*_, **__):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(drawing.subprocess, "Popen", none)
    drawing.draw(run, [(ids[0], PHOTO, 1)])
    end = time.monotonic() + 20
    while drawing.errand(run, ids[0]).at_work and time.monotonic() < end:
        time.sleep(0.01)
    assert "cannot start a drawing process: Resource" in drawing.errand(run, ids[0]).problem
