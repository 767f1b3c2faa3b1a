"""Similarity of concepts to words, during learning and at its end, measured in three ways ("eyes"):

    imagined   embeddings that the prior imagines on the fixed panel (core/metrics.py), without a drawing
    stack      drawings, by the stack's own CLIP: the paper's measure
    judge      the same drawings, by a model that the optimizer never uses

A look is one imagined embedding or one drawing. The similarity to the nearest of several words is taken in each look
and then averaged, so a concept that resembles another member in each of its pictures counts as near to members.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from core.concept import Request
from core.constraints import normalise
from core.errors import ConceptreeError
from core.metrics import imagine_panel, imagine_word, word_similarity
from core.negatives import says_again
from core.optimizer import ConceptLab
from core.options import Options
from core.segments import Event
from core.settings import Settings
from core.stack.backbone import Backbone
from core.stack.wordbank import WordBank
from core.state import State
from core.step import Step
from experiments.conduct import Bench
from experiments.drawing import check_draws
from experiments.judging import JUDGE, STACK, Judge
from experiments.sheets import small

IMAGINED = "imagined"
EYES = (IMAGINED, STACK, JUDGE)
MEASURES = ("belongs", "nearest", "margin")
_PANELS_AT_ONCE = 64


class Eyes:
    """The three eyes of a bench. Similarities are cosines, NaN where a judge does not know a word."""

    def __init__(self, bench: Bench) -> None:
        self.backbone = bench.backbone
        self.bank = WordBank(bench.backbone.encode_text, bench.backbone.width)
        self._drawn = bench.eyes

    def panels(self, vectors: Tensor) -> Tensor:
        """Image embeddings [m, templates, seeds, width] that the prior imagines of vectors [m, k, d]."""
        return torch.cat([imagine_panel(self.backbone, "object", each) for each in vectors.split(_PANELS_AT_ONCE)])

    def imagined(self, panels: Tensor, words: Sequence[str]) -> Tensor:
        """[m, looks, words] for panels [m, templates, seeds, width]: words stand in each look's own template."""
        texts = self.bank.panels("object", words)
        return torch.einsum("mtsd,wtd->mtsw", normalise(panels), texts).flatten(1, 2).float().cpu()

    def drawn(self, images: Sequence[Any], words: Sequence[str]) -> dict[str, Tensor]:
        """[images, words] by the stack and by the judge."""
        return {name: similarity_by(of, images, words) for name, of in self._drawn.items()}

    def likeness(self, images: Sequence[Any]) -> dict[str, float]:
        """Mean pairwise cosine of pictures, by the stack and by the judge."""
        found = {}
        for name, of in self._drawn.items():
            unit = of.embed(list(images))
            found[name] = float((unit @ unit.T).sum() - len(unit)) / (len(unit) * (len(unit) - 1))
        return found


def resemblance(similarities: Tensor) -> dict[str, float]:
    """`MEASURES` of looks [looks, 1 + words], whose first word is the category; means over the looks.

    margin: belongs minus nearest, as in Fig. 11 of arXiv 2308.02669.
    """
    own, others = similarities[:, 0], similarities[:, 1:]
    nearest = others.nan_to_num(nan=-torch.inf).amax(1) if others.shape[1] else torch.full_like(own, torch.nan)
    nearest = nearest.where(nearest.isfinite(), torch.nan)
    return {"belongs": float(own.mean()), "nearest": float(nearest.mean()), "margin": float((own - nearest).mean())}


def similarity_by(of: Judge, images: Sequence[Any], words: Sequence[str]) -> Tensor:
    """[images, words]: cosines, NaN for words that the judge does not know."""
    try:
        return of.similarity(list(images), list(words))
    except ConceptreeError:
        if len(words) == 1:
            return torch.full((len(images), 1), torch.nan)
        return torch.cat([similarity_by(of, images, [word]) for word in words], 1)


def check_categories(bench: Bench, categories: Sequence[str]) -> None:
    """Raises:
    ConceptreeError: the stack cannot draw, a category is given twice or has no `known_members`.
    """
    check_draws(bench.backbone)
    for category in categories:
        if list(categories).count(category) > 1:
            raise ConceptreeError(f"the category {category!r} is given twice: drop one")
        known_members(bench, category)


def known_members(bench: Bench, category: str) -> list[str]:
    """Members of a category to compare with, from the stack's vocabulary or else from the judge.

    Raises:
        ConceptreeError: neither lists any, or one of them does not know the category.
    """
    stack, judge = bench.backbone, bench.judge
    if not stack.knows(category):
        raise ConceptreeError(f"the stack {stack.version} does not know the category {category!r}: choose another")
    if judge.categories and category not in judge.categories:
        raise ConceptreeError(f"the judge does not know the category {category!r}: choose others with --category")
    listed = (
        stack.vocabulary.members(category) if stack.vocabulary.lists(category) else judge.categories.get(category, ())
    )
    words = [word for word in listed if not says_again(word, category) and stack.knows(word)]
    if not words:
        raise ConceptreeError(
            f"neither the stack nor the judge lists members of {category!r}: choose other categories with --category"
        )
    return words


def nearest_members(bench: Bench, eyes: Eyes, category: str, count: int) -> list[str]:
    """The `known_members` nearest to what the prior imagines for the category's own word, nearest first."""
    words = known_members(bench, category)
    found = word_similarity(imagine_word(bench.backbone, "object", category), eyes.bank.panels("object", words))[0]
    return [words[place] for place in found.topk(min(count, len(words))).indices.tolist()]


class WatchedLab(ConceptLab):
    """A ConceptLab that records the vectors [n, k, d] of its one batch: at the start, after each `every` steps, and at
    the ends of segments.
    """

    def __init__(self, stack: Backbone, every: int) -> None:
        super().__init__(stack)
        self.every = every
        self.course: dict[int, Tensor] = {}

    def make_step(self, settings: Settings, text_space: bool) -> Step:
        step = super().make_step(settings, text_space)

        def watched(state: State) -> tuple[State, Tensor]:
            self.course.setdefault(0, state.vectors)
            state, losses = step(state)
            done = max(state.step)
            if done % self.every == 0 or done % settings.segment == 0 or done == max(state.steps):
                self.course[done] = state.vectors
            return state, losses

        return watched


def learn_watched(
    requests: Sequence[Request], bench: Bench, every: int, tell: Callable[[str], None]
) -> tuple[list[list[Event]], dict[int, Tensor]]:
    """Learn requests as one batch; return each one's events and the recorded vectors by step (`WatchedLab`)."""
    lab = WatchedLab(bench.backbone, every)
    events: dict[str, list[Event]] = {}
    for report in lab.learn(requests, Options(namer=bench.namer, draw=True, at_once=len(requests))):
        for id_ in report.batch:
            events.setdefault(id_, [])
        for event in report.events:
            events[event.id].append(event)
        if report.events:
            tell(f"step {report.step} of {report.steps}")
    return list(events.values()), lab.course


def drawing_bytes(images: Sequence[Any]) -> bytes:
    """Pictures of one size in a row, small, as WebP for a table: a quarter of a PNG, with hardly a loss."""
    images = [small(image) for image in images]
    width, height = images[0].size
    row = Image.new("RGB", (width * len(images), height))
    for place, image in enumerate(images):
        row.paste(image.convert("RGB"), (width * place, 0))
    content = io.BytesIO()
    row.save(content, "WEBP", quality=95, method=6)
    return content.getvalue()


def drawing_of(content: bytes) -> Image.Image:
    """The picture that `drawing_bytes` stored."""
    return Image.open(io.BytesIO(content)).convert("RGB")
