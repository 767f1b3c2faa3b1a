"""What pictures show, said for people who cannot see them."""

from __future__ import annotations

from evolve.store.run import Drawing, Entry


def described(entry: Entry, drawing: Drawing | None = None) -> str:
    """What a picture of a concept shows; drawing: in whose prompt."""
    what = f"a style of {entry.category}" if entry.kind == "style" else f"{_article(entry.category)} {entry.category}"
    of = f"{titled(drawing, entry)}, of {what}" if drawing else f"{entry.name}, {what}"
    return f"{of} that does not exist"


def titled(drawing: Drawing, entry: Entry) -> str:
    """A drawing's prompt with the concept's name in it."""
    return drawing.prompt.replace("{}", entry.name)


def _article(noun: str) -> str:
    return "an" if noun[:1].lower() in "aeiou" else "a"
