"""People's own words in places where Streamlit reads Markdown: captions, labels, messages. They stay what was typed."""

from __future__ import annotations

import re

JOINER = "\N{WORD JOINER}"  # has no width, and no line breaks there
_MARKS = re.compile(r"""([!-/:-@\[-`{-~])""")
# Streamlit looks for these after Markdown has been read, where a backslash no longer helps: `:smile:`,
# `:material_pets:`, addresses, arrows.
_LATE = re.compile(r"(?<=[:@])(?=\S)|(?<=www)(?=\.)|(?<=[-<>~])(?=[-=>])", re.IGNORECASE)


def plain(text: str) -> str:
    """Markdown that shows `text` as it was typed, on one line: no HTML, no links, no colours, formulas or icons."""
    return _MARKS.sub(r"\\\1", _LATE.sub(JOINER, on_one_line(text)))


def on_one_line(text: str) -> str:
    """With single spaces for whatever whitespace there is, and a mark for what nobody can see, but for joined emoji."""
    words = " ".join(text.replace(JOINER, "").split())
    return "".join(c if c.isprintable() or c == "\u200d" else "\N{REPLACEMENT CHARACTER}" for c in words)


def shortened(text: str, most: int) -> str:
    """On one line of at most `most` characters."""
    line = on_one_line(text)
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def left(seconds: float | None) -> str:
    """How much time is left, as one says it: `about 3 min left`; empty where nobody knows."""
    if seconds is None:
        return ""
    if seconds < 8:
        return "a few seconds left"
    return f"about {_round(seconds)} left"


def _round(seconds: float) -> str:
    if seconds < 55:
        return f"{max(10, round(seconds / 10) * 10)} s"
    if seconds < 3570:
        return f"{max(1, round(seconds / 60))} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"
