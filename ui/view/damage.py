"""What of a run cannot be read, told above what can."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.wording import counted
from evolve.store.parts import Damage
from ui.view.text import plain


def tell(damage: Sequence[Damage]) -> None:
    """One line, also where many places are damaged."""
    if damage:
        rest = len(damage) - 1
        more = f" There {'is' if rest == 1 else 'are'} {counted(rest, 'more such place')}." if rest else ""
        st.warning(plain(f"{damage[0]}.{more} What is whole is shown."), icon=":material/healing:")
