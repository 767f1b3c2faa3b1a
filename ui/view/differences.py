"""In what two or more concepts differ, of all that decided how they were learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evolve import Individual


@dataclass(frozen=True)
class Row:
    """A fact, and what it is of each concept, in their order."""

    fact: str
    values: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1


def rows(concepts: Sequence[Individual], names: Mapping[str, str]) -> list[Row]:
    """Every fact of the concepts' requests and settings. names: of parents, by id."""
    told = [_told(each, names) for each in concepts]
    facts = dict.fromkeys(fact for each in told for fact in each)
    return [Row(fact, tuple(each.get(fact, "–") for each in told)) for fact in facts]


def scores(concepts: Sequence[Individual]) -> list[Row]:
    """The scores of the concepts when they were learned."""
    found = dict.fromkeys(name for each in concepts for name in each.concept.scores)
    return [
        Row(
            name, tuple(f"{each.concept.scores[name]:.3f}" if name in each.concept.scores else "–" for each in concepts)
        )
        for name in found
    ]


def _told(each: Individual, names: Mapping[str, str]) -> dict[str, str]:
    concept, request = each.concept, each.concept.request
    weights = sum(parent.weight for parent in request.parents)
    positives = [
        f"{p.word or request.category}{f' × {p.weight:g}' if p.weight != 1 else ''}" for p in request.positives
    ]
    parents = [f"{p.weight / weights:.0%} {names.get(p.id, p.id[:14])}" for p in request.parents]
    told = {
        "category": request.category,
        "kind": request.kind,
        "generation": str(each.generation),
        "parents": ", ".join(parents) or "–",
        "is": ", ".join(positives) or "–",
        "is not": ", ".join(negative.word for negative in concept.negatives) or "–",
        "keeps away from": ", ".join(names.get(avoid.id, avoid.id[:8]) for avoid in request.avoid) or "–",
        "negatives": request.schedule,
        "seed": str(request.seed),
        "begins at": "given vectors" if request.start is not None else request.initializer or request.category,
        "vectors": str(len(concept.vectors)),
        "kept step": str(concept.kept_step),
        "stack": f"{concept.version} ({concept.fingerprint})",
    }
    return told | {name: _valued(value) for name, value in request.chosen.to_dict().items()}


def _valued(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
