"""Taste: how many answers it takes to find a concept that a person likes, with and without a model of the taste.

For each category and seed there is a pool of hybrids of two members, drawn once. Simulated people rate them one by one.
A person's hidden utility is a weighted sum of a few of the attributes that the judge sees in the drawings, its
similarities to words; their ratings of 1 to 5 have noise, as those of people have. What is asked next:

    chance     any concept
    fitness    the best by `belongs` and `differs`, as a selection without taste
    neighbour  the one most like the best rated so far, after five by chance: ratings alone
    taste      in turn the one that `evolve.taste` expects most of, and the one that it is least sure of

The stack's imagined embeddings are all that the taste sees; the utility comes from another model. Nothing is bred here:
this measures how fast a taste is learned, not what selection makes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch

from core.constraints import normalise
from core.errors import ConceptreeError
from core.metrics import PANEL_GUIDANCE, PANEL_STEPS
from core.prompts import PORTRAIT
from core.streams import stream
from core.wording import counted
from evolve.members import mean_ranks
from evolve.taste import Judgements, fit
from experiments.conduct import Bench, ByCases, SeededCase, categories_by_seed
from experiments.cost import Work
from experiments.drawing import check_draws, draw_many
from experiments.judging import StackEyes
from experiments.looking import check_categories, known_members
from experiments.statistics import between, markdown, signed, unit_means

CHANCE, FITNESS, NEIGHBOUR, TASTE = ASKERS = ("chance", "fitness", "neighbour", "taste")
SCHEMA = pa.schema(
    [
        ("category", pa.string()),
        ("seed", pa.int32()),
        ("person", pa.int32()),
        ("likes", pa.string()),  # the attributes of the utility with their weights
        ("asker", pa.string()),
        ("answers", pa.float64()),  # until a concept among the best is rated
        ("best", pa.float64()),  # the largest utility, in standard deviations, that was rated within `Protocol.early`
    ]
)
ATTRIBUTES, OF_A_PERSON = 24, 3
NOISE = 0.5  # of an answer, in standard deviations of the utility
FIRST = 5  # answers by chance, before `neighbour` and `taste` have anything to go by
Array = npt.NDArray[np.float64]
Ask = Callable[[list[int], list[int]], int]  # (rows asked so far, their ratings) → the next row


@dataclass(frozen=True)
class Protocol(ByCases):
    """people: of each category and seed. pool: concepts to choose from. top: the share of them that counts as found.

    early: answers after which the best one so far is compared.
    """

    categories: tuple[str, ...] = ("pet", "fruit", "musical instrument")
    seeds: int = 1
    people: int = 20
    pool: int = 120
    top: float = 0.05
    early: int = 15


def cases(protocol: Protocol, bench: Bench) -> list[Case]:
    """One for each category and seed.

    Raises:
        ConceptreeError: the stack cannot draw, a category is unknown, or a number is too small.
    """
    check_draws(bench.backbone)
    check_categories(bench, protocol.categories)
    if protocol.pool * protocol.top < 1 or protocol.pool < 2 * FIRST:
        raise ConceptreeError(f"pool = {protocol.pool}: give at least {max(2 * FIRST, round(1 / protocol.top))}")
    return [Case(protocol, bench, category, seed) for category, seed in categories_by_seed(protocol)]


@dataclass(frozen=True)
class Pool:
    """embeds ``[n, width]``, imagined; fitness ``[n]``, higher is better; seen ``[n, words]`` by the judge."""

    embeds: npt.NDArray[np.float32]
    fitness: Array
    words: tuple[str, ...]
    seen: Array


@dataclass(frozen=True)
class Case(SeededCase):
    """All people and ways to ask of one category and seed."""

    protocol: Protocol

    def work(self) -> Work:
        """A drawing of each concept of the pool; nothing is learned."""
        return Work(drawings=self.protocol.pool)

    def rows(self) -> list[dict[str, Any]]:
        pool = self.pool()
        found = []
        for person in range(self.protocol.people):
            likes, utility = self.utility(pool, person)
            for asker in ASKERS:
                order = self.asked(pool, utility, person, asker)
                top = np.argsort(-utility, kind="stable")[: round(self.protocol.top * len(utility))]
                answers = 1 + next(place for place, row in enumerate(order) if row in top)
                best = float(utility[order[: self.protocol.early]].max())
                found.append(
                    {
                        "category": self.category,
                        "seed": self.seed,
                        "person": person,
                        "likes": likes,
                        "asker": asker,
                        "answers": float(answers),
                        "best": best,
                    }
                )
        return found

    @torch.no_grad()
    def pool(self) -> Pool:
        """Hybrids of two members, by the words of both in a prompt."""
        backbone, protocol = self.bench.backbone, self.protocol
        words = known_members(self.bench, self.category)
        pairs = list(combinations(words, 2))
        order = stream(self.seed, 0, "pairs").permutation(len(pairs))
        mixes = [f"mix of a {one} and a {two}" for one, two in (pairs[place] for place in order[: protocol.pool])]
        if len(mixes) < protocol.pool:
            raise ConceptreeError(f"pool = {protocol.pool}: {self.category!r} has only {len(mixes)} pairs of members")
        self._tell(f"drawing {len(mixes)} hybrids")
        seeds = list(range(len(mixes)))
        prompts = [PORTRAIT.format(mix) for mix in mixes]
        imagined = backbone.imagine(prompts, seeds=seeds, steps=PANEL_STEPS, guidance_scale=PANEL_GUIDANCE)
        drawn = draw_many(backbone, imagined, seeds)
        texts = StackEyes(backbone).similarity(drawn, [self.category, *words])
        belongs = texts[:, 0]
        ranks = mean_ranks(torch.stack([belongs, belongs - texts[:, 1:].amax(1)], 1).tolist())
        judge = self.bench.judge
        every = [word for word in (*judge.categories, *words) if word != self.category]
        seen = judge.similarity(drawn, every)
        varied = seen.std(0).argsort(descending=True)[:ATTRIBUTES].tolist()
        return Pool(
            normalise(imagined.float().cpu()).numpy(),
            np.array(ranks),
            tuple(every[place] for place in varied),
            seen[:, varied].double().numpy(),
        )

    def utility(self, pool: Pool, person: int) -> tuple[str, Array]:
        """What a person likes, in words, and the utility of each concept, with mean 0 and standard deviation 1."""
        chance = stream(self.seed, person, f"utility {self.category}")
        chosen = chance.permutation(len(pool.words))[:OF_A_PERSON]
        weights = chance.normal(size=OF_A_PERSON)
        along = pool.seen[:, chosen]
        total = ((along - along.mean(0)) / along.std(0)) @ weights
        likes = ", ".join(f"{weight:+.1f} {pool.words[place]}" for place, weight in zip(chosen, weights, strict=True))
        return likes, (total - total.mean()) / total.std()

    def asked(self, pool: Pool, utility: Array, person: int, asker: str) -> list[int]:
        """The concepts in the order in which the person rates them. All askers see the same noise for a concept."""
        chance = stream(self.seed, person, f"answers {self.category}")
        said = utility + NOISE * chance.normal(size=len(utility))
        levels = 1 + np.searchsorted([-1.5, -0.5, 0.5, 1.5], said)
        by_chance = [int(row) for row in chance.permutation(len(utility))]
        if asker == CHANCE:
            return by_chance
        if asker == FITNESS:
            return [int(row) for row in np.argsort(-pool.fitness, kind="stable")]
        ask = {NEIGHBOUR: _neighbour, TASTE: _tasted}[asker]
        top = set(np.argsort(-utility, kind="stable")[: round(self.protocol.top * len(utility))].tolist())
        order = by_chance[:FIRST]
        while len(order) < self.protocol.early or not top & set(order):
            order.append(ask(pool, order, [int(levels[row]) for row in order]))
        return order


def _neighbour(pool: Pool, asked: list[int], ratings: list[int]) -> int:
    """The concept most like those with the best rating so far."""
    best = [row for row, rating in zip(asked, ratings, strict=True) if rating == max(ratings)]
    likeness = (pool.embeds @ pool.embeds[best].T).max(1)
    likeness[asked] = -np.inf
    return int(likeness.argmax())


def _tasted(pool: Pool, asked: list[int], ratings: list[int]) -> int:
    """The most promising concept and the least certain one in turn."""
    told = Judgements(
        tuple((str(row), rating) for row, rating in zip(asked, ratings, strict=True)),
        embeds={str(row): pool.embeds[row] for row in asked},
    )
    expected, unsure = fit(told, list(pool.embeds)).rating(pool.embeds.astype(np.float64))
    worth = expected if len(asked) % 2 else unsure
    worth[asked] = -np.inf
    return int(worth.argmax())


def summary(table: pa.Table) -> str:
    """In Markdown: the finding, and the figures of each way to ask."""
    rows = table.to_pylist()
    unit = ("category", "seed", "person")
    answers, best = (unit_means(rows, ["asker"], name, unit) for name in ("answers", "best"))
    others = {asker: answers[asker,] for asker in ASKERS if asker != TASTE}
    rival = min(others, key=lambda asker: float(others[asker].mean()))
    taste = answers[TASTE,]
    lines = [
        f"With the taste a person of these rates {between(taste)} concepts until one of the best comes up; by"
        f" {rival}, the best of the others, {between(others[rival])}: {signed(taste - others[rival])} answers,"
        f" {taste.mean() / others[rival].mean():.2f} times as many.",
        "",
        f"Means over {counted(len(taste), 'simulated person', 'simulated people')}, with 95 % bootstrap intervals over"
        " them. answers: ratings until a concept among the best is rated; best: the largest utility that was rated"
        " early, in standard deviations of the pool.",
        "",
    ]
    cells = [[asker, between(answers[asker,]), between(best[asker,])] for asker in ASKERS]
    return "\n".join([*lines, *markdown(["asked next", "answers", "best"], cells)]) + "\n"


def figures(table: pa.Table) -> dict[str, Any]:
    """No figures: the table has all of it."""
    return {}
