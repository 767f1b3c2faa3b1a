"""The second part of the experiment on aspects: children of a founder that move away from another one.

From the founders of a category and seed come two pairs A and B: the two that are most alike, and the two that are least
alike. A child has A at weight 1 and B at a weight of 0 or below, with the parents' negatives, as in `conceptree breed
--parent A --parent B:-0.5`. It is compared with each parent in three ways (`experiments.looking`): imagined, with the
parent's images of Eq. 5, and by its drawings and other drawings of the parent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch

from core.concept import Array, Concept, Request
from core.constraints import normalise
from core.depict import imagine_concept
from core.prompts import PORTRAIT
from evolve.operators import Portraits, mate
from evolve.population import founder_seed
from experiments.conduct import SeededCase
from experiments.cost import Work, of_learning, stand_ins
from experiments.drawing import draw_many
from experiments.learning import founders_of, learn, run_of
from experiments.looking import IMAGINED, drawing_bytes
from experiments.mixing import alike

CLOSE, APART = PAIRS = ("close", "apart")
A, B = "A", "B"  # as `of`: the parents themselves


@dataclass(frozen=True)
class Repelling(SeededCase):
    """Children of both pairs for each weight of B. protocol: of `experiments.aspects`."""

    def work(self) -> Work:
        """At most: both pairs may have a founder in common."""
        protocol, pairs = self.protocol, len(PAIRS)
        children = stand_ins(self.category, pairs * len(protocol.weights), self._settings(mixing=True))
        drawings = 2 * pairs * protocol.images + pairs * (len(protocol.weights) + 4) * protocol.pictures
        return Work(drawings=drawings) + of_learning(self._founders()) + of_learning(children)

    def _founders(self) -> list[Request]:
        backbone, settings = self.bench.backbone, self._settings()
        return founders_of(backbone, self.category, self.protocol.founders, settings, self.seed, schedule="adaptive")

    def rows(self) -> list[dict[str, Any]]:
        run, protocol = run_of(self.bench, self.name, self.category), self.protocol
        pairs = pairs_of(learn(run, self._founders(), self.bench, "founders", self._tell))
        self._tell("drawing the parents' images for Eq. 5")
        known: dict[str, Array] = {}
        # Without B, pairs with the same A have one child.
        keys = {name: [(a.id, b.id if w else "", w) for w in protocol.weights] for name, (a, b) in pairs.items()}
        asked = {
            key: self._child(*pairs[name], weight, known)
            for name, of_pair in keys.items()
            for key, weight in zip(of_pair, protocol.weights, strict=True)
        }
        children = dict(zip(asked, learn(run, [*asked.values()], self.bench, "children", self._tell), strict=True))
        return [
            row
            for name, pair in pairs.items()
            for row in self._seen(name, pair, [children[key] for key in keys[name]], known)
        ]

    def _child(self, a: Concept, b: Concept, weight: float, known: dict[str, Array]) -> Request:
        """All children of a case have one seed: only parents and weights differ."""
        return mate(
            [(a, 1.0), *([(b, weight)] if weight else [])],
            self.bench.backbone,
            founder_seed(self.seed, -1),
            category=self.category,
            settings=self._settings(mixing=True),
            portraits=Portraits(self.protocol.images, self.protocol.keep, known=known),
            inherit=True,
        )

    @torch.no_grad()
    def _seen(
        self, name: str, pair: tuple[Concept, Concept], children: Sequence[Concept], known: dict[str, Array]
    ) -> list[dict[str, Any]]:
        """A row for each child, and for both parents themselves, by each of the eyes."""
        backbone, count = self.bench.backbone, self.protocol.pictures
        here, other = self._seeds(count, "child"), self._seeds(count, "parent")
        self._tell(f"drawing {count} pictures of each child of the pair {name!r}")
        shown = [imagine_concept(backbone, each, [PORTRAIT] * count, here) for each in (*children, *pair)]
        shown += [imagine_concept(backbone, each, [PORTRAIT] * count, other) for each in pair]
        drawn = draw_many(backbone, torch.cat(shown), [*here * (len(children) + 2), *other * 2])
        texts = normalise(backbone.encode_text([PORTRAIT.format(self.category)]).float().cpu())
        # [children + both parents, pictures, width], and both parents to compare with: [2, …, width].
        imagined = normalise(torch.stack(shown[:-2]).float().cpu())
        images = torch.stack([normalise(torch.from_numpy(known[each.id])) for each in pair])
        looks = {IMAGINED: (imagined, images, (imagined @ texts.T).flatten(1).mean(1))}
        for eyes, sees in self.bench.eyes.items():
            unit = sees.embed(drawn).reshape(len(shown), count, -1)
            belongs = sees.similarity(drawn, [self.category]).reshape(len(shown), count).mean(1)
            looks[eyes] = (unit[:-2], unit[-2:], belongs[:-2])
        settings = self._settings(mixing=True)
        labels = [*((f"{weight:g}", weight) for weight in self.protocol.weights), (A, None), (B, None)]
        return [
            {
                "category": self.category,
                "seed": self.seed,
                "pair": name,
                "parents": f"{pair[0].id} {pair[1].id}",
                "of": label,
                "weight": weight,
                "steps": settings.steps,
                "founder_steps": self._settings().steps,
                "floor": settings.avoid_floor,
                "eyes": eyes,
                "to_a": alike(unit[place], parents[0]),
                "to_b": alike(unit[place], parents[1]),
                "belongs": float(belongs[place]),
                "picture": drawing_bytes([drawn[place * count]]) if eyes == IMAGINED else None,
            }
            for eyes, (unit, parents, belongs) in looks.items()
            for place, (label, weight) in enumerate(labels)
        ]


def pairs_of(founders: Sequence[Concept]) -> dict[str, tuple[Concept, Concept]]:
    """The founders that are most and least alike, by their image embeddings."""
    unit = normalise(torch.stack([torch.from_numpy(each.image_embed.copy()).float() for each in founders]))
    order = sorted(combinations(range(len(founders)), 2), key=lambda pair: float(unit[pair[0]] @ unit[pair[1]]))
    return {name: (founders[i], founders[j]) for name, (i, j) in zip(PAIRS, (order[-1], order[0]), strict=True)}
