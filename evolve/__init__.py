"""The population engine: Requests from parents or for founders, developed and stored in a run, and their family."""

from evolve.family.lineage import ancestors, descendants, lineage
from evolve.jobs.develop import develop
from evolve.operators import mate, mutate
from evolve.population import founders, likeness, populate
from evolve.store.check import check
from evolve.store.run import Individual, Run

__all__ = [
    "Individual",
    "Run",
    "ancestors",
    "check",
    "descendants",
    "develop",
    "founders",
    "likeness",
    "lineage",
    "mate",
    "mutate",
    "populate",
]
