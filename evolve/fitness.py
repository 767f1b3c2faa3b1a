"""How good a concept is, by several objectives at once, all measured on the fixed panel (`core.metrics`).

    belongs      similarity to the category's word
    differs      that, minus the similarity to the nearest known member of the category
    novel        mean distance (1 − cosine) of what is imagined to its nearest neighbours among other concepts
    consistent   similarity between what is imagined in different prompts

All are to be maximised. The stack's own words are the known members; a stack that lists none is asked about the
concept's negatives instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from deap import base
from torch import Tensor

from core.concept import Concept
from core.constraints import normalise
from core.metrics import consistency, imagine_panel, word_similarity
from core.negatives import says_again
from core.wordbank import WordBank, members

OBJECTIVES = ("belongs", "differs", "novel", "consistent")
NEIGHBOURS = 5


class Fitness(base.Fitness):
    """DEAP's fitness over `OBJECTIVES`, each to be maximised."""

    weights = (1.0,) * len(OBJECTIVES)


@torch.no_grad()
def evaluate(
    concepts: Sequence[Concept], backbone: Any, archive: Sequence[Concept] = (), neighbours: int = NEIGHBOURS
) -> list[tuple[float, ...]]:
    """One value for each of `OBJECTIVES`, for each concept.

    archive: other concepts to be novel against (a run's earlier ones); the concepts themselves count as well. A
    concept has no distance to itself. With nobody else around, novel is 1.
    """
    bank = WordBank(backbone.encode_text, backbone.width)
    everybody = {concept.id: concept for concept in (*archive, *concepts)}
    distances = novelty(concepts, list(everybody.values()), neighbours)
    values: list[tuple[float, ...]] = []
    for concept, novel in zip(concepts, distances, strict=True):
        imagined = imagine_panel(backbone, concept.request.kind, torch.from_numpy(concept.vectors.copy())[None])
        belongs, differs = _against_words(concept, imagined, backbone, bank)
        values.append((belongs, differs, novel, float(consistency(imagined))))
    return values


def novelty(concepts: Sequence[Concept], others: Sequence[Concept], neighbours: int = NEIGHBOURS) -> list[float]:
    """Mean distance of each concept to the nearest `neighbours` of `others`, itself left out; 1 if there are none."""
    found = []
    for concept in concepts:
        rest = [torch.from_numpy(each.image_embed.copy()) for each in others if each.id != concept.id]
        if not rest:
            found.append(1.0)
            continue
        own = normalise(torch.from_numpy(concept.image_embed.copy()))
        distance = 1 - normalise(torch.stack(rest)) @ own
        found.append(float(distance.topk(min(neighbours, len(rest)), largest=False).values.mean()))
    return found


def _against_words(concept: Concept, imagined: Tensor, backbone: Any, bank: WordBank) -> tuple[float, float]:
    """(belongs, differs)"""
    request = concept.request
    own = "" if request.kind == "style" else request.category
    known = [word for word in members(backbone, request.category, request.kind) if not says_again(word, own)]
    words = [own, *(known or [negative.word for negative in concept.negatives])]
    belongs, *nearest = word_similarity(imagined, bank.panels(request.kind, words))[0].tolist()
    return belongs, belongs - max(nearest, default=0.0)
