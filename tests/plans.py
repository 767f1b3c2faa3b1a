"""Plans for tests that only show or keep them."""

from __future__ import annotations

from typing import Any

from core.settings import Settings
from evolve.jobs.plans import Breed, ParentTold, Seed


def a_seed(**more: Any) -> Seed:
    """Two founders of pet, one after the other."""
    told: dict[str, Any] = {"category": "pet", "count": 2, "wave": 1, "seed": 0, "asked": {}}
    return Seed(**{**told, "settings": Settings(), "kind": "object", "schedule": "none", **more})


def a_breed(parents: tuple[str, ...] = (), **more: Any) -> Breed:
    """Children of parents of these names."""
    told = tuple(ParentTold(id=f"{place:016x}", name=name, run="", weight=1.0) for place, name in enumerate(parents))
    given: dict[str, Any] = {
        "category": "pet",
        "kind": "object",
        "parents": told,
        "children": 1,
        "images": 2,
        "keep": 1,
    }
    return Breed(**{**given, "spread": 0.25, "seed": 0, "settings": Settings(), **more})
