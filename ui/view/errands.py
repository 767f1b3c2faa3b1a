"""Processes that draw with a large stack: a page tells that they are at it, and shows what they have drawn."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from evolve import Run
from evolve.store.run import Entry
from ui.view import drawing
from ui.view.text import plain

EVERY = 2.0  # seconds between two looks whether a process has drawn


def watch(run: Run, entries: Sequence[Entry]) -> None:
    """Tell what is being drawn of these concepts, and what could not be."""
    at_work = []
    for each in entries:
        errand = drawing.errand(run, each.id)
        if errand and errand.at_work:
            at_work.append(each.id)
        elif errand and errand.problem:
            st.error(plain(f"{each.name} could not be drawn: {errand.problem}"), icon=":material/error:")
    if at_work:
        st.fragment(_await, run_every=EVERY)(run, tuple(at_work))


def _await(run: Run, ids: Sequence[str]) -> None:
    errands = [drawing.errand(run, id_) for id_ in ids]
    if any(errand is None or not errand.at_work for errand in errands):
        st.rerun(scope="app")
    st.caption("A process of its own is drawing; you can go on working.")
