"""Text of users where Streamlit reads Markdown: captions, labels, messages."""

from __future__ import annotations

import re

JOINER = "\N{WORD JOINER}"  # no width, no line break
_MARKS = re.compile(r"""([!-/:-@\[-`{-~])""")
# Streamlit replaces these after Markdown, where a backslash has no effect: `:smile:`, `:material_pets:`, addresses,
# arrows.
_LATE = re.compile(r"(?<=[:@])(?=\S)|(?<=www)(?=\.)|(?<=[-<>~])(?=[-=>])", re.IGNORECASE)


def plain(text: str) -> str:
    """Markdown that shows `text` as it was typed, on one line: no HTML, links, colours, formulas or icons."""
    return _MARKS.sub(r"\\\1", _LATE.sub(JOINER, on_one_line(text)))


def on_one_line(text: str) -> str:
    """`text` with single spaces; characters that cannot be seen are replaced by a mark, except in joined emoji."""
    words = " ".join(text.replace(JOINER, "").split())
    return "".join(c if c.isprintable() or c == "\u200d" else "\N{REPLACEMENT CHARACTER}" for c in words)


def shortened(text: str, most: int) -> str:
    """`text` on one line of at most `most` characters."""
    line = on_one_line(text)
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"


def left(seconds: float | None) -> str:
    """Remaining time in words: `about 3 min left`; "" if unknown."""
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
