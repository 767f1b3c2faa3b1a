"""Named migrations: what a run of an earlier schema still needs before this version reads it.

Schema 1 is the first, so there are none yet. What was added since then needed none: a table that a run does not have
is empty (`photos`), a column that a part does not have is null (`rows.LATER`), a score that a concept does not have is
unknown. A migration is for what cannot be had so.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Migration:
    """One step from a schema to the next. schema: of the runs that need it."""

    name: str
    schema: int


MIGRATIONS: tuple[Migration, ...] = ()


def pending(schema: int) -> list[Migration]:
    """What a run of that schema still needs, in the order in which it is to be done."""
    return sorted((each for each in MIGRATIONS if each.schema >= schema), key=lambda each: each.schema)
