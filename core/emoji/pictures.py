"""Batches of training pictures: drawings on backgrounds, in looks, mirrored and moved; with the words that say so."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.emoji.render import SIZE, Drawings

# sRGB of the plain backgrounds; "white" is the default and goes unsaid.
PLAIN_BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (255, 255, 255), "red": (214, 48, 49), "orange": (250, 150, 50), "yellow": (253, 225, 90),
    "green": (85, 180, 95), "blue": (75, 135, 230), "purple": (140, 85, 200), "pink": (250, 165, 200),
    "brown": (135, 95, 60), "gray": (150, 150, 150), "black": (20, 20, 20),
}  # fmt: skip
# Sky above ground, for "in a meadow" and the like.
SCENES: dict[str, tuple[tuple[int, int, int], tuple[int, int, int]]] = {
    "meadow": ((150, 210, 250), (110, 190, 80)),
    "beach": ((110, 190, 240), (240, 215, 150)),
    "night": ((20, 25, 70), (40, 45, 60)),
    "snow": ((190, 215, 235), (250, 252, 255)),
}
BACKGROUNDS = (*PLAIN_BACKGROUNDS, *SCENES)
LOOKS = ("plain", "pencil sketch", "pixel art", "black and white", "watercolor", "oil painting", "neon", "silhouette")

_LUMA = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


@dataclass(frozen=True)
class Pictures:
    """A batch. ``pixels`` is ``[n, 3, 64, 64]`` in 0 … 1; the rest are ``[n]`` indices into their word lists."""

    pixels: Tensor
    thing: Tensor
    style: Tensor
    look: Tensor
    background: Tensor


def _blur(x: Tensor, size: int) -> Tensor:
    return F.avg_pool2d(F.pad(x, (size // 2,) * 4, mode="replicate"), size, stride=1)


def _edges(gray: Tensor) -> Tensor:
    kernel = torch.tensor([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]]).view(1, 1, 3, 3)
    padded = F.pad(gray, (1, 1, 1, 1), mode="replicate")
    return (F.conv2d(padded, kernel).square() + F.conv2d(padded, kernel.transpose(2, 3)).square()).sqrt()


def apply_look(name: str, pixels: Tensor, alpha: Tensor) -> Tensor:
    """Redraws composited pictures ``[n, 3, h, w]`` with their coverage ``[n, 1, h, w]`` in another look."""
    gray = (pixels * _LUMA).sum(1, keepdim=True)
    if name == "plain":
        return pixels
    if name == "pencil sketch":
        lines = (_edges(gray) * 0.9 + _edges(alpha) * 0.5).clamp(0, 1)
        shade = 1 - 0.28 * alpha * (1 - gray)
        return (shade * (1 - 0.85 * lines)).clamp(0, 1).expand(-1, 3, -1, -1)
    if name == "pixel art":
        small = F.avg_pool2d(pixels, 4)
        return F.interpolate((small * 7).round() / 7, scale_factor=4, mode="nearest")
    if name == "black and white":
        return gray.expand(-1, 3, -1, -1)
    if name == "watercolor":
        soft = _blur(_blur(pixels, 5), 3)
        return (0.35 + 0.68 * soft - 0.25 * _blur(_edges(gray), 3)).clamp(0, 1)
    if name == "oil painting":
        flat = F.avg_pool2d(F.max_pool2d(pixels, 3, 1, 1), 3, 1, 1)
        return ((flat * 5).round() / 5 * 0.85 + 0.05 * torch.tensor([1.0, 0.7, 0.3]).view(1, 3, 1, 1)).clamp(0, 1)
    if name == "neon":
        glow = (_edges(gray) + 0.5 * _edges(alpha)).clamp(0, 1)
        colour = pixels / pixels.amax(1, keepdim=True).clamp_min(0.15)
        return (colour * (glow + 0.4 * _blur(glow, 5))).clamp(0, 1)
    if name == "silhouette":
        return pixels * (1 - alpha) + 0.06 * alpha
    raise ValueError(f"no look is called {name!r}")


def _background(names: list[str]) -> Tensor:
    canvas = torch.empty(len(names), 3, SIZE, SIZE)
    horizon = round(SIZE * 0.64)
    for row, name in enumerate(names):
        if name in PLAIN_BACKGROUNDS:
            canvas[row] = torch.tensor(PLAIN_BACKGROUNDS[name]).view(3, 1, 1) / 255
        else:
            sky, ground = (torch.tensor(colour).view(3, 1, 1) / 255 for colour in SCENES[name])
            canvas[row, :, :horizon] = sky
            canvas[row, :, horizon:] = ground
    return canvas


@dataclass(frozen=True)
class Variation:
    """How far the pictures of a stage stray from the drawing: shares of looks and backgrounds, and movement."""

    look: float = 0.3
    background: float = 0.35
    turn: float = 0.0  # degrees
    move: float = 0.0  # share of the side
    zoom: float = 0.0
    colour: float = 0.0
    erase: float = 0.0
    soften: float = 0.0


STILL = Variation()
MOVED = Variation(turn=14, move=0.09, zoom=0.22, colour=0.25, erase=0.25, soften=0.25)
BARE = Variation(look=0.0, background=0.0)


class PictureSource:
    """Draws batches from the rendered sets; the same generator state gives the same batch."""

    def __init__(self, drawings: Drawings, indices: np.ndarray):
        self.drawings = drawings
        self.indices = torch.from_numpy(np.asarray(indices))
        self.rgba = torch.from_numpy(drawings.rgba)
        self.thing = torch.from_numpy(drawings.thing)
        self.style = torch.from_numpy(drawings.style)

    def sample(self, count: int, generator: torch.Generator, variation: Variation = STILL) -> Pictures:
        """``count`` random drawings under a random variation."""
        chosen = self.indices[torch.randint(len(self.indices), (count,), generator=generator)]
        return self.vary(chosen, generator, variation)

    def vary(self, chosen: Tensor, generator: torch.Generator, variation: Variation = STILL) -> Pictures:
        """The named drawings, each under a random variation."""
        n = len(chosen)

        def uniform(*shape: int) -> Tensor:
            return torch.rand(*shape, generator=generator)

        rgba = self.rgba[chosen].permute(0, 3, 1, 2).float() / 255
        rgba = torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], 1)  # premultiplied: moving must not bleed
        mirror = uniform(n) < 0.5
        rgba = torch.where(mirror.view(n, 1, 1, 1), rgba.flip(3), rgba)
        if variation.turn or variation.move or variation.zoom:
            angle = (uniform(n) * 2 - 1) * math.radians(variation.turn)
            scale = 1 + (uniform(n) * 2 - 0.6) * variation.zoom
            stretch = 1 + (uniform(n) * 2 - 1) * variation.zoom * 0.5
            shift = (uniform(n, 2) * 2 - 1) * variation.move * 2
            cos, sin = angle.cos() * scale, angle.sin() * scale
            theta = torch.stack(
                [torch.stack([cos * stretch, -sin, shift[:, 0]], 1), torch.stack([sin, cos / stretch, shift[:, 1]], 1)],
                1,
            )
            rgba = F.grid_sample(rgba, F.affine_grid(theta, list(rgba.shape), align_corners=False), align_corners=False)
        alpha = rgba[:, 3:].clamp(0, 1)
        plain = uniform(n) >= variation.background
        background = torch.randint(1, len(BACKGROUNDS), (n,), generator=generator).masked_fill(plain, 0)
        pixels = rgba[:, :3] + _background([BACKGROUNDS[i] for i in background.tolist()]) * (1 - alpha)
        if variation.colour:
            gain = 1 + (uniform(n, 3, 1, 1) * 2 - 1) * variation.colour
            pixels = (pixels * gain * (1 + (uniform(n, 1, 1, 1) * 2 - 1) * variation.colour)).clamp(0, 1)
        as_drawn = uniform(n) >= variation.look
        look = torch.randint(1, len(LOOKS), (n,), generator=generator).masked_fill(as_drawn, 0)
        # These looks bring their own ground: nobody can read the background off them.
        own_ground = torch.isin(
            look, torch.tensor([LOOKS.index(x) for x in ("pencil sketch", "black and white", "neon")])
        )
        for index in look.unique().tolist():
            rows = look == index
            ground = own_ground & rows
            if ground.any() and index:
                background = background.masked_fill(ground, 0)
                pixels[ground] = rgba[ground, :3] + (1 - alpha[ground])
            pixels[rows] = apply_look(LOOKS[index], pixels[rows], alpha[rows])
        if variation.erase:
            hide = uniform(n) < variation.erase
            for row in torch.nonzero(hide).flatten().tolist():
                size = 8 + int(uniform(1) * 20)
                x, y = (int(uniform(1) * (SIZE - size)) for _ in range(2))
                pixels[row, :, y : y + size, x : x + size] = uniform(3, 1, 1)
        if variation.soften:
            soft = uniform(n) < variation.soften
            if soft.any():
                pixels[soft] = _blur(pixels[soft], 3)
        return Pictures(pixels, self.thing[chosen], self.style[chosen], look, background)
