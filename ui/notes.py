"""Notes on concepts: names, ratings, comments, and which are favourites, locked or hidden."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from evolve.store.parts import RunError
from evolve.store.rows import Entry, Note
from ui.console import say
from ui.runs import open_run


def note(
    run: str, concepts: Sequence[str], *, name: str | None, runs: Path, out: Console, **said: bool | int | str | None
) -> None:
    """Note values on concepts, and print what is noted on them now. None keeps a value; rating 0 removes it.

    name: the concept's new name. Its name at birth removes the new one.
    """
    opened = open_run(runs, run)
    said = {key: value for key, value in said.items() if value is not None}
    if not said and name is None:
        raise RunError("no note is given: choose --name, --favourite, --lock, --hide, --rating or --comment")
    if said.get("rating") == 0:
        said["rating"] = None
    entries = [opened.entry(called) for called in concepts]
    given = dict(said)
    if name is not None and any(name != each.name for each in entries):
        given["name"] = None if name == entries[0].born and len(entries) == 1 else name
    if given:
        opened.note_all([each.id for each in entries], **given)
    for each in entries:
        if name is not None:
            say(out, _renamed(each, name))
        if said:
            say(out, f"{name or each.name}: {_told(opened.entry(each.id).note) or 'nothing is noted'}")


def _renamed(entry: Entry, name: str) -> str:
    """entry: as it was before."""
    if name == entry.name:
        return f"{name} is its name already"
    back = name == entry.born
    return f"{entry.name} is called {name} {'again' if back else f'now; the name {entry.born} still finds it'}"


def _told(note: Note) -> str:
    words = [word for word in ("favourite", "locked", "hidden") if getattr(note, word)]
    words += [f"rated {note.rating}"] if note.rating else []
    return ", ".join([*words, *([f'comment "{note.comment}"'] if note.comment else [])])
