"""Short names that can be said aloud, so that people can talk about concepts that have no word yet."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

_CONSONANTS = "bdfgklmnprstvz"
_VOWELS = "aeiou"


def name_for(concept_id: str, taken: Collection[str] = ()) -> str:
    """A name of two syllables ("moku"), or more where those are `taken`; it follows from the id."""
    for attempt in range(1000):
        digest = hashlib.sha256(f"{concept_id}/{attempt}".encode()).digest()
        # Two syllables give 4,900 names; after some collisions three, then four.
        name = "".join(_syllable(digest[i], digest[i + 8]) for i in range(2 + attempt // 20))
        if name not in taken:
            return name
    raise AssertionError("a thousand names are taken, of up to fifty syllables")


def _syllable(a: int, b: int) -> str:
    return _CONSONANTS[a % len(_CONSONANTS)] + _VOWELS[b % len(_VOWELS)]
