"""Checks input for a plan against a stack: words, negatives, numbers, precision."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from core.concept import checked_word
from core.errors import ConceptreeError, StackError
from core.negatives import says_again
from core.settings import Settings, SettingsError
from core.stack.protocols import Draws
from core.texts import checked_text
from core.wording import did_you_mean


class WordError(ConceptreeError):
    """A word that the stack does not know, or that does not fit the request."""


class UnknownWordError(WordError):
    """The stack has no tokens for a word."""


def checked_words(stack: Draws, words: Iterable[str], what: str, known: Sequence[str] = ()) -> tuple[str, ...]:
    """The words in NFC, with single spaces.

    known: words to name in an error if none is similar; by default the categories.

    Raises:
        UnknownWordError: the stack has no tokens for a word.
        WordError: a word has control characters or the like.
    """
    return tuple(_checked(stack, given, what, known) for given in words)


def _checked(stack: Draws, given: str, what: str, known: Sequence[str]) -> str:
    word = checked_text(checked_word(given, what), what, error=WordError)
    if not stack.knows(word):
        near = _near(stack, word, known)
        raise UnknownWordError(f"the stack {stack.version} does not know the {what} {word!r}: {near}")
    return word


def negatives_from(stack: Draws, category: str, kind: str, given: str) -> tuple[str, tuple[str, ...]]:
    """(schedule, negatives) of `--negatives`: adaptive, none, gradual, or words with commas between."""
    if given in ("adaptive", "none"):
        return given, ()
    if given == "gradual":
        words = tuple(word for word in stack.vocabulary.members(category, kind) if not says_again(word, category))
        if not words:
            raise WordError(f"the stack {stack.version} lists no members of {category!r}: name negatives yourself")
        return "gradual", words
    words = tuple(word.strip() for word in given.split(",") if word.strip())
    if not words:
        raise WordError(f"negatives = {given!r}: expected adaptive, none, gradual, or words with commas between")
    return "list", checked_words(stack, words, "negative", stack.vocabulary.members(category, kind))


def chosen_settings(
    stack: Draws,
    preset: str = "default",
    kind: str = "object",
    mixing: bool = False,
    category: str = "",
    steps: int | None = None,
    **others: Any,
) -> Settings:
    """The stack's calibrated settings, with the given values in their place. With fewer steps, segments are shorter."""
    given = {name: value for name, value in others.items() if value is not None}
    if not 0 <= given.get("lam", 0) < math.inf:  # NaN is neither
        raise SettingsError(f"--lambda {given['lam']}: expected a number of at least 0")
    settings = Settings.for_stack(stack, preset, kind, mixing, category, **given)
    if steps is None:
        return settings
    segment = settings.segment if "segment" in given else min(settings.segment, _scaled(settings, steps))
    return Settings.for_stack(stack, preset, kind, mixing, category, **{**given, "steps": steps, "segment": segment})


def _scaled(settings: Settings, steps: int) -> int:
    return max(1, round(settings.segment * steps / max(1, settings.steps)))


def precision_of(stack: Draws) -> str:
    """The precision of a stack's frozen parts, as --dtype names it."""
    return str(stack.dtype).removeprefix("torch.")


def check_precision(begun: str, stack: Draws) -> None:
    """Raise a StackError if a job was begun in another precision than the stack's."""
    if begun != (now := precision_of(stack)):
        raise StackError(f"the job began in {begun}, and {now} would give another result: use --dtype {begun}")


def _near(stack: Draws, word: str, instead: Sequence[str]) -> str:
    categories = sorted(stack.vocabulary.categories)
    # A dict, because some categories are names as well.
    known = list(dict.fromkeys([*instead, *categories, *stack.vocabulary.words]))
    if near := did_you_mean(word, known):
        return near
    if instead:
        return f"it knows such as {', '.join(instead[:12])}"
    return f"it knows categories such as {', '.join(categories[:12])}" if categories else "choose another"
