"""Batches of training pictures: drawings and hybrids in looks, on backgrounds, mirrored, moved; with their facts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from training import hybrids
from training.hybrids import COLOURS, PARTS, PATTERNS, PROPORTIONS, uniform
from training.render import Drawings

# sRGB of the plain backgrounds; "white" is the default.
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

# Columns of a picture's facts. A picture of one thing has no other thing (-1) and a share of 100 per cent.
THING, STYLE, LOOK, BACKGROUND, OTHER, SHARE, COLOUR, PATTERN, PART, PROPORTION = range(10)
TRUTHS = 10

_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Pictures:
    """A batch: ``pixels`` ``[n, 3, side, side]`` in 0 … 1, and ``truth`` ``[n, TRUTHS]`` int64, a column for each fact.

    THING and OTHER index the things, STYLE the sets, LOOK, BACKGROUND, COLOUR, PATTERN, PART and PROPORTION their
    tables; -1 for none (for colours, no main one). SHARE is THING's per cent of the picture.
    """

    pixels: Tensor
    truth: Tensor

    @property
    def thing(self) -> Tensor:
        return self.truth[:, THING]

    @property
    def style(self) -> Tensor:
        return self.truth[:, STYLE]

    @property
    def look(self) -> Tensor:
        return self.truth[:, LOOK]

    @property
    def background(self) -> Tensor:
        return self.truth[:, BACKGROUND]


def _blur(x: Tensor, size: int) -> Tensor:
    return F.avg_pool2d(F.pad(x, (size // 2,) * 4, mode="replicate"), size, stride=1)


def _edges(gray: Tensor) -> Tensor:
    """Strength of edges, about as wide at every size of picture."""
    kernel = torch.tensor([[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]], device=gray.device).view(1, 1, 3, 3)
    padded = F.pad(gray, (1, 1, 1, 1), mode="replicate")
    edges = (F.conv2d(padded, kernel).square() + F.conv2d(padded, kernel.transpose(2, 3)).square()).sqrt()
    return edges if gray.shape[-1] <= 64 else F.max_pool2d(edges, 3, 1, 1)


def apply_look(name: str, pixels: Tensor, alpha: Tensor) -> Tensor:
    """Composited pictures ``[n, 3, h, w]`` with coverage ``[n, 1, h, w]``, redrawn in another look."""
    luma = torch.tensor(_LUMA, device=pixels.device).view(1, 3, 1, 1)
    gray = (pixels * luma).sum(1, keepdim=True)
    unit = max(1, pixels.shape[-1] // 64)  # looks are as coarse at every size
    if name == "plain":
        return pixels
    if name == "pencil sketch":
        lines = (_edges(gray) * 0.9 + _edges(alpha) * 0.5).clamp(0, 1)
        shade = 1 - 0.28 * alpha * (1 - gray)
        return (shade * (1 - 0.85 * lines)).clamp(0, 1).expand(-1, 3, -1, -1)
    if name == "pixel art":
        small = F.avg_pool2d(pixels, 4 * unit)
        return F.interpolate((small * 7).round() / 7, scale_factor=4 * unit, mode="nearest")
    if name == "black and white":
        return gray.expand(-1, 3, -1, -1)
    if name == "watercolor":
        soft = _blur(_blur(pixels, 4 * unit + 1), 2 * unit + 1)
        return (0.35 + 0.68 * soft - 0.25 * _blur(_edges(gray), 2 * unit + 1)).clamp(0, 1)
    if name == "oil painting":
        size = 2 * unit + 1
        flat = F.avg_pool2d(F.max_pool2d(pixels, size, 1, unit), size, 1, unit)
        warm = torch.tensor([1.0, 0.7, 0.3], device=pixels.device).view(1, 3, 1, 1)
        return ((flat * 5).round() / 5 * 0.85 + 0.05 * warm).clamp(0, 1)
    if name == "neon":
        glow = (_edges(gray) + 0.5 * _edges(alpha)).clamp(0, 1)
        colour = pixels / pixels.amax(1, keepdim=True).clamp_min(0.15)
        return (colour * (glow + 0.4 * _blur(glow, 4 * unit + 1))).clamp(0, 1)
    if name == "silhouette":
        return pixels * (1 - alpha) + 0.06 * alpha
    raise ValueError(f"no look is called {name!r}")


def _background(chosen: Tensor, side: int) -> Tensor:
    """Backgrounds ``[n, 3, side, side]`` by their indices ``[n]``: two colours, one above and one below the horizon."""
    tables = [(c, c) for c in PLAIN_BACKGROUNDS.values()] + list(SCENES.values())
    colours = torch.tensor(tables, device=chosen.device)[chosen] / 255  # [n, 2, 3]
    below = torch.arange(side, device=chosen.device) >= round(side * 0.64)
    rows = torch.where(below.view(1, side, 1), colours[:, 1:], colours[:, :1])  # [n, side, 3]
    return rows.mT[..., None].expand(-1, -1, -1, side)


@dataclass(frozen=True)
class Variation:
    """Variation of a stage's pictures: shares of kinds, looks and backgrounds, and amounts of movement."""

    look: float = 0.3
    background: float = 0.35
    joined: float = 0.35  # two things joined at a cut; some with the palette of one of them
    coloured: float = 0.15  # of the rest: another thing's palette, or one named colour
    patterned: float = 0.07
    parts: float = 0.07
    proportions: float = 0.05
    turn: float = 0.0  # degrees
    move: float = 0.0  # share of the side
    zoom: float = 0.0
    colour: float = 0.0
    erase: float = 0.0
    soften: float = 0.0


STILL = Variation()
MOVED = Variation(turn=14, move=0.09, zoom=0.22, colour=0.25, erase=0.25, soften=0.25)
REAL = Variation(joined=0, coloured=0, patterned=0, parts=0, proportions=0)
BARE = Variation(look=0, background=0, joined=0, coloured=0, patterned=0, parts=0, proportions=0)


def held_out_pair(first: Tensor, second: Tensor, seed: int = 0, share: float = 0.08) -> Tensor:
    """Mask ``[n]`` of the unordered pairs of things that no stage may join: a fixed share, by a hash of both."""
    low, high = torch.minimum(first, second).long(), torch.maximum(first, second).long()
    # The seed changes the factors: if it were only added, two seeds would never hold out the same pair.
    mixed = (low * (2_654_435_761 + 7_919 * seed) + high * (40_503 + 104_729 * seed) + seed * 97_531) % 1_000_003
    return (mixed * 48_271 % 65_537) % 1000 < share * 1000


class PictureSource:
    """A source of batches from the rendered sets; the same generator state gives the same batch.

    Args:
        indices: of the drawings to use.
        side: pixels a side of its pictures; the drawings are reduced once.
        pairs_seed: of the held-out pairs of things.
    """

    def __init__(
        self, drawings: Drawings, indices: np.ndarray, side: int = 0, device: str = "cpu", pairs_seed: int = 0
    ):
        self.drawings, self.pairs_seed = drawings, pairs_seed
        self.device = torch.device(device)
        rgba = torch.from_numpy(drawings.rgba)
        self.side = side or rgba.shape[1]
        if self.side != rgba.shape[1]:
            factor = rgba.shape[1] // self.side
            rgba = torch.cat([_reduced(part, factor) for part in rgba.split(512)])
        self.rgba = rgba.to(self.device)
        self.indices = torch.from_numpy(np.asarray(indices)).to(self.device)
        self.thing = torch.from_numpy(drawings.thing).long().to(self.device)
        self.style = torch.from_numpy(drawings.style).long().to(self.device)

    @cached_property
    def _kin(self) -> tuple[Tensor, Tensor, Tensor]:
        """(start, number, list): for each (category, set) the start and number of its drawings in one list."""
        categories = list(dict.fromkeys(c for thing in self.drawings.things for c in thing.categories))
        sets = int(self.style.max()) + 1
        lists: list[list[int]] = [[] for _ in range(len(categories) * sets)]
        for index in self.indices.tolist():
            for category in self.drawings.things[int(self.thing[index])].categories:
                lists[categories.index(category) * sets + int(self.style[index])].append(index)
        counts = torch.tensor([len(each) for each in lists])
        flat = torch.tensor([index for each in lists for index in each])
        return tuple(x.to(self.device) for x in (counts.cumsum(0) - counts, counts, flat))  # type: ignore[return-value]

    @cached_property
    def _categories(self) -> tuple[Tensor, Tensor]:
        """The categories of each thing, ``[things, most]`` padded, and their number."""
        every = list(dict.fromkeys(c for thing in self.drawings.things for c in thing.categories))
        most = max(len(thing.categories) for thing in self.drawings.things)
        table = torch.zeros(len(self.drawings.things), most, dtype=torch.long)
        for row, thing in enumerate(self.drawings.things):
            for column, category in enumerate(thing.categories):
                table[row, column] = every.index(category)
        counts = torch.tensor([len(thing.categories) for thing in self.drawings.things])
        return table.to(self.device), counts.to(self.device)

    @cached_property
    def _animal(self) -> Tensor:
        """Mask ``[things]`` of animals: parts suit few other things."""
        return torch.tensor(["animal" in thing.categories for thing in self.drawings.things], device=self.device)

    @cached_property
    def _worn(self) -> Tensor:
        """The drawings of both hats and of a wing in each set, or in another set if it has none: ``[3, sets]``."""
        names = [thing.name for thing in self.drawings.things]
        chosen = []
        for name in ("crown", "top hat", "wing"):
            rows = [i for i in self.indices.tolist() if names[int(self.thing[i])] == name]
            of_set = {int(self.style[i]): i for i in rows}
            chosen.append([of_set.get(s, rows[0]) for s in range(int(self.style.max()) + 1)])
        return torch.tensor(chosen, device=self.device)

    def premultiplied(self, chosen: Tensor) -> Tensor:
        """Drawings ``[n, 4, side, side]`` in 0 … 1, premultiplied so that colours do not bleed when they move."""
        rgba = self.rgba[chosen].permute(0, 3, 1, 2).float() / 255
        return torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], 1)

    def relative(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """For each drawing another one ``[n]`` of the same set, of a thing with a common category."""
        table, counts = self._categories
        starts, sizes, flat = self._kin
        thing = self.thing[chosen]
        column = (uniform(generator, len(chosen)) * counts[thing].clamp_min(1)).long()
        sets = int(self.style.max()) + 1
        group = table[thing, column] * sets + self.style[chosen]
        place = (uniform(generator, len(chosen)) * sizes[group].clamp_min(1)).long()
        found = flat[(starts[group] + place).clamp_max(len(flat) - 1)]
        return torch.where((sizes[group] > 0) & (counts[thing] > 0), found, chosen)

    def sample(self, count: int, generator: torch.Generator, variation: Variation = STILL) -> Pictures:
        """``count`` random drawings under a random variation."""
        chosen = self.indices[torch.randint(len(self.indices), (count,), generator=generator, device=self.device)]
        return self.vary(chosen, generator, variation)

    def vary(self, chosen: Tensor, generator: torch.Generator, variation: Variation = STILL) -> Pictures:
        """Drawings ``[n]``, each under a random variation. The generator must be on this source's device."""
        n, v = len(chosen), variation
        truth = torch.full((n, TRUTHS), -1, dtype=torch.long, device=self.device)
        truth[:, THING], truth[:, STYLE], truth[:, SHARE] = self.thing[chosen], self.style[chosen], 100
        rgba = self.premultiplied(chosen)
        if v.joined or v.coloured or v.patterned or v.parts or v.proportions:
            rgba = self._invented(rgba, chosen, truth, generator, v)
        truth[:, COLOUR] = hybrids.main_colour(rgba)
        mirror = uniform(generator, n) < 0.5
        rgba = torch.where(mirror.view(n, 1, 1, 1), rgba.flip(3), rgba)
        if v.turn or v.move or v.zoom:
            rgba = _moved(rgba, generator, v)
        alpha = rgba[:, 3:].clamp(0, 1)
        plain = uniform(generator, n) >= v.background
        count = len(BACKGROUNDS)
        background = torch.randint(1, count, (n,), generator=generator, device=self.device).masked_fill(plain, 0)
        pixels = rgba[:, :3] + _background(background, self.side) * (1 - alpha)
        if v.colour:
            gain = 1 + (uniform(generator, n, 3, 1, 1) * 2 - 1) * v.colour
            pixels = (pixels * gain * (1 + (uniform(generator, n, 1, 1, 1) * 2 - 1) * v.colour)).clamp(0, 1)
        as_drawn = uniform(generator, n) >= v.look
        look = torch.randint(1, len(LOOKS), (n,), generator=generator, device=self.device).masked_fill(as_drawn, 0)
        # These looks have their own ground, so the background is not visible.
        own_ground = torch.zeros_like(as_drawn)
        for index, name in enumerate(LOOKS):
            if index == 0 or not v.look:
                continue
            rows = look == index
            if name in ("pencil sketch", "black and white", "neon"):
                pixels[rows] = rgba[rows, :3] + (1 - alpha[rows])
                own_ground |= rows
            pixels[rows] = apply_look(name, pixels[rows], alpha[rows])
        truth[:, LOOK], truth[:, BACKGROUND] = look, background.masked_fill(own_ground, 0)
        # These looks have no colour.
        for name in ("pencil sketch", "black and white", "neon", "silhouette"):
            truth[:, COLOUR] = truth[:, COLOUR].masked_fill(look == LOOKS.index(name), -1)
        if v.erase:
            pixels = _erased(pixels, generator, v.erase)
        if v.soften:
            soft = uniform(generator, n) < v.soften
            pixels[soft] = _blur(pixels[soft], 3)
        return Pictures(pixels, truth)

    def _invented(
        self, rgba: Tensor, chosen: Tensor, truth: Tensor, generator: torch.Generator, v: Variation
    ) -> Tensor:
        """Replace shares of the drawings by hybrids and changed ones, and write their facts to ``truth``."""
        n = len(chosen)
        lot = uniform(generator, n)
        other = self.relative(chosen, generator)
        palette = self.relative(chosen, generator)
        apart = self.thing[other] != self.thing[chosen]
        # Two drawings joined, at times the second in the palette of the first.
        rows = (lot < v.joined) & apart & ~held_out_pair(self.thing[chosen], self.thing[other], self.pairs_seed)
        rows = rows.nonzero().flatten()
        if len(rows):
            first, second = rgba[rows], self.premultiplied(other[rows])
            alike = uniform(generator, len(rows))
            second[alike < 0.5] = hybrids.recolour(second[alike < 0.5], first[alike < 0.5])
            joined, share, done = hybrids.join(first, second, generator)
            strange = alike > 0.85
            joined[strange] = hybrids.recolour(joined[strange], self.premultiplied(palette[rows[strange]]))
            rows = rows[done]
            rgba[rows] = joined[done]
            truth[rows, OTHER] = self.thing[other[rows]]
            truth[rows, SHARE] = (100 * share[done]).round().long()
        start = v.joined
        rows = ((lot >= start) & (lot < start + v.coloured)).nonzero().flatten()
        if len(rows):
            table = torch.tensor(list(COLOURS.values()), device=self.device) / 255
            named = torch.randint(len(COLOURS), (len(rows),), generator=generator, device=self.device)
            by_name = uniform(generator, len(rows)) < 0.6
            tinted, others = rows[by_name], rows[~by_name]
            rgba[tinted] = hybrids.tint(rgba[tinted], table[named[by_name]])
            rgba[others] = hybrids.recolour(rgba[others], self.premultiplied(palette[others]))
        start += v.coloured
        # Hybrids can have patterns, parts and proportions too.
        also = uniform(generator, n) < 0.12
        second_lot = torch.where(also & (lot < v.joined), start + (1 - start) * uniform(generator, n), lot)
        rows = ((second_lot >= start) & (second_lot < start + v.patterned)).nonzero().flatten()
        if len(rows):
            kind = torch.randint(len(PATTERNS), (len(rows),), generator=generator, device=self.device)
            rgba[rows] = hybrids.pattern(rgba[rows], kind, generator)
            truth[rows, PATTERN] = kind
        start += v.patterned
        worn_by = self._animal[self.thing[chosen]] | (uniform(generator, n) < 0.1)
        rows = ((second_lot >= start) & (second_lot < start + v.parts) & worn_by).nonzero().flatten()
        if len(rows):
            part = torch.randint(len(PARTS), (len(rows),), generator=generator, device=self.device)
            drawn = self.premultiplied(self._worn[part.clamp_max(2), self.style[chosen[rows]]])
            changed, fits = hybrids.add_part(rgba[rows], part, drawn)
            rgba[rows[fits]] = changed[fits]
            truth[rows[fits], PART] = part[fits]
        start += v.parts
        rows = ((second_lot >= start) & (second_lot < start + v.proportions)).nonzero().flatten()
        if len(rows):
            kind = torch.randint(len(PROPORTIONS), (len(rows),), generator=generator, device=self.device)
            amount = 0.5 + 0.22 * uniform(generator, len(rows))
            rgba[rows] = hybrids.stretch(rgba[rows], kind == 0, amount)
            truth[rows, PROPORTION] = kind
        return rgba


class Supply:
    """Batches of a source's pictures.

    On a GPU some are made together, since one costs hundreds of operations, however small it is. A stage that goes on
    after a break makes other pictures then.

    Args:
        count: pictures of a batch.
        together: batches that are made at a time, from the generator of the first one's step.
    """

    def __init__(self, source: PictureSource, count: int, variation: Variation, together: int = 1):
        self.source, self.count, self.variation, self.together = source, count, variation, together
        self._made: list[Pictures] = []

    def next(self, generator: torch.Generator) -> Pictures:
        if not self._made:
            every = self.source.sample(self.count * self.together, generator, self.variation)
            parts = zip(every.pixels.split(self.count), every.truth.split(self.count), strict=True)
            self._made = [Pictures(pixels, truth) for pixels, truth in parts][::-1]
        return self._made.pop()


def _reduced(rgba: Tensor, factor: int) -> Tensor:
    """Straight-alpha drawings ``[n, s, s, 4]`` uint8 at a fraction of their side."""
    x = rgba.permute(0, 3, 1, 2).float() / 255
    x = F.avg_pool2d(torch.cat([x[:, :3] * x[:, 3:], x[:, 3:]], 1), factor)
    x = torch.cat([hybrids.straight(x).clamp(0, 1), x[:, 3:]], 1)
    return (x * 255).round().byte().permute(0, 2, 3, 1).contiguous()


def _moved(rgba: Tensor, generator: torch.Generator, v: Variation) -> Tensor:
    n = len(rgba)
    angle = (uniform(generator, n) * 2 - 1) * math.radians(v.turn)
    scale = 1 + (uniform(generator, n) * 2 - 0.6) * v.zoom
    stretch = 1 + (uniform(generator, n) * 2 - 1) * v.zoom * 0.5
    shift = (uniform(generator, n, 2) * 2 - 1) * v.move * 2
    cos, sin = angle.cos() * scale, angle.sin() * scale
    theta = torch.stack(
        [torch.stack([cos * stretch, -sin, shift[:, 0]], 1), torch.stack([sin, cos / stretch, shift[:, 1]], 1)], 1
    )
    return F.grid_sample(rgba, F.affine_grid(theta, list(rgba.shape), align_corners=False), align_corners=False)


def _erased(pixels: Tensor, generator: torch.Generator, share: float) -> Tensor:
    """A square of one colour, an eighth to two fifths of the side, over a share of the pictures."""
    n, side = len(pixels), pixels.shape[-1]
    size = side * (0.125 + 0.3 * uniform(generator, n))
    corner = uniform(generator, n, 2) * (side - size)[:, None]
    places = torch.arange(side, device=pixels.device)

    def within(start: Tensor) -> Tensor:
        return (places >= start[:, None]) & (places < (start + size)[:, None])

    hidden = within(corner[:, 1])[:, None, :, None] & within(corner[:, 0])[:, None, None, :]
    hidden = hidden & (uniform(generator, n) < share).view(n, 1, 1, 1)
    return torch.where(hidden, uniform(generator, n, 3, 1, 1), pixels)
