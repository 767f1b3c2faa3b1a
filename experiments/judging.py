"""Judging concepts by their drawings: the objectives of `evolve.fitness`, measured by an independent model.

The optimizer and the selection see only the stack's own embeddings, so the judge is another model.
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
from core.stack.backbone import Backbone
from core.streams import stream_seed
from experiments.drawing import draw_concepts

PROMPTS = ("a photo of a {}", "a photo of a {} on a blue background")
Array = npt.NDArray[np.float32]


class Judge(Protocol):
    """A model that compares pictures with each other and with words, such as `core.emoji.judge.Judge`.

    version: its name and fingerprint. categories: the members that it knows of each category.
    """

    @property
    def version(self) -> str: ...

    @property
    def categories(self) -> Mapping[str, Sequence[str]]: ...

    def embed(self, images: Sequence[Any]) -> Tensor:
        """Unit embeddings [n, width]."""

    def similarity(self, images: Sequence[Any], words: Sequence[str]) -> Tensor:
        """[n, words]: cosines."""


STACK, JUDGE = "stack", "judge"  # the two that look at drawings, as tables name them


class StackEyes:
    """The stack's own CLIP as a judge, as in the paper: the model that concepts are optimized for."""

    def __init__(self, backbone: Backbone) -> None:
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


def both_eyes(backbone: Backbone, judge: Judge) -> dict[str, Judge]:
    """The stack's own CLIP and the judge, by the names that tables use."""
    return {STACK: StackEyes(backbone), JUDGE: judge}


@torch.no_grad()
def judged(concepts: Sequence[Concept], backbone: Backbone, judge: Judge) -> list[tuple[dict[str, float], Array]]:
    """Each concept's figures by the judge, from a drawing for each of `PROMPTS`, and their mean unit embedding [width].

    belongs: similarity to the category's word. differs: belongs minus the similarity to the nearest of the category's
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
