"""Values of forms: kept when a person goes to another page, and set aside for those of a concept."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from ui.view.text import plain

_CHOSEN = ("kind", "category.object", "category.style", "count", "negatives", "words", "run", "steps", "segment", "lam")
NEW_RUN = tuple(f"seed.{name}" for name in (*_CHOSEN, "wave", "seed", "preset", "model", "vlm", "question", "ask"))
# Keys of widgets; Streamlit forgets the value of a widget that a page does not show, unless it is set again.
KEPT = (
    *(key for key in NEW_RUN if key != "seed.run"),  # that name is taken by then
    *(f"evolve.{name}" for name in ("select", "generations", "population", "children", "parents", "weights")),
    *(f"evolve.{name}" for name in ("mutation", "strength", "spread", "inherit", "words", "steps", "seed")),
    *(f"gallery.{name}" for name in ("shown", "text", "sort", "flags", "generations", "births", "tags")),
    *("gallery.prompt", "gallery.all"),
)
_ASIDE = "forms.aside"  # key in the session: values by form


def keep_forms() -> None:
    """Call before the page makes its widgets."""
    for key in KEPT:
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def set_aside(form: str, keys: Sequence[str], of: str) -> None:
    """Keep the person's values of a form before those of a concept take their place. of: the concept's name."""
    aside = st.session_state.setdefault(_ASIDE, {})
    now = {key: st.session_state[key] for key in keys if key in st.session_state}
    aside[form] = (of, aside[form][1] if form in aside else now)


def back_button(form: str, keys: Sequence[str]) -> None:
    """Name the concept whose values a form has, with a button that brings back the person's own."""
    if form not in (aside := st.session_state.get(_ASIDE, {})):
        return
    of, _ = aside[form]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(plain(f"With the settings of {of}."), width="content")
        st.button("Back to mine", key=f"{form}.mine", icon=":material/undo:", on_click=put_back, args=(form, keys))


def put_back(form: str, keys: Sequence[str]) -> None:
    """Give a form the values that were set aside."""
    _, values = st.session_state[_ASIDE].pop(form)
    for key in keys:
        if key in values:
            st.session_state[key] = values[key]
        else:
            st.session_state.pop(key, None)
