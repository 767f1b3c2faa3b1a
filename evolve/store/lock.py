"""Lock of a run's folder: one writer at a time among all processes and threads."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from core.files import StorageError
from evolve.store.parts import RunError

WAIT = 30.0  # seconds; a writer needs milliseconds
_LOCK, _HOLDER = ".lock", ".lock.by"


@contextmanager
def held(folder: Path, wait: float = WAIT, what: str = "the run") -> Iterator[None]:
    """Lock a run's folder for writing; the holder may enter again. what: in messages, before the folder.

    The lock is held for milliseconds while a batch is stored, never while learning. So two people can breed in one run;
    the second waits a moment and loses nothing.

    Raises:
        RunError: another process holds it for longer than `wait` seconds; the message names it.
        StorageError: the lock file cannot be written.
    """
    if not folder.is_dir():  # the lock would create it again
        raise gone(folder)
    from filelock import FileLock, Timeout  # readers do without

    lock = FileLock(folder / _LOCK, is_singleton=True)
    holder = folder / _HOLDER
    first = not lock.is_locked
    try:
        lock.acquire(timeout=wait)
    except Timeout:
        raise RunError(
            f"{what} {str(folder)!r} is being written by {_named(holder)}, still after {wait:g} s:"
            f" try again when that is done"
        ) from None
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or error
        raise StorageError(f"{what} {str(folder)!r} cannot be written: {reason}") from error
    try:
        if first:
            with suppress(OSError):  # only for the message to waiting writers
                holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        if first:
            with suppress(OSError):
                holder.unlink(missing_ok=True)
        lock.release()


def gone(folder: Path) -> StorageError:
    """The error of a writer whose run is no longer where it was."""
    return StorageError(
        f"the run {str(folder)!r} is not there any more: it was renamed, moved or deleted meanwhile, and nothing is"
        " written. After a rename, conceptree resume with the new name goes on with unfinished jobs"
    )


def _named(holder: Path) -> str:
    """Name of the process that holds the lock."""
    try:
        name = holder.read_text(encoding="utf-8")[:200]
    except (OSError, ValueError):
        return "another process"
    return name if name and name.isprintable() else "another process"
