"""Names of concepts: short, pronounceable names at birth, and rules for chosen names."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from itertools import count
from typing import Protocol

from core.concept import LONGEST_WORD
from core.texts import folded
from evolve.store.parts import RunError

_CONSONANTS = "bdfgklmnprstvz"
_VOWELS = "aeiou"
_MARKS = " -_'."


class Named(Protocol):
    """Anything with a newest name, a name at birth and an id."""

    @property
    def name(self) -> str: ...
    @property
    def born(self) -> str: ...
    @property
    def id(self) -> str: ...


def name_for(concept_id: str, taken: Collection[str] = ()) -> str:
    """Name made from the id: two syllables ("moku"), or more if those are `taken`."""
    return next(name for name in candidates(concept_id) if name not in taken)


def candidates(concept_id: str) -> Iterator[str]:
    """Candidates for the name at birth; the first free one is taken."""
    for attempt in count():
        digest = hashlib.sha256(f"{concept_id}/{attempt}".encode()).digest()
        # Two syllables give 4,900 names; after some collisions three, then four.
        yield "".join(_syllable(digest[i % 24], digest[i % 24 + 8]) for i in range(2 + attempt // 20))


def check_name(name: str) -> None:
    """Raise RunError if a name cannot be typed as NAME or NAME:WEIGHT in a command, or printed on a sheet.

    Words that the stack knows are allowed, even the category: people call a cat Tiger.
    """
    typed = all(c in _MARKS or unicodedata.category(c)[0] in "LMN" for c in name)
    if not name.strip() or name != name.strip() or name[0] in "-." or not typed or len(name) > LONGEST_WORD:
        raise RunError(
            f"{name[:LONGEST_WORD]!r} is not a valid name of a concept: give up to {LONGEST_WORD} letters, digits,"
            " spaces and - _ ' . with neither - nor . first"
        )


def check_free(name: str, others: Iterable[Named]) -> None:
    """Raise RunError if the name matches another concept's name, birth name or id.

    Case does not count, nor does the Unicode form: exported files have these names, and many disks ignore both.
    """
    for each in others:
        if folded(name) in (folded(each.name), folded(each.born), each.id):
            raise RunError(f"the name {name!r} is taken, by {each.id} ({each.name}): choose another")


def _syllable(a: int, b: int) -> str:
    return _CONSONANTS[a % len(_CONSONANTS)] + _VOWELS[b % len(_VOWELS)]
