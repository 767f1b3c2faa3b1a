"""A board in the gallery: chosen by the address, renamed, deleted, and what is not found on it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.errors import ConceptreeError
from core.texts import folded
from core.wording import counted
from evolve.store import boards as stored
from evolve.store.boards import LONGEST_NAME
from ui.boards import problem
from ui.view import boards, notices, store
from ui.view.boards import BOARD
from ui.view.store import Opened
from ui.view.text import plain, shortened

MOST_SHOWN = 3  # problems
LONGEST = 160  # characters of each


def chosen(names: Sequence[str]) -> str | None:
    """The board of the address, as it is spelled; None without one, or if it is gone."""
    asked = st.query_params.get(BOARD, "")
    name = next((each for each in names if asked and folded(each) == folded(asked)), None)
    if asked and name is None:
        notices.error(f"There is no board {shortened(asked, 40)!r}: choose another one, or none.")
        st.query_params.pop(BOARD, None)
    return name


def choose(names: Sequence[str]) -> None:
    """The field with the boards."""
    now = chosen(names)
    if st.session_state.get("gallery.board") != now:
        st.session_state["gallery.board"] = now
    st.selectbox("Board", names, index=None, key="gallery.board", placeholder="none", on_change=_go, width=150)


def _go() -> None:
    name = st.session_state["gallery.board"]
    if name:
        st.query_params[BOARD] = name
    else:
        st.query_params.pop(BOARD, None)


def contents(name: str) -> tuple[list[Opened], set[tuple[str, str]]]:
    """The runs of a board's concepts, and the concepts by run and id."""
    try:
        runs, placed = boards.on(stored.board(store.runs_folder(), name))
    except ConceptreeError as error:
        notices.error(error)
        return [], set()
    lost = [each for each in placed if each.problem]
    if lost:
        told = [shortened(problem(each), LONGEST) for each in lost[:MOST_SHOWN]]
        more = [f"{counted(len(lost) - MOST_SHOWN, 'more is', 'more are')} not found"] if len(lost) > MOST_SHOWN else []
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(plain("; ".join([*told, *more])), icon=":material/healing:")
            st.button(
                "Remove from the board",
                key="gallery.board.lost",
                on_click=boards.remove,
                args=(name, [each.pin.id for each in lost], f"{name}: {counted(len(lost), 'lost concept')} removed"),
            )
    return runs, {(each.run, each.pin.id) for each in placed if each.run}


def edit() -> None:
    """Rename or delete the chosen board."""
    name = st.session_state.get("gallery.board")
    if not name:
        return
    with st.popover("Edit", icon=":material/edit:", key="gallery.board.edit", help="Rename or delete the board"):
        key = f"gallery.board.name.{name}"
        st.text_input("Name of the board", name, key=key, max_chars=LONGEST_NAME, on_change=_rename, args=(name, key))
        st.button(
            "Delete the board",
            key="gallery.board.delete",
            icon=":material/delete:",
            help="Its concepts stay in their runs. Undo brings it back.",
            on_click=boards.delete,
            args=(name,),
        )


def _rename(name: str, key: str) -> None:
    new = st.session_state[key].strip()
    if new and new != name:
        boards.rename(name, new)
