"""Turns: one page computes at a time, so that the server answers while many people come.

Streamlit runs each page in a thread, and its event loop waits until a new thread has begun. Python runs one thread at a
time, so beside fifty computing pages each beginning takes as long as a turn of all of them. Here a page waits until the
one before it is done, and threads take turns more often.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition

AT_ONCE = 1  # with 2 the server answers half as fast, and pages are not faster
LONG = 0.3  # seconds; a page that takes longer, such as one that draws, does not keep others waiting
SWITCH = 0.0005  # seconds that a thread may keep Python while another one waits


class Turns:
    """Lets `at_once` threads compute, and further ones as soon as one of these is done or has taken `long` seconds."""

    def __init__(self, at_once: int = AT_ONCE, long: float = LONG, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_once, self._long, self._clock = at_once, long, clock
        self._ends: dict[object, float] = {}  # when each thread that computes has taken long
        self._changed = Condition()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for one's turn, and keep it for the block."""
        me = object()
        with self._changed:
            while (wait := self._wait()) > 0:
                self._changed.wait(wait)
            self._ends[me] = self._clock() + self._long
        try:
            yield
        finally:
            with self._changed:
                del self._ends[me]
                self._changed.notify()

    @property
    def held(self) -> int:
        """How many threads compute, those that take long among them."""
        return len(self._ends)

    def _wait(self) -> float:
        """Seconds until a place is free at the latest."""
        now = self._clock()
        ends = sorted(end for end in self._ends.values() if end > now)
        return ends[-self._at_once] - now if len(ends) >= self._at_once else 0.0


TURNS = Turns()
turn = TURNS.turn


def switch_often() -> None:
    """Let waiting threads have Python sooner. For the whole process."""
    sys.setswitchinterval(SWITCH)
