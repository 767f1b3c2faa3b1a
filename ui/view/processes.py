"""Jobs as separate processes, which outlive the page and the server."""

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

AT_WORK = ("starting", "working")  # states of a job that a process runs


@dataclass(frozen=True)
class Begun:
    """A process that this server started. at: seconds since 1970."""

    process: subprocess.Popen[bytes]
    at: float


# By the job's folder. Shows a process that has not reached its job yet; polling it avoids zombies.
_begun: dict[Path, Begun] = {}


def start(run: Run, job: Job) -> None:
    """Start or continue a job: `conceptree resume RUN --job NAME`, with its output in the job's log.

    Does nothing if the job is running.

    Raises:
        StorageError: the log cannot be written, or no process can be started.
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
    """State of a job. Adds to the job's own: "starting" while its process loads the model, and "failed" if that process
    ended before it reached the job.
    """
    found = job.status()
    begun = _begun.get(job.folder.resolve())
    if begun is None or found.state in ("working", "finished"):
        return found
    code = begun.process.poll()
    if _told(job) >= begun.at:  # the process has reached the job and left it
        return found
    if code is None:
        return replace(found, state="starting", problem="")
    if code:
        return replace(found, state="failed", problem=f"the process ended with code {code}: see the log")
    return found


def _told(job: Job) -> float:
    """When a process last wrote its progress or its end, in seconds since 1970."""
    times = [0.0]
    for name in ("progress.json", "exit.json"):
        with suppress(OSError):
            times.append((job.folder / name).stat().st_mtime)
    return max(times)
