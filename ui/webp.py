"""Pictures for documents, as small WebP files."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from core.png import texts_of, xmp_of


def webp_bytes(picture: Image.Image) -> bytes:
    """An opaque picture as WebP: lossless, unless a loss that is hardly visible makes it half as large or smaller.
    Charts stay sharp this way, and sheets of drawings get small. What a PNG says of itself stays, as XMP.
    """
    xmp = xmp_of(texts_of(picture))
    picture = picture.convert("RGB")
    exact, near = _saved(picture, lossless=True, xmp=xmp), _saved(picture, quality=85, method=6, xmp=xmp)
    return near if 2 * len(near) <= len(exact) else exact


def figure_bytes(figure: Any) -> bytes:
    """matplotlib's figure as WebP."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
    return webp_bytes(Image.open(content))


def _saved(picture: Image.Image, **how: Any) -> bytes:
    content = io.BytesIO()
    picture.save(content, "WEBP", **how)
    return content.getvalue()
