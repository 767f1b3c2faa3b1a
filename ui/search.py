"""Search of concepts by names, words, tags, comments and prompts, with the reason for each match."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product, zip_longest

from core.texts import folded
from core.wording import meant
from evolve.store.rows import Entry

NAME, CATEGORY, LIKE, NOT, TAG, COMMENT, PROMPT = "name", "category", "like", "not", "tag", "comment", "prompt"
FIELDS = (NAME, CATEGORY, LIKE, NOT, TAG, COMMENT, PROMPT)  # what a term such as `not:cat` can be limited to
BEFORE, SHOWN = 12, 40  # characters of a comment before a match, and in all
_TERM = re.compile(r'(?:([a-z]+):)?(?:"([^"]*)"?|(\S+))')
Words = tuple[Sequence[str], Sequence[str]]  # positives and negatives of a concept, as in `Run.words`
Text = tuple[str, str]  # a text that a search reaches, after its field
MOST = 6  # searches and words that are proposed
TRIED = 64  # combinations of words that are tried for a proposal


@dataclass(frozen=True)
class Term:
    """Text to find, folded. field: one of `FIELDS`, or "" for all."""

    text: str
    field: str = ""

    def fits(self, field: str, text: str) -> bool:
        """Whether it is found in a text of that field."""
        return self.field in ("", field) and self.text in folded(text)

    def __str__(self) -> str:
        """The term as a person types it."""
        text = f'"{self.text}"' if " " in self.text or ":" in self.text else self.text
        return f"{self.field}:{text}" if self.field else text


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
    there = list(texts(entry, words, prompts))
    for term in terms:
        matches = [each for each in there if term.fits(*each)]
        if not matches:
            return None
        for field, text in matches:
            found.setdefault((field, text), _reason(field, text, term, entry))
    return [reason for reason in found.values() if reason]


def proposed(terms: Sequence[Term], there: Sequence[Sequence[Text]]) -> list[str]:
    """Searches instead of one that finds nothing, the nearest first; each finds something.

    there: what a search reaches, concept by concept. A term that is nowhere is replaced by the nearest known words, or
    looked for in another field that has it. If no concept has all terms, they are proposed one by one.
    """
    every = [each for texts in there for each in texts]
    instead = [_instead(term, every) for term in terms]
    together = [list(each) for each in islice(product(*instead), TRIED) if each] if len(terms) <= MOST else []
    alone = [[each] for place in zip_longest(*instead) for each in place if each] if len(terms) > 1 else []
    for searches in (together, alone):
        found = [" ".join(map(str, each)) for each in searches if each != list(terms) and _finds(each, there)]
        if found:
            return list(dict.fromkeys(found))[:MOST]
    return []


def _finds(terms: Sequence[Term], there: Sequence[Sequence[Text]]) -> bool:
    """Whether a concept has all terms."""
    return any(all(any(term.fits(*each) for each in texts) for term in terms) for texts in there)


def _instead(term: Term, there: Sequence[Text]) -> list[Term]:
    """The term if a text has it; else the fields that have it, or else the nearest known words."""
    if any(term.fits(*each) for each in there):
        return [term]
    fields = dict.fromkeys(field for field, text in there if Term(term.text).fits(field, text))
    if fields:
        return [Term(term.text, field) for field in fields]
    known = [folded(text) for field, text in there if field not in (COMMENT, PROMPT) and term.field in ("", field)]
    return [Term(near, term.field) for near in meant(term.text, [*known, *" ".join(known).split()])]


def common(there: Iterable[Text]) -> list[str]:
    """Searches for the most common tags and words of concepts."""
    counts = Counter(folded(text) for field, text in there if field in (LIKE, NOT, TAG))
    return [str(Term(text)) for text, _ in counts.most_common(MOST)]


def texts(entry: Entry, words: Words, prompts: Sequence[str]) -> Iterator[Text]:
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
