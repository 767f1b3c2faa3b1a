"""Sheet of concepts: one picture with a card for each, with name, parents and drawings."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from core.errors import ConceptreeError
from core.files import write_atomically
from core.png import png_bytes

PAPER, CARD, INK, GREY, FRAME = "#f4f3ef", "#ffffff", "#1c1c1c", "#5f5f5f", "#d9d7d0"
MARGIN, GAP, PAD = 24, 16, 12
TITLE, NAME, SMALL = 26, 20, 14
LINE = 18  # from one small line to the next
MOST_LINES = 3
MOST_LETTERS = 1000  # of any text: more than fits anywhere


@dataclass(frozen=True)
class Card:
    """A card: name, lines below it, pictures in the order of the columns."""

    name: str
    lines: Sequence[str] = field(default_factory=tuple)
    pictures: Sequence[Image.Image] = field(default_factory=tuple)


def sheet(title: str, captions: Sequence[str], cards: Sequence[Card], tile: int = 144, columns: int = 2) -> Image.Image:
    """Cards in `columns` columns, with captions for the pictures of a card above each column.

    tile: the side of a picture in pixels. Small drawings are enlarged smoothly, large ones reduced.
    """
    columns = max(1, min(columns, len(cards)))
    shown = max([len(captions), *(len(card.pictures) for card in cards)], default=0) or 1
    inner = shown * tile + (shown - 1) * PAD // 2
    wide = inner + 2 * PAD
    texts = [_wrapped_lines(card.lines, inner) for card in cards]
    rows = [range(first, min(first + columns, len(cards))) for first in range(0, len(cards), columns)]
    heights = [2 * PAD + NAME + 8 + LINE * max(len(texts[i]) for i in row) + tile + 6 for row in rows]
    heads = [_wrapped(caption, tile, 2) for caption in captions]
    head = LINE * max((len(lines) for lines in heads), default=0)

    width = 2 * MARGIN + columns * wide + (columns - 1) * GAP
    top = MARGIN + TITLE + 14
    page = Image.new("RGB", (width, top + head + 8 + sum(heights) + GAP * len(rows) + MARGIN - GAP), PAPER)
    pen = ImageDraw.Draw(page)
    pen.text((MARGIN, MARGIN - 4), cut(title, width - 2 * MARGIN, TITLE), fill=INK, font=font_of(TITLE))
    for column in range(columns):
        left = MARGIN + column * (wide + GAP) + PAD
        for place, lines in enumerate(heads):
            _write(pen, left + place * (tile + PAD // 2), top, lines, GREY)
    y = top + head + 8
    for row, height in zip(rows, heights, strict=True):
        for column, i in enumerate(row):
            x = MARGIN + column * (wide + GAP)
            pen.rounded_rectangle((x, y, x + wide, y + height), 8, fill=CARD, outline=FRAME)
            pen.text((x + PAD, y + PAD - 4), cut(cards[i].name, inner, NAME), fill=INK, font=font_of(NAME))
            _write(pen, x + PAD, y + PAD + NAME + 4, texts[i], GREY)
            for place, picture in enumerate(cards[i].pictures):
                corner = x + PAD + place * (tile + PAD // 2), y + height - PAD - tile
                page.paste(fitted(picture, tile), corner)
        y += height + GAP
    return page


def opened(file: Path) -> Image.Image:
    """A stored drawing as RGB."""
    try:
        with Image.open(file) as picture:
            return picture.convert("RGB")
    except Exception as error:  # Pillow raises any exception for a broken file
        raise ConceptreeError(f"the drawing {str(file)!r} cannot be read: {error}") from error


def fitted(picture: Image.Image, tile: int) -> Image.Image:
    """The picture scaled into a square of `tile` pixels."""
    picture = picture.convert("RGB")
    scale = tile / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    # Bicubic keeps edges without the ripples that Lanczos draws beside those of an enlarged flat drawing.
    resampling = Image.Resampling.BICUBIC if scale > 1 else Image.Resampling.LANCZOS
    square = Image.new("RGB", (tile, tile), CARD)
    square.paste(picture.resize(size, resampling), ((tile - size[0]) // 2, (tile - size[1]) // 2))
    return square


def save_sheet(page: Image.Image, path: Path, told: Mapping[str, object] | None = None) -> Path:
    """Write a sheet as PNG. told: its text chunks."""
    write_atomically(path, png_bytes(page, told, optimize=True))
    return path


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # Pillow brings it along: the same sheet on every machine


def text_length(text: str, size: int) -> float:
    return font_of(size).getlength(text)


def _clean(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:MOST_LETTERS])


def cut(text: str, width: float, size: int) -> str:
    """As much of a line as fits."""
    text = _clean(text)
    if text_length(text, size) <= width:
        return text
    over = bisect_right(range(len(text)), width, key=lambda n: text_length(text[:n] + "…", size))
    return text[: max(0, over - 1)].rstrip() + "…"


def _wrapped(text: str, width: float, most: int) -> list[str]:
    """Small text in at most `most` lines, cut with an ellipsis."""
    lines: list[str] = []
    rest = _clean(text).split()
    while rest and len(lines) < most - 1:
        line = rest.pop(0)
        while rest and text_length(f"{line} {rest[0]}", SMALL) <= width:
            line += f" {rest.pop(0)}"
        lines.append(cut(line, width, SMALL))
    return [*lines, cut(" ".join(rest), width, SMALL)] if rest else lines


def _wrapped_lines(texts: Sequence[str], width: float) -> list[str]:
    return [line for text in texts for line in _wrapped(text, width, MOST_LINES)]


def _write(pen: ImageDraw.ImageDraw, x: float, y: float, lines: Sequence[str], colour: str) -> None:
    for number, line in enumerate(lines):
        pen.text((x, y + number * LINE), line, fill=colour, font=font_of(SMALL))
