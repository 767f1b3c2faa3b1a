"""A person's decisions about new negatives: agree, choose other words, drop some, go back to an earlier step.

An invalid decision leads to another question, not to an error: people mistype, and a batch may hold hours of learning.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from core.concept import Negative, Request
from core.errors import ConceptreeError
from core.negatives import Answer, says_nothing, strip_article
from core.texts import checked_text

# After this many impossible decisions the proposal is used, so that a script that repeats itself ends.
MOST_TRIES = 20


class ReviewError(ConceptreeError):
    """An invalid decision on a negative."""


@dataclass(frozen=True)
class Proposal:
    """A question about new negatives: the proposed `words`, the negatives so far, and the reason.

    id: of the request. earlier: the steps to which a person can go back; negatives_then: the negatives at each.
    problem: why the last decision was refused; "" the first time. decided: earlier decisions about this concept, so
    that a question that comes again, because a person went back, differs from the first one. last: at the end, where
    only going back has an effect.
    """

    id: str
    step: int
    request: Request
    words: tuple[str, ...]
    negatives: tuple[Negative, ...]
    images: tuple[Any, ...]
    answers: tuple[Answer, ...]
    note: str
    earlier: tuple[int, ...] = ()
    problem: str = ""
    negatives_then: Mapping[int, Sequence[Negative]] = field(default_factory=dict)  # by earlier step
    decided: int = 0
    last: bool = False


@dataclass(frozen=True)
class Decision:
    """A person's answer: `words` replace the proposed ones (none: a veto), `drop` are removed.

    back_to: restore the concept as it was at that earlier step, before its question, and discard later steps. `words`
    and `drop` are then the answer to that question; without them it is asked again. note: for people, how the decision
    was made.
    """

    words: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    back_to: int | None = None
    note: str = ""


Review = Callable[[Proposal], Decision | None]
"""Called at each boundary before the last, with `Options.review_last` also there; None agrees with the proposal."""


def ask(
    review: Review, proposal: Proposal, earlier: Mapping[int, Sequence[Negative]], stack: Any
) -> tuple[Decision | None, str]:
    """(the valid decision, or None for the proposal itself; a note for people)

    earlier: the negatives at each step to which a person can go back. After a decision that `checked` refuses, the
    review is called again with the reason as the proposal's `problem`.
    """
    proposal = replace(proposal, earlier=tuple(earlier), negatives_then=earlier)
    for _ in range(MOST_TRIES):
        decision = review(proposal)
        if decision is None:
            return None, ""
        try:
            decision = checked(decision, proposal, earlier, stack)
        except ReviewError as error:
            proposal = replace(proposal, problem=str(error))
            continue
        agrees = replace(decision, note="") == Decision(proposal.words)
        return (None, decision.note) if agrees else (decision, decision.note)
    return None, f"as proposed, after {MOST_TRIES} decisions that cannot be followed ({proposal.problem})"


def checked(decision: Decision, proposal: Proposal, earlier: Mapping[int, Sequence[Negative]], stack: Any) -> Decision:
    """The decision with its words as prompts will have them: cleaned like a namer's answers.

    Raises:
        ReviewError: it is invalid, or a Request would refuse it.
    """
    if not isinstance(decision, Decision):
        raise ReviewError(f"{decision!r} is not a decision: give a Decision, or None to agree")
    for name in ("words", "drop"):
        given = getattr(decision, name)
        if not isinstance(given, tuple | list) or not all(isinstance(word, str) for word in given):
            raise ReviewError(f"{name} = {given!r}: expected a list of words")
    negatives, proposed = proposal.negatives, proposal.words
    if decision.back_to is not None:
        if type(decision.back_to) is not int or decision.back_to not in earlier:
            steps = ", ".join(map(str, earlier)) or "none yet"
            raise ReviewError(f"no checkpoint to go back to at step {decision.back_to}: there are {steps}")
        negatives, proposed = tuple(earlier[decision.back_to]), ()
    there = [negative.word for negative in negatives]
    drop = []
    for given in decision.drop:
        word = _same(given, there)
        if word is None:
            raise ReviewError(
                f"{given!r} is not a negative, so it cannot be dropped: there are {', '.join(there) or 'none'}"
            )
        drop.append(word)
    taken = [word for word in there if word not in drop]
    words: list[str] = []
    for given in decision.words:
        # Any proposed word may be added: in the presets of the paper that may be the category, or a repeat.
        word = _same(given, proposed) or _added(given, taken, proposal.request, stack)
        if _same(word, words):
            raise ReviewError(f"{word!r} is given twice: give it once")
        words.append(word)
    return Decision(tuple(words), tuple(dict.fromkeys(drop)), decision.back_to, decision.note)


def steered(decision: Decision | None, further: Sequence[Decision], proposal: Proposal, stack: Any) -> Decision:
    """Join the decision on a proposal (None agrees) with further ones, which were made without seeing it.

    A further one adds its words, may drop proposed ones, and replaces earlier decisions if it goes back. Invalid
    ones are left out; the note says which and why.

    Raises:
        ReviewError: the decision on the proposal itself is invalid.
    """
    earlier = proposal.negatives_then
    so_far = checked(decision or Decision(proposal.words), proposal, earlier, stack)
    told = [so_far.note] if so_far.note else []
    for each in further:
        try:
            so_far = checked(_joined(so_far, each), proposal, earlier, stack)
        except ReviewError as error:
            told.append(f"a decision was left out: {error}")
    return replace(so_far, note="; ".join(told))


def _joined(one: Decision, other: Decision) -> Decision:
    """The first decision plus the words of the other; or the other alone, if it goes back."""
    if other.back_to is not None:
        return other
    refused = [word for word in map(partial(_same, words=one.words), other.drop) if word]
    dropped = [word for word in other.drop if not _same(word, one.words)]
    added = [word for word in other.words if not _same(word, one.words)]
    words = [word for word in one.words if word not in refused]
    return Decision((*words, *added), (*one.drop, *dropped), one.back_to)


def _same(given: str, words: Sequence[str]) -> str | None:
    """The one of `words` that a person means, without regard to case and article."""
    meant = given.strip().lower(), strip_article(given)
    return next((word for word in words if word.lower() in meant), None)


def _added(given: str, taken: Sequence[str], request: Request, stack: Any) -> str:
    """A person's own word as a negative."""
    word = strip_article(given)
    if says_nothing(word):
        raise ReviewError(f"{given!r} says nothing: give the name of a thing")
    word = checked_text(word, "word", error=ReviewError)
    if not stack.knows(word):
        raise ReviewError(f"the stack {stack.version} does not know the word {word!r}: choose another")
    if _same(word, [request.category, *(positive.word for positive in request.positives)]):
        raise ReviewError(f"{word!r} is a positive of the concept: choose another")
    if _same(word, taken):
        raise ReviewError(f"{word!r} is a negative already: choose another")
    return word
