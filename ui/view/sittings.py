"""Draw the portraits of chosen parents in advance, so that breeding need not wait for them.

They are the portraits that the job would draw (`evolve.portraits`): the child is the same with or without them.
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
from evolve.jobs.drawings import is_quick
from evolve.jobs.options import IMAGES, KEEP
from evolve.portraits import portraits
from ui.stack import can_draw
from ui.view import preview

REST = 1.5  # seconds without another wish or preview: these come first


@dataclass(frozen=True)
class Wish:
    """Parents to draw, by id. at: time of the wish, by time.monotonic()."""

    run: Run
    backbone: Backbone
    parents: tuple[str, ...]
    at: float


_lock = Lock()
_wish: Wish | None = None  # the latest one replaces those before
_thread: Thread | None = None


def prepare(run: Run, backbone: Backbone, parents: Sequence[str]) -> None:
    """Draw the portraits of these parents soon, in a thread, unless others are chosen first.

    The job reports drawings that fail. Does nothing with a stack that draws slowly.
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
    """Wait until all wishes are drawn, at most so many seconds."""
    if thread := _thread:
        thread.join(seconds)


def _draw() -> None:
    """Draw the parents of the latest wish one after the other, after a pause without wishes; then end."""
    global _wish, _thread
    done: set[tuple[str, str]] = set()
    while True:
        with _lock:
            wish = _wish
            left = [each for each in wish.parents if (str(wish.run.folder), each) not in done] if wish else []
            if wish is None or not left:
                _wish = _thread = None
                return
        rest = max(wish.at, preview.last_drawn()) + REST - time.monotonic()
        if rest > 0:
            time.sleep(rest)
            continue
        done.add((str(wish.run.folder), left[0]))
        with suppress(ConceptreeError), preview.drawing:
            portraits(wish.run, wish.run.find(left[0]).concept, wish.backbone, IMAGES.default, KEEP)
