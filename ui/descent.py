"""Parents of a concept, in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from evolve.store.rows import Entry, Individual, brief


def descent(each: Entry, names: Mapping[str, str]) -> str:
    """`founder`, `mix of 0.7 moku + 0.3 vasi - 0.4 bege`, or `variation of bege`"""
    parents = mixed([(names.get(parent.id, parent.brief), parent.weight) for parent in each.parents])
    birth = "variation" if each.birth == "mutate" else each.birth
    return f"{birth} of {parents}" if parents else birth


def born_of(kinds: Collection[str], parents: str) -> str:
    """`child of 0.7 moku + 0.3 vasi`, or `variation of bege`. kinds: of the parents; parents: see `mixed`."""
    return f"{'variation' if 'mutate' in kinds else 'child'} of {parents}"


def announced(each: Individual, names: Mapping[str, str]) -> str:
    """`zilo = 0.7 moku + 0.3 vasi`, or `zilo, a variation of bege`"""
    parents = each.concept.request.parents
    if len(parents) == 1:
        return f"{each.name}, a {born_of([parents[0].kind], parentage(each, names))}"
    return f"{each.name} = {parentage(each, names)}"


def parentage(each: Individual, names: Mapping[str, str]) -> str:
    """The parents of a concept, see `mixed`; names: by id."""
    parents = each.concept.request.parents
    return mixed([(names.get(parent.id, brief(parent.id)), parent.weight) for parent in parents])


def mixed(parents: Sequence[tuple[Any, float]]) -> str:
    """`0.7 moku + 0.3 vasi - 0.4 bege`: shares from weights, below 0 for those to move away from; a single parent has
    none.
    """
    if len(parents) == 1:
        return f"{parents[0][0]}"
    total = sum(weight for _, weight in parents if weight > 0) or 1  # in an imported file all may be 0
    told = [f"{'-' if weight < 0 else '+'} {abs(weight) / total:.2g} {name}" for name, weight in parents]
    return " ".join(told).removeprefix("+ ")


def edge_label(data: Mapping[str, Any]) -> str:
    """`0.7`, or `-0.4` where a child moves away from its parent. data: of the edge, see `evolve.family.lineage`."""
    if "away" in data:
        return f"-{_short(data['away'])}"
    return _short(data["weight"])


def _short(share: float) -> str:
    return f"{share:.2f}".rstrip("0").rstrip(".") if share >= 0.005 else "<0.01"
