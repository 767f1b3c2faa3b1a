"""Boards on pages: changes with undo, and the concepts of a board in their runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from core.errors import ConceptreeError
from core.texts import folded
from evolve.store import boards
from evolve.store.boards import Board, Change, Placed
from evolve.store.run import Entry
from ui.view import labelling, notices, store, undo
from ui.view.store import Opened

BOARD = "board"  # in the address of the gallery
Concepts = Sequence[tuple[Opened, Entry]]  # of several runs


def there() -> list[Board]:
    """All boards; none, with the reason on the page, if they cannot be read."""
    try:
        return boards.boards(store.runs_folder())
    except ConceptreeError as error:
        notices.error(error)
        return []


def chooser(concepts: Concepts, key: str) -> None:
    """The boards with some of the concepts: add these to a board, or take them from one."""
    ids = {entry.id for _, entry in concepts}
    all_boards = there()
    counts = Counter({each.name: sum(pin.id in ids for pin in each.pins) for each in all_boards})

    def change(add: Sequence[str], remove: Sequence[str]) -> None:
        folder, of = store.runs_folder(), undo.named([entry for _, entry in concepts])
        pins = [boards.pin(found.run, entry) for found, entry in concepts]
        for name in add:
            _carry_out(partial(boards.add, folder, name, pins), f"{of}: added to {name}")
        for name in remove:
            _carry_out(partial(boards.remove, folder, name, ids), f"{of}: removed from {name}")

    labelling.chooser("Add to a board", +counts, len(ids), [each.name for each in all_boards], change, key=key)


def remove(name: str, ids: Sequence[str], what: str) -> None:
    """Take concepts (ids) from a board. what: for the undo bar."""
    _carry_out(lambda: boards.remove(store.runs_folder(), name, ids), what)


def rename(name: str, new: str) -> None:
    """Rename a board."""
    _carry_out(lambda: boards.rename(store.runs_folder(), name, new), f"{name}: renamed to {new}")


def delete(name: str) -> None:
    """Delete a board."""
    _carry_out(lambda: boards.delete(store.runs_folder(), name), f"{name}: deleted")


def on(board: Board) -> tuple[list[Opened], list[Placed]]:
    """The runs that hold a board's concepts now, and each pin with its run or its problem."""
    found: dict[str, Opened] = {}

    def has(run: str, id_: str) -> bool:
        if run not in found:
            found[run] = store.opened(run)
        return id_ in found[run].by_id

    placed = boards.placed(store.runs_folder(), board.pins, has)
    return [found[run] for run in dict.fromkeys(each.run for each in placed if each.run)], placed


def _carry_out(change: Callable[[], Change], what: str) -> None:
    undo.did(what, lambda: _back(change()))


def _back(change: Change) -> undo.Turn:
    """The step that takes a change back, and whose own step makes it again. The address follows a board's name."""
    asked = st.query_params.get(BOARD)
    if asked and change.before and folded(asked) == folded(change.before.name):
        if change.after:
            st.query_params[BOARD] = change.after.name
        else:
            st.query_params.pop(BOARD, None)
    return lambda: _back(boards.undo(store.runs_folder(), change))
