"""The generations of a map: emitters choose children for the cells of a chart, and each cell keeps its best concept.

    repeat `generations` times:
        archive  ← the run's concepts, placed on the chart           see `evolve.maps.archive`
        recipes  ← scheduler.ask()                                   pyribs' scheduler, see `evolve.maps.emitters`
        requests ← mate (Eq. 5) of two elites, of one that was moved, or a founder, by each recipe
        children ← develop(requests)                                 as one batch, stored
        scheduler.tell(quality, places)

As in an evolution, a generation is written down before it is learned, and again when it is done. The archive is never
stored: it follows from the run's concepts and the plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from core.concept import Array as Images
from core.concept import Concept, Request
from core.optimizer import Learner
from core.stack.protocols import Draws
from core.streams import stream, stream_seed
from evolve.jobs.batches import Batch, drafts_of
from evolve.jobs.generations import Generation, begun, generations, write_down
from evolve.jobs.job import Job
from evolve.jobs.plans import Map
from evolve.maps.chart import MapError, Placed, placed
from evolve.maps.moving import aimed, moved
from evolve.maps.phrases import reachable
from evolve.operators import Portraits, mate, one_of
from evolve.population import founders
from evolve.portraits import portraits
from evolve.store.run import Run

if TYPE_CHECKING:
    from ribs.schedulers import Scheduler


def mapping(plan: Map, job: Job, run: Run, learner: Learner) -> Generator[Batch | Generation, Sequence[Concept], None]:
    """The children of each generation that is not done, and then the generation; see `batches`."""
    check_installed()
    done = generations(job)
    for number in range(len(done) + 1, plan.generations + 1):
        generation = begun(job, number)
        concepts = _breedable(run, learner, generation.population if generation else None)
        found = placed(run, plan.chart, concepts)
        scheduler = _scheduler(plan, found, number)
        if generation is None:
            job.does("choosing the parents")
            requests = _requests(plan, run, learner, number, scheduler, found, [concepts[id_] for id_ in found.ids])
            generation = Generation(number, found.ids, tuple(request.to_json() for request in requests))
            write_down(job, generation)
        else:
            scheduler.ask()  # what it asked before the stop: the requests are stored
        requests = [Request.from_json(text) for text in generation.requests]
        first, steps = sum(len(each.children) for each in done), plan.steps_each
        drafts = drafts_of(requests) if plan.drafts and learner.stack.draws else ()
        children = yield Batch(requests, first, steps * (number - 1), steps, steps * plan.generations, drafts)
        generation = _told(plan, run, scheduler, generation, [each.id for each in children])
        write_down(job, generation)
        done.append(generation)
        yield generation
        job.obey()


def check_installed() -> None:
    """Raise a MapError if pyribs is not installed."""
    try:
        import ribs  # noqa: F401
    except ImportError:
        raise MapError("a map needs pyribs, which is not installed: pip install 'conceptree[map]'") from None


def _breedable(run: Run, learner: Learner, among: Sequence[str] | None) -> dict[str, Concept]:
    """Concepts that can be parents together, by id: of one kind and stack, with the most common number of vectors.

    among: ids; None for all that are not hidden.
    """
    usable = {each.id for each in run.entries() if not each.note.hidden} if among is None else set(among)
    there = [
        each.concept
        for each in run.individuals()
        if each.id in usable
        and each.concept.request.kind == run.about["kind"]
        and each.concept.fingerprint in ("", learner.stack.fingerprint)
    ]
    counts = Counter(len(each.vectors) for each in there)
    usual = max(counts, key=lambda count: counts[count], default=0)
    return {each.id: each for each in there if len(each.vectors) == usual}


def _scheduler(plan: Map, found: Placed, number: int) -> Scheduler:
    """pyribs' scheduler for a generation, over an archive of the placed concepts."""
    from ribs.schedulers import Scheduler

    from evolve.maps.archive import archive_of
    from evolve.maps.emitters import Ground, emitters_of

    archive = archive_of(plan.chart, found)
    aim = int(archive.grid_to_int_index([plan.aim])[0]) if plan.aim else None
    ground = Ground(archive, plan.chart, found, stream(plan.seed, number, "emitters"), aim)
    founding = number == 1 and plan.first
    shares = [("founders", 1.0)] if founding else list(plan.emitters.items())
    return Scheduler(archive, emitters_of(shares, ground, plan.size(number)))


def _requests(
    plan: Map, run: Run, learner: Learner, number: int, scheduler: Scheduler, found: Placed, parents: Sequence[Concept]
) -> list[Request]:
    """A request for each recipe that the scheduler's emitters ask for. parents: the concepts of `found`."""
    from evolve.maps.archive import centres, grid
    from evolve.maps.recipes import AIM, Recipe

    stack, middles = learner.stack, centres(grid(plan.chart))
    seeding = founders(plan.founders.category, 1, seed=plan.seed, **plan.founders.beginnings, **plan.founders.request)
    reach = reachable(stack, plan.founders.category, plan.founders.kind)
    born = (number - 1) * plan.children + (plan.first if number > 1 else 0)
    made = []
    for place, recipe in enumerate(map(Recipe.of, scheduler.ask())):
        if recipe.one < 0:
            made.append(seeding.request_of(born + place))
            continue
        pair = [(parents[recipe.one], recipe.share)]
        pair += [(parents[recipe.other], 1 - recipe.share)] if recipe.other >= 0 else []
        seed = stream_seed(plan.seed, number, f"child {place}") % 10**9
        seen = {each.id: _portrait(plan, run, stack, each, seed) for each, _ in pair}
        if recipe.operator == AIM:
            images = aimed(list(seen.values()), [share for _, share in pair], plan.chart, middles[recipe.cell], reach)
            seen = dict(zip(seen, images, strict=True))
        elif recipe.other < 0:
            seen = {id_: moved(image, plan.chart, middles[recipe.cell], reach) for id_, image in seen.items()}
        inherit = recipe.operator != AIM
        made.append(mate(pair, stack, seed, settings=plan.settings, portraits=Portraits(known=seen), inherit=inherit))
    return made


def _portrait(plan: Map, run: Run, stack: Draws, parent: Concept, seed: int) -> Images:
    """One portrait `[1, width]` of a parent, by a child's seed."""
    drawn = plan.drawn and stack.draws
    return one_of(portraits(run, parent, stack, plan.images, plan.keep, drawn), seed, parent.id)


def _told(plan: Map, run: Run, scheduler: Scheduler, generation: Generation, children: Sequence[str]) -> Generation:
    """The finished generation: the children go into the archive, and the elites of all visible concepts stay.

    record: filled cells, how many of them are new, coverage, QD score, and how many children are elites.
    """
    from evolve.maps.archive import archive_of, elites

    born = placed(run, plan.chart, children, hidden=True)
    rows = [born.ids.index(id_) for id_ in children]
    concepts = len(generation.population) + np.arange(len(rows), dtype=np.int32)
    scheduler.tell(born.quality[rows], born.places[rows], concept=concepts)
    known = {each.id for each in run.entries()} - set(children)
    before = archive_of(plan.chart, placed(run, plan.chart, known))
    found = placed(run, plan.chart)
    archive = archive_of(plan.chart, found)
    best = [each.id for each in elites(archive, found).values()]
    return replace(
        generation,
        requests=(),
        children=tuple(children),
        survivors=tuple(best),
        record={
            "born": len(set(children) - set(generation.population)),
            "stay": len(set(best) & set(children)),
            "filled": len(archive),
            "new": len(archive) - len(before),
            "coverage": round(float(archive.stats.coverage), 4),
            "qd": round(float(archive.stats.qd_score), 3),
        },
    )
