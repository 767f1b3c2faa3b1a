"""One process writes to a run at a time, and two lose nothing."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading

from evolve.store.run import Run, RunError
from tests.evolve.store.run.seen import ROOT, parts, refused
from tests.families import concept

WRITER = """
import sys
from pathlib import Path
from evolve.store.run import Run
from tests.families import concept, picture
run = Run.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(6):
    seed = int(sys.argv[2]) + number
    (one,) = run.add([concept(seed)])
    run.add_drawings([(one.id, "a photo of a {}", 1, picture(seed))])
    run.note(one.id, rating=1 + number % 5)
"""

HOLDER = """
import sys
from evolve.store.run import Run
with Run.open(sys.argv[1]).writing():
    print("held", flush=True)
    sys.stdin.readline()
"""


def started(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start another process, and wait until it reports that it is ready."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline()
    return process


def test_two_writers_lose_nothing(run):
    writers = [started(WRITER, run.folder, 100 * number) for number in (1, 2)]
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    counts = []
    while any(writer.poll() is None for writer in writers):
        counts.append(len(run.individuals()))  # a reader never waits, and never sees half
    assert [writer.wait() for writer in writers] == [0, 0] and counts == sorted(counts)
    individuals = run.individuals()
    assert {each.concept.request.seed for each in individuals} == {100 * n + i for n in (1, 2) for i in range(6)}
    assert len({each.name for each in individuals}) == 12
    for room in ("concepts", "drawings", "notes"):
        assert [part.name[:6] for part in parts(run, room)] == [f"{number:06d}" for number in range(1, 13)]
    assert all(drawing.file.is_file() for drawing in run.drawings()) and len(run.notes()) == 12


def test_who_holds_the_run_is_named(run):
    holder = started(HOLDER, run.folder)
    try:
        line = refused(run.writing(wait=0.1).__enter__)
        assert f"is being written by process {holder.pid} on" in line and "after 0.1 s: try again" in line
        assert run.individuals() == [], "readers need no lock"
    finally:
        holder.communicate("\n")
    run.add([concept(1)])


def test_a_writer_that_was_killed_holds_nothing(run):
    holder = started(HOLDER, run.folder)
    holder.kill()
    holder.wait()
    assert (run.folder / ".lock.by").exists()
    with run.writing(wait=1):
        pass


def test_a_writer_may_enter_again_and_another_thread_waits(run):
    errors: list[str] = []

    def other() -> None:
        try:
            with Run.open(run.folder).writing(wait=0.1):
                pass
        except RunError as error:
            errors.append(str(error))

    with run.writing(), Run.open(run.folder).writing():
        run.add([concept(1)])
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(errors) == 1 and f"process {os.getpid()}" in errors[0]


def test_a_run_that_cannot_be_locked_is_one_line(run, monkeypatch):
    def forbidden(*arguments, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("filelock.FileLock.acquire", forbidden)
    assert "cannot be written: Permission denied" in refused(run.add, [concept(1)])
