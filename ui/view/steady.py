"""Keeps the cards of the gallery in place: a card stays while it is selected, and new ones wait for a click."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from core.wording import counted
from ui.view.cards import selected_in
from ui.view.items import Item

_VIEW = "gallery.view"  # key in the session


@dataclass(frozen=True)
class View:
    """What a person looks at. of: runs and filters. there: ids of the cards that matched or not when the person came.

    selected: ids of the cards that were selected when the page was last shown.
    """

    of: object
    there: frozenset[str]
    selected: frozenset[str] = frozenset()


def begin(of: object, key: str, there: Callable[[], Sequence[Item]]) -> frozenset[str]:
    """The selected cards (ids), which stay even if a note takes them out of the filters, such as after Hide.

    With other filters, in a run that was empty, or when a person comes back, none stay and none wait. of: runs and
    filters; key: of the grid; there: all cards.
    """
    view: View | None = st.session_state.get(_VIEW)
    selected = selected_in(key)
    if view is None or view.of != of or selected is None or not view.there:
        view = st.session_state[_VIEW] = View(of, frozenset(item.card_id for item in there()))
    return view.selected & {*(selected or ())}


def settled(items: Sequence[Item]) -> list[Item]:
    """The cards that do not wait."""
    there = st.session_state[_VIEW].there
    return [item for item in items if item.card_id in there]


def note(selected: Sequence[str]) -> None:
    """Note the selection, at the end of the page."""
    view: View = st.session_state[_VIEW]
    st.session_state[_VIEW] = View(view.of, view.there, frozenset(selected))


def selected_of(run: str) -> list[str]:
    """Ids of the concepts of a run that were selected when the gallery was last shown."""
    view: View | None = st.session_state.get(_VIEW)
    cards = [card.split("/") for card in sorted(view.selected)] if view else []
    return list(dict.fromkeys(parts[1] for parts in cards if parts[0] == run))


def offer(waiting: int, noun: str) -> None:
    """A button that shows the cards that wait. noun: `concept` or `drawing`."""
    if waiting:
        st.button(
            f"{counted(waiting, f'new {noun}')} · Show",
            key="gallery.new",
            icon=":material/fiber_new:",
            type="tertiary",
            on_click=_show,
        )


def _show() -> None:
    st.session_state.pop(_VIEW)
