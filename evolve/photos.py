"""Photographs as parents: a picture from outside becomes a parent of Eq. 5 by what the image encoder sees in it."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageOps

from core.concept import Parent
from core.errors import ConceptreeError

LARGEST_MB = 100
LARGEST_MEGAPIXELS = 100  # a small file can unfold to gigabytes


class PhotoError(ConceptreeError):
    """A photograph that cannot be read."""


def photo_parent(file: str | Path, weight: float, backbone: Any) -> Parent:
    """A parent of kind "image": the picture and its mirror image, as the stack's image encoder sees them.

    Its id follows from the file's content, so that the same photograph is the same parent wherever it lies.

    Raises:
        PhotoError: no file, too large, or not a picture.
    """
    content = _content(Path(file))
    picture = opened(content, str(file))
    with torch.no_grad():
        embeds = backbone.encode_images([picture, ImageOps.mirror(picture)])
    id_ = f"photo-{hashlib.sha256(content).hexdigest()[:16]}"
    return Parent(id_, weight, embeds.float().cpu().numpy(), "image")


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
