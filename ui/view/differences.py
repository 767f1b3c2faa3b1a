"""Requests and settings of two or more concepts side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.concept import Request
from evolve import Individual
from evolve.store.rows import portion, shares
from ui.labels import SCORE_NAMES, SETTING_NAMES


@dataclass(frozen=True)
class Row:
    """A fact with its values of each concept, in their order; some facts have several, such as negatives."""

    fact: str
    values: tuple[tuple[str, ...], ...]

    @property
    def differs(self) -> bool:
        return len(set(self.values)) > 1

    def is_rare(self, item: str) -> bool:
        """Whether at most half of the concepts have this value."""
        return 2 * sum(item in value for value in self.values) <= len(self.values)


def rows(concepts: Sequence[Individual], names: Mapping[str, str]) -> list[Row]:
    """Every fact of the requests and settings. names: of parents, by id."""
    return _rows([_told(each, names) for each in concepts])


def scores(concepts: Sequence[Individual]) -> list[Row]:
    """Scores of the concepts when they were learned."""
    return _rows(
        [
            {SCORE_NAMES.get(name, name): (f"{value:.3f}",) for name, value in each.concept.scores.items()}
            for each in concepts
        ]
    )


def _rows(told: Sequence[Mapping[str, tuple[str, ...]]]) -> list[Row]:
    facts = dict.fromkeys(fact for each in told for fact in each)
    return [Row(fact, tuple(each.get(fact) or ("–",) for each in told)) for fact in facts]


def _told(each: Individual, names: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    concept, request = each.concept, each.concept.request
    parents = zip(shares(request.parents), request.parents, strict=True)
    several = {
        "parents": [f"{portion(share, p.kind, percent=True)} {names.get(p.id, p.id[:14])}" for share, p in parents],
        "positives": words_of(request),
        "negatives": [negative.word for negative in concept.negatives],
        "avoids": [names.get(avoid.id, avoid.id[:8]) for avoid in request.avoid],
    }
    single = {
        "category": request.category,
        "kind": request.kind,
        "generation": each.generation,
        "schedule": request.schedule,
        "seed": request.seed,
        "initializer": "given vectors" if request.start is not None else request.initializer or request.category,
        "vectors": len(concept.vectors),
        "kept step": concept.kept_step,
        "stack": f"{concept.version} ({concept.fingerprint})",
        **{SETTING_NAMES.get(name, name): value for name, value in request.chosen.to_dict().items()},
    }
    return {fact: tuple(items) for fact, items in several.items()} | {
        fact: (valued(value),) for fact, value in single.items()
    }


def words_of(request: Request) -> list[str]:
    """Positives of a request: `pet`, `pencil sketch × 0.4`."""
    return [f"{p.word or request.category}{f' × {p.weight:g}' if p.weight != 1 else ''}" for p in request.positives]


def valued(value: object) -> str:
    """A setting as text: `0.005`, `True`."""
    return f"{value:g}" if isinstance(value, float) else str(value)
