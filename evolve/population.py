"""Founders of a category, which differ by where they start or by waves.

Founders that start at one place converge on each other. By default each starts between two members of the category, so
all of them can learn side by side. Waves are the other way: each wave keeps away from what earlier waves imagined,
which stands in its Requests, so that a concept still depends on nothing but its Request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from core.concept import Avoid, Concept, Request, RequestError
from core.metrics import mean_pairwise_similarity
from core.negatives import says_again
from core.stack.wordbank import lists, members
from core.streams import stream, stream_seed
from core.wording import counted
from evolve.jobs.develop import develop


def founders(
    category: str,
    n: int,
    learned: Sequence[Concept],
    *,
    wave: int | None = None,
    seed: int = 0,
    initializers: Sequence[str] = (),
    **request: Any,
) -> Iterator[list[Request]]:
    """Waves of Requests, `wave` at a time, n in all. By default one wave where `initializers` are given, else n waves.

    learned: the caller's list, to which it adds each wave's concepts before it asks for the next wave:

        concepts = []
        for requests in founders("pet", 6, concepts):
            concepts += develop(requests, backbone)

    initializers: where they start, one after the other, see `starts`; by default all at the category's word.
    wave = n without them gives independent founders, as in the paper. The other arguments are Request's.
    """
    wave = wave if wave is not None else n if initializers else 1
    if n < 1 or wave < 1:
        raise RequestError(f"founders = {n} in waves of {wave}: give whole numbers above 0")
    before = len(learned)
    for first in range(0, n, wave):
        if len(learned) - before != first:
            raise RequestError(
                f"{counted(len(learned) - before, 'concept was', 'concepts were')} added before the next wave:"
                f" expected {first}"
            )
        avoid = tuple(Avoid(concept.id, concept.image_embed) for concept in learned)
        numbers = range(first, min(first + wave, n))
        yield [
            Request(
                category,
                avoid=avoid,
                seed=founder_seed(seed, number),
                initializer=initializers[number % len(initializers)] if initializers else None,
                **request,
            )
            for number in numbers
        ]


def starts(backbone: Any, category: str, kind: str = "object", seed: int = 0) -> list[str]:
    """Initialisers between two members of the category each ("cat turtle": the mean of the words' token vectors).

    Neighbours in an order of the members that follows from the seed: no two of them alike, and no member twice in the
    first half. Where the stack does not list the category's members, between the category and one word of the
    vocabulary ("dragon turtle"); empty for a stack that lists no words.
    """
    words = [word for word in members(backbone, category, kind) if not says_again(word, category)]
    order = [words[i] for i in stream(seed, 0, "starts").permutation(len(words))]
    if not start_apart(backbone, category, kind):
        return [f"{category} {word}" for word in order]
    around = [*range(0, len(order) - 1, 2), *range(1, len(order) - 1, 2)]
    pairs = [(order[i], order[i + 1]) for i in around]
    if len(order) > 2:
        pairs.append((order[-1], order[0]))
    return [f"{one} {other}" for one, other in pairs]


def start_apart(backbone: Any, category: str, kind: str = "object") -> bool:
    """Whether `starts` are between two members, far enough from each other to do without waves."""
    words = [word for word in members(backbone, category, kind) if not says_again(word, category)]
    return lists(backbone, category, kind) and len(words) > 1


def populate(
    category: str,
    n: int,
    backbone: Any,
    *,
    wave: int | None = None,
    seed: int = 0,
    initializers: Sequence[str] = (),
    request: dict[str, Any] | None = None,
    **how: Any,
) -> list[Concept]:
    """n founders of a category, see `founders`. request: further arguments of Request; how: those of `develop`."""
    concepts: list[Concept] = []
    options = {"wave": wave, "seed": seed, "initializers": initializers, **(request or {})}
    for requests in founders(category, n, concepts, **options):
        concepts += develop(requests, backbone, **how)
    return concepts


def founder_seed(seed: int, number: int) -> int:
    """The seed of a population's founder, small enough to be typed."""
    return stream_seed(seed, number, "founder") % 10**9


def likeness(concepts: Sequence[Concept]) -> float:
    """Mean pairwise similarity of what is imagined for them, 1 where all are the same; NaN for fewer than
    two.
    """
    return mean_pairwise_similarity(torch.from_numpy(np.stack([concept.image_embed for concept in concepts])))
