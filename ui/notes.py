"""Notes on concepts: names, ratings, comments, tags, and which are favourites, locked or hidden."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from core.texts import folded
from core.wording import did_you_mean
from evolve.store.parts import RunError
from evolve.store.rows import Entry, Note
from evolve.store.tags import LONGEST_TAG
from ui.console import say
from ui.runs import open_run


def note(
    run: str,
    concepts: Sequence[str],
    *,
    name: str | None,
    runs: Path,
    out: Console,
    **said: bool | int | str | Sequence[str] | None,
) -> None:
    """Note values on concepts, and print what is noted on them now. None keeps a value; rating 0 removes it.

    name: the concept's new name. Its name at birth removes the new one. tag, untag: tags to add or remove.
    """
    opened = open_run(runs, run)
    said = {key: value for key, value in said.items() if value not in (None, ())}
    if not said and name is None:
        raise RunError("no note is given: choose --name, --favourite, --lock, --hide, --rating, --tag or --comment")
    if said.get("rating") == 0:
        said["rating"] = None
    entries = [opened.entry(called) for called in concepts]
    _check_tagged(said.get("untag"), entries)
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


def _check_tagged(tags: object, entries: Sequence[Entry]) -> None:
    """Raise RunError for a tag to remove that none of the concepts has."""
    known = list(dict.fromkeys(tag for each in entries for tag in each.note.tags))
    for tag in tags if isinstance(tags, tuple) else ():
        if folded(tag.lstrip("#")) not in map(folded, known):
            there = did_you_mean(tag, known) or (f"the tags are {', '.join(known)}" if known else "there are no tags")
            of = entries[0].name if len(entries) == 1 else "any of these concepts"
            raise RunError(f"{tag[:LONGEST_TAG]!r} is no tag of {of}: {there}")


def _renamed(entry: Entry, name: str) -> str:
    """entry: as it was before."""
    if name == entry.name:
        return f"{name} is its name already"
    back = name == entry.born
    return f"{entry.name} is called {name} {'again' if back else f'now; the name {entry.born} still finds it'}"


def _told(note: Note) -> str:
    words = [word for word in ("favourite", "locked", "hidden") if getattr(note, word)]
    words += [f"rated {note.rating}"] if note.rating else []
    words += [f"tagged {', '.join(note.tags)}"] if note.tags else []
    return ", ".join([*words, *([f'comment "{note.comment}"'] if note.comment else [])])
