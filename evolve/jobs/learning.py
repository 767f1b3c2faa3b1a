"""`develop` for a job: resumes from snapshots, follows a person's decisions, and writes progress for pages."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TypeVar

from core.concept import Concept, Request
from core.optimizer import DEFAULT, Learner, Report
from core.options import Options
from core.segments import Event
from evolve.developing import OnReport, Stored, by_id, developing, learner_of
from evolve.jobs.job import Job
from evolve.jobs.steering import Steering
from evolve.store.looks import add_looks, add_names
from evolve.store.run import Individual, Run


@dataclass(frozen=True)
class Batch:
    """Requests to learn together.

    first: the number of the first request in the job, from 0. before, span, total: steps of the job before this batch,
    in it, and in all. drafts: steps after which its concepts are drawn, for people.
    """

    requests: Sequence[Request]
    first: int = 0
    before: int = 0
    span: int = 0
    total: int = 0
    drafts: tuple[int, ...] = ()


@dataclass(frozen=True)
class Began:
    """A batch starts. numbers: of its requests in the job, by their ids."""

    batch: Batch
    numbers: Mapping[str, int]


@dataclass(frozen=True)
class Reported:
    """A report of learning. step of steps: of the whole job."""

    report: Report
    step: int
    steps: int


@dataclass(frozen=True)
class Learned:
    """A batch is stored: its concepts in the order of the requests. known: ids of concepts that the run had before."""

    individuals: tuple[Individual, ...]
    known: frozenset[str]


T = TypeVar("T")


def learn_batches(
    course: Generator[Batch | T, Sequence[Concept], None],
    job: Job,
    run: Run,
    learner: Learner,
    options: Options = DEFAULT,
    asks: bool = False,
) -> Generator[Began | Reported | Learned | T, None, None]:
    """Learn each batch that `course` yields, send it the concepts, and pass on everything else that it yields.

    asks: see `learning`.
    """
    with closing(course):
        each = next(course, None)
        while each is not None:
            if not isinstance(each, Batch):
                yield each
                each = next(course, None)
                continue
            concepts = yield from _learned(each, job, run, learner, options, asks)
            try:
                each = course.send(concepts)
            except StopIteration:
                return


def _learned(
    batch: Batch, job: Job, run: Run, learner: Learner, options: Options, asks: bool
) -> Generator[Began | Reported | Learned, None, list[Concept]]:
    options = replace(options, drafts=batch.drafts or options.drafts)
    ids = by_id(batch.requests, learner, options)
    yield Began(batch, {id_: batch.first + place for place, id_ in enumerate(ids)})
    found: dict[str, Concept] = {}
    known: set[str] = set()
    with closing(learning(job, batch.requests, run, learner, options, first=batch.first, asks=asks)) as course:
        for happened in course:
            if isinstance(happened, Stored):
                found |= happened.concepts
                known |= {each.id for each in happened.concepts.values() if happened.known}
                continue
            step = batch.before + round(batch.span * happened.step / max(1, happened.steps))
            job.tell(step, batch.total)
            yield Reported(happened, step, batch.total)
    concepts = [found[id_] for id_ in ids]
    yield Learned(tuple(run.find(concept.id) for concept in concepts), frozenset(known))
    return concepts


def learned(
    job: Job,
    requests: Sequence[Request],
    run: Run,
    learner: Learner,
    options: Options = DEFAULT,
    *,
    first: int = 0,
    asks: bool = False,
    on_report: OnReport | None = None,
) -> list[Concept]:
    """`develop` for a job; the arguments are those of `learning`."""
    learner = learner_of(learner)
    ids, found = by_id(requests, learner, options), dict[str, Concept]()
    with closing(learning(job, requests, run, learner, options, first=first, asks=asks)) as course:
        for happened in course:
            if isinstance(happened, Stored):
                found |= happened.concepts
            elif on_report:
                on_report(happened)
    return [found[id_] for id_ in ids]


def learning(
    job: Job,
    requests: Sequence[Request],
    run: Run,
    learner: Learner,
    options: Options = DEFAULT,
    *,
    first: int = 0,
    asks: bool = False,
) -> Generator[Report | Stored, None, None]:
    """`developing` for a job: resumes from its snapshots, follows decisions from other processes, and obeys a stop.

    first: the number of the first request in the job; files and pages use these numbers. asks: wait at each new
    negative for a person's answer from another process, see `evolve.jobs.steering`.

    Raises:
        Stopped: a stop was asked for.
    """
    options = replace(options, at_once=job.conduct(options.at_once or learner.at_once, learner.threads).at_once)
    asked = by_id(requests, learner, options)
    numbers = {id_: first + place for place, id_ in enumerate(asked)}
    steering = Steering(job.folder, learner.stack, numbers, options.review, asks, job.wait)
    options = replace(options, review=steering.decided)
    snapshots = job.kept()
    steering.begin(snapshots)
    with closing(developing(asked, learner, run, options, job.decided(), snapshots)) as course:
        for happened in course:
            if isinstance(happened, Report):
                _tell(job, steering, happened, numbers)
            else:
                if not happened.known:
                    job.let_go(next(iter(happened.concepts)))
                _tell_names(job, run, {numbers[id_]: each.id for id_, each in happened.concepts.items()})
            yield happened
            if isinstance(happened, Report) and not happened.finished:
                job.obey()


def _tell(job: Job, steering: Steering, report: Report, numbers: Mapping[str, int]) -> None:
    """Write events before the snapshot, so that a crash repeats events and loses none."""
    batch = {numbers[id_] for id_ in report.batch}
    job.check_there()
    if report.events:
        late = steering.too_late([numbers[each.id] for each in report.events if each.last])
        told = [(numbers[event.id], event) for event in report.events]
        add_looks(job.folder, [(number, _noted(event, late.get(number, ""))) for number, event in told])
    if report.snapshot:
        job.keep(report.snapshot(steering.marks(batch)), report.batch[0])
    if report.snapshot or report.finished:
        steering.kept(batch)
    if report.finished:
        job.note({id_: concept.id for id_, concept in report.finished.items()})


def _noted(event: Event, note: str) -> Event:
    return replace(event, note="; ".join(filter(None, [event.note, note])))


def _tell_names(job: Job, run: Run, concepts: Mapping[int, str]) -> None:
    """Write the names of finished concepts: ids by number."""
    names = {each.id: each.name for each in run.entries()} if concepts else {}
    add_names(job.folder, {number: (id_, names.get(id_, "")) for number, id_ in concepts.items()})
