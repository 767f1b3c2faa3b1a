"""Values of forms, kept when a person goes to another page and comes back."""

from __future__ import annotations

import streamlit as st

# Keys of widgets; Streamlit forgets the value of a widget that a page does not show, unless it is set again.
KEPT = (
    *(f"evolve.{name}" for name in ("select", "generations", "population", "children", "parents", "weights")),
    *(f"evolve.{name}" for name in ("mutation", "strength", "spread", "inherit", "words", "steps", "seed")),
)


def keep_forms() -> None:
    """Call before the page makes its widgets."""
    for key in KEPT:
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]
