"""The one way by which concepts come into being: Requests in, learned in batches, stored, Concepts out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from core.concept import Concept, Request, RequestError
from core.errors import StackError
from core.negatives import Namer
from core.optimizer import ConceptLab, Report
from core.review import Decision, Proposal, Review
from core.settings import Settings
from evolve.jobs import Job
from evolve.run import Run

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
    job: Job | None = None,
    on_report: OnReport | None = None,
) -> list[Concept]:
    """Learn `requests` and return their concepts, in order; with a run, store them there, each batch as one part.

    What the run has already is returned as it is, and not learned again. (What a person decides in a review is known
    only in the end: a concept that turns out to be there already is not stored again.) A batch is stored as soon as it
    is finished, so whatever stops the ones that follow, it is kept. With a job the batch at work is kept too, at each
    of its boundaries, and goes on from there when the same is asked again. The other arguments are ConceptLab's;
    on_report sees each of its reports, which are of what is learned. Events and proposals say by the place in
    `requests` which one they are about.
    """
    missing: list[int] = []

    def asked(proposal: Proposal) -> Decision | None:
        return review(replace(proposal, index=missing[proposal.index])) if review else None

    lab = ConceptLab(backbone, settings, namer, draw, asked if review else None, images=images)
    requests = [lab.prepared(request) for request in requests]
    ids = [lab.concept_id(request) for request in requests]
    for i, id_ in enumerate(ids):
        if id_ in ids[:i]:
            raise RequestError(f"requests {ids.index(id_)} and {i} are the same: give them different seeds")
    if run:
        _check_stack(run, backbone)
    found = {each.id: each.concept for each in run.individuals([])} if run else {}
    if job:
        ids = [job.became(id_) for id_ in ids]
    missing += [number for number, id_ in enumerate(ids) if id_ not in found]
    for report in lab.learn([requests[number] for number in missing], job.kept() if job else b""):
        if job and report.snapshot:
            job.keep(report.snapshot())
        if run and report.finished:
            if job:
                job.note({lab.concept_id(concept.request): concept.id for concept in report.finished})
            found |= _store(run, report.finished, backbone.vocabulary.get("words", ()))
        if report.concepts:
            for number, concept in zip(missing, report.concepts, strict=True):
                ids[number] = concept.id
                found.setdefault(concept.id, concept)
        if on_report:
            events = tuple(replace(event, index=missing[event.index]) for event in report.events)
            on_report(replace(report, events=events))
    return [found[id_] for id_ in ids]


def _store(run: Run, concepts: Sequence[Concept], taken: Sequence[str]) -> dict[str, Concept]:
    """Store a batch; those that the run has by now are left as they are there, and given back."""
    with run.writing():
        known = {each.id for each in run.entries([])}
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
