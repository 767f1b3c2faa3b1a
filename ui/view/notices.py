"""Errors and damage, each as one line of plain text."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.wording import counted
from evolve.store.parts import Damage
from ui.view.text import plain, shortened

LONGEST = 300  # characters of the text about one damaged place


def error(problem: Exception | str) -> None:
    """Show an error."""
    st.error(plain(str(problem)), icon=":material/error:")


def left_out(line: str) -> None:
    """Say what a file to download leaves out; nothing if the line is empty."""
    if line:
        st.warning(plain(line), icon=":material/healing:")


def warn_of(damage: Sequence[Damage]) -> None:
    """Name the first place that cannot be read, and count the others."""
    if damage:
        rest = len(damage) - 1
        more = f" {counted(rest, 'more place')} cannot be read either." if rest else ""
        st.warning(plain(f"{shortened(str(damage[0]), LONGEST)}.{more} The rest is shown."), icon=":material/healing:")
