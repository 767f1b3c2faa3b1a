"""How good a concept is, by several objectives at once, all measured on the fixed panel (`core.metrics`).

With v the concept's vectors, y a template of the panel and s a seed, P_s(E_y(v)) what the prior imagines for them,
E_y(c) the text embedding of a word c in that template, ⟨·,·⟩ the cosine, and x the mean of what is imagined over the
panel (`Concept.image_embed`):

    belongs      S(c) = mean over y, s of ⟨E_y(c), P_s(E_y(v))⟩, for the category's word c
    differs      S(c) − max of S(m) over the known members m of the category: the margin of Fig. 11, by members
    novel        mean of 1 − ⟨x, x'⟩ over the k = 5 concepts x' of the run that are nearest; it is none of them itself
    consistent   mean over s and over pairs of templates y ≠ y' of ⟨P_s(E_y(v)), P_s(E_y'(v))⟩

All are to be maximised: the first and the last lie from −1 to 1, the others from −2 to 2 and from 0 to 2. The stack's
own words are the known members; a stack that lists none is asked about the concept's negatives instead, and where there
are none of those either, differs is belongs.

What people say is a fifth, which no panel can measure: see `evolve.selection.RATED`.

`evaluate` measures them, which takes the stack. `of_run` reads them: all but novelty were measured when a concept was
learned, and novelty, which changes with everyone who joins the run, is reckoned from what is stored: relatives and
archive are one, since a run keeps everybody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from deap import base

from core.concept import Concept
from core.constraints import normalise
from core.metrics import consistency, imagine_panel, membership
from core.stack.wordbank import WordBank, members
from evolve.store.rows import Entry
from evolve.store.run import Run

OBJECTIVES = ("belongs", "differs", "novel", "consistent")
NEIGHBOURS = 5
_AT_ONCE = 1024  # rows of distances in memory


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
        known = members(backbone, concept.request.category, concept.request.kind)
        negatives = [negative.word for negative in concept.negatives]
        found = membership(concept.request, imagined, bank, known, negatives)
        belongs = found["category"]
        values.append((belongs, found.get("differs", belongs), novel, float(consistency(imagined))))
    return values


def of_run(run: Run, concepts: Collection[str] | None = None) -> dict[str, dict[str, float | None]]:
    """Each of `OBJECTIVES` of a run's concepts, by id; None for what was not measured when it was learned.

    concepts: ids of those that are asked about, by default everyone; they are novel against all in any case.
    """
    novel = novelties(run.image_embeds(), concepts)
    asked = [each for each in run.entries() if concepts is None or each.id in concepts]
    return {each.id: {**measured(each), "novel": novel.get(each.id)} for each in asked}


def measured(entry: Entry) -> dict[str, float | None]:
    """Those of the objectives that stand in a concept's own scores, and None for novelty, which does not."""
    scores = entry.scores
    # Before the category was measured apart, what a concept belonged to was the category, unless it was a child.
    belongs = scores.get("category", scores.get("belongs"))
    differs, consistent = scores.get("differs"), scores.get("consistency")
    return {"belongs": belongs, "differs": differs, "novel": None, "consistent": consistent}


def novelties(
    image_embeds: Mapping[str, npt.NDArray[np.float32]],
    concepts: Collection[str] | None = None,
    neighbours: int = NEIGHBOURS,
) -> dict[str, float]:
    """`novelty` against all the others, by id, from what the prior imagines of them [width]; of some or of all."""
    found: dict[str, float] = {}
    for width in {len(embed) for embed in image_embeds.values()}:  # of one stack, they are all alike
        ids = [id_ for id_, embed in image_embeds.items() if len(embed) == width]
        unit = np.stack([image_embeds[id_] for id_ in ids])
        unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
        near = min(neighbours, len(ids) - 1)
        asked = [row for row, id_ in enumerate(ids) if concepts is None or id_ in concepts]
        for first in range(0, len(asked), _AT_ONCE):
            rows = np.array(asked[first : first + _AT_ONCE])
            distance = 1 - unit[rows] @ unit.T
            distance[np.arange(len(rows)), rows] = np.inf  # no distance to itself
            nearest = np.partition(distance, near - 1, axis=1)[:, :near] if near else np.ones((len(rows), 1))
            found |= dict(zip((ids[row] for row in rows), nearest.mean(1).tolist(), strict=True))
    return found


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
