"""Boards on the command line: list, show, add, remove, rename, delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from core.texts import folded
from core.wording import counted
from evolve.store import boards
from evolve.store.boards import Board, BoardError, Pin, Placed
from evolve.store.rows import Entry
from evolve.store.run import Run
from ui.console import add_row, new_table, print_json, say, to_type, warn
from ui.listing import noted
from ui.runs import open_run


def board(
    name: str | None,
    *,
    add: Sequence[str],
    remove: Sequence[str],
    rename: str | None,
    delete: bool,
    as_json: bool,
    runs: Path,
    out: Console,
) -> None:
    """Change a board and show it; without a name list all boards. add, remove: RUN/NAME each."""
    changes = [*add, *remove, *([rename] if rename is not None else []), *(["--delete"] if delete else [])]
    if name is None:
        if changes:
            raise BoardError("no board is named: conceptree board NAME --add RUN/CONCEPT makes one")
        return _list(runs, as_json, out)
    if delete and len(changes) > 1:
        raise BoardError("--delete stands alone: leave out the other changes")
    # Concepts are looked up before anything is written, so that a typo in one name changes nothing.
    pins = [_pin(runs, text) for text in add]
    shown = _with(runs, name, pins) if remove else Board(name)
    gone = [_on_board(runs, shown, text) for text in remove]
    if delete:
        return _delete(runs, name, as_json, out)
    if changes:
        boards.change(runs, name, add=pins or None, remove=gone, rename=rename)
    _show(runs, boards.board(runs, name if rename is None else rename), as_json, out)


def _list(runs: Path, as_json: bool, out: Console) -> None:
    found = boards.boards(runs)
    if as_json:
        return print_json([{"board": each.name, "concepts": len(each.pins)} for each in found])
    if not found:
        return say(out, "There are no boards yet: conceptree board NAME --add RUN/CONCEPT makes one.")
    table = new_table("board", "concepts", "runs")
    for each in found:
        add_row(table, each.name, str(len(each.pins)), ", ".join(dict.fromkeys(pin.run for pin in each.pins)))
    out.print(table)


def _show(runs: Path, shown: Board, as_json: bool, out: Console) -> None:
    entries: dict[str, dict[str, Entry]] = {}

    def has(run: str, id_: str) -> bool:
        if run not in entries:
            entries[run] = {each.id: each for each in open_run(runs, run).entries()}
        return id_ in entries[run]

    placed = boards.placed(runs, shown.pins, has)
    for each in placed:
        if each.problem:
            call = to_type("board", shown.name, "--remove", f"{each.pin.run}/{each.pin.name}", runs=runs)
            warn(f"{problem(each)}: remove it with {call}")
    found = [(each.run, entries[each.run][each.pin.id]) for each in placed if each.run]
    if as_json:
        return print_json(
            {
                "board": shown.name,
                "concepts": [{"run": run, "id": each.id, "name": each.name} for run, each in found],
                "missing": [
                    {"run": each.pin.run, "id": each.pin.id, "name": each.pin.name} for each in placed if not each.run
                ],
            }
        )
    table = new_table("run", "concept", "gen.", "category", "noted")
    for run, entry in found:
        add_row(table, run, entry.name, str(entry.generation), entry.category, noted(entry))
    say(out, f"{shown.name}: {counted(len(found), 'concept')}")
    if found:
        out.print(table)


def _delete(runs: Path, name: str, as_json: bool, out: Console) -> None:
    before = boards.delete(runs, name).before or Board(name)
    if as_json:
        pins = [{"run": pin.run, "id": pin.id, "name": pin.name} for pin in before.pins]
        return print_json({"board": before.name, "deleted": True, "concepts": pins})
    stay = counted(len(before.pins), "concept stays", "concepts stay")
    say(out, f"The board {before.name!r} is deleted; its {stay} in the runs.")
    if before.pins:
        again = [word for pin in before.pins for word in ("--add", f"{pin.run}/{pin.id}")]
        say(out, f"This makes it again: {to_type('board', before.name, *again, runs=runs)}")


def problem(placed: Placed) -> str:
    """Why a concept of a board is not shown: `moku is not found: there is no run 'pets' any more`."""
    return f"{placed.pin.name} is not found: {placed.problem}"


def _pin(runs: Path, text: str) -> Pin:
    run, concept = _named(text)
    opened: Run = open_run(runs, run)
    return boards.pin(opened, opened.entry(concept))


def _with(runs: Path, name: str, pins: Sequence[Pin]) -> Board:
    """The board as it is once these concepts are added; `--add` makes one if there is none of that name.

    Raises:
        BoardError: there is none of that name, and nothing is added.
    """
    if not pins:
        return boards.board(runs, name)
    before = next((each for each in boards.boards(runs) if folded(each.name) == folded(name)), Board(name))
    return replace(before, pins=(*before.pins, *pins))


def _on_board(runs: Path, shown: Board, text: str) -> str:
    """Id of the concept of a board that RUN/NAME means, by its name now or when it was added."""
    run, concept = _named(text)
    for pin in shown.pins:
        if folded(pin.run) == folded(run) and folded(concept) in (folded(pin.name), pin.id):
            return pin.id
    id_ = open_run(runs, run).entry(concept).id
    if id_ not in {pin.id for pin in shown.pins}:
        raise BoardError(f"{text!r} is not on the board {shown.name!r}")
    return id_


def _named(text: str) -> tuple[str, str]:
    run, slash, concept = text.partition("/")
    if not slash or not run or not concept:
        raise BoardError(f"{text[:80]!r} names no concept of a run: expected RUN/NAME")
    return run, concept
