"""Jobs as processes of their own: whatever happens to a page or to the server, they go on."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from core.files import StorageError
from evolve import Run
from evolve.jobs.job import Job, Status

AT_WORK = ("starting", "working")  # states in which somebody is at a job


@dataclass(frozen=True)
class Begun:
    """A process that this server began, and when, in seconds since 1970."""

    process: subprocess.Popen[bytes]
    at: float


# By the job's folder: to know a process that has not come to its job yet, and to wait for those that ended, which would
# else stay zombies.
_begun: dict[Path, Begun] = {}


def start(run: Run, job: Job) -> None:
    """Learn what a job asks for, or go on with it: `conceptree resume RUN --job NAME`, with its output in the job.

    One that is at work already is left alone.

    Raises:
        StorageError: its log cannot be written, or no process can be made.
    """
    if status(job).state in AT_WORK:
        return
    command = [sys.executable, "-m", "ui.cli", "resume", run.folder.name, "--job", job.name]
    try:
        with open(job.folder / "log.txt", "ab") as log:
            began = time.time()
            process = subprocess.Popen(
                [*command, "--runs", str(run.folder.parent)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            _begun[job.folder.resolve()] = Begun(process, began)
    except OSError as error:
        raise StorageError(f"the job {str(job.folder)!r} cannot be started: {error.strerror or error}") from error


def status(job: Job) -> Status:
    """How a job is. Beside what the job itself tells: "starting" while its process loads the model, and "failed" if
    that ended without a word.
    """
    found = job.status()
    begun = _begun.get(job.folder.resolve())
    if begun is None or found.state in ("working", "finished"):
        return found
    code = begun.process.poll()
    if _told(job) >= begun.at:  # it has come to the job, and to its end
        return found
    if code is None:
        return replace(found, state="starting", problem="")
    if code:
        return replace(found, state="failed", problem=f"the process ended with code {code}: see the log")
    return found


def _told(job: Job) -> float:
    """When a process last told how far it is, or how it ended."""
    times = [0.0]
    for name in ("progress.json", "exit.json"):
        with suppress(OSError):
            times.append((job.folder / name).stat().st_mtime)
    return max(times)
