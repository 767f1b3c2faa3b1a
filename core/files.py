"""Atomic writing of files, and reading of files that may come from a stranger."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

from core.errors import ConceptreeError, FileError

OLD = 3600.0  # seconds after which no process is writing a temporary file any more
_PREFIX, _SUFFIX = ".conceptree-", ".tmp"
_FULL = (errno.ENOSPC, errno.EDQUOT)


class StorageError(ConceptreeError):
    """A file that cannot be written."""


def write_atomically(path: Path, content: bytes, within: Path | None = None) -> None:
    """Write `content` to `path`, so that a reader never sees half a file. Missing folders are made.

    Old temporary files of killed writers in the same folder are removed. within: a folder that is not made again if it
    is gone, such as that of a run.

    Raises:
        StorageError: the disk is full or read-only, or writing is not allowed. An earlier file is unchanged.
    """
    try:
        _make(path.parent, within)
        _remove_old(path.parent)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=_PREFIX, suffix=_SUFFIX)
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


def check_ordinary(status: os.stat_result, most: int) -> None:
    """Raise FileError unless it is the status of an ordinary file of at most `most` bytes.

    A pipe waits for a writer, and a device may never end.
    """
    if stat.S_ISDIR(status.st_mode):
        raise FileError("is a folder: name a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise FileError("is not an ordinary file: name one")
    if status.st_size > most:
        raise FileError(f"has {status.st_size} bytes, but at most {most} are read")


def read_ordinary(path: Path, most: int) -> bytes:
    """Content of an ordinary file of at most `most` bytes.

    Raises:
        FileError: it is missing, cannot be read, is larger, or is a folder, pipe, device or socket.
    """
    try:
        check_ordinary(path.stat(), most)
        # The file may be another one by now: it is opened without waiting, and checked again.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            check_ordinary(os.fstat(file.fileno()), most)
            content = file.read(most + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileError("does not exist: check the path") from error
    except (OSError, ValueError) as error:
        raise FileError(f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(content) > most:
        raise FileError(f"has more than {most} bytes, and no more are read")
    return content


def is_temporary(file: Path) -> bool:
    """Whether a file is one that `write_atomically` leaves behind if it is killed."""
    return file.name.startswith(".") and file.suffix == _SUFFIX  # earlier versions wrote no prefix


def _make(folder: Path, within: Path | None) -> None:
    if within is None:
        folder.mkdir(parents=True, exist_ok=True)
    elif folder != within:
        _make(folder.parent, within)
        folder.mkdir(exist_ok=True)


@cache
def _remove_old(folder: Path) -> None:
    """Remove old temporary files, once in a process."""
    with suppress(OSError), os.scandir(folder) as files:
        for file in files:
            if file.name.startswith(_PREFIX) and file.name.endswith(_SUFFIX):
                with suppress(OSError):
                    if time.time() - file.stat(follow_symlinks=False).st_mtime > OLD:
                        os.unlink(file.path)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
