"""Text from outside the program, checked in one place: typed in a command or on a page, or read from a file.

New text is stored in Unicode NFC. Stored text is never normalised again, since ids are hashes of it.
"""

from __future__ import annotations

import unicodedata

from core.errors import ConceptreeError

_SHOWN = 80  # characters of a refused text that its error repeats
_JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"  # parts of Persian words and of emoji
_DIRECTIONS = {chr(c) for c in (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}
_FAULTS = {
    "Cc": "a control character",
    "Cf": "an invisible character",
    "Cs": "half of a character",
    "Zl": "a line break",
    "Zp": "a line break",
}


class TextError(ConceptreeError):
    """Text that cannot be stored or shown."""


def fault(text: str, *, lines: bool = False) -> str:
    """The first character that makes `text` unusable, such as `a control character (U+0007)`; "" if there is none.

    Refused: control characters, invisible ones, those that change the direction of text, lone surrogates. lines:
    whether line breaks and tabs are allowed.
    """
    if text.isprintable():
        return ""
    for c in text:
        found = _FAULTS.get(unicodedata.category(c))
        if found and c not in _JOINERS and not (lines and c in "\n\r\t"):
            found = "a character that changes the direction of text" if c in _DIRECTIONS else found
            return f"{found} (U+{ord(c):04X})"
    return ""


def checked_text(text: str, what: str, *, lines: bool = False, error: type[ConceptreeError] = TextError) -> str:
    """The text in NFC, one line with plain spaces; raises `error` if it has a `fault`."""
    if found := fault(text, lines=lines):
        raise error(f"{what} = {text[:_SHOWN]!r} has {found}: remove it")
    if not lines:
        text = "".join(" " if unicodedata.category(c) == "Zs" else c for c in text)
    return unicodedata.normalize("NFC", text)


def checked_label(text: str, what: str, most: int, *, error: type[ConceptreeError] = TextError) -> str:
    """`checked_text` with single spaces, of 1 to `most` characters: a tag, the name of a board."""
    label = " ".join(checked_text(text, what, error=error).split())
    if not 0 < len(label) <= most:
        raise error(f"{what} = {label[:_SHOWN]!r}: give 1 to {most} characters")
    return label


def folded(text: str) -> str:
    """The same for texts that differ only in case or in what `one_name` ignores."""
    return one_name(one_name(text).casefold())


def one_name(name: str) -> str:
    """The same for names that look the same: composed or decomposed accents, full-width letters, kinds of spaces."""
    return " ".join(unicodedata.normalize("NFKC", name).split())
