"""The one way by which concepts come into being: Requests in, learned as a batch, stored, Concepts out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from core.concept import Concept, Request, RequestError, concept_id
from core.negatives import Namer
from core.optimizer import ConceptLab, Report
from core.segments import Review
from core.settings import Settings
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
    on_report: OnReport | None = None,
) -> list[Concept]:
    """Learn `requests` and return their concepts, in order; with a run, store them there as one part.

    What the run has already is not learned again. The other arguments are ConceptLab's; on_report sees each
    of its reports.
    """
    lab = ConceptLab(backbone, settings, namer, draw, review)
    requests = [lab.prepared(request) for request in requests]
    ids = [concept_id(request, backbone.fingerprint) for request in requests]
    for i, id_ in enumerate(ids):
        if id_ in ids[:i]:
            raise RequestError(f"requests {ids.index(id_)} and {i} are the same: give them different seeds")
    stored = {each.id: each.concept for each in run.individuals()} if run else {}
    missing = [request for request, id_ in zip(requests, ids, strict=True) if id_ not in stored]
    learned: tuple[Concept, ...] = ()
    for report in lab.learn(missing):
        learned = report.concepts
        if on_report:
            on_report(report)
    if run and learned:
        run.add(learned, taken=backbone.vocabulary.get("words", ()))
    new = iter(learned)
    return [stored[id_] if id_ in stored else next(new) for id_ in ids]
