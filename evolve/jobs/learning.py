"""`develop` for a job: goes on from snapshots, follows decisions from elsewhere, writes down what pages show."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace

from core.concept import Concept, Request
from core.optimizer import DEFAULT, Learner, Report
from core.options import Options
from core.segments import Event
from evolve.jobs.develop import OnReport, Stored, by_id, developing, learner_of
from evolve.jobs.job import Job
from evolve.jobs.steering import Steering
from evolve.store.looks import add_looks, add_names
from evolve.store.run import Run


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
    """`developing` for a job: goes on from its snapshots, follows decisions from elsewhere, and obeys a stop.

    first: the number of the first request in the job, by which people and files know it. asks: wait at each new
    negative for a person's answer from elsewhere, see `evolve.jobs.steering`.

    Raises:
        Stopped: a stop was asked for.
    """
    options = replace(options, at_once=job.batching(options.at_once or learner.at_once, learner.threads).at_once)
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
    """Write down which concepts are finished: ids by number."""
    names = {each.id: each.name for each in run.entries()} if concepts else {}
    add_names(job.folder, {number: (id_, names.get(id_, "")) for number, id_ in concepts.items()})
