"""Notes on concepts: names, ratings, comments, and which are favourites, locked or hidden."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from evolve.store.parts import RunError
from ui.console import say
from ui.runs import open_run


def mark(name: str, concepts: Sequence[str], *, runs: Path, out: Console, **said: bool | int | str | None) -> None:
    """Note values on concepts, and print all that is noted on them now. None keeps a value; rating 0 removes it."""
    run = open_run(runs, name)
    said = {key: value for key, value in said.items() if value is not None}
    if not said:
        raise RunError("no note is given: choose --favourite, --lock, --retire, --rate or --comment")
    if said.get("rating") == 0:
        said["rating"] = None
    entries = [run.entry(called) for called in concepts]
    run.note_all([each.id for each in entries], **said)
    for each in entries:
        note = run.entry(each.id).note
        words = [word for word in ("favourite", "locked", "hidden") if getattr(note, word)]
        words += [f"rated {note.rating}"] if note.rating else []
        words += [f'comment "{note.comment}"'] if note.comment else []
        say(out, f"{each.name}: {', '.join(words) or 'nothing is marked'}")


def rename(name: str, old: str, new: str, runs: Path, out: Console) -> None:
    """Give a concept another name; the run still finds it by the name it was born with."""
    run = open_run(runs, name)
    entry = run.entry(old)
    if new == entry.name:
        return say(out, f"{entry.name} is its name already")
    run.note(entry.id, name=None if new == entry.born else new)
    still = "" if new == entry.born else f"; the name {entry.born} still finds it"
    say(out, f"{entry.name} is called {new} {'now' if still else 'again'}{still}")
