"""Commands whose output is closed or full, and terminals of ASCII: one line, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from evolve import Run

ROOT = Path(__file__).parents[2]
NAME = Run.open(ROOT / "runs" / "example").entries()[0].name


def run(*words: object, shell: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """A command under a shell's redirection."""
    command = [sys.executable, "-m", "ui.cli", *map(str, words)]
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {shell}', "sh", *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("words", [("--version",), ("list", "--runs", "runs"), ("show", "example", NAME, "--json")])
def test_full_output_is_one_line(words, unbuffered):
    done = run(*words, shell=">/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "conceptree: standard output cannot be written: No space left on device\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_error_stream_changes_no_exit_code(unbuffered):
    assert run("show", "example", "nonesuch", shell="2>/dev/full", PYTHONUNBUFFERED=unbuffered).returncode == 2
    done = run("--version", shell="2>/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert done.returncode == 0 and done.stdout.startswith("conceptree, version")


def test_closed_output_is_one_line():
    done = run("--version", shell=">&-")
    assert done.returncode == 2
    assert done.stderr == "conceptree: standard output is closed: send it to a file, or to /dev/null\n"


def test_a_closed_input_or_error_stream_changes_nothing():
    done = run("--version", shell="<&- 2>&-")
    assert done.returncode == 0 and done.stdout.startswith("conceptree, version")


def test_a_reader_that_stops_early_sees_no_traceback():
    done = run("show", "example", NAME, "--json", shell="| head -1")
    assert done.stdout == "{\n" and done.stderr == ""


@pytest.mark.parametrize("words", [("show", "example", NAME), ("kin", "example"), ("show", "example", "caf\udce9")])
def test_a_terminal_of_ascii_shows_what_it_can(words):
    done = run(*words, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.stdout.isascii() and "Traceback" not in done.stderr
    assert done.returncode == (2 if "\udce9" in words[-1] else 0)
