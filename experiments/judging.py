"""What an independent judge says of concepts: the objectives of `evolve.fitness`, on drawings and by another model.

The optimizer and the selection see the stack's own embeddings only; whoever judges them must not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from core.concept import Concept
from core.constraints import normalise
from core.negatives import says_again
from core.streams import stream_seed
from experiments.drawing import draw_concepts

PROMPTS = ("a photo of a {}", "a photo of a {} on a blue background")
Array = npt.NDArray[np.float32]


class Judge(Protocol):
    """Whoever can tell how alike pictures and words are (`core.emoji.judge` can). version: who it is."""

    version: str
    categories: Mapping[str, Sequence[str]]

    def embed(self, images: Sequence[Any]) -> Tensor:
        """Unit embeddings [n, width]."""

    def similarity(self, images: Sequence[Any], words: Sequence[str]) -> Tensor:
        """[n, words]: cosines."""


class StackEyes:
    """The stack's own CLIP as a judge, by which the paper measures: what it was optimized for, seen in drawings."""

    def __init__(self, backbone: Any) -> None:
        self.backbone = backbone
        self.version = str(backbone.version)
        self.categories: Mapping[str, Sequence[str]] = backbone.vocabulary.categories

    @torch.no_grad()
    def embed(self, images: Sequence[Any]) -> Tensor:
        """Unit embeddings [n, width]."""
        return normalise(self.backbone.encode_images(list(images)).float().cpu())

    @torch.no_grad()
    def similarity(self, images: Sequence[Any], words: Sequence[str]) -> Tensor:
        """[n, words]: cosines with "a photo of a …"."""
        texts = self.backbone.encode_text([PROMPTS[0].format(word) for word in words])
        return self.embed(images) @ normalise(texts.float().cpu()).T


@torch.no_grad()
def judged(concepts: Sequence[Concept], backbone: Any, judge: Judge) -> list[tuple[dict[str, float], Array]]:
    """What the judge sees in each concept's drawings, one for each of `PROMPTS`, and their mean unit embedding [width].

    belongs: similarity to the category's word. differs: that, minus the similarity to the nearest of the category's
    members. consistent: similarity of the drawings to each other. Means over the drawings.
    """
    seeds = [[stream_seed(each.request.seed, number, "judged") for number in range(len(PROMPTS))] for each in concepts]
    drawings = draw_concepts(backbone, concepts, PROMPTS, seeds)
    return [_seen(each, images, judge) for each, images in zip(concepts, drawings, strict=True)]


def _seen(concept: Concept, images: Sequence[Any], judge: Judge) -> tuple[dict[str, float], Array]:
    category = concept.request.category
    words = [word for word in judge.categories.get(category, ()) if not says_again(word, category)]
    own, *others = judge.similarity(images, [category, *words]).mean(0).tolist()
    unit = judge.embed(images)
    consistent = float((unit @ unit.T).sum() - len(unit)) / (len(unit) * (len(unit) - 1))
    mean = torch.nn.functional.normalize(unit.mean(0), dim=0).numpy()
    return {"belongs": own, "differs": own - max(others, default=0.0), "consistent": consistent}, mean


def diversity(embeds: Sequence[Array]) -> float:
    """One minus the mean pairwise similarity of unit embeddings; NaN for fewer than two."""
    if len(embeds) < 2:
        return float("nan")
    unit = np.stack(embeds)
    return 1 - float(((unit @ unit.T).sum() - len(unit)) / (len(unit) * (len(unit) - 1)))
