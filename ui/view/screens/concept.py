"""The page of a concept: drawings, notes, origin, neighbours."""

from __future__ import annotations

import streamlit as st

from core.errors import ConceptreeError
from evolve.store.run import Entry
from ui.labels import BIRTHS
from ui.view import clicks, links, notices, store, undo
from ui.view.described import category_of
from ui.view.screens import drawings, more_like, opinion, origin
from ui.view.store import Opened
from ui.view.text import plain


def show() -> None:
    found = store.current()
    notices.warn_of(found.damage)
    entry = _entry(found)
    if entry is None:
        return
    _head(found, entry)
    looks, story = st.columns([1, 2], gap="large")
    with looks:
        drawings.show(found, entry)
    with story:
        opinion.show(found, entry)
        origin.show(found, entry)
    more_like.listen()


def _entry(found: Opened) -> Entry | None:
    """The concept of the address, by id or name; None, with links to others, if there is none."""
    asked = st.query_params.get("concept", "")
    try:
        if asked:
            return found.by_id.get(asked) or found.run.entry(asked)
        if found.entries:
            st.info("The address names no concept. Choose one in the gallery.", icon=":material/interests:")
        else:
            st.info("This run has no concepts yet.", icon=":material/interests:")
    except ConceptreeError as error:
        notices.error(error)
    name = found.run.folder.name
    links.to("gallery", "Gallery", icon=":material/grid_view:", run=name)
    links.to("tree", "Family tree", icon=":material/account_tree:", run=name)
    return None


def _head(found: Opened, entry: Entry) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="concept.head"):
        st.title(plain(entry.name), anchor=False, width="content")
        told = [category_of(entry.category, entry.kind), BIRTHS[entry.birth], f"generation {entry.generation}"]
        if entry.born != entry.name:
            told.append(f"born as {entry.born}")
        if entry.note.hidden:
            told.append("hidden")
        st.caption(plain(" · ".join(told)), width="content")
        st.space("stretch")
        undo.bar(found.run)
        shown = [each for each in found.entries if not each.note.hidden or each.id == entry.id]
        place = [each.id for each in shown].index(entry.id)
        before = shown[place - 1] if place else None
        after = shown[place + 1] if place + 1 < len(shown) else None
        for key, label, other in (("before", "Previous", before), ("after", "Next", after)):
            icon = ":material/arrow_back:" if key == "before" else ":material/arrow_forward:"
            help_ = plain(other.name) if other else None
            if clicks.button(label, key=f"concept.{key}", icon=icon, disabled=other is None, help=help_) and other:
                links.go("concept", run=found.run.folder.name, concept=other.id)
