"""Search of concepts by names, words, tags, comments and prompts, with the reason for each match."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.texts import folded
from evolve.store.rows import Entry

NAME, CATEGORY, LIKE, NOT, TAG, COMMENT, PROMPT = "name", "category", "like", "not", "tag", "comment", "prompt"
FIELDS = (NAME, CATEGORY, LIKE, NOT, TAG, COMMENT, PROMPT)  # what a term such as `not:cat` can be limited to
BEFORE, SHOWN = 12, 40  # characters of a comment before a match, and in all
_TERM = re.compile(r'(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))')
Words = tuple[Sequence[str], Sequence[str]]  # positives and negatives of a concept, as in `Run.words`


@dataclass(frozen=True)
class Term:
    """Text to find, folded. field: one of `FIELDS`, or "" for all."""

    text: str
    field: str = ""


def terms_of(text: str) -> list[Term]:
    """The terms of a search, which must all be found: `fluffy not:cat "long tail"`."""
    found = []
    for field, quoted, word in _TERM.findall(text):
        told = quoted or word
        term = Term(folded(told), field) if field in FIELDS else Term(folded(f"{field}:{told}" if field else told))
        if term.text:
            found.append(term)
    return found


def reasons(terms: Iterable[Term], entry: Entry, words: Words, prompts: Sequence[str]) -> list[str] | None:
    """Where the terms are found, such as `not black cat` or `tag forest`; None if one of them is not.

    A match of the concept's name needs no reason.
    """
    found: dict[tuple[str, str], str] = {}
    texts = list(_texts(entry, words, prompts))
    for term in terms:
        matches = [each for each in texts if term.field in ("", each[0]) and term.text in folded(each[1])]
        if not matches:
            return None
        for field, text in matches:
            found.setdefault((field, text), _reason(field, text, term, entry))
    return [reason for reason in found.values() if reason]


def _texts(entry: Entry, words: Words, prompts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each text that a search reaches, with its field."""
    yield NAME, entry.name
    yield NAME, entry.born
    yield CATEGORY, entry.category
    positives, negatives = words
    yield from ((LIKE, word) for word in positives if word != entry.category)
    yield from ((NOT, word) for word in negatives)
    yield from ((TAG, tag) for tag in entry.note.tags)
    yield COMMENT, entry.note.comment
    yield from ((PROMPT, prompt) for prompt in dict.fromkeys(prompts))


def _reason(field: str, text: str, term: Term, entry: Entry) -> str:
    match field:
        case "name":
            return "" if text == entry.name else f"born as {text}"
        case "comment":
            line = " ".join(text.split())
            start = max(0, folded(line).find(term.text) - BEFORE)
            end = start + SHOWN
            return f"comment “{'…' if start else ''}{line[start:end]}{'…' if end < len(line) else ''}”"
        case "prompt":
            return f"drawn in “{text.replace('{}', '…')}”"
    return f"{field} {text}"
