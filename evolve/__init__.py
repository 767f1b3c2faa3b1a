"""The population engine: Requests from parents or for founders, developed and stored in a run."""

from evolve.develop import develop
from evolve.operators import mate, mutate
from evolve.population import founders, likeness, populate
from evolve.run import Individual, Run

__all__ = ["Individual", "Run", "develop", "founders", "likeness", "mate", "mutate", "populate"]
