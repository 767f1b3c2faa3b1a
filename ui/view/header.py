"""The bar above every page: its run, and the running jobs."""

from __future__ import annotations

import streamlit as st

from core.errors import ConceptreeError
from ui.view import learning, links, store
from ui.view.text import plain

EVERY = 2.0  # seconds between two updates


def show(of_a_run: bool) -> None:
    """Show the bar. of_a_run: whether the page shows one run, so that the bar offers the others."""
    links.keep_address()
    busy = bool(store.at_work())
    st.session_state["header.busy"] = busy
    if not busy and not of_a_run:
        return
    with st.container(key="header", horizontal=True, vertical_alignment="center", gap="medium"):
        if of_a_run:
            _chooser(st.session_state["run"])
        if busy:
            st.fragment(_at_work, run_every=EVERY)()


def _chooser(now: str) -> None:
    names = store.names()
    st.selectbox(
        "Run",
        names if now in names else [now, *names],
        index=names.index(now) if now in names else 0,
        key=f"header.run.{now}",
        label_visibility="collapsed",
        width=220,
        on_change=_chosen,
        args=(now,),
    )


def _chosen(before: str) -> None:
    name = st.session_state[f"header.run.{before}"]
    st.query_params.from_dict({"run": name})
    st.session_state["run"] = name


def _at_work() -> None:
    """A line for each running job. When the last one ends, the whole page runs again to show the results."""
    try:
        found = store.at_work()
    except ConceptreeError:  # the page itself shows the error
        found = []
    if not found and st.session_state.get("header.busy"):
        st.session_state["header.busy"] = False
        st.rerun()
    for run, job, status in found:
        words = plain(f"{run}: {learning.told(job, status)}")
        links.to("jobs", words, icon=":material/hourglass_top:", run=run, job=job.name)
