"""The one way by which concepts come into being: Requests in, learned in batches, stored, Concepts out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.concept import Concept, Request, RequestError
from core.errors import StackError
from core.negatives import Namer
from core.optimizer import ConceptLab, Report
from core.review import Review
from core.segments import Event
from core.settings import Settings
from evolve.jobs.job import Job
from evolve.jobs.steering import Steering
from evolve.store.looks import add_looks, add_names
from evolve.store.run import Run
from evolve.workers.pool import Workers

OnReport = Callable[[Report], None]


def develop(
    requests: Sequence[Request],
    backbone: Any,
    run: Run | None = None,
    *,
    settings: Settings | None = None,
    namer: Namer | None = None,
    draw: bool = False,
    review: Review | None = None,
    images: int = 1,
    drafts: Sequence[int] = (),
    job: Job | None = None,
    first: int = 0,
    asks: bool = False,
    on_report: OnReport | None = None,
    workers: Workers | None = None,
    at_once: int | None = None,
) -> list[Concept]:
    """Learn `requests` and return their concepts, in order; with a run, store them there, each batch as one part.

    What the run has already is returned as it is, and not learned again. (What a person decides in a review is known
    only in the end: a concept that turns out to be there already is not stored again.) A batch is stored as soon as it
    is finished, so whatever stops the ones that follow, it is kept. With a job the batch at work is kept too, at each
    of its boundaries, and goes on from there when the same is asked again; the job also tells what is to be seen,
    follows what is decided from elsewhere, and stops where it is told to. The other arguments are ConceptLab's;
    on_report sees each of its reports, which are of what is learned. Events and proposals say by the place in
    `requests` which one they are about.

    first: the place of the first request in the job. asks: whether the job waits for a person's answer, see
    `evolve.jobs.steering`, at each new negative. workers: learn the batches, several at the same time; by default this
    process, one after the other. at_once: how many requests make a batch at most, unless the job is begun, which says
    so itself.

    Raises:
        Stopped: the job was told to.
    """
    missing: list[int] = []
    steering: Steering | None = None

    def place(index: int) -> int:
        return missing[index]

    asked = _placed(review, place) if review else None
    if job:
        steering = Steering(job.folder, backbone, lambda index: first + place(index), asked, asks, job.wait)
        asked = steering.decided
    at_once = at_once or (workers.at_once if workers else None)
    if job:
        at_once = job.batching(at_once, workers.threads if workers else None).at_once
    lab = ConceptLab(backbone, settings, namer, draw, asked, images=images, drafts=drafts, at_once=at_once)
    requests = [lab.prepared(request) for request in requests]
    plain = [lab.concept_id(request) for request in requests]
    ids = list(plain)
    for i, id_ in enumerate(ids):
        if id_ in ids[:i]:
            raise RequestError(f"requests {ids.index(id_)} and {i} are the same: give them different seeds")
    if run:
        _check_stack(run, backbone)
    if job:
        ids = [job.became(id_) for id_ in ids]
    there = {each.id for each in run.entries()} & set(ids) if run else set()
    found = {id_: run.find(id_).concept for id_ in there} if run else {}
    if job and steering:
        steering.begin(job.kept())
        _tell_names(job, run, first, {number: id_ for number, id_ in enumerate(ids) if id_ in found})
    missing += [number for number, id_ in enumerate(ids) if id_ not in found]
    learn = workers.learn if workers else ConceptLab.learn
    for report in learn(lab, [requests[number] for number in missing], *(job.kept() if job else ())):
        if job and steering:
            _tell(job, steering, report, first, missing, plain)
        if run and report.finished:
            if job:
                job.note({lab.concept_id(concept.request): concept.id for concept in report.finished})
            found |= _store(run, report.finished, backbone.vocabulary.get("words", ()))
            if job:
                job.let_go(plain[missing[report.batch[0]]])
                learned = {lab.concept_id(concept.request): concept.id for concept in report.finished}
                places = {number: learned[ids[number]] for number in missing if ids[number] in learned}
                _tell_names(job, run, first, places)
        if report.concepts:
            for number, concept in zip(missing, report.concepts, strict=True):
                ids[number] = concept.id
                found.setdefault(concept.id, concept)
        if on_report:
            events = tuple(replace(event, index=missing[event.index]) for event in report.events)
            on_report(replace(report, events=events))
        if job and not report.concepts:
            job.obey()
    return [found[id_] for id_ in ids]


def _placed(review: Review, place: Callable[[int], int]) -> Review:
    """The review, asked about requests by their places."""
    return lambda proposal: review(replace(proposal, index=place(proposal.index)))


def _tell(job: Job, steering: Steering, report: Report, first: int, missing: Sequence[int], ids: Sequence[str]) -> None:
    """Tell what is to be seen, then keep the batch: whatever a kill comes between is told again, and not lost."""
    batch = {first + missing[index] for index in report.batch}
    if report.events:
        at_end = [each.index for each in report.events if each.last]
        late = steering.too_late([first + missing[index] for index in at_end])
        told = [(first + missing[event.index], event) for event in report.events]
        add_looks(job.folder, [(number, _noted(event, late.get(number, ""))) for number, event in told])
    if report.snapshot:
        job.keep(report.snapshot(steering.marks(batch)), ids[missing[report.batch[0]]])
    if report.snapshot or report.finished:
        steering.kept(batch)


def _noted(event: Event, note: str) -> Event:
    return replace(event, note="; ".join(filter(None, [event.note, note])))


def _tell_names(job: Job, run: Run | None, first: int, concepts: Mapping[int, str]) -> None:
    """Tell which concepts are finished: ids by place."""
    names = {each.id: each.name for each in run.entries()} if run and concepts else {}
    add_names(job.folder, {first + number: (id_, names.get(id_, "")) for number, id_ in concepts.items()})


def _store(run: Run, concepts: Sequence[Concept], taken: Sequence[str]) -> dict[str, Concept]:
    """Store a batch; those that the run has by now are left as they are there, and given back."""
    with run.writing():
        known = {each.id for each in run.entries()}
        new = [concept for concept in concepts if concept.id not in known]
        if new:
            run.add(new, taken)
    return {concept.id: run.find(concept.id).concept for concept in concepts if concept.id in known}


def _check_stack(run: Run, backbone: Any) -> None:
    made_on = run.about["stack"]
    if made_on["fingerprint"] != backbone.fingerprint:
        raise StackError(
            f"the run {run.folder.name!r} needs the stack {made_on['version']} ({made_on['fingerprint']}),"
            f" and {backbone.where!r} is {backbone.version} ({backbone.fingerprint})"
        )
