"""Checks of parents in the table of concepts, without a graph."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from evolve.store.parts import Damage
from evolve.store.rows import Descent, Entry


def lost_ancestors(entries: Sequence[Entry], of: Collection[str] | None = None) -> dict[str, Descent]:
    """Parents that are not among these concepts, by id, without photographs.

    of: only ancestors of these concepts (ids).
    """
    known = {each.id: each for each in entries}
    wanted = list(known if of is None else of)
    seen, lost = set(wanted), {}
    while wanted:
        for parent in known[wanted.pop()].parents:
            if parent.is_photo or parent.id in seen:
                continue
            seen.add(parent.id)
            if parent.id in known:
                wanted.append(parent.id)
            else:
                lost[parent.id] = parent
    return lost


def out_of_order(child: Entry, parent: Descent, known: Mapping[str, Entry]) -> Damage | None:
    """Damage where a concept is of no later generation than its parent; None where all is well.

    known: the concepts of the run, by id; a parent that is not among them is of generation 0 at the latest.
    """
    oldest = known[parent.id].generation if parent.id in known else 0
    if oldest < child.generation:
        return None
    reason = f"it is of generation {child.generation}, and its parent {parent.id!r} of {oldest}"
    return Damage(child.part, reason, child.row)
