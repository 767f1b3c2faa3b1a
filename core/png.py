"""Metadata in pictures: text chunks of PNG, and the same as XMP for WebP."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

SOFTWARE = "Conceptree"
LONGEST = 2000  # characters of one text
MOST_TEXTS, MOST_CHUNKS = 64, 100_000  # that are read of a stranger's file
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


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
    except Exception:  # Pillow raises any exception for a broken file
        return {}


def strangers_texts(content: bytes) -> dict[str, str]:
    """The first text of each keyword in a PNG that may come from a stranger; {} for any other content.

    Reads uncompressed chunks of at most LONGEST characters, MOST_TEXTS of them, and no pixels. Control characters are
    replaced. A damaged file gives the texts before the damage.
    """
    found: dict[str, str] = {}
    at = len(_SIGNATURE)
    if not content.startswith(_SIGNATURE):
        return found
    for _ in range(MOST_CHUNKS):
        if len(found) == MOST_TEXTS or at + 8 > len(content):
            break
        length, kind = struct.unpack_from(">I4s", content, at)
        if kind in (b"tEXt", b"iTXt") and length <= 4 * LONGEST + 200:
            keyword, _, text = content[at + 8 : at + 8 + length].partition(b"\0")
            if kind == b"iTXt":  # flag of compression, its method, language, translated keyword, text
                text = b"" if text[:1] != b"\0" else text[2:].split(b"\0", 2)[-1]
            if text:
                decoded = text.decode("utf-8" if kind == b"iTXt" else "latin-1", errors="replace")
                found.setdefault(_text(keyword.decode("latin-1")), _text(decoded))
        at += 12 + length
    return found


def xmp_of(told: Mapping[str, str]) -> bytes:
    """Texts as an XMP packet with one description, `key: value` a line; b"" for none."""
    if not told:
        return b""
    text = escape("\n".join(f"{key}: {' '.join(value.splitlines())}" for key, value in told.items()), quote=False)
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
