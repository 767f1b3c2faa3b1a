"""Concepts as cards of a grid."""

from __future__ import annotations

from evolve.store.run import Drawing, Entry
from ui.view import links
from ui.view.cards import Card
from ui.view.described import described

SIDE = 256  # pixels of the picture that is sent
HINT = "Click to select; Ctrl or Shift for several."


def card_of(
    run: str, entry: Entry, drawing: Drawing | None, line: str, id_: str = "", has_prompt: bool = False
) -> Card:
    """A card of a concept with one of its drawings. has_prompt: the alternative text includes the prompt."""
    there = drawing is not None and drawing.file.is_file()
    return Card(
        id=id_ or entry.id,
        title=entry.name,
        image=links.picture(run, drawing, SIDE) if there and drawing else "",
        alt=described(entry, drawing if has_prompt else None) if there else "",
        line=line,
        generation=entry.generation,
        rating=entry.note.rating,
        favourite=entry.note.favourite,
        hidden=entry.note.hidden,
    )
