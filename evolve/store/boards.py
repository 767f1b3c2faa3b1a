"""Boards: named collections of concepts of several runs, in boards.json beside the runs (docs/formats.md).

A pin names a concept by its run and id. It is found again after its run was renamed, by the run's date. What is not
found stays on the board, and is named with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.errors import ConceptreeError
from core.texts import checked_label, fault, folded
from core.wording import did_you_mean
from evolve.store.about import read_about
from evolve.store.beside import Shelf
from evolve.store.parts import RunError
from evolve.store.rows import Entry
from evolve.store.run import Run

LONGEST_NAME = 60  # characters
LONGEST_TEXT = 300  # of the texts of a pin
MOST_BOARDS = 200
MOST_PINS = 2_000  # of one board


class BoardError(RunError):
    """A board cannot be read or changed."""


@dataclass(frozen=True)
class Pin:
    """A concept on a board. run, made: the name and the date of its run; name: as both were when it was added."""

    run: str
    made: str
    id: str
    name: str


@dataclass(frozen=True)
class Board:
    """A board with its pins, oldest first."""

    name: str
    pins: tuple[Pin, ...] = ()


@dataclass(frozen=True)
class Change:
    """A change of one board: before and after, None for no board. place: among all boards."""

    before: Board | None
    after: Board | None
    place: int


@dataclass(frozen=True)
class Placed:
    """A pin with the run that has its concept now, "" if none has. problem: why not."""

    pin: Pin
    run: str
    problem: str = ""


_SHELF = Shelf("boards", MOST_BOARDS, BoardError)


def boards(runs: Path) -> list[Board]:
    """All boards of a folder of runs, in the order in which they were made.

    Raises:
        BoardError: boards.json is damaged, or of a newer version.
    """
    found: dict[str, Board] = {}
    for number, row in enumerate(_SHELF.rows(runs), 1):
        try:
            board = _board(row)
        except ConceptreeError as error:
            raise _SHELF.damaged(runs, f"its board {number} is damaged ({error})") from error
        found.setdefault(folded(board.name), board)
    return list(found.values())


def board(runs: Path, name: str) -> Board:
    """The board of that name; case does not count."""
    there = boards(runs)
    place = _place(there, name)
    if place is None:
        names = [each.name for each in there]
        every = f"there are {', '.join(map(repr, names))}" if names else "there are none yet"
        raise BoardError(f"there is no board {name[:LONGEST_NAME]!r}: {did_you_mean(name, names) or every}")
    return there[place]


def pin(run: Run, entry: Entry) -> Pin:
    """A concept for a board."""
    return Pin(run.folder.resolve().name, run.about["created_at"], entry.id, entry.name)


def add(runs: Path, name: str, pins: Sequence[Pin]) -> Change:
    """Put concepts on a board, which is made if there is none of that name; those on it stay once."""
    return change(runs, name, add=pins)


def remove(runs: Path, name: str, concepts: Iterable[str]) -> Change:
    """Take concepts (ids) from a board; without any left it stays, empty."""
    return change(runs, name, remove=concepts)


def rename(runs: Path, name: str, new: str) -> Change:
    """Give a board another name.

    Raises:
        BoardError: another board has it, or it cannot be stored.
    """
    return change(runs, name, rename=new)


def change(
    runs: Path, name: str, *, add: Sequence[Pin] | None = None, remove: Iterable[str] = (), rename: str | None = None
) -> Change:
    """Add, remove and rename, in this order and in one write, so that one `undo` takes all of it back.

    add: pins; without a board of that name this makes one, even for no pins. None changes only a board that exists.
    remove: ids; others than those on the board have no effect.

    Raises:
        BoardError: there is no such board to change, another one has the new name, or it would have too many concepts.
    """
    gone = set(remove)
    if add is not None:
        name = checked_label(name, "board", LONGEST_NAME, error=BoardError)
    else:
        board(runs, name)
    if rename is not None:
        rename = checked_label(rename, "board", LONGEST_NAME, error=BoardError)

    def changed(before: Board | None) -> Board | None:
        if before is None and add is None:  # deleted meanwhile
            return None
        kept = before or Board(name)
        pins = {each.id: each for each in (*(add or ()), *kept.pins) if each.id not in gone}
        if len(pins) > MOST_PINS and len(pins) > len(kept.pins):
            raise BoardError(f"the board {kept.name!r} would have more than {MOST_PINS} concepts: use another one")
        order = dict.fromkeys(each.id for each in (*kept.pins, *(add or ())) if each.id in pins)
        return Board(rename or kept.name, tuple(pins[id_] for id_ in order))

    return _change(runs, name, changed)


def delete(runs: Path, name: str) -> Change:
    """Remove a board. Its concepts stay in their runs."""
    board(runs, name)
    return _change(runs, name, lambda before: None)


def undo(runs: Path, change: Change) -> Change:
    """Put a board back as it was before a change; the change that this is, so that it can be undone too.

    Raises:
        BoardError: the board has been changed since, or another one has its earlier name.
    """

    def back(now: Board | None) -> Board | None:
        if now != change.after:
            raise BoardError(f"the board {name!r} was changed since: nothing is undone")
        return change.before

    name = (change.after or change.before or Board("")).name
    return _change(runs, name, back, change.place)


def placed(runs: Path, pins: Iterable[Pin], has: Callable[[str, str], bool]) -> list[Placed]:
    """Each pin with the run that has its concept now.

    has: whether the run of that name has the concept (id); a ConceptreeError that it raises is the pin's problem.
    """
    made = _made(runs)
    return [_placed(each, made, has) for each in pins]


def _placed(pin: Pin, made: Mapping[str, str], has: Callable[[str, str], bool]) -> Placed:
    problem = "" if pin.run in made else f"there is no run {pin.run!r} any more"
    again = [name for name, at in made.items() if at == pin.made and name != pin.run]
    for name in [*([pin.run] if pin.run in made else []), *again]:
        try:
            if has(name, pin.id):
                return Placed(pin, name)
            problem = problem or f"the run {name!r} has no such concept any more"
        except ConceptreeError as error:
            problem = problem or str(error)
    return Placed(pin, "", problem)


def _made(runs: Path) -> dict[str, str]:
    """Dates of all runs by their names, "" where run.json is damaged."""
    found = {}
    with suppress(OSError):
        for folder in sorted(runs.iterdir()):
            if (folder / "run.json").is_file():
                found[folder.name] = ""
                with suppress(ConceptreeError):
                    found[folder.name] = read_about(folder)["created_at"]
    return found


def _change(runs: Path, name: str, make: Callable[[Board | None], Board | None], place: int | None = None) -> Change:
    """Replace the board of that name by what `make` returns. place: of a board that is new or put back."""
    with _SHELF.changing(runs):
        there = boards(runs)
        at = _place(there, name)
        before = None if at is None else there[at]
        after = make(before)
        if after and _place(there, after.name) not in (None, at):
            raise BoardError(f"there is a board {after.name!r} already: choose another name")
        at = (len(there) if place is None else min(place, len(there))) if at is None else at
        there[at : at + (before is not None)] = [after] if after else []
        if after != before:
            _SHELF.write(runs, [_row(each) for each in there])
        return Change(before, after, at)


def _place(there: Sequence[Board], name: str) -> int | None:
    names = [folded(each.name) for each in there]
    return names.index(folded(name)) if folded(name) in names else None


def _row(board: Board) -> dict[str, Any]:
    return {"name": board.name, "concepts": [asdict(each) for each in board.pins]}


def _board(row: Mapping[str, Any]) -> Board:
    """Board of a row of boards.json.

    Raises:
        BoardError: it is not one.
    """
    name, rows = row.get("name"), row.get("concepts")
    if not isinstance(name, str) or not isinstance(rows, list) or len(rows) > MOST_PINS:
        raise BoardError(f"expected a name, and at most {MOST_PINS} concepts")
    pins: dict[str, Pin] = {}
    for each in rows:
        texts = [each.get(key) if isinstance(each, dict) else None for key in ("run", "made", "id", "name")]
        wrong = [text for text in texts if not isinstance(text, str) or len(text) > LONGEST_TEXT or fault(text)]
        if wrong:
            raise BoardError(f"a concept has {str(wrong[0])[:40]!r} where a text is expected")
        found = Pin(*map(str, texts))
        pins.setdefault(found.id, found)
    return Board(checked_label(name, "board", LONGEST_NAME, error=BoardError), tuple(pins.values()))
