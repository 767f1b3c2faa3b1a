"""Values of forms: kept when a person goes to another page, and set aside for those of a concept."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from evolve.jobs.options import FOUNDERS, SEED, SPREAD
from ui.view.text import plain

Key = str | tuple[str, str]  # of a widget; or a mapping in the session, and a run

# Keys of the widgets of New run, with their defaults.
NEW_RUN: dict[Key, object] = {
    "seed.kind": "object",
    "seed.category.object": "pet",
    "seed.category.style": None,
    "seed.count": FOUNDERS.default,
    "seed.negatives": "adaptive",
    "seed.words": [],
    **dict.fromkeys(("seed.steps", "seed.segment", "seed.lam", "seed.of", "seed.wave")),
    **dict.fromkeys(("seed.run", "seed.model", "seed.vlm", "seed.question", "seed.traits"), ""),
    "seed.seed": SEED.default,
    "seed.preset": "default",
    "seed.ask": False,
}
# The same of the Breed form; the name of the run follows.
BREEDING = {
    "breed.word.": None,
    "breed.aspect.": "colour",
    "breed.children.": 4,
    "breed.quality.": "Fine",
    "breed.inherit.": True,
    "breed.spread.": SPREAD.default,
}
# Keys of widgets; Streamlit forgets the value of a widget that a page does not show, unless it is set again.
KEPT = (
    *(str(key) for key in NEW_RUN if key != "seed.run"),  # that name is taken by then
    *(f"evolve.{name}" for name in ("select", "generations", "population", "children", "parents", "weights")),
    *(f"evolve.{name}" for name in ("mutation", "strength", "spread", "inherit", "words", "steps", "seed")),
    *(f"gallery.{name}" for name in ("shown", "text", "sort", "flags", "generations", "births", "tags")),
    *("gallery.prompt", "gallery.all"),
)
_PARENTS = ("parents", "breed.photos", "breed.away", "breed.weights", "breed.takes")  # mappings in the session, by run
_ASIDE = "forms.aside"  # key in the session: values by form


def keep_forms() -> None:
    """Call before the page makes its widgets."""
    bred = [key for key in map(str, st.session_state) if key.startswith(tuple(BREEDING))]
    for key in (*KEPT, *bred):
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def breeding(run: str) -> dict[Key, object]:
    """Keys and defaults of the Breed form of a run, with its parents."""
    parents: dict[Key, object] = {(room, run): {} for room in _PARENTS}
    return parents | {f"{name}{run}": value for name, value in BREEDING.items()}


def set_aside(form: str, fields: Mapping[Key, object], of: str) -> None:
    """Keep the person's values of a form before those of a concept take their place.

    fields: their keys with the defaults. of: the concept's name, or those of two.
    """
    aside = st.session_state.setdefault(_ASIDE, {})
    aside[form] = (of, aside[form][1] if form in aside else {key: _value(key, fields[key]) for key in fields})


def back_button(form: str) -> None:
    """Name the concept whose values a form has, with a button that brings back the person's own."""
    if form not in (aside := st.session_state.get(_ASIDE, {})):
        return
    of, _ = aside[form]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(plain(f"With the settings of {of}."), width="content")
        st.button("Back to mine", key=f"{form}.mine", icon=":material/undo:", on_click=_put_back, args=(form,))


def _put_back(form: str) -> None:
    """Give a form the values that were set aside."""
    _, values = st.session_state[_ASIDE].pop(form)
    for key, value in values.items():
        put(key, value)


def put(key: Key, value: object) -> None:
    """Set a value of a form. Never removed, even for a default: the browser would keep the old one."""
    if isinstance(key, tuple):
        st.session_state.setdefault(key[0], {})[key[1]] = value
    else:
        st.session_state[key] = value


def _value(key: Key, default: object) -> object:
    if isinstance(key, tuple):
        return dict(st.session_state.get(key[0], {}).get(key[1], {}))
    return st.session_state.get(key, default)
