"""Metadata in pictures: text chunks of PNG, and the same as XMP for WebP."""

from __future__ import annotations

import io
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

SOFTWARE = "Conceptree"
LONGEST = 2000  # characters of one text


def png_bytes(picture: Image.Image, told: Mapping[str, object] | None = None, **how: Any) -> bytes:
    """A picture as PNG. told: its text chunks by keyword; empty values are left out. how: options of Pillow's writer.

    The bytes depend on the pixels and the texts alone; earlier metadata is dropped.
    """
    chunks = PngInfo()
    for key, value in (told or {}).items():
        if text := _text(value):
            chunks.add_itxt(key, text) if not text.isascii() else chunks.add_text(key, text)
    if told:
        chunks.add_text("Software", SOFTWARE)
    content = io.BytesIO()
    picture.save(content, format="PNG", pnginfo=chunks, **how)
    return content.getvalue()


def texts_of(picture: Image.Image) -> dict[str, str]:
    """The text chunks of an opened PNG."""
    return {key: str(value) for key, value in getattr(picture, "text", {}).items()}


def texts_in(file: Path) -> dict[str, str]:
    """The text chunks of a PNG file; none if it cannot be read."""
    try:
        with Image.open(file) as picture:
            return texts_of(picture)
    except (OSError, ValueError, Image.DecompressionBombError):
        return {}


def xmp_of(told: Mapping[str, str]) -> bytes:
    """Texts as an XMP packet with one description, `key: value` a line; b"" for none."""
    if not told:
        return b""
    text = escape("\n".join(f"{key}: {value}" for key, value in told.items()), quote=False)
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>'
        f'<rdf:li xml:lang="x-default">{text}</rdf:li>'
        "</rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def _text(value: object) -> str:
    """The value as a chunk can hold it: without control characters or lone surrogates, cut to LONGEST."""
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)[:LONGEST]
