"""The first part of the experiment on aspects: things with the colour or shape of others, drawn before any learning.

The thing's embedding e is that of one of its drawings, as in Eq. 5; t is the mean of the giver's. A subspace P gives
e − P e + P t (`core.aspects.with_aspect`). Three subspaces, from the same phrases ("a photo of a red cat", …):

    words averaged over nouns   ours: `core.aspects.subspace`
    all phrases                 singular vectors of all phrases' embeddings, neither averaged nor centred, as in the
                                code of IP-Composer (arXiv 2502.13951); as many as explain `VARIANCE`, as in ours
    all phrases, our rank       as many of these as ours has
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from core.aspects import VARIANCE, phrases_of, subspace, with_aspect
from core.concept import Array
from core.constraints import normalise
from core.metrics import PANEL_GUIDANCE, PANEL_STEPS
from core.prompts import PORTRAIT
from core.stack.protocols import Learns
from core.streams import stream_seed
from experiments.conduct import Bench, Telling
from experiments.cost import Work
from experiments.drawing import draw_many
from experiments.looking import drawing_bytes, similarity_by
from experiments.pixels import colour_of, height_by_width

OURS, ALL, SAME_RANK = SUBSPACES = ("words averaged over nouns", "all phrases", "all phrases, our rank")
BEFORE, GIVER = "nothing taken", "the giver itself"
COLOUR, SHAPE = "colour", "shape"
TALL, WIDE = "tall", "wide"
CHANGED = 1.25  # times as tall for its width (or as wide for its height): the shape is taken


@dataclass(frozen=True)
class Drawn:
    """First drawings of a thing or giver, with their embeddings [pictures, width] by the stack.

    seen: unit embeddings by the judge. names: by the judge.
    """

    pictures: list[Any]
    embeds: Array
    seen: torch.Tensor
    names: list[str]


@dataclass(frozen=True)
class Taking(Telling):
    """All things with one aspect of each giver. givers: begin with the word of the aspect, such as "blue bird"."""

    bench: Bench
    aspect: str
    things: tuple[str, ...]
    givers: tuple[str, ...]
    pictures: int

    @property
    def name(self) -> str:
        return self.aspect

    def work(self) -> Work:
        things, givers = len(self.things), len(self.givers)
        return Work(drawings=self.pictures * (things + givers + things * (1 + len(SUBSPACES) * givers)))

    @torch.no_grad()
    def rows(self) -> list[dict[str, Any]]:
        """A row for each thing, giver, way of taking and drawing, and for the givers' own drawings."""
        self._tell(f"drawing {len(self.things)} things and {len(self.givers)} givers")
        drawn = self.drawn([*self.things, *self.givers])
        subspaces = subspaces_of(self.bench.backbone, self.aspect)
        rows = [row for giver in self.givers for row in self._own(giver, drawn[giver])]
        for thing in self.things:
            rows += self._of_thing(thing, drawn, subspaces)
        return rows

    def drawn(self, words: Sequence[str]) -> dict[str, Drawn]:
        """Of each word its drawings in "a photo of a …"."""
        prompts = [PORTRAIT.format(word) for word in words for _ in range(self.pictures)]
        seeds = [stream_seed(number, 0, word) for word in words for number in range(self.pictures)]
        backbone = self.bench.backbone
        imagined = backbone.imagine(prompts, seeds=seeds, steps=PANEL_STEPS, guidance_scale=PANEL_GUIDANCE)
        pictures = draw_many(backbone, imagined, seeds)
        embeds, seen = backbone.encode_images(pictures).float().cpu().numpy(), self.bench.judge.embed(pictures)
        named = self._named(pictures)
        places = [slice(start, start + self.pictures) for start in range(0, len(pictures), self.pictures)]
        return {
            word: Drawn(pictures[of], embeds[of], seen[of], named[of]) for word, of in zip(words, places, strict=True)
        }

    def _of_thing(self, thing: str, drawn: dict[str, Drawn], subspaces: dict[str, Array]) -> Iterator[dict[str, Any]]:
        """Each way of taking from each giver, and the thing drawn again from the same embeddings with nothing taken."""
        before = drawn[thing]
        ways: dict[tuple[str, str], Array] = {(BEFORE, ""): before.embeds}
        for way, directions in subspaces.items():
            for giver in self.givers:
                ways[way, giver] = with_aspect(before.embeds, drawn[giver].embeds, directions)
        self._tell(f"drawing {len(ways) * self.pictures} pictures of {thing}")
        seeds = [stream_seed(number, 1, thing) for number in range(self.pictures)]
        composed = torch.from_numpy(np.concatenate(list(ways.values())))
        pictures = draw_many(self.bench.backbone, composed, seeds * len(ways))
        seen, named = self.bench.judge.embed(pictures), self._named(pictures)
        shape = self.aspect == SHAPE
        for place, (way, of) in enumerate(ways):
            for giver in [of] if of else self.givers:
                for number in range(self.pictures):
                    i = place * self.pictures + number
                    factor = stretched(pictures[i], before.pictures[number], giver) if shape else float("nan")
                    taken = factor >= CHANGED if shape else has_colour(pictures[i], giver)
                    yield {
                        **self._row(thing, giver, way, number, pictures[i]),
                        "rank": len(subspaces[way]) if way in subspaces else 0,
                        "factor": factor,
                        "taken": float(taken),
                        "named": float(named[i] == before.names[number]),
                        "to_thing": float((before.seen @ seen[i]).mean()),
                        "to_giver": float((drawn[giver].seen @ seen[i]).mean()),
                    }

    def _own(self, giver: str, drawn: Drawn) -> Iterator[dict[str, Any]]:
        for number, picture in enumerate(drawn.pictures):
            taken = float(has_colour(picture, giver)) if self.aspect == COLOUR else float("nan")
            yield {**self._row(giver, giver, GIVER, number, picture), "taken": taken}

    def _row(self, thing: str, giver: str, way: str, number: int, picture: Any) -> dict[str, Any]:
        return {
            "aspect": self.aspect,
            "thing": thing,
            "giver": giver,
            "way": way,
            "number": number,
            "factor": float("nan"),
            "picture": None if number else drawing_bytes([picture]),
        }

    @cached_property
    def _words(self) -> list[str]:
        return list(dict.fromkeys(word for members in self.bench.judge.categories.values() for word in members))

    def _named(self, pictures: Sequence[Any]) -> list[str]:
        """The judge's name for each picture: the most similar of all members that it knows."""
        found = similarity_by(self.bench.judge, pictures, self._words).nan_to_num(nan=-torch.inf)
        return [self._words[place] for place in found.argmax(1).tolist()]


def has_colour(picture: Any, giver: str) -> bool:
    """Whether the drawn thing has the colour that the giver's first word names."""
    return colour_of(picture) == giver.split()[0]


def stretched(picture: Any, before: Any, giver: str) -> float:
    """Factor on the drawn thing's height by width, or for a wide giver on its width by height."""
    factor = height_by_width(picture) / height_by_width(before)
    return factor if giver.split()[0] == TALL else 1 / factor


def subspaces_of(stack: Learns, aspect: str) -> dict[str, Array]:
    """Orthonormal directions [rank, width] by the name of the way, see above."""
    ours = subspace(stack, aspect)
    embeds = normalise(stack.encode_text(phrases_of(aspect, stack))).double().cpu().numpy()
    _, values, directions = np.linalg.svd(embeds, full_matrices=False)
    rank = int((np.cumsum(values**2) < VARIANCE * (values**2).sum()).sum()) + 1
    return {
        OURS: ours,
        ALL: directions[:rank].astype(np.float32),
        SAME_RANK: directions[: len(ours)].astype(np.float32),
    }
