"""Help for a category that the model does not know: what was meant, and all categories as chips."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.stack.backbone import Backbone
from core.wording import did_you_mean
from ui.view.text import plain, shortened

LONGEST = 40  # characters of the category, as it is repeated


def warn(category: str, backbone: Backbone) -> None:
    """Say that the model does not know what was typed, and what it may mean."""
    words = backbone.vocabulary
    near = did_you_mean(category, [*sorted(words.categories), *words.words])
    said = f"The model does not know “{shortened(category, LONGEST)}”. {near[:1].upper()}{near[1:]}".rstrip()
    st.warning(plain(f"{said} Choose one of its categories, or a word for a thing that it may know, such as teapot."))


def categories(known: Sequence[str], key: str, field: str) -> None:
    """All categories as chips, under a key; a click fills in the field (key)."""
    if known:
        st.pills("The model knows these categories", known, key=key, on_change=_take, args=(key, field))


def _take(key: str, field: str) -> None:
    if chosen := st.session_state[key]:
        st.session_state[field] = chosen
