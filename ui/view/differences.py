"""In what two or more concepts differ, of all that decided how they were learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.concept import Request
from evolve import Individual


@dataclass(frozen=True)
class Row:
    """A fact, and what it is of each concept, in their order: one thing, or several, such as its negatives."""

    fact: str
    values: tuple[tuple[str, ...], ...]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1

    def is_rare(self, item: str) -> bool:
        """Whether no more than half of the concepts have it: it is what sets them apart."""
        return 2 * sum(item in value for value in self.values) <= len(self.values)


def rows(concepts: Sequence[Individual], names: Mapping[str, str]) -> list[Row]:
    """Every fact of the concepts' requests and settings. names: of parents, by id."""
    return _rows([_told(each, names) for each in concepts])


def scores(concepts: Sequence[Individual]) -> list[Row]:
    """The scores of the concepts when they were learned."""
    return _rows([{name: (f"{value:.3f}",) for name, value in each.concept.scores.items()} for each in concepts])


def _rows(told: Sequence[Mapping[str, tuple[str, ...]]]) -> list[Row]:
    facts = dict.fromkeys(fact for each in told for fact in each)
    return [Row(fact, tuple(each.get(fact) or ("–",) for each in told)) for fact in facts]


def _told(each: Individual, names: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    concept, request = each.concept, each.concept.request
    weights = sum(parent.weight for parent in request.parents)
    several = {
        "parents": [f"{p.weight / weights:.0%} {names.get(p.id, p.id[:14])}" for p in request.parents],
        "is": words_of(request),
        "is not": [negative.word for negative in concept.negatives],
        "keeps away from": [names.get(avoid.id, avoid.id[:8]) for avoid in request.avoid],
    }
    single = {
        "category": request.category,
        "kind": request.kind,
        "generation": each.generation,
        "negatives": request.schedule,
        "seed": request.seed,
        "begins at": "given vectors" if request.start is not None else request.initializer or request.category,
        "vectors": len(concept.vectors),
        "kept step": concept.kept_step,
        "stack": f"{concept.version} ({concept.fingerprint})",
        **request.chosen.to_dict(),
    }
    return {fact: tuple(items) for fact, items in several.items()} | {
        fact: (valued(value),) for fact, value in single.items()
    }


def words_of(request: Request) -> list[str]:
    """What a concept is, as it was asked for: `pet`, `pencil sketch × 0.4`"""
    return [f"{p.word or request.category}{f' × {p.weight:g}' if p.weight != 1 else ''}" for p in request.positives]


def valued(value: Any) -> str:
    """A setting as it is read: `0.005`, `true` as Python says it."""
    return f"{value:g}" if isinstance(value, float) else str(value)
