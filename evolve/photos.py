"""Photographs as parents: a picture from outside becomes a parent of Eq. 5 by what the image encoder sees in it."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageOps, ImageStat

from core.concept import Parent
from core.errors import ConceptreeError

LARGEST_MB = 100
LARGEST_MEGAPIXELS = 100  # a small file can unfold to gigabytes
PLAINEST = 2.0  # standard deviation, of 255, below which nothing can be seen in any of the three colours


class PhotoError(ConceptreeError):
    """A photograph that cannot be read, or that shows nothing."""


@dataclass(frozen=True)
class Photograph:
    """A photograph as it was read. id: by the file's content, so that it is the same parent wherever it lies.

    picture: upright and square, see `opened`; label: what the file is called. `Run.add_photo` keeps a small copy.
    """

    id: str
    picture: Image.Image
    label: str


def read_photo(file: str | Path) -> Photograph:
    """A photograph from a file.

    Raises:
        PhotoError: no file, too large, not a picture, or one in which there is nothing to be seen.
    """
    content = _content(Path(file))
    picture = opened(content, str(file))
    if max(ImageStat.Stat(picture).stddev) < PLAINEST:
        raise PhotoError(f"the photograph {str(file)!r} is of one colour all over: choose one that shows something")
    return Photograph(f"photo-{hashlib.sha256(content).hexdigest()[:16]}", picture, Path(file).name)


def photo_parent(photo: str | Path | Photograph, weight: float, backbone: Any) -> Parent:
    """A parent of kind "image": the picture and its mirror image, as the stack's image encoder sees them.

    photo: as it was read, or the file, see `read_photo`.
    """
    if not isinstance(photo, Photograph):
        photo = read_photo(photo)
    with torch.no_grad():
        embeds = backbone.encode_images([photo.picture, ImageOps.mirror(photo.picture)])
    return Parent(photo.id, weight, embeds.float().cpu().numpy(), "image")


def opened(content: bytes, name: str) -> Image.Image:
    """The picture upright, as RGB on white, and square: its middle, as CLIP's preprocessing takes it."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.width * picture.height > LARGEST_MEGAPIXELS * 1e6:
                raise PhotoError(
                    f"the photograph {name!r} has {picture.width} × {picture.height} pixels: at most"
                    f" {LARGEST_MEGAPIXELS} million are read; make it smaller"
                )
            upright = ImageOps.exif_transpose(picture).convert("RGBA")
    except PhotoError:
        raise
    # Pillow's decoders raise what they like for a broken file.
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise PhotoError(f"{name!r} is not a picture that can be read: give a PNG, JPEG or WebP file") from error
    paper = Image.new("RGBA", upright.size, "white")
    flat = Image.alpha_composite(paper, upright).convert("RGB")
    side = min(flat.size)
    return ImageOps.fit(flat, (side, side))


def _content(file: Path) -> bytes:
    try:
        size = file.stat().st_size
        if size > LARGEST_MB * 1e6:
            raise PhotoError(
                f"the photograph {str(file)!r} has {size / 1e6:.0f} MB: at most {LARGEST_MB} are read; make it smaller"
            )
        return file.read_bytes()
    except OSError as error:
        raise PhotoError(f"the photograph {str(file)!r} cannot be read: {error.strerror or error}") from error
