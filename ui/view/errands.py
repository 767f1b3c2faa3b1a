"""Drawing from a page, and the progress of processes that draw with a large stack."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.errors import ConceptreeError
from evolve import Run
from evolve.store.run import Entry
from ui.view import drawing, notices
from ui.view.drawing import Wanted

EVERY = 2.0  # seconds between two checks


def draw(run: Run, wanted: Sequence[Wanted]) -> bool | None:
    """Make missing drawings, see `drawing.draw`; None, with the reason on the page, if that fails."""
    try:
        with st.spinner("Drawing …"):
            return drawing.draw(run, wanted)
    except ConceptreeError as error:
        notices.error(error)
        return None


def watch(run: Run, entries: Sequence[Entry]) -> None:
    """Show which of these concepts are being drawn, and why others could not be."""
    at_work = []
    for each in entries:
        errand = drawing.errand(run, each.id)
        if errand and errand.at_work:
            at_work.append(each.id)
        elif errand and errand.problem:
            notices.error(f"{each.name} could not be drawn: {errand.problem}")
    if at_work:
        st.fragment(_await, run_every=EVERY)(run, tuple(at_work))


def _await(run: Run, ids: Sequence[str]) -> None:
    errands = [drawing.errand(run, id_) for id_ in ids]
    if any(errand is None or not errand.at_work for errand in errands):
        st.rerun(scope="app")
    st.caption("Drawing in the background. You can keep working.")
