"""Jobs: what a run was asked to learn, so that any process can learn it, watch it, steer it, stop it and go on with it.

    jobs/<number>-<command>/job.json              what was asked, once
    jobs/<number>-<command>/requests.json         for children: their requests, once the parents' images are known
    jobs/<number>-<command>/batches.json          how its requests are cut into batches, once the first are learned
    jobs/<number>-<command>/snapshot-<id>.safetensors  a batch that is being learned, at its last boundary
    jobs/<number>-<command>/decided.json          which concepts came of requests by what a person decided meanwhile
    jobs/<number>-<command>/progress.json         how far it is, how long it will take, and when that was written
    jobs/<number>-<command>/events.jsonl, looks/  what was to be seen at each boundary, see evolve/store/looks.py
    jobs/<number>-<command>/steer/, question.json what a person decides from elsewhere, see evolve/jobs/steering.py
    jobs/<number>-<command>/stop                  to be stopped at the next step
    jobs/<number>-<command>/exit.json             how the process ended that was last at it, if it ended by itself
    jobs/<number>-<command>/finished.json         once all is stored
    jobs/<number>-<command>/log.txt               what that process printed, where somebody kept it

Going on is asking again: what the run has already is not learned again, and the batch that was being learned goes on
from its snapshot to the very concepts that it would have given. Whether somebody is at work is what the lock says: it
is let go of however a process ends, and the number of a process proves nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from core.concept import Request, RequestError
from core.errors import ConceptreeError
from core.files import StorageError, write_atomically
from core.review import Decision
from core.settings import MOST_AT_ONCE
from core.wording import did_you_mean
from evolve.jobs.steering import STEER, Question, question_in, queue, queued
from evolve.store.looks import Look, looks_in
from evolve.store.parts import Damage, RunError
from evolve.store.run import Run

SCHEMA = 1
BETWEEN = 1.0  # seconds between two notes of progress
PATIENCE = 1.0  # seconds for somebody who only looks whether the job is at work
STOPPED = 130  # the exit code of a process that a person stopped
_NAME = re.compile(r"([0-9]{4,})-([a-z]+)")
_JOB, _REQUESTS, _BATCHES, _DECIDED, _PROGRESS, _EXIT, _FINISHED, _STOP, _LOCK = (
    "job.json", "requests.json", "batches.json", "decided.json", "progress.json", "exit.json", "finished.json", "stop",
    ".lock",
)  # fmt: skip
_SNAPSHOT, _SNAPSHOTS = "snapshot-{}.safetensors", "snapshot*.safetensors"  # earlier versions kept one, without an id


class Stopped(KeyboardInterrupt):
    """Somebody asked for the job to be stopped: as if a person had typed Ctrl-C."""


@dataclass(frozen=True)
class Status:
    """How a job is.

    state: "waiting" for a process, "working", "stopped" by a person, "paused" until a person has chosen what follows,
    "failed" (problem says why), "finished", or "killed". step of steps, 0 of 0 before it is known. left: seconds, as
    far as the process's course so far tells.
    at: when that was written. doing: what it does where that is no step, such as "drawing the parents".
    """

    state: str
    step: int = 0
    steps: int = 0
    left: float | None = None
    at: datetime | None = None
    problem: str = ""
    doing: str = ""


@dataclass(frozen=True)
class Batching:
    """How a job's requests are cut into batches: whoever goes on with it cuts them the same way.

    at_once: how many learn side by side at most. threads: of the worker that learns a batch; None where nobody said.
    Both change the last bits of what is learned, the number of workers none.
    """

    at_once: int = MOST_AT_ONCE
    threads: int | None = None


@dataclass
class Job:
    """One command's learning in a run. plan: what was asked, as JSON."""

    folder: Path
    command: str
    plan: dict[str, Any]
    created_at: datetime | None = None
    _held: int = field(default=0, repr=False, compare=False)
    _told: float = field(default=0.0, repr=False, compare=False)
    _course: tuple[int, float] | None = field(default=None, repr=False, compare=False)  # the first step, and when
    _progress: tuple[int, int] = field(default=(0, 0), repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def finished(self) -> bool:
        return (self.folder / _FINISHED).is_file()

    @property
    def begun(self) -> bool:
        """Whether a step of it was learned, or anything is kept."""
        return self.finished or bool(self.kept()) or self.status().step > 0

    @contextmanager
    def working(self, since: float = 0.0) -> Iterator[None]:
        """Hold the job: one process learns it at a time, which may enter again. A killed one lets go of it by itself.

        However the work ends, exit.json says it. since: a request to stop from before that time (of time.time()) was
        for another process, and is forgotten.

        Raises:
            RunError: somebody is at it.
        """
        if self._held:
            yield
            return
        lock = FileLock(self.folder / _LOCK)
        try:
            lock.acquire(timeout=PATIENCE, poll_interval=0.02)
        except Timeout:
            raise RunError(
                f"the job {self.name!r} of {str(self.folder.parent.parent)!r} is being learned by another process"
            ) from None
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
            raise StorageError(f"{str(self.folder)!r} cannot be written: {reason}") from error
        self._held, self._course = 1, None
        try:
            self._begin(since)
            yield
        except BaseException as error:
            self._end(*_told_of(error))
            raise
        else:
            self._end(0, "")
        finally:
            self._held = 0
            lock.release()

    def _begin(self, since: float) -> None:
        _unlink(self.folder / _EXIT)
        with suppress(OSError):
            if (self.folder / _STOP).stat().st_mtime < since:
                _unlink(self.folder / _STOP)
        if not self.finished:
            told = self._read(_PROGRESS)
            self._progress = _whole(told.get("step")), _whole(told.get("steps"))
            self._note(*self._progress)

    def _end(self, code: int, problem: str) -> None:
        if code == STOPPED:
            _unlink(self.folder / _STOP)  # it is obeyed
        with suppress(StorageError):  # a full disk may be why it ends
            _write(self.folder / _EXIT, {"code": code, "problem": problem, "at": _now()})

    def status(self) -> Status:
        """How it is now. Reading that disturbs nobody who is at work."""
        told, ended = self._read(_PROGRESS), self._read(_EXIT)
        step, steps, left = _whole(told.get("step")), _whole(told.get("steps")), told.get("left")
        at = _time(told.get("at"))
        if self._is_held():
            seconds = float(left) if isinstance(left, (int, float)) else None
            doing = told.get("doing")
            return Status("working", step, steps, seconds, at, "", doing if isinstance(doing, str) else "")
        if self.finished:
            return Status("finished", steps, steps, None, _time(self._read(_FINISHED).get("at")) or at)
        at = _time(ended.get("at")) or at
        if ended.get("code") in (STOPPED, 0):
            return Status("stopped" if ended["code"] else "paused", step, steps, None, at)
        if ended:
            problem = ended.get("problem")
            text = " ".join(problem.split()) if isinstance(problem, str) else ""
            return Status("failed", step, steps, None, at, text or "it ended before all was learned")
        return Status("killed" if told else "waiting", step, steps, None, at)

    def _is_held(self) -> bool:
        """Whether somebody is at work: a shared lock, which others who ask do not see, cannot be had."""
        if self._held:
            return True
        try:
            descriptor = os.open(self.folder / _LOCK, os.O_RDONLY)
        except OSError:
            return False  # nobody has ever been at it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def request_stop(self) -> None:
        """Ask whoever is at it to stop at the next step; what is finished, and the batch at work, are kept."""
        write_atomically(self.folder / _STOP, b"")

    def obey(self) -> None:
        """Stop if that was asked for.

        Raises:
            Stopped: it was.
        """
        if (self.folder / _STOP).exists():
            raise Stopped

    def looks(self) -> list[Look]:
        """What was to be seen at each boundary so far, concept by concept."""
        return looks_in(self.folder)

    def steer(self, number: int, decision: Decision) -> None:
        """Decide about the concept at a place (from 0): at its next boundary, or as the answer to a question.

        Words are added to what is named there; those to be dropped may be among it; as an answer they stand in its
        place, see core/review.py.

        Raises:
            RunError: all is learned.
        """
        if self.finished:
            raise RunError(f"the job {self.name!r} is finished: nothing can be decided in it any more")
        queue(self.folder, number, decision)

    def pending(self) -> list[tuple[int, Decision]]:
        """What was decided and has had no effect yet: (place, decision) each, oldest first."""
        return [(each.number, each.decision) for each in queued(self.folder)]

    def question(self) -> Question | None:
        """What it waits for, where it is to ask; `steer` answers."""
        return question_in(self.folder) if self._is_held() else None

    def batching(self, at_once: int | None = None, threads: int | None = None) -> Batching:
        """How it is cut: as it was when its first requests were learned, else as asked, which is then written down."""
        if (told := self.batched()) is not None:
            return told
        begun = bool(self.kept())  # by a version that wrote nothing down
        chosen = Batching() if begun or at_once is None else Batching(at_once, threads)
        _write(self.folder / _BATCHES, asdict(chosen))
        return chosen

    def batched(self) -> Batching | None:
        """How it was cut, as far as that is known."""
        told = self._read(_BATCHES)
        at_once, threads = _whole(told.get("at_once")), _whole(told.get("threads"))
        return Batching(at_once, threads if threads > 0 else None) if at_once > 0 else None

    def keep(self, snapshot: bytes, of: str) -> None:
        """Keep a batch as it is now, in place of what was kept of it before. of: the id of its first request."""
        write_atomically(self.folder / _SNAPSHOT.format(of), snapshot)

    def kept(self) -> list[bytes]:
        """The last snapshot of each batch that is not stored yet."""
        found = []
        for file in sorted(self.folder.glob(_SNAPSHOTS)):
            with suppress(OSError):
                found.append(file.read_bytes())
        return found

    def let_go(self, of: str) -> None:
        """A batch is stored: nothing need be kept of it any more."""
        _unlink(self.folder / _SNAPSHOT.format(of))

    def requests(self) -> list[Request] | None:
        """The requests that were made of the plan; None if that is still to be done.

        Raises:
            RunError: they are written down and cannot be read.
        """
        try:
            texts = self.plan["requests"] if "requests" in self.plan else self._required(_REQUESTS)["requests"]
            return [Request.from_json(text) for text in texts]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError, RequestError) as error:
            raise RunError(f"the requests of the job {str(self.folder)!r} cannot be read: {error}") from error

    def keep_requests(self, requests: Sequence[Request]) -> None:
        """Write down what was made of the plan: whoever goes on learns these."""
        _write(self.folder / _REQUESTS, {"requests": [request.to_json() for request in requests]})

    def note(self, came_of: Mapping[str, str]) -> None:
        """Write down what became of requests, by the ids that the requests alone would have given."""
        decided = {id_: concept for id_, concept in came_of.items() if id_ != concept}
        if decided:
            _write(self.folder / _DECIDED, {**self.decided(), **decided})

    def decided(self) -> dict[str, str]:
        """Ids of concepts by the ids of their requests, where a person's decisions have changed them."""
        return {str(id_): str(concept) for id_, concept in self._read(_DECIDED).items()}

    def tell(self, step: int, steps: int) -> None:
        """Write down how far it is, not more often than a person would look."""
        now = time.monotonic()
        if self._course is None:
            self._course = step, now
        self._progress = step, steps
        if now - self._told >= BETWEEN or step == steps:
            self._told = now
            self._note(step, steps)

    def does(self, doing: str) -> None:
        """Write down what it does beside its steps; empty for nothing."""
        self._note(*self._progress, doing)

    def wait(self) -> None:
        """While it waits for a person: it is alive, obeys, and the time left counts from here."""
        self.obey()
        self._course = None
        if time.monotonic() - self._told >= BETWEEN:
            self._told = time.monotonic()
            self._note(*self._progress)

    def _note(self, step: int, steps: int, doing: str = "") -> None:
        left = None
        if self._course is not None and step > self._course[0]:
            first, began = self._course
            left = round((time.monotonic() - began) / (step - first) * (steps - step), 1)
        told = {"step": step, "steps": steps, "left": left, "doing": doing, "at": _now()}
        _write(self.folder / _PROGRESS, told)

    def finish(self) -> None:
        """All is stored: there is nothing to go on with."""
        _write(self.folder / _FINISHED, {"at": _now()})
        for file in self.folder.glob(_SNAPSHOTS):
            _unlink(file)
        _unlink(self.folder / _STOP)
        shutil.rmtree(self.folder / STEER, ignore_errors=True)

    def _read(self, name: str) -> dict[str, Any]:
        """A small file's object, empty if it is not there or cannot be read."""
        try:
            return self._required(name)
        except (OSError, ValueError, RecursionError):
            return {}

    def _required(self, name: str) -> dict[str, Any]:
        found = json.loads((self.folder / name).read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"{name} is no object")
        return found


def new_job(run: Run, command: str, plan: Mapping[str, Any]) -> Job:
    """A job of a run, written down before anything is learned."""
    with run.writing():
        number = max((int(folder.name.split("-")[0]) for folder in _folders(run)), default=0) + 1
        job = Job(run.folder / "jobs" / f"{number:04d}-{command}", command, dict(plan), datetime.now(UTC))
        _write(job.folder / _JOB, {"schema": SCHEMA, "command": command, "plan": job.plan, "created_at": _now()})
    return job


def jobs(run: Run, damage: list[Damage] | None = None) -> list[Job]:
    """The jobs of a run that can be read, oldest first; what cannot is left out, and noted in `damage`."""
    found = []
    for folder in _folders(run):
        try:
            found.append(_read(folder))
        except ConceptreeError as error:
            if damage is not None:
                damage.append(Damage(folder / _JOB, str(error)))
    return found


def job_named(run: Run, name: str) -> Job:
    """One job of a run.

    Raises:
        RunError: there is none of that name, or it cannot be read.
    """
    folders = {folder.name: folder for folder in _folders(run)}
    if name not in folders:
        there = did_you_mean(name, folders) or (f"there are {', '.join(folders)}" if folders else "there are none")
        raise RunError(f"there is no job {name!r} in {str(run.folder)!r}: {there}")
    return _read(folders[name])


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
    if not isinstance(command, str) or not isinstance(plan, dict):
        raise RunError(f"the job {str(folder)!r} cannot be read: remove that folder to go on without it")
    return Job(folder, command, plan, _time(about.get("created_at")))


def _told_of(error: BaseException) -> tuple[int, str]:
    """(exit code, what a person is told) of what ends a process."""
    if isinstance(error, KeyboardInterrupt):
        return STOPPED, ""
    if isinstance(error, ConceptreeError):
        return 2, " ".join(str(error).split())
    return 1, " ".join(f"{type(error).__name__}: {error}".split())


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_atomically(path, json.dumps(content, ensure_ascii=False, indent=1).encode())


def _unlink(file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
