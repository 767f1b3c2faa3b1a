"""Draws the emoji sets once: 64-pixel pictures with transparency, their things, sets and the held-out pairs."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from core.emoji import sources
from core.emoji.sources import SETS, Thing, read_icons, read_things

SIZE = 64
MARGIN = 2


@dataclass(frozen=True)
class Drawings:
    """The rendered sets.

    Attributes:
        rgba: ``[n, SIZE, SIZE, 4]`` uint8, straight alpha.
        thing: ``[n]`` index into ``things``.
        style: ``[n]`` index into ``SETS``.
        held_out: ``[n]`` True where no stage trains on the (thing, style) pair.
        things: the names and categories.
    """

    rgba: np.ndarray
    thing: np.ndarray
    style: np.ndarray
    held_out: np.ndarray
    things: tuple[Thing, ...]

    def split(self, held_out: bool) -> np.ndarray:
        """Indices of the training or of the held-out drawings."""
        return np.flatnonzero(self.held_out == held_out)


def held_out_pairs(thing: np.ndarray, style: np.ndarray, seed: int = 0, share: float = 0.08) -> np.ndarray:
    """Picks whole (thing, style) pairs; a thing keeps at least three sets to be learned from."""
    generator = np.random.default_rng(seed)
    chosen = np.zeros(len(thing), dtype=bool)
    for index in np.unique(thing):
        styles = np.unique(style[thing == index])
        if len(styles) < 4 or generator.random() > share * 8:
            continue
        chosen |= (thing == index) & (style == generator.choice(styles))
    return chosen


def _fit(picture: Image.Image) -> np.ndarray:
    """Crops to what is drawn and centres it with a margin, so that the sets share one scale."""
    picture = picture.convert("RGBA")
    box = picture.getchannel("A").point(lambda a: 255 if a > 8 else 0).getbbox()
    if box is None:
        return np.zeros((SIZE, SIZE, 4), dtype=np.uint8)
    picture = picture.crop(box)
    inner = SIZE - 2 * MARGIN
    scale = inner / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    # Premultiplied while resampling: straight alpha would bleed the colour of transparent pixels into edges.
    picture = picture.convert("RGBa").resize(size, Image.Resampling.LANCZOS).convert("RGBA")
    canvas = Image.new("RGBA", (SIZE, SIZE))
    canvas.paste(picture, ((SIZE - size[0]) // 2, (SIZE - size[1]) // 2))
    return np.asarray(canvas)


def render(cache: Path, report: Callable[[str], None] = print) -> Drawings:
    """Renders every set from the registry's packages, or reads what an earlier call rendered."""
    # Other packages, names or categories give other drawings, under another name.
    tables = hashlib.sha256(Path(sources.__file__).read_bytes()).hexdigest()[:8]
    stored = cache / f"drawings-{SIZE}-{tables}.npz"
    if stored.is_file():
        with np.load(stored, allow_pickle=False) as arrays:
            things = tuple(Thing(n, tuple(c), tuple(h)) for n, c, h in json.loads(str(arrays["things"])))
            return Drawings(arrays["rgba"], arrays["thing"], arrays["style"], arrays["held_out"], things)
    import resvg_py

    things = read_things(cache)
    index_of = {}
    for index, thing in enumerate(things):
        for code in thing.hexcodes:
            bare = "-".join(part for part in code.lower().split("-") if part not in ("fe0f", "200d"))
            index_of[bare] = index
    rgba, thing_of, style_of = [], [], []
    seen = set()
    for style, code, source in read_icons(cache):
        if code not in index_of or (style, code) in seen:
            continue
        seen.add((style, code))
        if isinstance(source, bytes):
            picture = Image.open(io.BytesIO(source))
        else:
            picture = Image.open(
                io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=source, width=4 * SIZE, height=4 * SIZE)))
            )
        fitted = _fit(picture)
        if fitted[..., 3].max() == 0:
            continue
        rgba.append(fitted)
        thing_of.append(index_of[code])
        style_of.append(style)
        if len(rgba) % 1000 == 0:
            report(f"rendered {len(rgba)} drawings")
    thing_array, style_array = np.array(thing_of), np.array(style_of)
    drawings = Drawings(np.stack(rgba), thing_array, style_array, held_out_pairs(thing_array, style_array), things)
    partial = stored.with_suffix(".partial.npz")
    np.savez(
        partial,
        rgba=drawings.rgba,
        thing=drawings.thing,
        style=drawings.style,
        held_out=drawings.held_out,
        things=json.dumps([(t.name, t.categories, t.hexcodes) for t in things]),
    )
    partial.rename(stored)
    counts = ", ".join(f"{art.style} {int((style_array == i).sum())}" for i, art in enumerate(SETS))
    report(f"{len(rgba)} drawings of {len(set(thing_of))} things: {counts}; held out {int(drawings.held_out.sum())}")
    return drawings
