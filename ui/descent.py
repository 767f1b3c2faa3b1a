"""Parents of a concept, in words: every page, command and picture says them alike.

A parent to move away from is one that the child is `less` like, never a number with a minus sign.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from core.concept import aspect_of
from evolve.store.rows import Entry, Individual, Weighted, brief, portion

Named = tuple[Any, float, object]  # name, weight and kind of a parent
Words = Mapping[str, tuple[Sequence[str], Sequence[str]]]  # positives and negatives by concept id, see `Run.words`
VARIED = "mutate"  # kind of the parent of a variation


class Parent(Weighted, Protocol):
    """A parent as it is stored, or in a request."""

    @property
    def id(self) -> str: ...

    @property
    def kind(self) -> str: ...


def descent(each: Entry, names: Mapping[str, str], words: Words) -> str:
    """`founder`, `founder, blue pet`, `mix of 0.7 moku + 0.3 vasi, less 0.4 bege, but blue`, or `variation of bege`"""
    if not each.parents:
        return ", ".join([each.birth, *extra_words(each.id, each.category, (), words)])
    parents = mixed(_named(each.parents, names), but=extra_words(each.id, each.category, each.parents, words))
    birth = "variation" if each.birth == VARIED else each.birth
    return f"{birth} of {parents}"


def born_of(kinds: Collection[object], parents: str) -> str:
    """`child of 0.7 moku + 0.3 vasi`, or `variation of bege`. kinds: of the parents; parents: see `mixed`."""
    return f"{'variation' if VARIED in kinds else 'child'} of {parents}"


def captioned(kinds: Collection[object], parents: str) -> str:
    """`moku × vasi, less bege`, or `variation of bege`. kinds: of the parents; parents: see `crossed`."""
    return born_of(kinds, parents) if sum(not aspect_of(kind) for kind in kinds) == 1 else parents


def announced(each: Individual, names: Mapping[str, str], words: Words) -> str:
    """`zilo = 0.7 moku + 0.3 vasi, but blue`, or `zilo, a variation of bege`"""
    kinds = [parent.kind for parent in each.concept.request.parents]
    if sum(not aspect_of(kind) for kind in kinds) == 1:
        return f"{each.name}, a {born_of(kinds, parentage(each, names, words))}"
    return f"{each.name} = {parentage(each, names, words)}"


def parentage(each: Individual, names: Mapping[str, str], words: Words) -> str:
    """The parents of a concept, see `mixed`; names: by id."""
    request = each.concept.request
    return mixed(_named(request.parents, names), but=extra_words(each.id, request.category, request.parents, words))


def mixed(parents: Sequence[Named], *, percent: bool = False, but: Sequence[str] = ()) -> str:
    """`0.7 moku + 0.3 vasi, less 0.4 bege, colour of buso, but blue`: shares from weights. A parent that is alone has
    none. percent: shares such as `70%`. but: words that the child resembles besides.
    """
    whole = [(name, weight) for name, weight, kind in parents if not aspect_of(kind)]
    total = sum(weight for _, weight in whole if weight > 0) or 1  # in an imported file all may be 0
    told = [(f"{portion(weight / total, percent=percent)} {name}", weight) for name, weight in whole]
    towards = [each for each, weight in told if weight >= 0]
    if len(towards) == 1:
        towards = [str(name) for name, weight in whole if weight >= 0]
    return _sentence(" + ".join(towards), [each for each, weight in told if weight < 0], parents, but)


def crossed(parents: Sequence[Named], but: Sequence[str] = ()) -> str:
    """`moku × vasi, less bege, colour of buso, but blue`: without shares, for captions."""
    whole = [(name, weight) for name, weight, kind in parents if not aspect_of(kind)]
    towards = " × ".join(str(name) for name, weight in whole if weight >= 0)
    return _sentence(towards, [f"less {name}" for name, weight in whole if weight < 0], parents, but)


def extra_words(id_: str, category: str, parents: Iterable[Parent], words: Words) -> list[str]:
    """Positives of a concept that are neither its category nor those of the parent that it varies."""
    known = {"", category}
    for parent in parents:
        known |= set(words.get(parent.id, ((), ()))[0]) if parent.kind == VARIED else set()
    return [word for word in words.get(id_, ((), ()))[0] if word not in known]


def _sentence(towards: str, away: Sequence[str], parents: Sequence[Named], but: Sequence[str]) -> str:
    aspects = [f"{aspect_of(kind)} of {name}" for name, _, kind in parents if aspect_of(kind)]
    words = f"but {' and '.join(but)}" if but else ""
    return ", ".join(filter(None, [towards, *away, *aspects, words]))


def _named(parents: Iterable[Parent], names: Mapping[str, str]) -> list[Named]:
    return [(names.get(parent.id, brief(parent.id)), parent.weight, parent.kind) for parent in parents]
