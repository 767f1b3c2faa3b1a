"""Notes on concepts: the latest counts; earlier ones give the history for undo and redo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from evolve.store.parts import Damage, Room, RunError, number_of, report
from evolve.store.rows import ASIDE, NOTES, REDO, UNDO, Change, Note, note_of


def latest(room: Room, damage: list[Damage] | None = None, *, strict: bool = False) -> dict[str, Note]:
    """Latest note of each concept that has one, by id."""
    return {concept: note for _, _, concept, note in _noted(room, damage, strict)}


def changes(room: Room, damage: list[Damage] | None = None, *, strict: bool = False) -> list[Change]:
    """All changes made by notes, newest last."""
    found = []
    notes: dict[str, Note] = {}
    for part, row, concept, note in _noted(room, damage, strict):
        before = notes.get(concept, Note())
        names = [field.name for field in fields(Note) if getattr(before, field.name) != getattr(note, field.name)]
        changed = {name: (getattr(before, name), getattr(note, name)) for name in names}
        if changed:
            way = row["way"] if row["way"] in (UNDO, REDO, ASIDE) else ""
            found.append(Change(concept, changed, row["created_at"], way, number_of(part)))
        notes[concept] = note
    return found


def aside(room: Room, damage: list[Damage] | None = None) -> set[str]:
    """Ids of the concepts that a job has hidden, and no person has shown since."""
    found: set[str] = set()
    for change in changes(room, damage):
        if "hidden" in change.changed:
            (found.add if change.way == ASIDE else found.discard)(change.concept)
    return found


def courses(changes: Iterable[Change]) -> dict[str, tuple[list[Change], list[Change]]]:
    """Undo and redo stacks per concept, newest last, of what people changed."""
    found: dict[str, tuple[list[Change], list[Change]]] = {}
    for change in changes:
        done, undone = found.setdefault(change.concept, ([], []))
        if change.way == UNDO and done:
            undone.append(done.pop())
        elif change.way == REDO and undone:
            done.append(replace(undone.pop(), batch=change.batch))
        elif not change.way:
            done.append(change)
            undone.clear()
    return found


def _noted(room: Room, damage: list[Damage] | None, strict: bool) -> Iterator[tuple[Path, dict[str, Any], str, Note]]:
    before: dict[str, Note] = {}
    for part, number, row in room.rows(NOTES.names, damage, strict=strict):
        try:
            concept, note = note_of(row, before)
        except RunError as error:
            report(Damage(part, str(error), number), damage, strict)
        else:
            before[concept] = note
            yield part, row, concept, note
