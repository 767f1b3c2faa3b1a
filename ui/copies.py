"""Copies of a drawing to use elsewhere: without its background, or larger. The origin stays inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageFilter, ImageStat

from core.errors import ConceptreeError
from core.files import write_atomically
from core.png import png_bytes, texts_in
from core.upscaling import FACTORS, LARGEST, upscaled
from evolve import Run
from evolve.store.photos import LEAST, MOST, PhotoError, background
from ui.sheet import opened

LONGEST = 110  # bytes of a name in the name of a file, of which most disks allow 255


class CopyError(ConceptreeError):
    """A copy of a drawing that cannot be made as asked."""


@dataclass(frozen=True)
class Copies:
    """The copies that are wanted. upscale: 1, 2 or 4. to: the file; several are numbered. By default in the run."""

    cutout: bool = False
    upscale: int = 1
    to: Path | None = None

    @property
    def any(self) -> bool:
        return self.cutout or self.upscale > 1

    def write(self, run: Run, name: str, drawings: Sequence[Path]) -> list[Path]:
        """Write the copies of these drawings, and return their files."""
        way = f"{'-cutout' if self.cutout else ''}{f'-x{self.upscale}' if self.upscale > 1 else ''}"
        first = self.to or run.folder / f"{name.encode()[:LONGEST].decode(errors='ignore').rstrip()}{way}.png"
        numbers = [""] if len(drawings) == 1 else [f"-{number}" for number in range(1, len(drawings) + 1)]
        files = [first.with_name(f"{first.stem}{number}.png") for number in numbers]
        for drawing, file in zip(drawings, files, strict=True):
            write_atomically(file, copy_of(drawing, self.cutout, self.upscale), None if self.to else run.folder)
        return files


def copy_of(drawing: Path, cutout: bool = False, upscale: int = 1) -> bytes:
    """A drawing as PNG with the texts of its file. cutout: with a transparent background. upscale: 1, 2 or 4.

    Raises:
        CopyError: the drawing has no plain background, or shows nothing before it.
        ConceptreeError: it cannot be read, or is too large.
    """
    picture = opened(drawing)
    if cutout:
        picture = _cut_out(picture, drawing.name, upscale)
    elif upscale > 1:
        picture = upscaled(picture, upscale)
    told: dict[str, object] = {key: text for key, text in texts_in(drawing).items() if key != "Software"}
    told |= {"upscaled": upscale} if upscale > 1 else {}
    return png_bytes(picture, told | ({"background": "removed"} if cutout else {}))


def _cut_out(picture: Image.Image, name: str, factor: int) -> Image.Image:
    """The drawing as RGBA, `factor` times as large, with a transparent background.

    The background is found in a larger copy, so that the edge is smooth.
    """
    fine = next((each for each in FACTORS[::-1] if max(picture.size) * each <= LARGEST), 1)
    large = upscaled(picture, max(fine, factor)) if max(fine, factor) > 1 else picture
    try:
        kept = ImageChops.invert(background(large, name))
    except PhotoError:
        raise CopyError(
            f"the drawing {name!r} has no plain background, as single things have: keep the background"
        ) from None
    share = ImageStat.Stat(kept).mean[0] / 255
    if not LEAST <= share <= MOST:
        what = "nothing" if share < LEAST else "everything"
        raise CopyError(f"the drawing {name!r} without its background shows {what}: keep the background")
    large.putalpha(kept.filter(ImageFilter.MinFilter(3)))  # without the last mixed pixels
    size = (picture.width * factor, picture.height * factor)
    # Colours weighted by their opacity, so that none of the background comes back at the edge.
    return large.convert("RGBa").resize(size, Image.Resampling.BOX).convert("RGBA")
