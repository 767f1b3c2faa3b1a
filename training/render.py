"""Rendering the emoji sets once: 128-pixel pictures with transparency, their things, sets and the held-out pairs.

The result is one pack, a zip of WebP sheets and a table: lossless with 48 MB, or with lossy colours under 20 MB for a
machine with a GPU.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.files import write_atomically
from training import sources
from training.sources import SETS, Thing, read_icons, read_things

SIZE = 128
MARGIN = 4
COLUMNS = 32  # of a sheet in the pack


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
    """Mask [n] of whole (thing, style) pairs to hold out; a thing keeps at least three sets for training."""
    generator = np.random.default_rng(seed)
    chosen = np.zeros(len(thing), dtype=bool)
    for index in np.unique(thing):
        styles = np.unique(style[thing == index])
        if len(styles) < 4 or generator.random() > share * 8:
            continue
        chosen |= (thing == index) & (style == generator.choice(styles))
    return chosen


def _fit(picture: Image.Image) -> np.ndarray:
    """Crop a picture to its content and centre it with a margin, so that all sets have one scale."""
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


def pack_path(cache: Path) -> Path:
    """The pack's file; its name depends on the packages, names and categories in sources.py."""
    tables = hashlib.sha256(Path(sources.__file__).read_bytes()).hexdigest()[:8]
    return cache / f"drawings-{SIZE}-{tables}.zip"


def pack(drawings: Drawings, path: Path, quality: int = 100) -> None:
    """Write the drawings as one file: sheets of `COLUMNS` × `COLUMNS` pictures, and a table of their content.

    quality: of the colours, 100 for lossless; coverage always is.
    """
    lossy = {"quality": quality, "method": 4, "use_sharp_yuv": True}
    settings: dict[str, Any] = lossy if quality < 100 else {"lossless": True, "quality": 30, "method": 2}
    about = {
        "thing": drawings.thing.tolist(),
        "style": drawings.style.tolist(),
        "held_out": np.flatnonzero(drawings.held_out).tolist(),
        "things": [(t.name, t.categories, t.hexcodes) for t in drawings.things],
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("about.json", json.dumps(about))
        for start in range(0, len(drawings.rgba), COLUMNS**2):
            tiles = np.zeros((COLUMNS**2, SIZE, SIZE, 4), dtype=np.uint8)
            part = drawings.rgba[start : start + COLUMNS**2]
            tiles[: len(part)] = part
            sheet = tiles.reshape(COLUMNS, COLUMNS, SIZE, SIZE, 4).swapaxes(1, 2).reshape(2 * (COLUMNS * SIZE,) + (4,))
            picture = io.BytesIO()
            Image.fromarray(sheet).save(picture, "WEBP", **settings)
            archive.writestr(f"{start // COLUMNS**2}.webp", picture.getvalue())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content.getvalue())


def unpack(path: Path) -> Drawings:
    with zipfile.ZipFile(path) as archive:
        about = json.loads(archive.read("about.json"))
        count = len(about["thing"])
        rgba = []
        for number in range(-(-count // COLUMNS**2)):
            sheet = np.asarray(Image.open(io.BytesIO(archive.read(f"{number}.webp"))).convert("RGBA"))
            tiles = sheet.reshape(COLUMNS, SIZE, COLUMNS, SIZE, 4).swapaxes(1, 2).reshape(-1, SIZE, SIZE, 4)
            rgba.append(tiles)
    held_out = np.zeros(count, dtype=bool)
    held_out[about["held_out"]] = True
    things = tuple(Thing(name, tuple(categories), tuple(codes)) for name, categories, codes in about["things"])
    return Drawings(np.concatenate(rgba)[:count], np.array(about["thing"]), np.array(about["style"]), held_out, things)


def render(cache: Path, report: Callable[[str], None] = print) -> Drawings:
    """Render all sets from the registry's packages, or read the pack of an earlier call."""
    stored = pack_path(cache)
    if stored.is_file():
        return unpack(stored)
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
    pack(drawings, stored)
    counts = ", ".join(f"{art.style} {int((style_array == i).sum())}" for i, art in enumerate(SETS))
    report(f"{len(rgba)} drawings of {len(set(thing_of))} things: {counts}; held out {int(drawings.held_out.sum())}")
    return drawings
