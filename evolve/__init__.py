"""Populations of concepts: operators that make requests, learning, a run on disk, and its family.

Names are imported when they are used, so that a program which only reads runs loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evolve.developing import develop
    from evolve.family.lineage import ancestors, descendants, lineage
    from evolve.jobs.plans import Evolve
    from evolve.jobs.work import evolve
    from evolve.operators import Portraits, mate, mutate
    from evolve.population import founders, likeness, populate
    from evolve.store.check import check
    from evolve.store.run import Individual, Run
    from evolve.toolbox import Toolbox, seeded

_HOMES = {
    "Evolve": "evolve.jobs.plans",
    "Individual": "evolve.store.run",
    "Portraits": "evolve.operators",
    "Run": "evolve.store.run",
    "Toolbox": "evolve.toolbox",
    "ancestors": "evolve.family.lineage",
    "check": "evolve.store.check",
    "descendants": "evolve.family.lineage",
    "develop": "evolve.developing",
    "evolve": "evolve.jobs.work",
    "founders": "evolve.population",
    "likeness": "evolve.population",
    "lineage": "evolve.family.lineage",
    "mate": "evolve.operators",
    "mutate": "evolve.operators",
    "populate": "evolve.population",
    "seeded": "evolve.toolbox",
}

__all__ = [
    "Evolve",
    "Individual",
    "Portraits",
    "Run",
    "Toolbox",
    "ancestors",
    "check",
    "descendants",
    "develop",
    "evolve",
    "founders",
    "likeness",
    "lineage",
    "mate",
    "mutate",
    "populate",
    "seeded",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
