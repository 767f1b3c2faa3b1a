"""What of a run cannot be read, told above what can."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from evolve.parts import Damage
from ui.view.text import counted, plain


def tell(damage: Sequence[Damage]) -> None:
    """One line, also where many places are damaged."""
    if damage:
        others = f" There {'is' if len(damage) == 2 else 'are'} {counted(len(damage) - 1, 'more such place')}."
        more = others if len(damage) > 1 else ""
        st.warning(plain(f"{damage[0]}.{more} What is whole is shown."), icon=":material/healing:")
