"""Parents of a concept, in words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from core.concept import aspect_of
from evolve.store.rows import Entry, Individual, brief


def descent(each: Entry, names: Mapping[str, str]) -> str:
    """`founder`, `mix of 0.7 moku + 0.3 vasi - 0.4 bege`, or `variation of bege`"""
    parents = mixed([(names.get(parent.id, parent.brief), parent.weight, parent.kind) for parent in each.parents])
    birth = "variation" if each.birth == "mutate" else each.birth
    return f"{birth} of {parents}" if parents else birth


def born_of(kinds: Collection[object], parents: str) -> str:
    """`child of 0.7 moku + 0.3 vasi`, or `variation of bege`. kinds: of the parents; parents: see `mixed`."""
    return f"{'variation' if 'mutate' in kinds else 'child'} of {parents}"


def announced(each: Individual, names: Mapping[str, str]) -> str:
    """`zilo = 0.7 moku + 0.3 vasi`, or `zilo, a variation of bege`"""
    kinds = [parent.kind for parent in each.concept.request.parents]
    if sum(not aspect_of(kind) for kind in kinds) == 1:
        return f"{each.name}, a {born_of(kinds, parentage(each, names))}"
    return f"{each.name} = {parentage(each, names)}"


def parentage(each: Individual, names: Mapping[str, str]) -> str:
    """The parents of a concept, see `mixed`; names: by id."""
    parents = each.concept.request.parents
    return mixed([(names.get(parent.id, brief(parent.id)), parent.weight, parent.kind) for parent in parents])


def mixed(parents: Sequence[tuple[Any, float, object]]) -> str:
    """`0.7 moku + 0.3 vasi - 0.4 bege, colour of buso`: shares from weights, below 0 for parents to move away from; a
    single parent has none. parents: name, weight and kind of each.
    """
    whole = [(name, weight) for name, weight, kind in parents if not aspect_of(kind)]
    aspects = [f"{aspect_of(kind)} of {name}" for name, _, kind in parents if aspect_of(kind)]
    total = sum(weight for _, weight in whole if weight > 0) or 1  # in an imported file all may be 0
    told = [f"{'-' if weight < 0 else '+'} {abs(weight) / total:.2g} {name}" for name, weight in whole]
    told = [f"{whole[0][0]}"] if len(whole) == 1 else told
    return ", ".join(filter(None, [" ".join(told).removeprefix("+ "), *aspects]))


def portion(share: float, kind: str) -> str:
    """`70%` of a parent, or the aspect that a child takes of it. kind: of the parent."""
    return aspect_of(kind) or f"{share:.0%}"


def edge_label(data: Mapping[str, Any], percent: bool = False) -> str:
    """`0.7`, `-0.4` where a child moves away from its parent, `colour`, or both. data: of the edge, see
    `evolve.family.lineage`.
    """
    short = _percent if percent else _short
    share = f"-{short(data['away'])}" if "away" in data else short(data["weight"])
    takes = data.get("takes", "")
    return ", ".join(filter(None, [share if data["kind"] != "take" else "", takes]))


def _short(share: float) -> str:
    return f"{share:.2f}".rstrip("0").rstrip(".") if share >= 0.005 else "<0.01"


def _percent(share: float) -> str:
    return f"{share:.0%}"
