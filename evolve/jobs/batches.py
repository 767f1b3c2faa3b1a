"""The requests of a plan, as batches to learn one after the other: waves of founders, or children.

`waves` and `children` are generators: they yield a `Batch`, receive its concepts by `send`, and yield the next one. In
between they may yield other events. `work` learns the batches. `evolution.evolving` does the same for generations.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from core.concept import Array, Concept, Parent, Positive, Request
from core.namers import namer_of
from core.negatives import Namer
from core.optimizer import total_steps
from core.stack.protocols import Draws
from core.streams import stream_seed
from evolve.jobs.job import Job
from evolve.jobs.plans import Breed, Given, PhotoTold, Seed, Vary
from evolve.operators import Portraits, mate, mutate, one_of, spread_weights
from evolve.population import founders
from evolve.portraits import are_known, portraits
from evolve.store.parts import RunError
from evolve.store.photos import PhotoError, opened
from evolve.store.run import Individual, Run
from evolve.toolbox import JITTER

# Steps after which a child is drawn for people; and the most boundaries at which it is drawn too.
DRAFTS, MOST_DRAFTS = (8, 30), 4


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
class DrawingParents:
    """The portraits of these parents, by name, are drawn now."""

    names: tuple[str, ...]


def namer_in(plan: Seed, stack: Draws) -> Namer | None:
    """The model that proposes negatives for a plan; None for the stack's vocabulary, and where nothing is asked."""
    return namer_of(stack, **plan.asked) if plan.schedule == "adaptive" else None


def waves(plan: Seed, at_once: int) -> Generator[Batch, Sequence[Concept], None]:
    """The waves of founders; later ones avoid the concepts of earlier ones."""
    before, total = 0, plan.steps(at_once)
    course = founders(plan.category, plan.count, wave=plan.wave, seed=plan.seed, **plan.beginnings, **plan.request)
    for requests in course:
        span = total_steps(requests, at_once)
        course.tell((yield Batch(requests, len(course.told), before, span, total)))
        before += span


def children(
    plan: Breed | Vary | Given, job: Job, run: Run, stack: Draws, at_once: int
) -> Generator[Batch | DrawingParents, Sequence[Concept], None]:
    """One batch with all children. Their requests are read from the job, or made now and stored in it."""
    requests = job.requests()
    if requests is None:
        assert not isinstance(plan, Given), "requests that are given are in the job"
        job.does("drawing the parents")
        parents = [found_parent(run, each.id, each.run)[0] for each in plan.parents]
        givers = [found_parent(run, e.id, e.run)[0] for e in plan.takes] if isinstance(plan, Breed) else []
        drawn = {each.id: each for each in (*parents, *givers)}.values()
        if isinstance(plan, Vary):
            requests = variation_requests(plan, parents[0].concept)
        else:
            how = (plan.images, plan.keep, stack.draws)
            if new := [each.name for each in drawn if not are_known(run, each.concept, stack, *how)]:
                yield DrawingParents(tuple(new))
            known = {each.id: portraits(run, each.concept, stack, *how) for each in drawn}
            requests = child_requests(plan, parents, stack, known, givers)
            for photo in plan.photos:
                run.add_photo(photo.id, _picture(photo), photo.label)
        job.obey()
        job.keep_requests(requests)
    steps = total_steps(requests, at_once)
    yield Batch(requests, 0, 0, steps, steps, drafts_of(requests) if plan.drafts and stack.draws else ())


def _picture(photo: PhotoTold) -> Image.Image:
    try:
        content = base64.b64decode(photo.picture)
    except ValueError as error:
        raise PhotoError(f"the photograph {photo.label!r} in the job is damaged: {error}") from error
    return opened(content, photo.label)


def child_requests(
    plan: Breed,
    parents: Sequence[Individual],
    stack: Draws,
    known: Mapping[str, Array],
    givers: Sequence[Individual] = (),
) -> list[Request]:
    """A request for each child. known: the portraits of parents and givers, `[images, width]`, by id. givers: of the
    aspects that the children take.
    """
    weights = [parent.weight for parent in plan.parents] + [photo.weight for photo in plan.photos]
    one_each = {parent.id for parent in plan.parents if parent.weight > 0}  # of the others, all portraits count
    homes = {parent.id: parent.run for parent in plan.parents if parent.run}
    homes |= {giver.id: giver.run for giver in plan.takes if giver.run}
    takes = [(told.aspect, each.concept) for told, each in zip(plan.takes, givers, strict=True)]
    words = [Positive(word, plan.word_weight) for word in plan.words]
    requests = []
    for number in range(plan.children):
        seed = child_seed(plan.seed, number)
        apart = plan.spread if number else 0.0
        own = spread_weights(weights, apart, seed)
        seen = zip(plan.photos, own[len(parents) :], strict=True)
        request = mate(
            [
                *((each.concept, weight) for each, weight in zip(parents, own, strict=False)),
                *(Parent(photo.id, weight, np.array(photo.image_embeds), "image") for photo, weight in seen),
            ],
            stack,
            seed,
            category=plan.category,
            settings=plan.settings,
            portraits=Portraits(
                known={i: one_of(of, seed, i) if apart and i in one_each else of for i, of in known.items()}
            ),
            words=words,
            inherit=plan.inherit,
            takes=takes,
        )
        at_home = tuple(replace(each, run=homes.get(each.id, "")) for each in request.parents)
        requests.append(replace(request, parents=at_home, start=request.start if plan.warm else None))
    return requests


def variation_requests(plan: Vary, parent: Concept) -> list[Request]:
    """A request for each variation; the first starts at the parent's vectors, the others near them."""
    return [
        mutate(
            parent,
            child_seed(plan.seed, number),
            jitter=JITTER * plan.strength if number else 0.0,
            strength=plan.strength,
            run=plan.parents[0].run,
            words=plan.words,
        )
        for number in range(plan.children)
    ]


def drafts_of(requests: Sequence[Request]) -> tuple[int, ...]:
    """The steps after which children are drawn while they are learned. Without the start: it is a word or a mean."""
    found = set(DRAFTS)
    for settings in (each.chosen for each in requests):
        boundaries = range(settings.segment, settings.steps, settings.segment)
        found |= {*boundaries[:: math.ceil(len(boundaries) / MOST_DRAFTS) or 1], settings.steps}
    return tuple(sorted(found))


def child_seed(seed: int, number: int) -> int:
    """The seed of a child, short enough to type."""
    return stream_seed(seed, number, "child") % 10**9


def found_parent(run: Run, called: str, home: str | None = None) -> tuple[Individual, str]:
    """(the concept of that name or id, the name of the run beside this one that has it, or "" for this one)

    home: that run's name, if it is known; by default `called` may say it, as "run/name".
    """
    beside = run.folder.parent
    if home is None:
        home, slash, rest = called.rpartition("/")  # neither a run's nor a concept's name has one
        if slash and not (beside / home / "run.json").is_file():
            try:
                return run.find(called), ""
            except RunError as error:
                raise RunError(f"{error}, and no run {home!r}") from None
        called = rest if slash else called
    return (_run_beside(run, home) if home else run).find(called), home


def _run_beside(run: Run, name: str) -> Run:
    folder = run.folder.parent / name
    if folder.name != name or not (folder / "run.json").is_file():  # a name, no path
        raise RunError(f"there is no run {name!r} in {str(run.folder.parent)!r}, which has a parent: restore it")
    return Run.open(folder)
