"""Founders of a category: where they start, and in which waves they are learned.

Founders that start at one place converge on each other. By default each starts between two members of the category, so
all of them can be learned side by side. Waves are the alternative: each wave avoids the embeddings of the waves before
it. These stand in its Requests, so a concept still depends on its Request alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from core.concept import Avoid, Concept, Positive, Request, RequestError
from core.constraints import normalise
from core.metrics import mean_pairwise_similarity
from core.negatives import says_again
from core.optimizer import DEFAULT
from core.options import Options
from core.prompts import PORTRAIT
from core.stack.protocols import Draws, Learns
from core.streams import stream, stream_seed
from core.wording import counted
from evolve.developing import develop
from evolve.store.run import Run

COMPARED = 256  # members whose likeness decides their order; encoded together


@dataclass
class Founders:
    """Waves of Requests for founders. Iterate over them, and `tell` the concepts before the next wave:

        waves = founders("pet", 6)
        for requests in waves:
            waves.tell(develop(requests, stack))

    told: the concepts so far. A single wave (`wave` = the number of founders) needs no `tell`.
    """

    category: str
    count: int
    wave: int
    seed: int
    initializers: Sequence[str]
    traits: Sequence[str]
    trait_weight: float
    request: Mapping[str, Any]
    told: list[Concept] = field(default_factory=list)
    _asked: int = 0

    def __post_init__(self) -> None:
        if self.count < 1 or self.wave < 1:
            raise RequestError(f"founders = {self.count} in waves of {self.wave}: give whole numbers above 0")

    def __iter__(self) -> Iterator[list[Request]]:
        return self

    def __next__(self) -> list[Request]:
        """The next wave.

        Raises:
            RequestError: the concepts of the wave before it are missing.
        """
        first = self._asked
        if first >= self.count:
            raise StopIteration
        if (told := len(self.told)) != first:
            raise RequestError(
                f"{counted(told, 'concept was', 'concepts were')} told before the next wave: expected {first}"
            )
        self._asked = min(first + self.wave, self.count)
        avoid = tuple(Avoid(concept.id, concept.image_embed) for concept in self.told)
        return [self.request_of(number, avoid) for number in range(first, self._asked)]

    def request_of(self, number: int, avoid: tuple[Avoid, ...] = ()) -> Request:
        """The request for one founder, by its number from 0, which may be beyond `count`."""
        trait = _in_turn(self.traits, number)
        both = (Positive(self.category), Positive(f"{trait} {self.category}", self.trait_weight))
        return Request(
            self.category,
            positives=both if trait else (),
            avoid=avoid,
            seed=founder_seed(self.seed, number),
            initializer=_in_turn(self.initializers, number) or None,
            **self.request,
        )

    def tell(self, concepts: Sequence[Concept]) -> None:
        """Give the concepts of the last wave, which later waves avoid."""
        self.told += concepts


def founders(
    category: str,
    n: int,
    *,
    wave: int | None = None,
    seed: int = 0,
    initializers: Sequence[str] = (),
    traits: Sequence[str] = (),
    trait_weight: float = 1.0,
    **request: Any,
) -> Founders:
    """Requests for n founders, in waves of `wave`; see `Founders`.

    wave: by default all n if there are `initializers`, else 1. initializers: the words where founders start, in turn,
    see `starts`; by default the category's word. Without them, wave = n gives independent founders as in the paper.
    traits: words such as "blue" or "striped", in turn. A founder with a trait is pulled to "blue pet" as well as to
    "pet" (Eq. 3 with two positives), with `trait_weight` against 1. request: further arguments of Request.

    Raises:
        RequestError: n or wave is below 1.
    """
    wave = wave if wave is not None else n if initializers else 1
    return Founders(category, n, wave, seed, initializers, traits, trait_weight, request)


def _in_turn(words: Sequence[str], number: int) -> str:
    return words[number % len(words)] if words else ""


def starts(stack: Learns, category: str, kind: str = "object", seed: int = 0) -> list[str]:
    """Initializers between two members of the category: "cat turtle" is the mean of both words' token vectors.

    The pairs are neighbours in an order that starts at random. Each next member is the one least like all before it,
    among a random half of the rest. So all pairs differ, no member is twice in the first half, and near names ("dog",
    "poodle") come late. If the stack does not list the category's members, an initializer is the category and one word
    of the vocabulary ("dragon turtle"); without a vocabulary there are none. Styles have none either: as in the paper
    (Fig. 7) all start at their category's word, such as "painting".
    """
    if kind == "style":
        return []
    words = [word for word in stack.vocabulary.members(category, kind) if not says_again(word, category)]
    chance = stream(seed, 0, "starts")
    order = [words[i] for i in chance.permutation(len(words))]
    if not start_apart(stack, category, kind):
        return [f"{category} {word}" for word in order]
    order = _unlike_first(stack, order, chance)
    around = [*range(0, len(order) - 1, 2), *range(1, len(order) - 1, 2)]
    pairs = [(order[i], order[i + 1]) for i in around]
    if len(order) > 2:
        pairs.append((order[-1], order[0]))
    return [f"{one} {other}" for one, other in pairs]


@torch.no_grad()
def _unlike_first(stack: Learns, words: Sequence[str], chance: np.random.Generator) -> list[str]:
    """The first word, then each time the one least like all before it, among a random half of the rest.

    Words after the first `COMPARED` keep their places.
    """
    words, rest = words[:COMPARED], words[COMPARED:]
    texts = normalise(stack.encode_text([PORTRAIT.format(word) for word in words])).double().cpu().numpy()
    order, nearest = [0], texts @ texts[0]
    while left := sorted({*range(len(words))} - {*order}):
        half = chance.permutation(left)[: len(left) // 2 + 1]
        order.append(int(half[nearest[half].argmin()]))
        nearest = np.maximum(nearest, texts @ texts[order[-1]])
    return [*(words[place] for place in order), *rest]


def start_apart(stack: Learns, category: str, kind: str = "object") -> bool:
    """Whether `starts` lie between two members, so far apart that founders need no waves."""
    words = [word for word in stack.vocabulary.members(category, kind) if not says_again(word, category)]
    return kind != "style" and stack.vocabulary.lists(category, kind) and len(words) > 1


def populate(
    category: str,
    n: int,
    stack: Draws,
    run: Run | None = None,
    *,
    wave: int | None = None,
    seed: int = 0,
    initializers: Sequence[str] | None = None,
    request: dict[str, Any] | None = None,
    options: Options = DEFAULT,
) -> list[Concept]:
    """n founders of a category, learned and, with a run, stored there; as `conceptree seed --of n` does:

        pets = populate("pet", 6, stack, run)

    initializers: by default `starts`; () for all at the category's word. wave: by default all n if they start between
    members, else 1. request: further arguments of Request. options: of `develop`.
    """
    kind = (request or {}).get("kind", "object")
    settings = (request or {}).get("settings") or options.settings
    if initializers is None:  # the presets of the paper start all founders at the category's word
        initializers = starts(stack, category, kind, seed) if not settings or settings.preset == "default" else ()
    if wave is None:
        wave = n if initializers and start_apart(stack, category, kind) else 1
    waves = founders(category, n, wave=wave, seed=seed, initializers=initializers, **(request or {}))
    for requests in waves:
        waves.tell(develop(requests, stack, run, options))
    return waves.told


def founder_seed(seed: int, number: int) -> int:
    """The seed of a population's founder, short enough to type."""
    return stream_seed(seed, number, "founder") % 10**9


def likeness(concepts: Sequence[Concept]) -> float:
    """Mean pairwise similarity of imagined embeddings: 1 if all are equal, NaN for fewer than two concepts."""
    return mean_pairwise_similarity(torch.from_numpy(np.stack([concept.image_embed for concept in concepts])))
