"""Of whom a concept is a child, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evolve import Individual
from evolve.rows import Entry, brief


def descent(each: Entry, names: Mapping[str, str]) -> str:
    """`founder`, or `mix of 0.7 moku + 0.3 vasi`"""
    parents = mixed([(names.get(parent.id, parent.brief), parent.weight) for parent in each.parents])
    return f"{each.birth} of {parents}" if parents else each.birth


def parentage(each: Individual, names: Mapping[str, str]) -> str:
    """The parents of a concept, see `mixed`; names: by id."""
    parents = each.concept.request.parents
    return mixed([(names.get(parent.id, brief(parent.id)), parent.weight) for parent in parents])


def mixed(parents: Sequence[tuple[Any, float]]) -> str:
    """`0.7 moku + 0.3 vasi`: shares, whatever weights were given; one alone has none."""
    if len(parents) == 1:
        return f"{parents[0][0]}"
    total = sum(weight for _, weight in parents) or 1  # an imported file may say that all of them are 0
    return " + ".join(f"{weight / total:.2g} {name}" for name, weight in parents)
