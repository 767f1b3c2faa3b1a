"""Ghosts: concepts that a job is learning, as nodes of the family tree until they are stored.

The page gives the tree their places; their drafts, words and questions the browser asks for itself, every second or two
(`/ghosts/<run>`), so that the page need not run again for each draft.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TypedDict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.errors import ConceptreeError
from core.review import Decision
from evolve import Run
from evolve.jobs.job import Job
from evolve.jobs.plans import Breed, Evolve, Seed, Vary
from evolve.jobs.steering import Question
from evolve.store.looks import Look
from evolve.store.parts import RunError
from ui.runs import checked_name, open_run
from ui.view import learning, links
from ui.view.links import GHOSTS
from ui.view.processes import AT_WORK
from ui.view.store import Opened, jobs_of, runs_folder
from ui.view.text import on_one_line, shortened
from ui.view.thumbnails import NOT_KEPT, none

Parents = tuple[tuple[str, float, str], ...]  # (id, weight, kind of the edge)
GHOST = "ghost"  # the birth of such a node, and how its id begins
SIDE = 128  # pixels of a draft
MOST = 24  # ghosts of a job


@dataclass(frozen=True)
class Ghost:
    """A concept that is being learned. parents: those in the run."""

    id: str
    name: str
    generation: int
    parents: Parents = ()


class Asked(TypedDict):
    """The question that a job asks about a ghost. token: another one each time. back: the step to go back to."""

    token: str
    words: list[str]
    step: int
    back: int | None


class Told(TypedDict):
    """What the tree shows of a ghost now. picture: address of its last draft, or "". word: found last, or ""."""

    id: str
    picture: str
    says: str
    word: str
    asks: Asked | None


def ghosts_of(found: Opened) -> list[Ghost]:
    """The ghosts of a run's jobs that are at work; of an evolution, those of its current generation."""
    return [
        Ghost(id_of(job, number), learning.one(job, number), *_descent(found, parents))
        for job in _at_work(found.run)
        for number, parents in _unfinished(job, learning.by_number(job)).items()
    ]


def born_of(run: Run, ghosts: Collection[str]) -> dict[str, str]:
    """Ids of the concepts that some of these ghosts have become, by the ghosts' ids."""
    named = {job_of(ghost) for ghost in ghosts}
    looks = ((job, look) for job, _ in jobs_of(run) if job.name in named for look in job.looks())
    return {id_of(job, look.number): look.concept for job, look in looks if look.concept}


def told(run: Run) -> list[Told]:
    """The ghosts of a run as they are now."""
    found = []
    for job in _at_work(run):
        looks, question = learning.by_number(job), job.question()
        found += [_told(run, job, number, looks.get(number, ()), question) for number in _unfinished(job, looks)]
    return found


def asked(run: Run, ghost: str, token: str) -> tuple[Job, Question] | None:
    """The job that asks about a ghost, and its question with that token; None if it no longer asks it."""
    for job in _at_work(run):
        question = job.question()
        if question and question.token == token and id_of(job, question.number) == ghost:
            return job, question
    return None


def decision_on(question: Question, answer: str) -> Decision:
    """The decision of a click: "accept" the proposed words, "refuse" them, or "back" to the step before."""
    if answer == "back":
        return Decision(back_to=question.earlier[-1]) if question.earlier else Decision(question.words)
    return Decision(question.words if answer == "accept" else ())


def serve(request: Request) -> Response:
    """Answer with the ghosts of a run, as JSON."""
    try:
        run = open_run(runs_folder(), checked_name(request.path_params["run"]))
        return JSONResponse(told(run), headers=NOT_KEPT)
    except (ConceptreeError, OSError, ValueError):
        return none(request)


def job_of(ghost: str) -> str:
    """The name of the job that learns a ghost."""
    return ghost.split(":")[1]


def id_of(job: Job, number: int) -> str:
    return f"{GHOST}:{job.name}:{number}"


def _at_work(run: Run) -> list[Job]:
    return [job for job, status in jobs_of(run) if status.state in AT_WORK]


def _unfinished(job: Job, looks: learning.Looks) -> dict[int, Parents]:
    """The concepts that a job is learning, by their numbers, with their parents."""
    planned = dict(islice(_planned(job).items(), MOST))
    return {n: parents for n, parents in planned.items() if not (n in looks and looks[n][-1].concept)}


def _planned(job: Job) -> dict[int, Parents]:
    match learning.plan_of(job):
        case Seed() as plan:
            return dict.fromkeys(range(plan.count), ())
        case Breed() as plan:
            mixed = [(each.id, each.weight, "mix") for each in plan.parents]
            givers = {each.id for each in plan.takes} - {each.id for each in plan.parents}
            parents = (*mixed, *((id_, 0.0, "take") for id_ in sorted(givers)))
            return dict.fromkeys(range(plan.children), parents)
        case Vary() as plan:
            return dict.fromkeys(range(plan.children), tuple((each.id, 1.0, "mutate") for each in plan.parents))
        case Evolve():
            return _generation(job)
    return {}


def _generation(job: Job) -> dict[int, Parents]:
    """The children of the generation that an evolution is learning."""
    from evolve.jobs.generations import begun, generations  # imports deap

    with suppress(RunError, ValueError, KeyError, TypeError):
        done = generations(job)
        now = begun(job, len(done) + 1)
        told = [json.loads(text)["parents"] for text in now.requests] if now else []
        born = sum(len(each.children) for each in done)
        return {
            number: tuple((each["id"], float(each["weight"]), each["kind"]) for each in parents if each["weight"])
            for number, parents in enumerate(told, born)
        }
    return {}


def _descent(found: Opened, parents: Parents) -> tuple[int, Parents]:
    """(generation of a child, its parents in the run with their shares)."""
    by_id = found.by_id
    total = sum(weight for _, weight, _ in parents if weight > 0) or 1.0
    there = [each for each in parents if each[0] in by_id]
    generation = 1 + max((by_id[id_].generation for id_, *_ in there), default=0) if parents else 0
    return generation, tuple((id_, abs(weight) / total, "away" if weight < 0 else kind) for id_, weight, kind in there)


def _told(run: Run, job: Job, number: int, looks: Sequence[Look], question: Question | None) -> Told:
    name, last = learning.one(job, number), looks[-1] if looks else None
    drawn = next((look.image for look in reversed(looks) if look.image and look.image.is_file()), None)
    words = [word for look in looks for word, _ in look.negatives]
    lines = [f"{name}, being learned", f"step {last.step}" if last else "not begun"]
    lines += [f"avoids {', '.join(last.all_negatives)}"] if last and last.all_negatives else []
    asks: Asked | None = None
    if question and question.number == number:
        back = question.earlier[-1] if question.earlier else None
        asks = {"token": question.token, "words": list(question.words), "step": question.step, "back": back}
        drawn = question.image or drawn
    return {
        "id": id_of(job, number),
        "picture": links.look_path(run.folder.name, job.name, drawn.stem, SIDE) if drawn else "",
        "says": "\n".join(shortened(line, 200) for line in lines),
        "word": on_one_line(words[-1]) if words else "",
        "asks": asks,
    }


ROUTES = [Route(f"/{GHOSTS}/{{run}}", serve), Route(f"/{GHOSTS}/{{rest:path}}", none)]
