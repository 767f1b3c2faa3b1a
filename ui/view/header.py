"""The bar above every page: its run, and the running jobs."""

from __future__ import annotations

from contextlib import suppress

import streamlit as st

from core.errors import ConceptreeError
from core.wording import counted
from ui.runs import open_run
from ui.view import bell, births, history, learning, links, palette, store
from ui.view.text import plain

EVERY = 2.0  # seconds between two updates
LOOKS = 3.0  # seconds between two looks whether another tab or process has changed the run


def show(of_a_run: bool, stopped: bool = True) -> None:
    """Show the bar. of_a_run: whether the page shows one run, so that the bar offers the others. stopped: whether it
    says that the last job of the run was stopped.
    """
    links.keep_address()
    busy = bool(store.at_work())
    st.session_state["header.busy"] = busy
    with st.container(key="header", horizontal=True, vertical_alignment="center", gap="medium"):
        if of_a_run:
            _chooser(st.session_state["run"])
        history.keep_short()
        if busy:
            st.fragment(_at_work, run_every=EVERY)()
        if of_a_run and stopped:
            with suppress(ConceptreeError):  # the page itself shows the error
                births.stopped(open_run(store.runs_folder(), st.session_state["run"]))
        if of_a_run:
            st.session_state["header.state"] = _state(st.session_state["run"])
            st.fragment(_watch, run_every=LOOKS)(st.session_state["run"])
        st.space("stretch")
        palette.show(st.session_state["run"] if of_a_run else "")
        bell.show()


def _state(run: str) -> int:
    """Another number whenever concepts, drawings or notes of the run have changed."""
    return hash(store.state_of(store.runs_folder() / run))


def _watch(run: str) -> None:
    """Run the page again if another tab or process has changed the run, so that no tab shows old ratings."""
    now = _state(run)
    if st.session_state.get("header.state", now) != now:
        st.session_state["header.state"] = now
        st.rerun()


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
    """A line for one running job with its Stop, and the number of others; those of this session come first. When the
    last one ends, the whole page runs again.

    One line: with more, the page would move under the mouse whenever a job starts or ends.
    """
    try:
        found = store.at_work()
    except ConceptreeError:  # the page itself shows the error
        found = []
    if not found and st.session_state.get("header.busy"):
        st.session_state["header.busy"] = False
        st.rerun()
    started = st.session_state.get("breed.started", {})
    found.sort(key=lambda each: each[1].name not in started.get(each[0], ()))
    for run, job, status in found[:1]:
        others = f" · and {counted(len(found) - 1, 'other job')}" if len(found) > 1 else ""
        words = plain(f"{run}: {learning.told(job, status)}{others}")
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="header.job"):
            links.to("jobs", words, icon=":material/hourglass_top:", run=run, job=job.name)
            st.button(
                "Stop job",
                key=f"header.stop.{run}.{job.name}",
                icon=":material/stop:",
                type="tertiary",
                disabled=(job.folder / "stop").exists(),
                on_click=learning.stop,
                args=(job,),
                help="Finished concepts are kept, and the job can be resumed.",
            )
