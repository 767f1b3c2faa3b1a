"""Jobs: what a run was asked to learn, so that a killed command can be gone on with.

    jobs/<number>-<command>/job.json              what was asked, once
    jobs/<number>-<command>/snapshot.safetensors  the batch that is being learned, at its last boundary
    jobs/<number>-<command>/decided.json          which concepts came of requests by what a person decided meanwhile
    jobs/<number>-<command>/progress.json         how far it is, and when that was written
    jobs/<number>-<command>/finished.json         once all is stored

Going on is asking again: what the run has already is not learned again, and the batch that was being learned goes on
from its snapshot to the very concepts that it would have given.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from core.files import StorageError, write_atomically
from evolve.parts import RunError
from evolve.run import Run

SCHEMA = 1
BETWEEN = 1.0  # seconds between two notes of progress
_NAME = re.compile(r"([0-9]{4,})-([a-z]+)")
_JOB, _SNAPSHOT, _DECIDED, _PROGRESS, _FINISHED, _LOCK = (
    "job.json", "snapshot.safetensors", "decided.json", "progress.json", "finished.json", ".lock",
)  # fmt: skip


@dataclass
class Job:
    """One command's learning in a run. plan: what was asked, as JSON."""

    folder: Path
    command: str
    plan: dict[str, Any]
    _told: float = 0.0

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def finished(self) -> bool:
        return (self.folder / _FINISHED).is_file()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Hold the job: one process learns it at a time. A killed process lets go of it by itself.

        Raises:
            RunError: somebody is at it.
        """
        lock = FileLock(self.folder / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(
                f"the job {self.name!r} of {str(self.folder.parent.parent)!r} is being learned by another process"
            ) from None
        except OSError as error:
            raise StorageError(f"{str(self.folder)!r} cannot be written: {error.strerror or error}") from error
        try:
            yield
        finally:
            lock.release()

    def keep(self, snapshot: bytes) -> None:
        """Keep the batch as it is now, in place of what was kept before."""
        write_atomically(self.folder / _SNAPSHOT, snapshot)

    def kept(self) -> bytes:
        """The last snapshot, empty if there is none."""
        try:
            return (self.folder / _SNAPSHOT).read_bytes()
        except OSError:
            return b""

    def note(self, came_of: Mapping[str, str]) -> None:
        """Write down what became of requests, by the ids that the requests alone would have given."""
        decided = {id_: concept for id_, concept in came_of.items() if id_ != concept}
        if decided:
            _write(self.folder / _DECIDED, {**self._decided(), **decided})

    def became(self, id_: str) -> str:
        """The id of what became of a request, as far as that is known."""
        return self._decided().get(id_, id_)

    def _decided(self) -> dict[str, str]:
        try:
            return dict(json.loads((self.folder / _DECIDED).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}

    def tell(self, step: int, steps: int) -> None:
        """Write down how far it is, not more often than a person would look."""
        now = time.monotonic()
        if now - self._told >= BETWEEN or step == steps:
            self._told = now
            _write(self.folder / _PROGRESS, {"step": step, "steps": steps, "at": _now()})

    def finish(self) -> None:
        """All is stored: there is nothing to go on with."""
        _write(self.folder / _FINISHED, {"at": _now()})
        (self.folder / _SNAPSHOT).unlink(missing_ok=True)


def new_job(run: Run, command: str, plan: Mapping[str, Any]) -> Job:
    """A job of a run, written down before anything is learned."""
    with run.writing():
        number = max((int(folder.name.split("-")[0]) for folder in _folders(run)), default=0) + 1
        job = Job(run.folder / "jobs" / f"{number:04d}-{command}", command, dict(plan))
        _write(job.folder / _JOB, {"schema": SCHEMA, "command": command, "plan": job.plan, "created_at": _now()})
    return job


def unfinished(run: Run) -> list[Job]:
    """The jobs of a run that were killed, stopped or are at work, oldest first."""
    return [job for job in map(_read, _folders(run)) if not job.finished]


def _folders(run: Run) -> list[Path]:
    """Those with a job in them: a folder without one was left by a kill before anything was asked."""
    return sorted(file.parent for file in (run.folder / "jobs").glob(f"*/{_JOB}") if _NAME.fullmatch(file.parent.name))


def _read(folder: Path) -> Job:
    try:
        about = json.loads((folder / _JOB).read_text(encoding="utf-8"))
        schema, command, plan = about["schema"], about["command"], about["plan"]
    except OSError as error:
        raise StorageError(f"the job {str(folder)!r} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(f"the job {str(folder)!r} cannot be read: remove that folder to go on without it") from error
    if schema != SCHEMA:
        raise RunError(f"the job {str(folder)!r} has schema {schema!r}, this version reads {SCHEMA}")
    return Job(folder, command, plan)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(content, ensure_ascii=False, indent=1).encode())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
