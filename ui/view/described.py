"""Concepts and drawings in words: captions, and alternative texts for people who cannot see the pictures."""

from __future__ import annotations

from evolve.store.run import Drawing, Entry


def described(entry: Entry, drawing: Drawing | None = None) -> str:
    """Alternative text of a concept's picture; with a drawing, its prompt too."""
    category = category_of(entry.category, entry.kind)
    article = "an" if category[:1].lower() in "aeiou" else "a"
    shown = f"{titled(drawing, entry)}, of" if drawing else f"{entry.name},"
    return f"{shown} {article} {category} that does not exist"


def titled(drawing: Drawing, entry: Entry) -> str:
    """A drawing's prompt with the concept's name in it."""
    return drawing.prompt.replace("{}", entry.name)


def seeded(drawing: Drawing) -> str:
    """A drawing's seed, and how another decoder than the stack's own drew it."""
    return f"seed {drawing.seed}{f', {drawing.rendered.brief}' if drawing.rendered else ''}"


def category_of(category: str, kind: str) -> str:
    """`pet`, or `style of painting`."""
    return f"style of {category}" if kind == "style" else category
