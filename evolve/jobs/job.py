"""A job: a plan on disk, which any process can learn, watch, steer and stop. `stored` makes and finds jobs.

    jobs/<number>-<command>/job.json              the plan and how it is carried out, written once
    jobs/<number>-<command>/requests.json         for children: their requests, once the parents are drawn
    jobs/<number>-<command>/batches.json          how it is carried out, if job.json does not say so
    jobs/<number>-<command>/snapshot-<id>.safetensors  a batch that is being learned, at its last boundary
    jobs/<number>-<command>/decided.json          ids of concepts that a person's decisions have changed
    jobs/<number>-<command>/progress.json         the step, the time left, the pace, and when that was written
    jobs/<number>-<command>/events.jsonl, looks/  each boundary for pages, see evolve/store/looks.py
    jobs/<number>-<command>/steer/, question.json decisions from other processes, see evolve/jobs/steering.py
    jobs/<number>-<command>/stop, pause           a request to stop, or to wait, at the next step
    jobs/<number>-<command>/exit.json             how the last process ended, unless it was killed
    jobs/<number>-<command>/finished.json         all is stored and drawn
    jobs/<number>-<command>/log.txt               output of the last process that a page started

A job is resumed by working on it again: concepts that the run has are not learned again, and the batch that was being
learned continues from its snapshot to the same concepts. The lock says whether a process works on the job: the
system releases it when the process ends in any way. A process id proves nothing.
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
from typing import Any, Literal

from core.concept import Request, RequestError
from core.errors import ConceptreeError
from core.files import StorageError, write_atomically
from core.review import Decision
from core.settings import MOST_AT_ONCE
from evolve.jobs.pace import Clock, Work, latest_pace, pace_of
from evolve.jobs.plans import COMMANDS, Plan, UnreadablePlanError, plan_from_json
from evolve.jobs.steering import STEER, Question, Queued, question_in, queue, queued
from evolve.store.lock import gone
from evolve.store.looks import Look, looks_in
from evolve.store.parts import RunError

SCHEMA = 1
BETWEEN = 1.0  # seconds between two notes of progress
REST = 0.1  # seconds between two looks whether a pause has ended
PATIENCE = 1.0  # seconds to wait for a process that only reads the lock
STOPPED = 130  # the exit code of a process that a person stopped
_ID = re.compile(r"[0-9a-f]{16}")  # of a concept
JOB, _REQUESTS, _BATCHES, _DECIDED, _PROGRESS, _EXIT, _FINISHED, _STOP, _PAUSE, _LOCK = (
    "job.json", "requests.json", "batches.json", "decided.json", "progress.json", "exit.json", "finished.json", "stop",
    "pause", ".lock",
)  # fmt: skip
_SNAPSHOT, _SNAPSHOTS = "snapshot-{}.safetensors", "snapshot*.safetensors"  # earlier versions kept one, without an id


# "waiting" for a process, "starting" in one, "stopped" by a person, "paused" until a person chooses parents, "failed"
# with a problem.
State = Literal["waiting", "starting", "working", "stopped", "paused", "failed", "killed", "finished"]


class Stopped(KeyboardInterrupt):
    """A stop of the job was requested; handled like Ctrl-C."""


@dataclass(frozen=True)
class Status:
    """The state of a job. step of steps: 0 of 0 before they are known. left: estimated seconds. at: when this was
    written. doing: work beside steps, such as "drawing the parents". part: of all work, drawings included, from 0 to 1;
    None where it is not measured.
    """

    state: State
    step: int = 0
    steps: int = 0
    left: float | None = None
    at: datetime | None = None
    problem: str = ""
    doing: str = ""
    part: float | None = None


@dataclass(frozen=True)
class Conduct:
    """How a job is carried out, beside its plan. A process that resumes the job does it in the same way.

    at_once: most requests in one batch. threads: of the process that learns; None without workers. Both change the last
    bits of concepts; the number of workers does not. candidates: drawings of a portrait, see `drawings.CANDIDATES`;
    None for the stack's default.
    """

    at_once: int = MOST_AT_ONCE
    threads: int | None = None
    candidates: int | None = None


@dataclass
class Job:
    """A job of a run. told: its plan as JSON."""

    folder: Path
    command: str
    told: dict[str, Any]
    created_at: datetime | None = None
    _given: Conduct | None = field(default=None, repr=False, compare=False)  # in job.json
    _held: int = field(default=0, repr=False, compare=False)
    _handle: int | None = field(default=None, repr=False, compare=False)  # of the folder, open while it is worked on
    _told: float = field(default=0.0, repr=False, compare=False)
    _clock: Clock | None = field(default=None, repr=False, compare=False)  # of this process
    _stack: str = field(default="", repr=False, compare=False)  # fingerprint of the one whose pace is measured
    _progress: tuple[int, int] = field(default=(0, 0), repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def plan(self) -> Plan:
        """The plan.

        Raises:
            RunError: this version cannot read it.
        """
        if self.command not in COMMANDS:
            known = ", ".join(COMMANDS)
            raise RunError(f"the job {self.name!r} is of a newer version: this one resumes {known}")
        try:
            return plan_from_json(self.command, self.told)
        except UnreadablePlanError as error:
            raise RunError(
                f"the job {str(self.folder)!r} cannot be read: remove that folder to go on without it ({error})"
            ) from error

    @property
    def finished(self) -> bool:
        return (self.folder / _FINISHED).is_file()

    @property
    def begun(self) -> bool:
        """Whether a step was learned, or anything is kept."""
        return self.finished or bool(self.kept()) or self.status().step > 0

    @contextmanager
    def working(self, since: float = 0.0) -> Iterator[None]:
        """Lock the job for this process, which may enter again. The lock ends with the process, even if it is killed.

        exit.json says how the work ended. since: a request to stop from before that time (of time.time()) was for
        another process, and is removed.

        Raises:
            RunError: another process works on it.
        """
        if self._held:
            yield
            return
        if not self.folder.is_dir():  # the lock would create it again
            raise gone(self.folder.parent.parent)
        from filelock import FileLock, Timeout  # readers do without

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
        self._held, self._clock = 1, None
        try:
            self._handle = _opened(self.folder)
            self._begin(since)
            yield
        except BaseException as error:
            self._end(*_told_of(error))
            raise
        else:
            self._end(0, "")
        finally:
            if self._handle is not None:
                os.close(self._handle)
            self._held, self._handle = 0, None
            lock.release()

    def _begin(self, since: float) -> None:
        _unlink(self.folder / _EXIT)
        _unlink(self.folder / _PAUSE)  # was for another process
        with suppress(OSError):
            if (self.folder / _STOP).stat().st_mtime < since:
                _unlink(self.folder / _STOP)
        if not self.finished:
            told = self._read(_PROGRESS)
            self._progress = _whole(told.get("step")), _whole(told.get("steps"))
            self._note(*self._progress)

    def _end(self, code: int, problem: str) -> None:
        _unlink(self.folder / _PAUSE)
        if code == STOPPED:
            _unlink(self.folder / _STOP)
        with suppress(StorageError):  # a full disk may be why it ends
            self._write(_EXIT, {"code": code, "problem": problem, "at": _now()})

    def status(self) -> Status:
        """Current status; does not block a process at work."""
        told, ended = self._read(_PROGRESS), self._read(_EXIT)
        step, steps, left = _whole(told.get("step")), _whole(told.get("steps")), told.get("left")
        at = _time(told.get("at"))
        if self._is_held():
            seconds = float(left) if isinstance(left, (int, float)) else None
            doing, part = told.get("doing"), told.get("part")
            return Status(
                "working",
                step,
                steps,
                seconds,
                at,
                doing=doing if isinstance(doing, str) else "",
                part=float(part) if isinstance(part, (int, float)) else None,
            )
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
        """Whether a process works on it: then a shared lock, which other readers do not notice, is refused."""
        if self._held:
            return True
        try:
            descriptor = os.open(self.folder / _LOCK, os.O_RDONLY)
        except OSError:
            return False  # no process has ever worked on it
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False

    def request_stop(self) -> None:
        """Ask the process at work to stop at the next step. Finished concepts and the current batch are kept."""
        self._put(_STOP, b"")

    def pause(self) -> None:
        """Ask the process at work to wait at the next step until `go_on`. It keeps the model and all its work.

        With workers, those that learn go on to their next boundary.
        """
        self._put(_PAUSE, b"")

    def go_on(self) -> None:
        """End a pause."""
        _unlink(self.folder / _PAUSE)

    @property
    def paused(self) -> bool:
        """Whether a pause was requested and has not ended."""
        return (self.folder / _PAUSE).exists()

    def check_there(self) -> None:
        """Raise a StorageError if the run was renamed or deleted since the work on the job began.

        The open handle keeps the folder's number from being given to a new folder.
        """
        if self._handle is None:
            return
        try:
            there = os.path.samestat(os.fstat(self._handle), os.stat(self.folder))
        except OSError:
            there = False
        if not there:
            raise gone(self.folder.parent.parent)

    def obey(self) -> None:
        """Stop if a stop was requested, and wait as long as a pause lasts.

        Raises:
            Stopped: it was.
            StorageError: the run was renamed or deleted.
        """
        self.check_there()
        if (self.folder / _STOP).exists():
            raise Stopped
        paused = False
        while self.paused:
            paused = True
            self._rest()  # the time left does not count the pause
            self._note_at_times("paused")
            time.sleep(REST)
            self.check_there()
            if (self.folder / _STOP).exists():
                raise Stopped
        if paused:
            self.does("")

    def looks(self) -> list[Look]:
        """Each boundary so far, concept by concept."""
        return looks_in(self.folder)

    def steer(self, number: int, decision: Decision, question: str | None = None) -> str:
        """Queue a decision about a concept by its number (from 0): for its next boundary, or as an answer.

        At a boundary its words are added to the proposed ones, and may drop some of them; as an answer they replace
        them. See `core.review`. question: the id of the question that it answers; by default the open one about it.

        Raises:
            RunError: the job is finished.
            LateAnswer: the job does not ask that question now.
        """
        if self.finished:
            raise RunError(f"the job {self.name!r} is finished: a decision has no effect")
        return queue(self.folder, number, decision, question)

    def pending(self) -> list[Queued]:
        """Decisions that have had no effect yet, oldest first."""
        return queued(self.folder)

    def question(self) -> Question | None:
        """The question that the job waits for; `steer` answers it."""
        return question_in(self.folder) if self._is_held() else None

    def conduct(self, at_once: int | None = None, threads: int | None = None) -> Conduct:
        """The conduct in job.json, or the one it was begun with. Otherwise the given one, which is stored."""
        if (told := self.conducted()) is not None:
            return told
        begun = bool(self.kept())  # by a version that wrote nothing down
        chosen = Conduct() if begun or at_once is None else Conduct(at_once, threads)
        self._write(_BATCHES, {"at_once": chosen.at_once, "threads": chosen.threads})
        return chosen

    def conducted(self) -> Conduct | None:
        """The stored conduct; None if none is stored."""
        return self._given or _conduct_of(self._read(_BATCHES))

    def keep(self, snapshot: bytes, of: str) -> None:
        """Keep a snapshot of a batch, in place of the one before. of: the id of its first request."""
        self._put(_SNAPSHOT.format(of), snapshot)

    def kept(self) -> list[bytes]:
        """The last snapshot of each batch that is not stored yet."""
        found = []
        for file in sorted(self.folder.glob(_SNAPSHOTS)):
            with suppress(OSError):
                found.append(file.read_bytes())
        return found

    def let_go(self, of: str) -> None:
        """Remove the snapshot of a batch that is stored."""
        _unlink(self.folder / _SNAPSHOT.format(of))

    def requests(self) -> list[Request] | None:
        """The requests that were made of the plan; None if they are not made yet.

        Raises:
            RunError: they cannot be read.
        """
        try:
            texts = self.told["requests"] if "requests" in self.told else self._required(_REQUESTS)["requests"]
            return [Request.from_json(text) for text in texts]
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError, RequestError) as error:
            raise RunError(f"the requests of the job {str(self.folder)!r} cannot be read: {error}") from error

    def keep_requests(self, requests: Sequence[Request]) -> None:
        """Write down the requests of the plan: a resumed job learns these."""
        self._write(_REQUESTS, {"requests": [request.to_json() for request in requests]})

    def note(self, came_of: Mapping[str, str]) -> None:
        """Write down the ids of concepts by the ids of their requests, where they differ."""
        decided = {id_: concept for id_, concept in came_of.items() if id_ != concept}
        if decided:
            self._write(_DECIDED, {**self.decided(), **decided})

    def decided(self) -> dict[str, str]:
        """Ids of concepts by the ids of their requests, where a person's decisions have changed them."""
        told = self._read(_DECIDED).items()
        return {id_: concept for id_, concept in told if isinstance(concept, str) and _ID.fullmatch(concept)}

    def expects(self, work: Work, stack: str) -> None:
        """Set the work of the whole job, for the time left. stack: its fingerprint."""
        told = self._read(_PROGRESS)
        before = pace_of(told, stack) or latest_pace(self.folder.parent.parent.parent, stack)
        part = told.get("part")
        self._clock = Clock(work, before, float(part) if isinstance(part, (int, float)) and 0 <= part <= 1 else 0.0)
        self._stack = stack
        self._note(*self._progress)

    def tell(self, step: int, steps: int, rows: int = 1, looks: int = 0) -> None:
        """Write down the progress, at most once per `BETWEEN`. rows, looks: see `Clock.step`."""
        now = time.monotonic()
        if self._clock is None:
            self._clock = Clock()
        self._clock.step(now, step, steps, rows, looks)
        self._progress = step, steps
        if now - self._told >= BETWEEN or step == steps:
            self._told = now
            self._note(step, steps)

    def begins(self) -> None:
        """Start measuring time here: work that the time left does not count, such as drawing parents, is done."""
        if self._clock is not None:
            self._clock.rest()
            self._clock.goes_on(time.monotonic())

    def does(self, doing: str) -> None:
        """Write down work beside steps; empty for none."""
        if self._clock is not None:
            self._clock.goes_on(time.monotonic())
        self._note(*self._progress, doing)

    def drew(self, pictures: int, more: int) -> None:
        """Note drawings of a finished concept, for the time left, see `Clock.drawn`."""
        if self._clock is not None:
            self._clock.drawn(time.monotonic(), pictures, more)

    @property
    def left(self) -> float | None:
        """Seconds to the end, drawings included, by the estimate that was written down last; None if there is none."""
        return None if self._clock is None else self._clock.told(time.monotonic())

    def put_back(self, steps: int) -> None:
        """Write down that a person went back by so many steps."""
        self._progress = max(0, self._progress[0] - steps), self._progress[1]
        self._rest()
        self._note(*self._progress)

    def wait(self) -> None:
        """Call while waiting for a person: shows that the process lives, obeys a stop, restarts the clock."""
        self.obey()
        self._rest()
        self._note_at_times()

    def _rest(self) -> None:
        if self._clock is not None:
            self._clock.rest()

    def _note_at_times(self, doing: str = "") -> None:
        """Show that the process lives, at most once per `BETWEEN`."""
        if time.monotonic() - self._told >= BETWEEN:
            self._told = time.monotonic()
            self._note(*self._progress, doing)

    def _note(self, step: int, steps: int, doing: str = "") -> None:
        told: dict[str, Any] = {"step": step, "steps": steps, "left": None, "doing": doing, "at": _now()}
        if self._clock is None:
            before = self._read(_PROGRESS)
            told |= {name: before[name] for name in ("part", "pace") if name in before}
        else:
            left = self._clock.left(time.monotonic())
            told["left"] = None if left is None else round(left, 1)
            if pace := self._clock.pace:
                told |= {"part": round(self._clock.part, 4), "pace": {**asdict(pace), "stack": self._stack}}
        self._write(_PROGRESS, told)

    def finish(self) -> None:
        """Mark it finished, and remove what only a resumed job needs."""
        self._write(_FINISHED, {"at": _now()})
        for file in self.folder.glob(_SNAPSHOTS):
            _unlink(file)
        _unlink(self.folder / _STOP)
        shutil.rmtree(self.folder / STEER, ignore_errors=True)

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        self._put(name, as_json(content))

    def _put(self, name: str, content: bytes) -> None:
        """Write a file of the job, unless its run was renamed or deleted."""
        self.check_there()
        write_atomically(self.folder / name, content, within=self.folder.parent.parent)

    def _read(self, name: str) -> dict[str, Any]:
        """The JSON object of a small file; empty if it is missing or cannot be read."""
        try:
            return self._required(name)
        except (OSError, ValueError, RecursionError):
            return {}

    def _required(self, name: str) -> dict[str, Any]:
        found = json.loads((self.folder / name).read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"{name} is not an object")
        return found


def read_job(folder: Path) -> Job:
    """The job in a folder.

    Raises:
        StorageError, RunError: it cannot be read.
    """
    try:
        about = json.loads((folder / JOB).read_text(encoding="utf-8"))
        schema, command, plan = about["schema"], about["command"], about["plan"]
    except OSError as error:
        raise StorageError(f"the job {str(folder)!r} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunError(f"the job {str(folder)!r} cannot be read: remove that folder to go on without it") from error
    if schema != SCHEMA:
        raise RunError(f"the job {str(folder)!r} has schema {schema!r}, this version reads {SCHEMA}")
    if not isinstance(command, str) or not isinstance(plan, dict):
        raise RunError(f"the job {str(folder)!r} cannot be read: remove that folder to go on without it")
    return Job(folder, command, plan, _time(about.get("created_at")), _conduct_of(about.get("conduct")))


def _conduct_of(told: Any) -> Conduct | None:
    if not isinstance(told, dict) or (at_once := _whole(told.get("at_once"))) < 1:
        return None
    return Conduct(at_once, _whole(told.get("threads")) or None, _whole(told.get("candidates")) or None)


def _told_of(error: BaseException) -> tuple[int, str]:
    """(exit code, message) of an error that ends a process."""
    if isinstance(error, KeyboardInterrupt):
        return STOPPED, ""
    if isinstance(error, ConceptreeError):
        return 2, " ".join(str(error).split())
    return 1, " ".join(f"{type(error).__name__}: {error}".split())


def _opened(folder: Path) -> int:
    """A descriptor of a folder."""
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise StorageError(f"{str(folder)!r} cannot be opened: {error.strerror or error}") from error


def as_json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


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
