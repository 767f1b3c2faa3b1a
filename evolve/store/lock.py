"""One writer at a time in a folder, of all processes and threads."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from core.files import StorageError
from evolve.store.parts import RunError

WAIT = 30.0  # seconds for another writer, who needs milliseconds
_LOCK, _HOLDER = ".lock", ".lock.by"


@contextmanager
def held(folder: Path, wait: float = WAIT) -> Iterator[None]:
    """Hold a run's folder for writing; who holds it may enter again.

    It is held while something is stored, for milliseconds, and never while something is learned. So two people
    may breed in one run, and who comes second waits a moment rather than lose what took minutes to learn.

    Raises:
        RunError: somebody holds it for longer than `wait` seconds: who that is.
        StorageError: no lock file can be made there.
    """
    if not folder.is_dir():  # the lock would make it again
        raise StorageError(f"the run {str(folder)!r} cannot be written: its folder is gone")
    lock = FileLock(folder / _LOCK, is_singleton=True)
    holder = folder / _HOLDER
    first = not lock.is_locked
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        raise RunError(
            f"the run {str(folder)!r} is being written by {_named(holder)}, and still was after {wait:g} s:"
            f" try again when that is done"
        ) from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StorageError(f"the run {str(folder)!r} cannot be written: {reason}") from error
    try:
        if first:
            with suppress(OSError):  # a courtesy to those who wait: not worth failing for
                holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        if first:
            with suppress(OSError):
                holder.unlink(missing_ok=True)
        lock.release()


def _named(holder: Path) -> str:
    """Who holds the lock, if that is known."""
    try:
        name = holder.read_text(encoding="utf-8")[:200]
    except (OSError, ValueError):
        return "another process"
    return name if name and name.isprintable() else "another process"
