"""A map of cells as a component: a filled cell opens its concept, an empty one asks for children."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import streamlit as st

from ui.view import whole

_HERE = Path(__file__).parent
_board = st.components.v2.component(
    "conceptree.board",
    html='<div class="board"></div>',
    css=(_HERE / "board.css").read_text(encoding="utf-8"),
    js=(_HERE / "board.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True)
class Cell:
    """A cell with its elite; without an id it is empty. image: an address, "" for none. quality: 0 to 1."""

    column: int
    row: int
    id: str = ""
    name: str = ""
    image: str = ""
    alt: str = ""
    quality: float = 0.0


@dataclass(frozen=True)
class Pressed:
    """A cell that was pressed: the concept to open, or the empty cell (column, row) to breed for."""

    id: str = ""
    cell: tuple[int, int] | None = None


def board(
    cells: Sequence[Cell], size: tuple[int, int], ends: Sequence[tuple[str, str]], *, label: str, busy: bool, key: str
) -> Pressed:
    """Show a map and return what was pressed.

    size: columns and rows. ends: low and high of both axes. busy: empty cells cannot be pressed.
    """
    data = {
        "cells": [asdict(each) for each in cells],
        "columns": size[0],
        "rows": size[1],
        "ends": [list(each) for each in ends],
        "label": label,
        "busy": busy,
    }
    found = _board(key=key, data=data, on_pressed_change=whole.to_the_end)
    told = found.get("pressed")
    if not isinstance(told, dict) or told.get("at") == st.session_state.get(f"{key}.seen"):  # done, before a rerun
        return Pressed()
    st.session_state[f"{key}.seen"] = told.get("at")
    there = {(each.column, each.row): each for each in cells}
    try:
        cell = there[int(told["column"]), int(told["row"])]
    except (TypeError, ValueError, LookupError):  # of another map
        return Pressed()
    return Pressed(id=cell.id) if cell.id else Pressed(cell=(cell.column, cell.row))
