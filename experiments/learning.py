"""Learning an experiment's concepts in runs beside its tables, so that a stopped experiment continues there too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.concept import Concept, Request
from core.negatives import Namer
from core.optimizer import Report
from core.options import Options
from core.settings import Settings
from core.stack.backbone import Backbone
from evolve.developing import learner_of
from evolve.jobs.job import Job
from evolve.jobs.stored import jobs, write_job
from evolve.jobs.work import learned
from evolve.population import founder_seed, founders, starts
from evolve.store.run import Run
from experiments.conduct import Bench

RUNS = "runs"
COMMAND = "experiment"


def run_of(bench: Bench, name: str, category: str, kind: str = "object") -> Run:
    """The experiment's run of this name, created if it does not exist."""
    place = bench.folder / RUNS / name
    if not (place / "run.json").is_file():
        place.parent.mkdir(parents=True, exist_ok=True)
        Run.create(place, category, bench.backbone, kind)
    return Run.open(place)


def job_of(run: Run, plan: Mapping[str, Any]) -> Job:
    """The run's job with this plan, created if it does not exist."""
    plan = json.loads(json.dumps(plan))
    return next((job for job in jobs(run) if job.told == plan), None) or write_job(run, COMMAND, plan)


def learn(
    run: Run,
    requests: Sequence[Request],
    bench: Bench,
    what: str,
    tell: Callable[[str], None],
    namer: Namer | None = None,
) -> list[Concept]:
    """The concepts of `requests`: read from the run, or learned from a stored boundary and stored there.

    what: describes them, in the job's plan and in progress messages.
    """

    def watch(report: Report) -> None:
        if report.events and not report.events[0].draft:
            tell(f"{what}, step {report.step} of {report.steps}")

    job, options = job_of(run, {"learns": what}), Options(namer=namer)
    return learned(job, requests, run, learner_of(bench.backbone), options, on_report=watch)


def learn_in_waves(
    run: Run,
    category: str,
    count: int,
    arms: Mapping[str, Mapping[str, Any]],
    bench: Bench,
    tell: Callable[[str], None],
    namer: Namer | None = None,
) -> dict[str, list[Concept]]:
    """`count` founders of each arm, wave by wave; waves of the same number learn together.

    arms: by name the arguments of `population.founders`.
    """
    courses = {arm: founders(category, count, **how) for arm, how in arms.items()}
    for number, requests in enumerate(zip(*courses.values(), strict=True), 1):
        concepts = learn(run, [each for wave in requests for each in wave], bench, f"wave {number}", tell, namer)
        for course, wave in zip(courses.values(), requests, strict=True):
            course.tell(concepts[: len(wave)])
            concepts = concepts[len(wave) :]
    return {arm: course.told for arm, course in courses.items()}


def founders_of(
    backbone: Backbone, category: str, count: int, settings: Settings, seed: int, sides: bool = True, **request: Any
) -> list[Request]:
    """Requests of independent founders.

    sides: start each between two members of the category (`population.starts`), not all at the category's
    word as in the paper. request: further arguments of `Request`.
    """
    words = starts(backbone, category, seed=seed) if sides else []
    return [
        Request(
            category,
            seed=founder_seed(seed, number),
            initializer=words[number % len(words)] if words else None,
            settings=settings,
            **request,
        )
        for number in range(count)
    ]
