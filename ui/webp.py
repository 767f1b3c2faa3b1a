"""Pictures for documents, as small WebP files."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from core.png import texts_of, xmp_of

FRAME, END = 80, 700  # milliseconds of a frame of an animation, and of its first and last one


def webp_bytes(picture: Image.Image) -> bytes:
    """An opaque picture as WebP: lossless, unless a loss that is hardly visible makes it half as large or smaller.
    Charts stay sharp this way, and sheets of drawings get small. What a PNG says of itself stays, as XMP.
    """
    xmp = xmp_of(texts_of(picture))
    picture = picture.convert("RGB")
    exact, near = _saved(picture, lossless=True, xmp=xmp), _saved(picture, quality=75, method=6, xmp=xmp)
    return near if 2 * len(near) <= len(exact) else exact


def animation_bytes(pictures: Sequence[Image.Image], told: Mapping[str, object] | None = None) -> bytes:
    """Pictures as an animated WebP that goes from the first to the last and back, for ever. told: its texts, as XMP.

    The bytes depend on the pixels and the texts alone.
    """
    first, *others = [picture.convert("RGB") for picture in [*pictures, *pictures[-2:0:-1]]]
    times = [FRAME] * (len(others) + 1)
    times[0] = times[len(pictures) - 1] = END
    xmp = xmp_of({key: str(value) for key, value in (told or {}).items()})
    return _saved(first, save_all=True, append_images=others, duration=times, loop=0, quality=85, method=4, xmp=xmp)


def figure_bytes(figure: Any) -> bytes:
    """matplotlib's figure as WebP."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    return webp_bytes(Image.open(content))


def _saved(picture: Image.Image, **how: Any) -> bytes:
    content = io.BytesIO()
    picture.save(content, "WEBP", **how)
    return content.getvalue()
