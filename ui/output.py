"""Standard streams of a command: closed, full, or unable to show a character."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from core.errors import ConceptreeError

WRONG = 2  # exit code


class OutputError(ConceptreeError):
    """Standard output cannot be written."""


class Output(io.TextIOWrapper):
    """Standard output whose failures are an OutputError; a broken pipe stays one, which ends the command quietly."""

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except OSError as error:
            raise _told(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise _told(error) from error


class Errors(io.TextIOWrapper):
    """Standard error whose failures are ignored: the exit code still tells that a command failed."""

    def write(self, text: str, /) -> int:
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def _told(error: OSError) -> Exception:
    if error.errno == errno.EPIPE:
        return error
    return OutputError(f"standard output cannot be written: {error.strerror or error}")


@contextmanager
def ready_output() -> Iterator[None]:
    """Run a command; where its output is closed or full, print one line on stderr and exit with 2.

    Characters that the terminal cannot show are printed as "?".
    """
    closed = sys.stdout is None
    _hold_closed()
    if closed:
        _end("standard output is closed: send it to a file, or to /dev/null")
    if sys.stdout is sys.__stdout__ and type(sys.stdout) is io.TextIOWrapper:
        sys.stdout = sys.__stdout__ = _anew(Output, sys.stdout, "replace")  # type: ignore[misc]
    if sys.stderr is sys.__stderr__ and type(sys.stderr) is io.TextIOWrapper:
        sys.stderr = sys.__stderr__ = _anew(Errors, sys.stderr, "backslashreplace")  # type: ignore[misc]
    try:
        yield
        sys.stdout.flush()
    except SystemExit:
        try:
            sys.stdout.flush()
        except OutputError as error:
            _end(str(error))
        raise
    except OutputError as error:
        _end(str(error))


def _anew(kind: type[io.TextIOWrapper], was: io.TextIOWrapper, errors: str) -> io.TextIOWrapper:
    """A stream of another kind in place of `was`."""
    encoding, line_buffering, write_through = was.encoding, was.line_buffering, was.write_through
    return kind(was.detach(), encoding, errors, line_buffering=line_buffering, write_through=write_through)


def _hold_closed() -> None:
    """Open the null device in place of closed streams: a run's file would get their number, and their output."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", closefd=False))  # noqa: SIM115


def _end(why: str) -> None:
    with suppress(OSError):
        print(f"conceptree: {why}", file=sys.stderr)
    with suppress(OSError):  # so that Python does not try to write the rest at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(WRONG)
