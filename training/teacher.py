"""Small convolutional networks that name pictures against a table of word vectors.

Two of them are trained. The image tower learns from the *teacher*: a small ViT trained alone on a few thousand drawings
generalises badly, and a convolutional network does much better in the same time. The *judge* has another architecture,
seed and split, and only evaluation uses it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.emoji.networks import THUMBNAIL
from training.hybrids import COLOURS, PARTS, PATTERNS, PROPORTIONS
from training.pictures import (
    BACKGROUNDS,
    COLOUR,
    LOOKS,
    OTHER,
    PART,
    PATTERN,
    PROPORTION,
    SHARE,
    THING,
    Pictures,
)
from training.render import Drawings
from training.sources import SETS


@dataclass(frozen=True)
class Words:
    """All words for pictures: things, categories, sets, looks and backgrounds, each a row of one table."""

    things: tuple[str, ...]
    categories: tuple[str, ...]
    belongs: Tensor  # [things, categories] bool

    @classmethod
    def of(cls, drawings: Drawings) -> Words:
        names = tuple(thing.name for thing in drawings.things)
        categories = tuple(dict.fromkeys(c for thing in drawings.things for c in thing.categories))
        belongs = torch.tensor([[c in thing.categories for c in categories] for thing in drawings.things])
        return cls(names, categories, belongs)

    @property
    def all(self) -> tuple[str, ...]:
        styles = tuple(art.style for art in SETS)
        return (
            *self.things,
            *self.categories,
            *styles,
            *LOOKS,
            *BACKGROUNDS,
            *COLOURS,
            *PATTERNS,
            *PARTS,
            *PROPORTIONS,
        )

    def spans(self) -> list[slice]:
        """Rows of things and categories together, sets, looks, backgrounds, colours, patterns, parts, proportions."""
        tables = (SETS, LOOKS, BACKGROUNDS, COLOURS, PATTERNS, PARTS, PROPORTIONS)
        sizes = [len(self.things) + len(self.categories), *map(len, tables)]
        ends = [sum(sizes[: i + 1]) for i in range(len(sizes))]
        return [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]

    def targets(self, truth: Tensor) -> Tensor:
        """``[n, things + categories]``: 0.6 for the names by their shares, 0.4 for the categories by theirs."""
        share = truth[:, SHARE, None] / 100
        other = truth[:, OTHER].clamp_min(0)
        belongs = self.belongs.to(truth.device).float()
        names = F.one_hot(truth[:, THING], len(self.things)) * share + F.one_hot(other, len(self.things)) * (1 - share)
        member = belongs[truth[:, THING]] * share + belongs[other] * (1 - share)
        return torch.cat([0.6 * names, 0.4 * member / member.sum(1, keepdim=True).clamp_min(1e-6)], 1)


def word_loss(embeds: Tensor, table: Tensor, scale: Tensor, words: Words, batch: Pictures) -> tuple[Tensor, Tensor]:
    """Cross entropy against every word that fits, over names and categories, sets, looks, backgrounds and attributes.

    Returns the loss and the logits over names and categories ``[n, things + categories]``.
    """
    logits = embeds @ F.normalize(table, dim=1).T * scale.exp().clamp_max(40)
    what, styles, looks, grounds, colours, *attributes = words.spans()
    loss = -(words.targets(batch.truth) * logits[:, what].log_softmax(1)).sum(1).mean()
    for span, truth in ((styles, batch.style), (looks, batch.look), (grounds, batch.background)):
        loss = loss + 0.25 * F.cross_entropy(logits[:, span], truth)
    coloured = batch.truth[:, COLOUR]
    loss = loss + 0.15 * F.cross_entropy(logits[:, colours], coloured, ignore_index=-1, reduction="sum") / len(embeds)
    for span, column in zip(attributes, (PATTERN, PART, PROPORTION), strict=True):
        # Most pictures have none of these: each word is a yes or no of its own, and a slight similarity means no.
        asked = logits[:, span] - 4.0
        has = batch.truth[:, column, None] == torch.arange(asked.shape[1], device=asked.device)
        loss = loss + 0.5 * F.binary_cross_entropy_with_logits(asked, has.float())
    return loss, logits[:, what]


def thumbnail_loss(head: nn.Linear, embeds: Tensor, pixels: Tensor) -> Tensor:
    """Mean squared error of an 8×8 picture predicted from the embedding, which keeps pose, colour and outline in it."""
    small = F.adaptive_avg_pool2d(pixels, THUMBNAIL).flatten(1)
    return F.mse_loss(head(embeds * embeds.shape[1] ** 0.5) + 0.5, small)
