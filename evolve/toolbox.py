"""DEAP's toolbox for concepts: `mate`, `mutate`, `evaluate`, `select`, `clone` and `map` with DEAP's signatures.

    box = Toolbox(stack, run)
    population = [box.individual(each.concept) for each in run.individuals()]
    with seeded(1):
        algorithms.eaMuPlusLambda(population, box, mu=6, lambda_=6, cxpb=0.6, mutpb=0.3, ngen=5, halloffame=best)

Variation is cheap: `mate` and `mutate` return individuals with a Request and no concept yet. The first `evaluate` (or
`mutate`, which starts from a concept's vectors) develops all individuals that wait, as one batch. Individuals that DEAP
has dropped by then, such as `varOr`'s second child, are not developed.

`evolve.evolve` is the loop with favourites, ratings and resume. It takes such a toolbox too.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from deap import base

from core.concept import Array, Concept, Request
from core.optimizer import DEFAULT, Learner
from core.options import Options
from core.settings import Settings
from core.stack.protocols import Draws
from core.streams import stream_seed
from evolve.developing import develop, learner_of
from evolve.fitness import OBJECTIVES, evaluate, novelties, stored
from evolve.members import Fitness, Member, ranked
from evolve.operators import LEAST_SHARE, Portraits, mate, mutate, one_of, parent_images
from evolve.portraits import portraits
from evolve.selection import Select, better_half, grouped, method_of, method_with, surviving
from evolve.store.run import Run

CONCENTRATION = 2.0  # of the Dirichlet distribution that weights are drawn from: a parent rarely counts alone
JITTER = 0.3  # noise on the start of a variation, times its strength; see `operators.mutate`
_SEEDS = 10**9  # seeds below this are short enough to type


class Toolbox(base.Toolbox):  # type: ignore[misc]  # DEAP has no types
    """DEAP's operators on a stack, for a run if there is one.

    select: a name for `selection.method_of`, or a function (individuals, k) → k individuals. generator: draws the
    children's seeds and weights. stack: to learn on in this process, or a learner. options: of `develop`. `register`
    replaces an operator, as in DEAP.
    """

    def __init__(
        self,
        stack: Draws | Learner,
        run: Run | None = None,
        select: str | Select = "nsga2",
        generator: np.random.Generator | None = None,
        options: Options = DEFAULT,
    ) -> None:
        super().__init__()
        self.learner, self.run, self.options = learner_of(stack), run, options
        self.stack: Draws = self.learner.stack
        self.generator = generator or np.random.default_rng(0)
        self.method = method_of(select) if isinstance(select, str) else method_with(select)
        self._known: dict[str, Concept] = {}
        self._waiting: WeakValueDictionary[int, Member] = WeakValueDictionary()
        self._made = 0
        self._portraits: dict[tuple[str, int, int, bool], Array] = {}
        self._measured: dict[str, tuple[float, ...]] = {}

    def individual(self, one: Concept | Request) -> Member:
        """An individual for DEAP: a concept, or a request that waits for the next batch."""
        if isinstance(one, Concept):
            self._known[one.id] = one
            return Member(one.id, Fitness(), request=one.request, concept=one)
        request = self.learner.prepared(one, self.options)
        self._made += 1
        self._waiting[self._made] = child = Member(
            self.learner.concept_id(request, self.options), Fitness(), request=request
        )
        return child

    def mate(
        self,
        *parents: Member,
        seed: int | None = None,
        weights: Sequence[float] = (),
        settings: Settings | None = None,
        images: int = 8,
        keep: int = 4,
        drawn: bool | None = None,
        inherit: bool = True,
    ) -> tuple[Member, ...]:
        """As many children as parents, by Eq. 5: the first by the weights in their order, each further one by the
        weights turned by one place. Every child sees one portrait of each parent, by its own seed.

        seed, weights: by default drawn. images, keep, drawn: of the portraits, see `operators.Portraits`; drawn by
        default if the stack can. The other arguments are those of `operators.mate`.
        """
        concepts = [self.concept_of(each) for each in parents]
        seed = int(self.generator.integers(_SEEDS)) if seed is None else seed
        weights = list(weights) or draw_weights(len(parents), self.generator)
        drawn = self.stack.draws if drawn is None else drawn
        seen = {each.id: self._portraits_of(each, images, keep, drawn) for each in concepts}
        children = []
        for turn in range(len(parents)):
            own = seed if turn == 0 else stream_seed(seed, turn, "sibling") % _SEEDS
            shares: dict[str, float] = {}  # by id: a parent may be given twice
            for place, each in enumerate(concepts):
                shares[each.id] = shares.get(each.id, 0.0) + weights[(place + turn) % len(weights)]
            looks = Portraits(known={id_: one_of(images_of, own, id_) for id_, images_of in seen.items()})
            pairs = [({c.id: c for c in concepts}[id_], share) for id_, share in shares.items()]
            request = mate(pairs, self.stack, own, settings=settings, portraits=looks, inherit=inherit)
            children.append(self.individual(request))
        return tuple(children)

    def mutate(
        self,
        parent: Member,
        *,
        seed: int | None = None,
        strength: float = 0.5,
        jitter: float | None = None,
        words: Sequence[str] = (),
    ) -> tuple[Member]:
        """One variation, see `operators.mutate`. seed: by default drawn. jitter: by default 0.3 × strength."""
        concept = self.concept_of(parent)
        seed = int(self.generator.integers(_SEEDS)) if seed is None else seed
        jitter = JITTER * strength if jitter is None else jitter
        return (self.individual(mutate(concept, seed, strength=strength, jitter=jitter, words=words)),)

    def evaluate(self, individual: Member) -> tuple[float, ...]:
        """One value for each of `fitness.OBJECTIVES`, novel against the run, or all concepts that the toolbox knows."""
        concept = self.concept_of(individual)
        others = self.run.image_embeds() if self.run else {each.id: each.image_embed for each in self._known.values()}
        novel = novelties({**others, concept.id: concept.image_embed}, [concept.id])
        return tuple(self.measured(concept, stored(concept.scores) | {"novel": novel[concept.id]}).values())

    def select(self, individuals: Sequence[Member], k: int) -> list[Member]:
        """k different individuals, by the method's survivors."""
        return surviving(self.method.survivors, ranked(individuals), min(k, len(individuals)))

    def parents(self, population: Sequence[Member], families: int, size: int) -> list[list[Member]]:
        """`families` groups of `size` different members, by the method or by a registered `select`."""
        draw = partial(better_half, self.select) if self._replaced("select") else self.method.parents
        return grouped(draw, population, families, size)

    def survivors(self, candidates: Sequence[Member], count: int, kept: Sequence[str] = ()) -> list[Member]:
        """The `count` members that stay, by the method or by a registered `select`; see `selection.survivors`."""
        select = self.select if self._replaced("select") else self.method.survivors
        return surviving(select, candidates, count, kept)

    def develop(self, requests: Sequence[Request]) -> list[Concept]:
        """The concepts of requests, learned as one batch; see `evolve.develop`."""
        concepts = develop(requests, self.learner, self.run, self.options)
        self._known |= {concept.id: concept for concept in concepts}
        return concepts

    def concept_of(self, individual: Member) -> Concept:
        """An individual's concept. If it is not learned yet, all individuals that wait are learned as one batch."""
        if individual.concept is None and individual.id in self._known:  # a copy of one that has been learned
            individual.concept = self._known[individual.id]
        if individual.concept is None:
            waiting = [*self._waiting.values(), individual]
            self._waiting.clear()
            requests = {each.id: each.request for each in waiting if each.request is not None}
            learned = dict(zip(requests, self.develop(list(requests.values())), strict=True))
            for each in waiting:
                each.concept = learned[each.id]
                each.id = each.concept.id
        assert individual.concept is not None
        return individual.concept

    def measured(self, concept: Concept, known: Mapping[str, float | None]) -> dict[str, float]:
        """A value for each objective: those known, and the others measured, once for each concept."""
        if any(known.get(name) is None for name in OBJECTIVES) and concept.id not in self._measured:
            (self._measured[concept.id],) = evaluate([concept], self.stack, list(self._known.values()))
        found = dict(zip(OBJECTIVES, self._measured.get(concept.id, ()), strict=False))
        return {name: found[name] if (value := known.get(name)) is None else value for name in OBJECTIVES}

    def offer(self, operator: str, *individuals: Member, **offered: Any) -> tuple[Member, ...]:
        """The children by `mate` or `mutate`, with those of the `offered` arguments that it takes. Arguments that were
        given to `register` hold.
        """
        function = getattr(self, operator)
        fixed = getattr(function, "keywords", {})
        taken = inspect.signature(function).parameters
        everything = any(each.kind is each.VAR_KEYWORD for each in taken.values())
        given = {k: v for k, v in offered.items() if k not in fixed and (everything or k in taken)}
        children: tuple[Member, ...] = function(*individuals, **given)
        return children

    def _replaced(self, operator: str) -> bool:
        return operator in vars(self)

    def _portraits_of(self, concept: Concept, images: int, keep: int, drawn: bool) -> Array:
        if self.run:
            return portraits(self.run, concept, self.stack, images, keep, drawn)
        key = (concept.id, images, keep, drawn)
        if key not in self._portraits:
            self._portraits[key] = parent_images(concept, self.stack, images, keep, drawn)
        return self._portraits[key]


def draw_weights(size: int, generator: np.random.Generator) -> list[float]:
    """Parents' weights from a symmetric Dirichlet distribution, with sum 1 and none near 0."""
    drawn = np.maximum(generator.dirichlet([CONCENTRATION] * size), LEAST_SHARE)
    return [round(float(share), 3) for share in drawn / drawn.sum()]


@contextmanager
def seeded(seed: int, step: int = 0, purpose: str = "deap") -> Iterator[None]:
    """Seed Python's global generator, which DEAP draws from, by (seed, step, purpose); restore it afterwards."""
    before = random.getstate()
    random.seed(stream_seed(seed, step, purpose))
    try:
        yield
    finally:
        random.setstate(before)
