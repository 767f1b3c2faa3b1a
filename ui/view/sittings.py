"""Portraits of those who are chosen as parents, drawn while a person still thinks: their child need not wait for them.

They are the ones that the job would draw (`evolve.jobs.portraits`), so that a child is the same with or without them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock, Thread

from core.errors import ConceptreeError
from core.stack.backbone import Backbone
from evolve import Run
from evolve.jobs.portraits import portraits
from ui.breed import IMAGES, KEEP
from ui.stack import can_draw, is_quick
from ui.view import preview

REST = 1.5  # seconds without another wish: who moves a slider waits for previews, and those are drawn first


@dataclass(frozen=True)
class Wish:
    """Who is to be drawn, by id; at: when it was said, of time.monotonic()."""

    run: Run
    backbone: Backbone
    parents: tuple[str, ...]
    at: float


_lock = Lock()
_wish: Wish | None = None  # the last one: who chooses others wants the former no more
_thread: Thread | None = None


def prepare(run: Run, backbone: Backbone, parents: Sequence[str]) -> None:
    """Draw the portraits of these parents soon, in a thread of the server, unless they are there or others are chosen.

    What cannot be drawn is left to the job, which says why. A stack that draws slowly is too busy for what may not be
    wanted.
    """
    global _wish, _thread
    if not can_draw(backbone) or not is_quick(backbone):
        return
    with _lock:
        _wish = Wish(run, backbone, tuple(parents), time.monotonic())
        if _thread is None or not _thread.is_alive():
            _thread = Thread(target=_draw, daemon=True)
            _thread.start()


def wait(seconds: float = 60.0) -> None:
    """Until nothing is wanted any more, or for so many seconds."""
    if thread := _thread:
        thread.join(seconds)


def _draw() -> None:
    """One parent after the other of the last wish, once nothing was wished for a while; then the thread ends."""
    global _wish, _thread
    done: set[tuple[str, str]] = set()
    while True:
        with _lock:
            wish = _wish
            left = [each for each in wish.parents if (str(wish.run.folder), each) not in done] if wish else []
            if wish is None or not left:
                _wish = _thread = None
                return
        rest = wish.at + REST - time.monotonic()
        if rest > 0:
            time.sleep(rest)
            continue
        done.add((str(wish.run.folder), left[0]))
        with suppress(ConceptreeError), preview.drawing:
            portraits(wish.run, wish.run.find(left[0]).concept, wish.backbone, IMAGES, KEEP)
