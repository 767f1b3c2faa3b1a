"""Text for people: numbers with their nouns, and suggestions for mistyped names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

MOST = 4  # names that are suggested
VERY_NEAR = 0.75  # how similar a name is that is suggested by its spelling alone, from 0 to 1


def counted(number: int, one: str, several: str = "") -> str:
    """`1 step`, `2 steps`, `12,000 steps`; several: an irregular plural."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def meant(given: str, known: Iterable[str], most: int = MOST) -> list[str]:
    """The known names that `given` may mean, nearest first.

    These are names that differ only in case or accents, or else by one letter, or else whole words of `given`, or else
    names that are very similar.
    """
    plain: dict[str, list[str]] = {}
    for name in dict.fromkeys(known):
        plain.setdefault(_plain(name), []).append(name)
    wanted = _plain(given)
    near = [wanted] if wanted in plain else [name for name in plain if _one_letter_apart(wanted, name)]
    near = near or _words_of(wanted, plain) or get_close_matches(wanted, plain, n=most, cutoff=VERY_NEAR)
    return [name for key in near for name in plain[key]][:most]


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`did you mean bege?`, or '' if no known name is near; see `meant`."""
    near = [name if name.isprintable() else repr(name) for name in meant(given, known)]
    return f"did you mean {', '.join(near)}?" if near else ""


def _plain(name: str) -> str:
    """The name without case, accents and doubled spaces."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    return " ".join("".join(c for c in letters if not unicodedata.combining(c)).split())


def _words_of(text: str, names: Iterable[str]) -> list[str]:
    """The names that are words of the text, in its order and the longest first, or else one letter apart from one."""
    names = list(names)
    within = [name for name in names if f" {name} " in f" {text} "]
    if within or " " not in text:
        return sorted(within, key=lambda name: (f" {text} ".find(f" {name} "), -len(name)))
    long = [word for word in text.split() if len(word) > 3]  # others are near too many names
    return [name for word in long for name in names if _one_letter_apart(word, name)]


def _one_letter_apart(one: str, other: str) -> bool:
    """Whether one letter is missing, added or changed, or two neighbours are swapped."""
    if abs(len(one) - len(other)) > 1 or max(len(one), len(other)) < 3:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    a, b = one[start:], other[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[1::-1] and a[2:] == b[2:])
