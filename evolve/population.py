"""Founders, in waves: those of one category converge on each other, so each wave keeps away from the earlier
ones.

What earlier waves imagined stands in the later Requests, so that a concept still depends on nothing but its
Request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from core.concept import Avoid, Concept, Request, RequestError
from core.metrics import mean_pairwise_similarity
from core.negatives import says_again
from core.streams import stream, stream_seed
from core.wordbank import members
from evolve.develop import develop


def founders(
    category: str,
    n: int,
    learned: Sequence[Concept],
    *,
    wave: int = 1,
    seed: int = 0,
    initializers: Sequence[str] = (),
    **request: Any,
) -> Iterator[list[Request]]:
    """Waves of Requests, `wave` at a time, n in all.

    learned: the caller's list, to which it adds each wave's concepts before it asks for the next wave:

        concepts = []
        for requests in founders("pet", 6, concepts):
            concepts += develop(requests, backbone)

    initializers: where they start, one after the other, see `starts`; by default all at the category's word.
    wave = n without them gives independent founders, as in the paper. The other arguments are Request's.
    """
    if n < 1 or wave < 1:
        raise RequestError(f"founders = {n} in waves of {wave}: give whole numbers above 0")
    before = len(learned)
    for first in range(0, n, wave):
        if len(learned) - before != first:
            raise RequestError(f"{len(learned) - before} concepts were added before the next wave: expected {first}")
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
    """Initialisers between the category and one member each ("pet turtle": the mean of both words' vectors).

    Founders of one wave that start at one place find the same negatives and end side by side; from different sides
    of the category they do not. Which member stands where follows from the seed. Empty for a stack that lists no
    members.
    """
    words = [word for word in members(backbone, category, kind) if not says_again(word, category)]
    order = stream(seed, 0, "starts").permutation(len(words))
    return [f"{category} {words[i]}" for i in order]


def populate(
    category: str,
    n: int,
    backbone: Any,
    *,
    wave: int = 1,
    seed: int = 0,
    initializers: Sequence[str] = (),
    request: dict[str, Any] | None = None,
    **how: Any,
) -> list[Concept]:
    """n founders of a category, wave by wave. request: further arguments of Request; how: those of `develop`."""
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
