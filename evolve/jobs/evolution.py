"""Generations: a population chooses parents, has children, is measured, and some of all stay (Deb's μ + λ).

    population ← the run's concepts, the fittest `population` of them
    repeat `generations` times:
        families ← parents(population)                     by the method, see `evolve.selection`
        requests ← mate (Eq. 5, weights drawn or given), or mutate by chance, each family
        children ← develop(requests)                       as one batch, stored
        population ← select(population + children)         favourites and locked ones stay, hidden ones leave

A generation is written down in generations/<number>.json of its job before anything is learned, and again when it is
done. So a killed evolution continues with the same requests to the same concepts, even if ratings changed meanwhile.

With `select="user"`, a person chooses the parents, and the loop ends after each generation. With `select="taste"`, it
ends before each generation until the person has said what they like of a few concepts; the better half by the expected
rating (`evolve.taste`) are the parents. `work.evolve` is the same loop in Python, with your own operators.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from deap import tools

from core.concept import Concept, Request
from core.metrics import mean_pairwise_similarity
from core.optimizer import Learner
from core.settings import Settings
from core.streams import stream, stream_seed
from evolve.fitness import RATINGS, of_run
from evolve.jobs.batches import Batch, drafts_of
from evolve.jobs.generations import (
    Generation,
    NoParentChosenError,
    begun,
    chosen_for,
    generations,
    is_answered,
    makes_parent,
    write_down,
)
from evolve.jobs.job import Job
from evolve.jobs.plans import ASKING, TASTE, USER, EvolutionError, Evolve
from evolve.jobs.siblings import Siblings, too_alike
from evolve.members import Member, front, members, most_liked
from evolve.operators import spread_weights
from evolve.selection import Select
from evolve.store.likes import rounds
from evolve.store.rows import Entry
from evolve.store.run import Run
from evolve.taste import expected_ratings
from evolve.toolbox import JITTER, Toolbox, draw_weights, seeded

TURNS = 8  # weights that are tried for a further child of a couple


def evolving(
    plan: Evolve, job: Job, run: Run, learner: Learner, toolbox: Toolbox | None = None
) -> Generator[Batch | Generation, Sequence[Concept], None]:
    """The children of each generation that is not done, and then the generation; see `batches`."""
    done = generations(job)
    by_person: dict[str, str | Select] = {USER: "nsga2", TASTE: most_liked}
    box = toolbox or Toolbox(learner, run, by_person.get(plan.select, plan.select))
    for number in range(len(done) + 1, plan.generations + 1):
        generation = begun(job, number)
        if generation is None:
            if plan.select == TASTE and not is_answered(job, number):
                return
            job.does("choosing the parents")
            generation = _beginning(plan, run, box, job, done)
            write_down(job, generation)
        requests = [Request.from_json(text) for text in generation.requests]
        first, steps = sum(len(each.children) for each in done), plan.steps_each
        drafts = drafts_of(requests) if plan.drafts and learner.stack.draws else ()
        # By taste a person is asked before each generation, and may never ask for the last one: each is a whole.
        before, total = (0, steps) if plan.select == TASTE else (steps * (number - 1), steps * plan.generations)
        concepts = yield Batch(requests, first, before, steps, total, drafts)
        ids = [box.individual(each).id for each in concepts]
        generation = _selected(plan, run, box, generation, ids)
        write_down(job, generation)
        done.append(generation)
        yield generation
        job.obey()
        if plan.select in ASKING:
            return


def _beginning(plan: Evolve, run: Run, box: Toolbox, job: Job, done: Sequence[Generation]) -> Generation:
    """A generation's population, and the requests for its children."""
    number = len(done) + 1
    entries = {each.id: each for each in run.entries() if not each.note.hidden}
    if plan.select == USER:
        population = _by_person(plan, job, number, list(entries.values()))
        families = [_turned(population, place)[: plan.parents] for place in range(plan.children)]
    else:
        kept = _kept(entries)  # a person may have marked one that had dropped out: it returns
        liked = _liked(run, entries) if plan.select == TASTE else []
        there = dict.fromkeys([*done[-1].survivors, *kept, *liked] if done else entries)
        candidates = _members(plan, run, box, _alike(run, [entries[id_] for id_ in there if id_ in entries]))
        with seeded(plan.seed, number, "parents"):
            stay = done and plan.select != TASTE  # taste has changed since the last generation
            members = candidates if stay else box.survivors(candidates, plan.population, kept)
            chosen = box.parents(members, plan.children, plan.parents)
        population = [each.id for each in members]
        families = [[each.id for each in family] for family in chosen]
    if not population:
        raise EvolutionError(f"no concept of {run.folder.name!r} can be a parent: unhide some concepts, or seed more")
    requests = _varied(plan, run, box, number, families)
    return Generation(number, tuple(population), tuple(request.to_json() for request in requests))


def _by_person(plan: Evolve, job: Job, number: int, there: Sequence[Entry]) -> list[str]:
    """The ids of the parents: the named concepts, or else the marked ones."""
    named = chosen_for(job, number) or (list(plan.chosen) if number == 1 else [])
    if named:
        return named
    marked = [each.id for each in there if makes_parent(each)]
    if not marked:
        raise NoParentChosenError()
    return marked


def _turned(ids: list[str], by: int) -> list[str]:
    by %= len(ids)
    return ids[by:] + ids[:by]


def _alike(run: Run, entries: Sequence[Entry]) -> list[str]:
    """Ids of concepts that can be parents together: of one kind, with the most common number of vectors."""
    kind = run.about["kind"]
    vectors = {each.id: len(run.find(each.id).concept.vectors) for each in entries if each.kind == kind}
    counts = list(vectors.values())
    usual = max(counts, key=counts.count, default=0)
    return [id_ for id_, count in vectors.items() if count == usual]


def _members(plan: Evolve, run: Run, box: Toolbox, ids: Sequence[str]) -> list[Member]:
    """Members with their fitness and ratings; measures those that were not measured when they were learned.

    A concept without a rating has the one that the person's taste expects, as soon as a few are judged.
    """
    expected = expected_ratings(run)
    ratings = {each.id: each.note.rating or expected.get(each.id) for each in run.entries()}
    values: dict[str, Mapping[str, Any]] = {}
    for id_, found in of_run(run, ids).items():
        missing = any(value is None for value in found.values())
        values[id_] = box.measured(run.find(id_).concept, found) if missing else found
    objectives = [RATINGS if name == TASTE else name for name in plan.objectives]
    return members({id_: values[id_] for id_ in ids if id_ in values}, ratings, objectives)


def _varied(plan: Evolve, run: Run, box: Toolbox, number: int, families: Sequence[Sequence[str]]) -> list[Request]:
    """A request for a child of each family (ids): mixed, or a variation of its first."""
    members = {id_: box.individual(run.find(id_).concept) for family in families for id_ in family}
    chance = stream(plan.seed, number, "variation")
    requests = []
    siblings = Siblings(run, plan.spread) if plan.spread else None
    for place, family in enumerate(families):
        seed = stream_seed(plan.seed, number, f"child {place}") % 10**9
        varied, weights = chance.random() < plan.mutation, _weights(plan, len(family), chance)
        word = (plan.words[chance.integers(len(plan.words))],) if plan.words and chance.random() < 0.5 else ()
        parents = [members[id_] for id_ in family]
        if siblings and not varied and len(family) > 1:
            draws = [spread_weights(weights, plan.spread, stream_seed(seed, turn, "spread")) for turn in range(TURNS)]
            weights = siblings.apart(family, [weights, *draws])
        with seeded(plan.seed, number, f"child {place}"):
            if varied or len(family) == 1:
                child, *_ = box.offer(
                    "mutate",
                    parents[0],
                    seed=seed,
                    strength=plan.strength,
                    jitter=JITTER * plan.strength,
                    words=word,
                )
            else:
                child, *_ = box.offer(
                    "mate",
                    *parents,
                    seed=seed,
                    weights=weights,
                    settings=plan.settings,
                    images=plan.images,
                    keep=plan.keep,
                    drawn=plan.drawn,
                    inherit=plan.inherit,
                )
        assert child.request is not None
        requests.append(_no_longer(child.request, plan.settings))
    return requests


def _no_longer(request: Request, settings: Settings | None) -> Request:
    """The request with no more steps than the settings have: a generation waits for its slowest."""
    own = request.chosen
    if settings is None or own.steps <= settings.steps:
        return request
    return replace(request, settings=replace(own, steps=settings.steps))


def _weights(plan: Evolve, size: int, chance: np.random.Generator) -> list[float]:
    """The given weights, or drawn ones; both take equally many numbers from the generator."""
    drawn = draw_weights(size, chance)
    return list(plan.weights[:size]) or drawn


def _selected(plan: Evolve, run: Run, box: Toolbox, generation: Generation, children: Sequence[str]) -> Generation:
    """The generation with its children and survivors, and statistics of the survivors."""
    entries = {each.id: each for each in run.entries()}
    born = [id_ for id_ in dict.fromkeys(children) if id_ not in generation.population]
    there = [id_ for id_ in (*generation.population, *born) if id_ in entries and not entries[id_].note.hidden]
    candidates = _members(plan, run, box, there)
    if plan.spread and plan.select != USER:
        again = too_alike(run, candidates, born, _kept(entries))
        candidates = [each for each in candidates if each.id not in again]
    if plan.select == USER:
        stay = candidates
    else:
        with seeded(plan.seed, generation.number, "survivors"):
            stay = box.survivors(candidates, plan.population, _kept(entries))
    ids = [each.id for each in stay]
    return replace(
        generation,
        requests=(),
        children=tuple(children),
        survivors=tuple(ids),
        front=tuple(each.id for each in front(candidates)),
        record={
            "born": len(born),
            "stay": len(set(ids) & set(born)),
            "likeness": _likeness(run, ids),
            **_statistics(stay),
        },
    )


def _statistics(stay: Sequence[Member]) -> dict[str, dict[str, float]]:
    names = list(stay[0].values) if stay else []

    def of(name: str) -> tools.Statistics:
        return tools.Statistics(lambda member: member.values[name])

    statistics = tools.MultiStatistics({name: of(name) for name in names})
    statistics.register("mean", lambda values: round(float(np.mean(values)), 4))
    statistics.register("best", lambda values: round(float(np.max(values)), 4))
    return statistics.compile(stay) if stay else {}


def _likeness(run: Run, ids: Sequence[str]) -> float | None:
    """Mean pairwise similarity of imagined embeddings; None for fewer than two."""
    embeds = run.image_embeds()
    found = [embeds[id_] for id_ in ids if id_ in embeds]
    if len(found) < 2:
        return None
    return round(mean_pairwise_similarity(torch.from_numpy(np.stack(found))), 4)


def _liked(run: Run, entries: Mapping[str, Entry]) -> list[str]:
    """Concepts that a person liked in a round, or rated well: they return if they had dropped out."""
    chosen = {id_ for each in rounds(run) for id_ in each.liked}
    return [id_ for id_, each in entries.items() if id_ in chosen or makes_parent(each)]


def _kept(entries: Mapping[str, Entry]) -> list[str]:
    return [id_ for id_, each in entries.items() if each.note.favourite or each.note.locked]
