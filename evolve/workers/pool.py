"""Learn batches in several processes, on this machine or on a cluster: Ray actors with one stack each.

    with Workers(stack, 2) as workers:
        develop(requests, workers, run)

How requests are cut into batches is fixed by the requests (`optimizer.batches_of`); a batch is learned by one worker,
with a fixed number of threads. So the result does not depend on the worker or the number of workers. A dead worker is
replaced, and its batch continues from its last boundary. Workers report and ask; this module decides. See
evolve/workers/actor.py for the other end, and evolve/workers/messages.py for the messages.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, Literal

import torch

from core.concept import Concept, Request
from core.errors import StackError
from core.optimizer import DEFAULT, ConceptLab, Report, batches_of, total_steps
from core.options import OWN, Options
from core.snapshot import SnapshotError, ids_of, marked
from core.wording import counted
from evolve.workers.actor import Actor, namer_told, stack_of
from evolve.workers.cluster import Cluster, WorkerError
from evolve.workers.messages import Order, Told, decision_text, proposal_of, report_of

AT_ONCE = 8  # requests in a batch of a worker: fewer than in one process, so that there are batches for all
MOST_TRIES = 3  # times a batch may end its worker
MOST_FAILURES = 3  # workers in succession that may die before they have learned anything
BEAT = 0.5  # seconds between two chances to stop, whatever the workers do
PATIENCE = 60.0  # seconds until a first worker must have started
CALLS = 4  # concurrent calls of a worker; one waits for messages

__all__ = ["AT_ONCE", "WorkerError", "Workers"]


@dataclass
class _Task:
    """One batch: its requests by their ids, their places among all, its steps, and how it is.

    snapshot: of its last boundary. problem: why it is given up; bug: by a mistake of ours.
    """

    requests: dict[str, Request]
    places: list[int]
    steps: int
    snapshot: bytes = b""
    done: int = 0
    tries: int = 0
    finished: bool = False
    problem: str = ""
    bug: bool = False

    @property
    def open(self) -> bool:
        return not (self.finished or self.problem)


@dataclass
class _Worker:
    """An actor. waits: its next message, None while it is idle. state: "asked" for; while "stopping", messages of its
    task are ignored. since: time of the request for the actor.
    """

    actor: Any
    waits: Any
    since: float
    state: Literal["asked", "loading", "ready", "learning", "stopping"] = "asked"
    where: str = ""
    task: _Task | None = None


class Workers:
    """Learns in several processes, each with the stack.

    count: how many processes; by default one for each GPU, or else for each processor of the cluster. address:
    HOST:PORT of a running Ray cluster; by default one is started on this machine, for as long as this object is open.
    device: "cpu" to use no GPUs. threads: of each worker. at_once: how many requests make a batch at most. say: called
    with a line for people when a worker is replaced.

    Raises:
        WorkerError: there is no Ray, no cluster, or no token.
    """

    def __init__(
        self,
        stack: Any,
        count: int | None = None,
        *,
        address: str | None = None,
        device: str | None = None,
        threads: int = 1,
        at_once: int = AT_ONCE,
        say: Callable[[str], None] = lambda text: None,
    ) -> None:
        for name, value in (("count", 1 if count is None else count), ("threads", threads), ("at_once", at_once)):
            if type(value) is not int or value < 1:
                raise WorkerError(f"{name} = {value!r}: expected a whole number of at least 1")
        self.stack, self.threads, self.at_once, self.say = stack, threads, at_once, say
        self._lab = ConceptLab(stack)
        on_gpu = False if device == "cpu" else True if stack.device.type == "cuda" else None
        self.cluster = Cluster(address, threads, count, on_gpu)
        self.count = self.cluster.count
        self._told = stack_of(stack, threads, "cuda" if self.cluster.gpu else "cpu")
        self._workers: list[_Worker] = []
        self._failures = 0  # workers in succession that died before they were ready

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the workers, and the cluster if it was started here."""
        self._workers = []
        self.cluster.close()

    def prepared(self, request: Request, options: Options = DEFAULT) -> Request:
        return self._lab.prepared(request, options)

    def concept_id(self, request: Request, options: Options = DEFAULT) -> str:
        return self._lab.concept_id(request, options)

    def learn(
        self, requests: Sequence[Request], options: Options = DEFAULT, snapshots: Sequence[bytes] = ()
    ) -> Generator[Report, None, None]:
        """The reports of `ConceptLab.learn`, with several batches at work at the same time. Which batch is finished
        first is chance; the concepts are not. Some reports have nothing new, so that a caller can stop between steps.

        A batch that fails does not stop the others; it is an error once they are learned.

        Raises:
            WorkerError: a batch ended its worker again and again, or could not be learned.
            StackError: a worker cannot open the stack.
        """
        if not requests:
            return
        course = _Course(self._lab, requests, replace(options, at_once=options.at_once or self.at_once), snapshots)
        waiting = deque(course.tasks)
        try:
            while open_ := sum(task.open for task in course.tasks):
                self._staff(min(self.count, open_))
                for worker in self._workers:
                    learning = sum(each.state == "learning" for each in self._workers)
                    if worker.state == "ready" and waiting and learning < self.count:
                        self._begin(worker, waiting.popleft(), course)
                yield from self._heard(course, waiting)
        finally:
            for worker in self._workers:  # the caller has the reports of the last boundaries
                if worker.state == "learning":
                    worker.state, worker.task = "stopping", None
                    worker.actor.stop.remote()
        course.complain()

    def _staff(self, count: int) -> None:
        """Start workers, up to `count`."""
        if self._failures >= MOST_FAILURES:
            raise WorkerError(
                f"{counted(self._failures, 'worker')} ended before they could begin: is there enough memory?"
            )
        now = time.monotonic()
        for _ in range(count - len(self._workers)):
            actor = self.cluster.actor(Actor, CALLS)
            self._workers.append(_Worker(actor, actor.here.remote(), now))
        if all(worker.state == "asked" and now - worker.since > PATIENCE for worker in self._workers):
            raise WorkerError(f"no worker started within {PATIENCE:g} s: the cluster is full or out of memory")

    def _begin(self, worker: _Worker, task: _Task, course: _Course) -> None:
        worker.state, worker.task = "learning", task
        worker.actor.begin.remote(course.order(task), task.snapshot)
        worker.waits = worker.actor.told.remote()

    def _heard(self, course: _Course, waiting: deque[_Task]) -> Iterator[Report]:
        """Reports of all messages so far; waits at most BEAT for the first."""
        ray = self.cluster.ray
        says = {worker.waits: worker for worker in self._workers if worker.waits is not None}
        done, _ = ray.wait(list(says), num_returns=1, timeout=BEAT)
        if not done:
            yield course.report()
            return
        done, _ = ray.wait(list(says), num_returns=len(says), timeout=0)
        for worker in map(says.__getitem__, done):
            try:
                said, worker.waits = ray.get(worker.waits), None
            except ray.exceptions.RayTaskError:
                raise  # a bug
            except ray.exceptions.RayError as error:
                self._lost(worker, error, waiting)
                continue
            if worker.state in ("asked", "loading"):
                self._comes(worker, json.loads(said))
                continue
            heard, task = [(json.loads(text), blobs) for text, blobs in said], worker.task
            # Before anything is reported, because the caller may stop between two reports.
            if heard[-1][0]["kind"] == "end":
                worker.state, worker.task = "ready", None
            else:
                worker.waits = worker.actor.told.remote()
            if task is not None:
                for told, blobs in heard:
                    yield from self._obeyed(worker, task, told, blobs, course)

    def _comes(self, worker: _Worker, about: dict[str, Any]) -> None:
        """A worker has its place, or its stack."""
        if worker.state == "asked":
            worker.state, worker.where = "loading", f"{about['pid']} on {about['node']}"
            worker.waits = worker.actor.load.remote(self._told)
            return
        if problem := about["problem"]:
            raise StackError(f"the worker {worker.where} cannot open the stack: {problem}")
        if about["fingerprint"] != self.stack.fingerprint:
            raise StackError(
                f"the worker {worker.where} has another stack at {self.stack.where!r} ({about['fingerprint']} and"
                f" not {self.stack.fingerprint}): give all machines the same"
            )
        worker.state, self._failures = "ready", 0

    def _obeyed(
        self, worker: _Worker, task: _Task, told: Mapping[str, Any], blobs: Sequence[bytes], course: _Course
    ) -> Iterator[Report]:
        """Act on a message of a worker about its batch."""
        if told["kind"] == "report":
            yield course.report(task, report_of(told, blobs, task.requests))
        elif told["kind"] == "proposal":
            review = course.options.review
            decision = review(proposal_of(told, blobs, task.requests)) if review else None
            worker.actor.answer.remote(decision_text(decision))
        elif told["kind"] != "end":
            task.problem, task.bug = told["problem"], told["kind"] == "failed"

    def _lost(self, worker: _Worker, error: Exception, waiting: deque[_Task]) -> None:
        """Replace a dead worker; another one continues its batch."""
        self._end(worker)
        if worker.state in ("asked", "loading"):
            self._failures += 1
        if (task := worker.task) is None:
            return
        task.tries += 1
        if task.tries >= MOST_TRIES:
            task.problem = f"it ended {MOST_TRIES} workers one after the other, the last one {worker.where}"
            return
        since = "its last boundary" if task.snapshot else "its beginning"
        self.say(f"The worker {worker.where} has died; another one continues its batch from {since}.")
        waiting.appendleft(task)

    def _end(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        self.cluster.ray.kill(worker.actor)


class _Course:
    """The joint progress of the batches of some requests."""

    def __init__(
        self, lab: ConceptLab, requests: Sequence[Request], options: Options, snapshots: Sequence[bytes]
    ) -> None:
        requests = [lab.prepared(request, options) for request in requests]
        adaptive = any(request.schedule == "adaptive" for request in requests)
        self.namer = namer_told(options.namer_on(lab.stack) if adaptive or options.namer != OWN else None)
        self.options = options
        self.steps = total_steps(requests, options.at_once)
        self.losses = torch.full((len(requests),), torch.nan)
        self.ids = [lab.concept_id(request, options) for request in requests]
        self.concepts: dict[str, Concept] = {}
        self.tasks = []
        for places in batches_of(requests, options.at_once):
            batch = {self.ids[i]: requests[i] for i in places}
            steps = max(request.chosen.steps for request in batch.values())
            self.tasks.append(_Task(batch, places, steps, _of_batch(snapshots, list(batch))))

    def order(self, task: _Task) -> str:
        """The order for a worker."""
        options = self.options
        return Order(
            requests=tuple(request.to_json() for request in task.requests.values()),
            ids=tuple(task.requests),
            namer=self.namer,
            draw=options.draw,
            images=options.images,
            drafts=options.drafts,
            asks=options.review is not None,
            asks_last=options.review_last,
        ).to_json()

    def report(self, task: _Task | None = None, told: Told | None = None) -> Report:
        """A worker's report as one of all requests; without one, their progress."""
        if task is None or told is None:
            return Report(self._done, self.steps, self.losses)
        task.done = min(told.step, task.steps)  # less than before after a person went back
        self.losses = self.losses.index_copy(0, torch.tensor(task.places), told.losses)
        if told.snapshot:
            task.snapshot = told.snapshot
        if told.finished:
            task.finished, task.done = True, task.steps
            self.concepts |= told.finished
        whole = len(self.concepts) == len(self.ids)
        return Report(
            step=self._done,
            steps=self.steps,
            losses=self.losses,
            events=told.events,
            finished=told.finished,
            concepts=tuple(self.concepts[id_] for id_ in self.ids) if whole else (),
            snapshot=partial(_with_marks, told.snapshot) if told.snapshot else None,
            batch=tuple(task.requests),
        )

    @property
    def _done(self) -> int:
        return sum(task.done for task in self.tasks)

    def complain(self) -> None:
        """Raise an error about batches that could not be learned."""
        failed = [task for task in self.tasks if task.problem]
        for task in sorted(failed, key=lambda task: not task.bug):
            first, last = task.places[0] + 1, task.places[-1] + 1
            which = f"request {first}" if first == last else f"requests {first} to {last}"
            of = f" of {len(self.ids)}, which are a batch," if first != last else f" of {len(self.ids)}"
            text = f"{which}{of} could not be learned, all others are kept: {task.problem}"
            raise RuntimeError(text) if task.bug else WorkerError(text)


def _of_batch(snapshots: Sequence[bytes], ids: Sequence[str]) -> bytes:
    """The snapshot of a batch; else one that cannot be read, since it may have been it; else none."""
    unread = b""
    for snapshot in filter(None, snapshots):
        try:
            if ids_of(snapshot) == list(ids):
                return snapshot
        except SnapshotError:
            unread = snapshot
    return unread


def _with_marks(snapshot: bytes, marks: Sequence[str] = ()) -> bytes:
    return marked(snapshot, marks) if marks else snapshot
