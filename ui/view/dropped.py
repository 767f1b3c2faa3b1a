"""Pictures dropped on the tree: one of our drawings finds its concept, any other becomes a parent."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import streamlit as st

from core.errors import ConceptreeError
from core.png import strangers_texts
from evolve.store.captions import shown_by
from ui.drawn import DrawingError, origin_in
from ui.view import store
from ui.view.parents import add_photo, uploaded
from ui.view.selection import state_of
from ui.view.text import shortened

OTHER = "dropped.other"  # key in the session: another run to go to, which has the concept of a drawing
MOST = 4  # files at once


def take(run: str, told: Mapping[str, Any]) -> None:
    """Take the dropped files, `{"files": [{"name": …, "content": base64}]}`; the tree's message tells the result."""
    state = state_of(run)
    found: list[str] = []
    for file in list(told.get("files") or ())[:MOST]:
        name = shortened(str(file.get("name")), 60)
        try:
            content = base64.b64decode(str(file.get("content")), validate=True)
            found += _concepts(run, name, content)
        except (binascii.Error, ValueError):
            state.message = f"{name!r} came in broken: drop it again."
        except ConceptreeError as error:
            state.message = str(error)
    if found:
        state.select(found)


def _concepts(run: str, name: str, content: bytes) -> list[str]:
    """The concept of this run that a drawing shows. Any other picture becomes a parent, or leads to another run."""
    state, lost = state_of(run), ""
    if shown_by(strangers_texts(content)):
        try:
            origin = origin_in(content, name, store.runs_folder())
        except DrawingError:
            lost = ", though it is a drawing: no run here has its concept"
        else:
            other = origin.run.folder.name
            if other == run:
                return [origin.entry.id]
            state_of(other).select([origin.entry.id])
            st.session_state[OTHER] = other
            return []
    kept = uploaded(name, content, bool(st.session_state.get("breed.cutout")))
    add_photo(run, kept)
    state.message = f"{kept.label} is a parent now{lost}."
    return []


def other_run() -> str | None:
    """Another run to show, since a drawing that was dropped last shows a concept of it; once."""
    found: str | None = st.session_state.pop(OTHER, None)
    return found
