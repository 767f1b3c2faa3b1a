"""A field with the labels of some concepts, such as their tags: remove one, give it to all, or add another.

Buttons and a field that is new after each use: a field with the labels in it would be kept by the browser, and given
to the next selection.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import streamlit as st

from core.texts import folded
from ui.view.text import plain

Change = Callable[[tuple[str, ...], tuple[str, ...]], None]  # labels to add to the concepts, and to remove


def chooser(
    what: str, counts: Mapping[str, int], total: int, known: Collection[str], change: Change, *, key: str
) -> None:
    """Show the field. what: `Add a tag`; counts: how many of `total` concepts have each label; known: to offer."""
    turn = f"{key}.turn"
    field = f"{key}.{st.session_state.get(turn, 0)}"

    def added() -> None:
        label = st.session_state[field]
        st.session_state[turn] = st.session_state.get(turn, 0) + 1
        if label:
            change((label,), ())

    st.selectbox(
        what,
        sorted((label for label in known if counts.get(label, 0) < total), key=folded),
        index=None,
        key=field,
        accept_new_options=True,
        placeholder="Choose one, or type a new one",
        on_change=added,
        width=260,
    )
    for number, label in enumerate(sorted(counts, key=folded)):
        of_all = counts[label] == total
        st.button(
            plain(label if of_all else f"{label}, {counts[label]} of {total}"),
            key=f"{key}.label.{number}",
            icon=":material/close:" if of_all else ":material/add:",
            type="tertiary",
            help="Remove" if of_all else "Add to the others too",
            on_click=change,
            args=((), (label,)) if of_all else ((label,), ()),
        )
