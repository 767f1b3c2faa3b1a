"""Fitness of a concept: several objectives, all measured on the fixed panel (`core.metrics`), all maximised.

With v the concept's vectors, y a template of the panel and s a seed, P_s(E_y(v)) the image embedding that the prior
imagines, E_y(c) the text embedding of a word c in that template, ⟨·,·⟩ the cosine, and x the mean of the imagined
embeddings over the panel (`Concept.image_embed`):

    belongs      S(c) = mean over y, s of ⟨E_y(c), P_s(E_y(v))⟩, for the category's word c; from −1 to 1
    differs      S(c) − max of S(m) over the known members m of the category, the margin of Fig. 11; from −2 to 2
    novel        mean of 1 − ⟨x, x'⟩ over the k = 5 nearest other concepts x' of the run; from 0 to 2
    consistent   mean over s and over pairs of templates y ≠ y' of ⟨P_s(E_y(v)), P_s(E_y'(v))⟩; from −1 to 1

The known members are the stack's own words. For a stack without a vocabulary they are the concept's negatives; if there
are none either, differs equals belongs. Ratings, given or expected (`evolve.taste`), are one more objective, see
`evolve.members.members`.

`register` adds an objective. `evaluate` measures all of them, which takes the stack. `of_run` reads what a run has
stored: everything but novelty, which changes with each new concept and is computed from the stored embeddings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.concept import Concept
from core.errors import ConceptreeError

if TYPE_CHECKING:  # reading a run needs no torch
    from torch import Tensor

    from core.stack.protocols import Learns
    from core.stack.wordbank import WordBank
    from evolve.store.rows import Entry
    from evolve.store.run import Run

RATINGS = "rated"  # the objective that people's ratings are, see `evolve.members.members`
NEIGHBOURS = 5
_AT_ONCE = 1024  # rows of distances in memory


@dataclass(frozen=True)
class Subject:
    """A concept under measurement. imagined: image embeddings [1, templates, seeds, width] on the fixed panel. others:
    concepts that novelty compares with. bank: the stack's text embeddings of words.
    """

    concept: Concept
    stack: Learns
    imagined: Tensor
    bank: WordBank
    others: Sequence[Concept] = ()
    neighbours: int = NEIGHBOURS

    @cached_property
    def membership(self) -> dict[str, float]:
        """Similarity to the category and margin to its known members, see `core.metrics.membership`."""
        from core.metrics import membership

        request = self.concept.request
        known = self.stack.vocabulary.members(request.category, request.kind)
        return membership(
            request, self.imagined, self.bank, known, [negative.word for negative in self.concept.negatives]
        )


Objective = Callable[[Subject], float]


def _belongs(subject: Subject) -> float:
    return subject.membership["category"]


def _differs(subject: Subject) -> float:
    return subject.membership.get("differs", _belongs(subject))


def _novel(subject: Subject) -> float:
    return novelty([subject.concept], subject.others, subject.neighbours)[0]


def _consistent(subject: Subject) -> float:
    from core.metrics import consistency

    return float(consistency(subject.imagined))


OBJECTIVES: dict[str, Objective] = {
    "belongs": _belongs,
    "differs": _differs,
    "novel": _novel,
    "consistent": _consistent,
}


def register(name: str, objective: Objective) -> None:
    """Add an objective, to be maximised, before populations are measured:

        register("short", lambda subject: -float(np.linalg.norm(subject.concept.vectors)))

    Runs do not store its values: an evolution measures it when it starts and when it resumes. To remove it, delete
    `OBJECTIVES[name]`.

    Raises:
        ConceptreeError: the name is in use.
    """
    if name in OBJECTIVES or name == RATINGS:
        raise ConceptreeError(f"the objective {name!r} is registered already: choose another name")
    OBJECTIVES[name] = objective


def evaluate(
    concepts: Sequence[Concept], stack: Learns, archive: Sequence[Concept] = (), neighbours: int = NEIGHBOURS
) -> list[tuple[float, ...]]:
    """One value for each of `OBJECTIVES`, for each concept.

    archive: further concepts that novelty compares with, such as a run's earlier ones; `concepts` count too. A concept
    is not compared with itself. Without any other concept, novel is 1.
    """
    import torch

    from core.metrics import imagine_panel
    from core.stack.wordbank import WordBank

    bank = WordBank(stack.encode_text, stack.width)
    others = list({concept.id: concept for concept in (*archive, *concepts)}.values())
    values = []
    with torch.no_grad():
        for concept in concepts:
            imagined = imagine_panel(stack, concept.request.kind, torch.from_numpy(concept.vectors.copy())[None])
            values.append(measure(Subject(concept, stack, imagined, bank, others, neighbours)))
    return values


def measure(subject: Subject) -> tuple[float, ...]:
    """One value for each of `OBJECTIVES`."""
    return tuple(float(objective(subject)) for objective in OBJECTIVES.values())


def of_run(run: Run, concepts: Collection[str] | None = None) -> dict[str, dict[str, float | None]]:
    """Each of `OBJECTIVES` for a run's concepts, by id; None for values that the run has not stored.

    concepts: ids to read, by default all. Novelty compares with all concepts of the run in any case.
    """
    novel = novelties(run.image_embeds(), concepts)
    asked = [each for each in run.entries() if concepts is None or each.id in concepts]
    return {each.id: {**measured(each), "novel": novel.get(each.id)} for each in asked}


def measured(entry: Entry) -> dict[str, float | None]:
    """`stored` for a concept as a run lists it."""
    return stored(entry.scores)


def stored(scores: Mapping[str, float]) -> dict[str, float | None]:
    """The objectives that a concept's scores contain, None for the others; novelty is always None."""
    # Older versions measured no category apart; there, a concept that was no child belonged to the category.
    belongs = scores.get("category", scores.get("belongs"))
    found = {"belongs": belongs, "differs": scores.get("differs"), "consistent": scores.get("consistency")}
    return {name: found.get(name) for name in OBJECTIVES}


def of_one_width(image_embeds: Mapping[str, npt.NDArray[np.float32]]) -> dict[str, npt.NDArray[np.float32]]:
    """Those embeddings, by id, that can be compared with each other: of the width that most of them have."""
    widths = [len(embed) for embed in image_embeds.values()]
    usual = max(widths, key=widths.count, default=0)
    return {id_: embed for id_, embed in image_embeds.items() if len(embed) == usual}


def novelties(
    image_embeds: Mapping[str, npt.NDArray[np.float32]],
    concepts: Collection[str] | None = None,
    neighbours: int = NEIGHBOURS,
) -> dict[str, float]:
    """`novelty` by id, each against all others, from the mean imagined embeddings [width]; for `concepts`, or all."""
    found: dict[str, float] = {}
    for width in {len(embed) for embed in image_embeds.values()}:  # equal on one stack
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
    """Mean distance of each concept to the `neighbours` nearest of `others` except itself; 1 if there are none."""
    import torch

    from core.constraints import normalise

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
