"""The population engine: Requests from parents or for founders, developed and stored in a run, and their family."""

from evolve.check import check
from evolve.develop import develop
from evolve.lineage import ancestors, descendants, lineage
from evolve.operators import mate, mutate
from evolve.population import founders, likeness, populate
from evolve.run import Individual, Run

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
