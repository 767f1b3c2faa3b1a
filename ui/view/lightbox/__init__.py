"""One lightbox for all pictures of the pages. It answers in the browser and tells Python of ratings and marks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import streamlit as st

from core.errors import ConceptreeError
from ui.view import links, store, undo, whole
from ui.view.text import plain

KEY = "lightbox"  # of the component, and of its container
BLIND = "blind"  # how the key of a container begins whose pictures are shown without names and marks
FIELDS = {"rating": int, "favourite": bool, "hidden": bool}  # of a note, with the type of a value that is not None
_SEEN = "lightbox.seen"  # key in the session: the number of the last mark that was carried out
_STYLE = f"""<style>:is(.st-key-{KEY}, [data-testid="stLayoutWrapper"]:has(> .st-key-{KEY})) {{
  position: absolute; width: 0; height: 0;
}}
[data-testid="stElementToolbar"]:has(~ * img[data-enlarges]) {{ display: none; }}</style>"""  # else two ways to enlarge
_HERE = Path(__file__).parent
_SCRIPTS = ("lightbox.js", "shown.js", "page.js")  # one module
_mount = st.components.v2.component(
    "conceptree.lightbox",
    html=(_HERE / "lightbox.html").read_text(encoding="utf-8"),
    css=(_HERE / "lightbox.css").read_text(encoding="utf-8"),
    js="\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS),
)


def mount() -> None:
    """Put the lightbox on the page, once and before the rest, so that it keeps its place. It takes no room."""
    _take_marks()
    st.html(_STYLE)
    with st.container(key=KEY):
        _mount(
            key=f"{KEY}.shown",
            data={"origin": links.origin(), "seen": st.session_state[_SEEN]},
            height=1,
            default={"marks": []},
            on_marks_change=lambda: None,
        )


def _take_marks() -> None:
    """Write the marks that the browser has set since the last time. It sends all recent ones, so that none is lost."""
    # Marks of an earlier session, which a browser sends again after a server was started anew, have lower numbers.
    seen = st.session_state.setdefault(_SEEN, int(time.time() * 1000))
    for mark in (st.session_state.get(f"{KEY}.shown") or {}).get("marks") or ():
        if isinstance(mark, dict) and isinstance(mark.get("number"), int) and mark["number"] > seen:
            whole.to_the_end()
            st.session_state[_SEEN] = mark["number"]
            try:
                _write(mark)
            except ConceptreeError as error:
                st.toast(plain(str(error)), icon=":material/error:")


def _write(mark: dict[str, Any]) -> None:
    """Write one mark.

    Raises:
        ConceptreeError: the run is gone or locked, has no such concept, or a note has no such value.
    """
    field, value = mark.get("field"), mark.get("value")
    known = (field in FIELDS and type(value) is FIELDS[field]) or (field == "rating" and value is None)
    found = store.opened(str(mark.get("run")))
    entry = found.by_id.get(str(mark.get("concept")))
    if not known or entry is None:
        raise ConceptreeError(f"{field} = {value!r} cannot be set on {str(mark.get('concept'))[:40]!r}: it is not here")
    if not undo.mark(found.run, [entry], str(field), value):
        raise ConceptreeError(undo.take_problem())
