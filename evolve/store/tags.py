"""Tags: short words that a person gives to concepts. Tags that differ only in case or Unicode form are the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from core.texts import checked_label, folded
from core.wording import counted
from evolve.store.parts import RunError

LONGEST_TAG = 40  # characters
MOST_TAGS = 50  # of one concept


def checked_tags(tags: object) -> tuple[str, ...]:
    """The tags without repeats, each on one line and without a leading #.

    Raises:
        RunError: `tags` is not a list of texts, one of them cannot be stored, or there are too many.
    """
    if not isinstance(tags, list | tuple) or not all(isinstance(tag, str) for tag in tags[: MOST_TAGS + 1]):
        raise RunError(f"tags = {str(tags)[:LONGEST_TAG]!r}: expected a list of texts")
    if len(tags) > MOST_TAGS:
        raise RunError(f"a concept has {counted(len(tags), 'tag')}: at most {MOST_TAGS} are stored")
    found: dict[str, str] = {}
    for tag in tags:
        label = checked_label(tag.strip().lstrip("#"), "tag", LONGEST_TAG, error=RunError)
        found.setdefault(folded(label), label)
    return tuple(found.values())


def changed_tags(tags: Collection[str], add: Collection[str], remove: Collection[str]) -> tuple[str, ...]:
    """The tags without those to remove and with those to add, in the order in which they were given."""
    gone = {folded(tag.lstrip("#")) for tag in remove}
    kept = {folded(tag): tag for tag in tags if folded(tag) not in gone}
    return checked_tags([*kept.values(), *(tag for tag in add if folded(tag) not in kept)])


def as_spelled(tags: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The tags as they are spelled among those known, so that `Forest` and `forest` stay one tag."""
    spelled = {folded(tag): tag for tag in known}
    return tuple(spelled.get(folded(tag), tag) for tag in tags)
