"""Atomic writing of files."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from core.errors import ConceptreeError

_FULL = (errno.ENOSPC, errno.EDQUOT)


class StorageError(ConceptreeError):
    """A file that cannot be written."""


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path`, so that a reader never sees half a file.

    Raises:
        StorageError: the disk is full or read-only, or writing is not allowed. An earlier file is unchanged.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)  # mkstemp's 0600 would keep others from reading a shared run
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        _flush_folder(path.parent)
    except OSError as error:
        what_to_do = "make room and try again" if error.errno in _FULL else "choose another folder, or mend this one"
        raise StorageError(
            f"{str(path)!r} cannot be written: {error.strerror or error}; earlier data is intact: {what_to_do}"
        ) from error


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
