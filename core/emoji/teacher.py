"""Small convolutional networks that name pictures against a table of word vectors.

Two of them are trained: the *teacher*, from which the image tower learns (a small ViT trained alone on a few
thousand drawings generalises badly; a convolutional network does much better in the same time), and the *judge*,
of another family, with another seed and split, which nothing but evaluation uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.emoji.hybrids import COLOURS, PARTS, PATTERNS, PROPORTIONS
from core.emoji.pictures import (
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
from core.emoji.render import Drawings
from core.emoji.sources import SETS

THUMBNAIL = 8
SIDE = 64  # pixels a side that teacher and judge look at; larger pictures are reduced


@dataclass(frozen=True)
class Words:
    """What a picture can be called: things, categories, sets, looks and backgrounds, each a row of one table."""

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


def looked_at(pixels: Tensor) -> Tensor:
    """Pictures of any size at `SIDE`."""
    return pixels if pixels.shape[-1] == SIDE else F.interpolate(pixels, (SIDE, SIDE), mode="area")


class Residual(nn.Module):
    """Two 3×3 convolutions, the first of which halves the side, beside a pooled 1×1 shortcut."""

    def __init__(self, before: int, after: int):
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.shortcut = nn.Conv2d(before, after, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(y)) + self.shortcut(F.avg_pool2d(x, 2)))


class WordNet(nn.Module):
    """Pictures ``[n, 3, 64, 64]`` in 0 … 1 → unit embeddings ``[n, width]``; beside it a table of word vectors."""

    def __init__(self, channels: tuple[int, ...], width: int, words: int):
        super().__init__()
        self.stem = nn.Conv2d(3, channels[0], 5, stride=2, padding=2)
        self.blocks = nn.Sequential(*(Residual(a, b) for a, b in pairwise(channels)))
        self.project = nn.Linear(channels[-1] * 5, width)
        self.words = nn.Parameter(torch.randn(words, width) * width**-0.5)
        self.scale = nn.Parameter(torch.tensor(14.0).log())
        self.thumbnail = nn.Linear(width, 3 * THUMBNAIL**2)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.blocks(F.relu(self.stem(looked_at(pixels) * 2 - 1)))
        # The mean says what is there, the four quarters where: pose and silhouette must reach the embedding.
        x = torch.cat([x.mean((2, 3)), F.adaptive_avg_pool2d(x, 2).flatten(1)], 1)
        return F.normalize(self.project(x), dim=1)


class Mixer(nn.Module):
    """A ConvNeXt block (arXiv 2201.03545): a wide depthwise convolution, then two pointwise layers."""

    def __init__(self, channels: int):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.norm = nn.GroupNorm(1, channels)
        self.widen, self.narrow = nn.Conv2d(channels, 3 * channels, 1), nn.Conv2d(3 * channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.narrow(F.gelu(self.widen(self.norm(self.depthwise(x)))))


class JudgeNet(nn.Module):
    """Pictures ``[n, 3, side, side]`` in 0 … 1 → unit embeddings ``[n, width]``, of another family than the teacher.

    Patches of 4 × 4, then stages of `Mixer` blocks without batch norm, then one layer over a 2 × 2 grid.
    """

    def __init__(self, channels: tuple[int, ...], width: int, words: int):
        super().__init__()
        stages: list[nn.Module] = [nn.Conv2d(3, channels[0], 4, stride=4)]
        for before, after in pairwise((channels[0], *channels)):
            if before != after:
                stages += [nn.GroupNorm(1, before), nn.Conv2d(before, after, 2, stride=2)]
            stages += [Mixer(after), Mixer(after)]
        self.blocks = nn.Sequential(*stages, nn.GroupNorm(1, channels[-1]))
        self.project = nn.Linear(channels[-1] * 5, width)
        self.words = nn.Parameter(torch.randn(words, width) * width**-0.5)
        self.scale = nn.Parameter(torch.tensor(14.0).log())
        self.thumbnail = nn.Linear(width, 3 * THUMBNAIL**2)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.blocks(looked_at(pixels) * 2 - 1)
        x = torch.cat([x.mean((2, 3)), F.adaptive_avg_pool2d(x, 2).flatten(1)], 1)
        return F.normalize(self.project(x), dim=1)


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
        # Most pictures have none of these: each word is a question of its own, and a slight likeness means no.
        asked = logits[:, span] - 4.0
        has = batch.truth[:, column, None] == torch.arange(asked.shape[1], device=asked.device)
        loss = loss + 0.5 * F.binary_cross_entropy_with_logits(asked, has.float())
    return loss, logits[:, what]


def thumbnail_loss(head: nn.Linear, embeds: Tensor, pixels: Tensor) -> Tensor:
    """Mean squared error of an 8×8 picture read off the embedding: it keeps pose, colour and silhouette in it."""
    small = F.adaptive_avg_pool2d(pixels, THUMBNAIL).flatten(1)
    return F.mse_loss(head(embeds * embeds.shape[1] ** 0.5) + 0.5, small)
