"""Text chunks of a run's pictures, by keyword (see `core.png`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.concept import Request
from evolve.store.rows import Descent, Entry

Told = dict[str, object]


def run_told(name: str, about: Mapping[str, Any]) -> Told:
    """The run and its stack. about: its run.json."""
    stack = about["stack"]
    return {"run": name, "stack": f"{stack['version']} ({stack['fingerprint']})"}


def concept_told(entry: Entry, names: Mapping[str, str]) -> Told:
    """A concept, its category and its parents. names: of concepts, by id."""
    return {
        "concept": entry.name,
        "id": entry.id,
        "category": entry.category,
        "parents": parents_told(entry.parents, names),
    }


def parents_told(parents: Sequence[Descent], names: Mapping[str, str]) -> str:
    """`0.7 moku (1f2e…), 0.3 vasi (9a8b…)`: shares, names and ids. Photographs go by their ids, not their files."""
    total = sum(parent.weight for parent in parents)
    told = []
    for parent in parents:
        name = "" if parent.is_photo else names.get(parent.id, "")
        home = f" of run {parent.run}" if parent.run else ""
        told.append(f"{parent.weight / total:.2g} {f'{name} ({parent.id})' if name else parent.id}{home}")
    return ", ".join(told)


def look_told(request: Request, step: int) -> Told:
    """A drawing of a concept that is still being learned."""
    return {"category": request.category, "step": step, "seed": request.seed}
