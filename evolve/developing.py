"""Learns requests in batches and stores their concepts: all concepts are made here."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from core.concept import Concept, Request, RequestError
from core.optimizer import DEFAULT, ConceptLab, Learner, Report
from core.options import Options
from core.stack import fingerprint
from core.stack.protocols import Draws
from evolve.store.run import Run

OnReport = Callable[[Report], None]


@dataclass(frozen=True)
class Stored:
    """Concepts by the ids of their requests. known: the run had them before."""

    concepts: Mapping[str, Concept]
    known: bool = False


def develop(
    requests: Sequence[Request],
    learner: Learner | Any,
    run: Run | None = None,
    options: Options = DEFAULT,
    on_report: OnReport | None = None,
) -> list[Concept]:
    """Learn `requests` and return their concepts, in order; store them in `run`, each batch as one part.

    learner: `ConceptLab`, `Workers`, or a stack to learn on in this process. A concept that the run has is returned
    and not learned again. A batch is stored as soon as it is finished, so a stop loses no finished batch. on_report:
    called with each report, before finished concepts are stored.
    """
    learner = learner_of(learner)
    asked = by_id(requests, learner, options)
    return collected(developing(asked, learner, run, options), asked, on_report)


def collected(
    reports: Generator[Report | Stored, None, None], asked: Iterable[str], on_report: OnReport | None = None
) -> list[Concept]:
    """The concepts that a generator such as `developing` yields, in the order of the ids asked."""
    found: dict[str, Concept] = {}
    with closing(reports):
        for happened in reports:
            if isinstance(happened, Stored):
                found |= happened.concepts
            elif on_report:
                on_report(happened)
    return [found[id_] for id_ in asked]


def developing(
    asked: Mapping[str, Request],
    learner: Learner,
    run: Run | None = None,
    options: Options = DEFAULT,
    became: Mapping[str, str] | None = None,
    snapshots: Sequence[bytes] = (),
) -> Generator[Report | Stored, None, None]:
    """`develop` step by step: yields the concepts that the run has, then each report, and each batch once it is stored.

    asked: see `by_id`. became: ids of concepts by the ids of their requests, where a person's decisions have changed
    them. A report is given before its finished concepts are stored.
    """
    became = became or {}
    there: dict[str, Concept] = {}
    if run:
        check_made_on(run, learner.stack)
        known = {each.id for each in run.entries()}
        ids = {id_: became.get(id_, id_) for id_ in asked}
        there = {id_: run.find(of).concept for id_, of in ids.items() if of in known}
    yield Stored(there, known=True)
    missing = [request for id_, request in asked.items() if id_ not in there]
    with closing(learner.learn(missing, options, snapshots)) as reports:
        for report in reports:
            yield report
            if report.finished:
                yield Stored(_store(run, report.finished, learner.stack) if run else report.finished)


def learner_of(given: Learner | Any) -> Learner:
    """The learner itself, or one for a stack in this process."""
    return given if hasattr(given, "learn") else ConceptLab(given)


def by_id(requests: Sequence[Request], learner: Learner, options: Options = DEFAULT) -> dict[str, Request]:
    """Requests as they will be learned, by their ids, in order.

    Raises:
        RequestError: two are the same, or the stack cannot learn one.
    """
    found: dict[str, Request] = {}
    for number, request in enumerate(requests):
        request = learner.prepared(request, options)
        id_ = learner.concept_id(request, options)
        if id_ in found:
            raise RequestError(
                f"requests {list(found).index(id_)} and {number} are the same: give them different seeds"
            )
        found[id_] = request
    return found


def check_made_on(run: Run, stack: Draws, remedy: str = ": load the stack it was made on") -> None:
    """Raise a StackError if the run was made on another stack. remedy: the end of the message."""
    made_on = run.about["stack"]
    fingerprint.check_made_on(f"the run {run.folder.name!r}", made_on["version"], made_on["fingerprint"], stack, remedy)


def _store(run: Run, finished: Mapping[str, Concept], stack: Draws) -> dict[str, Concept]:
    """Store a batch. A concept that the run has by now is returned as stored, and not stored again."""
    with run.writing():
        known = {each.id for each in run.entries()}
        new = [concept for concept in finished.values() if concept.id not in known]
        if new:
            run.add(new, stack.vocabulary.words)
    return {id_: run.find(each.id).concept if each.id in known else each for id_, each in finished.items()}
