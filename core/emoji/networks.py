"""Networks that compare pictures with a table of word vectors: the judge, and the teacher of the image tower."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

THUMBNAIL = 8
SIDE = 64  # pixels a side for teacher and judge; larger pictures are reduced


def looked_at(pixels: Tensor) -> Tensor:
    """Pictures resized to `SIDE`."""
    return pixels if pixels.shape[-1] == SIDE else F.interpolate(pixels, (SIDE, SIDE), mode="area")


class Residual(nn.Module):
    """Two 3×3 convolutions (the first halves the side), beside a pooled 1×1 shortcut."""

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
    """Pictures ``[n, 3, 64, 64]`` in 0 … 1 → unit embeddings ``[n, width]``; with a table of word vectors."""

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
        # The mean shows which thing, the four quarters where: the embedding needs pose and silhouette too.
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
    """Pictures ``[n, 3, side, side]`` in 0 … 1 → unit embeddings ``[n, width]``; not of the teacher's family.

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
