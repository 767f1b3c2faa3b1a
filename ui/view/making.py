"""Values that take seconds, made in a thread and kept: a page that waited for them would not answer clicks."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Hashable
from threading import Lock, Thread
from typing import Generic, TypeVar

from core.errors import ConceptreeError

V = TypeVar("V")

LAST = 10.0  # seconds that the process waits for a thread when it ends


class Making(Generic[V]):
    """The newest `most` values by their keys. An unforeseen error goes to the server's log, and its value is None."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.threads: dict[Hashable, Thread] = {}
        self._made: dict[Hashable, V | ConceptreeError | None] = {}
        self._lock = Lock()
        atexit.register(self.finish)

    def finish(self) -> None:
        """Wait for the threads: a process that ends within an operation of PyTorch is aborted."""
        for thread in list(self.threads.values()):
            thread.join(LAST)

    def begin(self, key: Hashable, make: Callable[[], V]) -> None:
        """Make a value in a thread, unless it is there or a thread is at it."""

        def run() -> None:
            made: V | ConceptreeError | None = None
            try:
                made = make()
            except ConceptreeError as error:
                made = error
            finally:
                with self._lock:
                    while len(self._made) >= self.most:
                        del self._made[next(iter(self._made))]
                    self._made[key] = made
                    del self.threads[key]

        with self._lock:
            if key not in self._made and key not in self.threads:
                self.threads[key] = Thread(target=run, daemon=True)
                self.threads[key].start()

    def wait(self, key: Hashable, seconds: float) -> None:
        """Wait at most so long for the thread that makes a value."""
        if thread := self.threads.get(key):
            thread.join(seconds)

    def is_done(self, key: Hashable) -> bool:
        """Whether no thread is at it."""
        return key not in self.threads

    def get(self, key: Hashable) -> V | None:
        """The value; None if it is not made yet, or could not be.

        Raises:
            ConceptreeError: that making it raised; it is forgotten then, since the next try may succeed.
        """
        made = self._made.get(key)
        if isinstance(made, ConceptreeError):
            with self._lock:
                self._made.pop(key, None)
            raise made
        return made

    def __contains__(self, key: Hashable) -> bool:
        return key in self._made
