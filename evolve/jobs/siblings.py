"""Children of one generation that differ: no two of them closer to each other than the closest founders."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from core.concept import Array
from evolve.fitness import of_one_width
from evolve.members import Member
from evolve.store.run import Run


class Siblings:
    """Chooses weights of children so that the expected images of one couple's children differ.

    The expected image of a child is the weighted mean of its parents' image embeddings (Eq. 5).
    """

    def __init__(self, run: Run, spread: float) -> None:
        self.spread = spread
        self._embeds = of_one_width(run.image_embeds())
        self._limit = closest_founders(run)
        self._known: dict[frozenset[str], list[Array]] = {}

    def apart(self, family: Sequence[str], draws: Sequence[list[float]]) -> list[float]:
        """The first of `draws` that keeps the child apart from its siblings; else the one that keeps it farthest."""
        known = self._known.setdefault(frozenset(family), [])
        found, least = draws[0], np.inf
        for weights in draws if known else draws[:1]:
            nearest = max((float(self._mean(family, weights) @ other) for other in known), default=-1.0)
            if nearest < least:
                found, least = weights, nearest
            if least <= self._limit:
                break
        known.append(self._mean(family, found))
        return found

    def _mean(self, family: Sequence[str], weights: Sequence[float]) -> Array:
        mean = sum(
            weight * _unit(self._embeds[id_])
            for id_, weight in zip(family, weights, strict=False)
            if id_ in self._embeds
        )
        return _unit(np.asarray(mean, dtype=np.float32)) if np.ndim(mean) else np.zeros(1, dtype=np.float32)


def closest_founders(run: Run) -> float:
    """The similarity of the two founders that are closest to each other; 1 if there are fewer than two."""
    embeds = of_one_width(run.image_embeds())
    founders = [_unit(embeds[each.id]) for each in run.entries() if not each.parents and each.id in embeds]
    if len(founders) < 2:
        return 1.0
    similar = np.stack(founders) @ np.stack(founders).T
    return float(similar[np.triu_indices(len(founders), 1)].max())


def too_alike(run: Run, candidates: Sequence[Member], born: Collection[str], kept: Collection[str]) -> set[str]:
    """Ids of children that are closer to a better child of their generation than the closest founders are.

    born: the children. kept: those that always stay. The better one has the higher `overall` rank.
    """
    limit, embeds = closest_founders(run), of_one_width(run.image_embeds())
    stay: list[Array] = []
    again: set[str] = set()
    children = [each for each in candidates if each.id in born and each.id in embeds]
    for each in sorted(children, key=lambda child: (child.id not in kept, -child.overall)):
        image = _unit(embeds[each.id])
        if each.id not in kept and any(float(image @ other) > limit for other in stay):
            again.add(each.id)
        else:
            stay.append(image)
    return again


def _unit(vector: Array) -> Array:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
