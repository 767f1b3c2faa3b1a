"""Running jobs beside the tree: progress, drawings so far, and how to stop."""

from __future__ import annotations

import streamlit as st

from evolve import Run
from evolve.jobs.job import Job, Status
from evolve.jobs.plans import Seed
from ui.view import clicks, ghosts, learning, links, notices, processes, store
from ui.view.store import Opened
from ui.view.text import plain

EVERY = 1.5  # seconds between two updates
SIDE, MOST = 62, 8  # drawings of a job: pixels, and how many


def are_coming(run: Run) -> bool:
    """Whether a job is running, or failed in this session."""
    return bool(_current(run))


def work(found: Opened, drawings: bool = True) -> None:
    """Show the run's current jobs, updated while one is running. drawings: also their drawings so far."""
    busy = any(status.state in processes.AT_WORK for _, status in _current(found.run))
    st.fragment(_work, run_every=EVERY if busy else None)(found.run, _shown(found), drawings)


def _shown(found: Opened) -> tuple[int, list[str]]:
    """How many concepts there are, and the ghosts."""
    return len(found.entries), [each.id for each in ghosts.ghosts_of(found)]


def _work(run: Run, known: tuple[int, list[str]], drawings: bool) -> None:
    """known: what the page shows, see `_shown`. Reruns the page once that is different, or a job has ended."""
    name, current = run.folder.name, _current(run)
    states = {job.name: status.state for job, status in current}
    before = st.session_state.get(f"breed.states.{name}", states)
    st.session_state[f"breed.states.{name}"] = states
    if states != before or (current and _shown(store.opened(name)) != known):
        st.rerun()
    for job, status in current:
        _job(run, job, status, drawings)


def _current(run: Run) -> list[tuple[Job, Status]]:
    """Running jobs, and those started in this session that stopped unfinished."""
    mine = st.session_state.get("breed.started", {}).get(run.folder.name, [])
    return [
        (job, status)
        for job, status in store.jobs_of(run)
        if status.state in processes.AT_WORK or (job.name in mine and status.state != "finished")
    ]


def drafts(run: Run) -> dict[str, str]:
    """Last looks of finished concepts that have no drawing yet: addresses by concept id."""
    return {
        look.concept: links.look(run.folder.name, job.name, look.image.stem, 128)
        for job, status in _current(run)
        for look in job.looks()
        if look.concept and look.image and status.state in processes.AT_WORK
    }


def _job(run: Run, job: Job, status: Status, drawings: bool) -> None:
    name = run.folder.name
    with st.container(border=True, key=f"breed.job.{job.name}"):
        busy = status.state in processes.AT_WORK
        told = learning.told(job, status)
        st.progress(learning.percent(status), text=plain(told[:1].upper() + told[1:]))
        if drawings:
            learning.so_far(run, job, SIDE, MOST)
        if busy and status.steps and status.step >= status.steps and isinstance(plan := learning.plan_of(job), Seed):
            stay = " Founders that you breed, rate or mark stay." if plan.keep else ""
            st.caption(f"All founders are learned: you can breed already.{stay}")
        if status.problem:
            notices.error(status.problem)
        with st.container(horizontal=True, vertical_alignment="center"):
            if busy:
                if clicks.button(
                    "Stop",
                    icon=":material/stop:",
                    key=f"breed.stop.{job.name}",
                    of=name,
                    help="Finished concepts are kept.",
                ):
                    job.request_stop()
            else:
                if clicks.button(
                    "Resume", icon=":material/play_arrow:", key=f"breed.on.{job.name}", of=name, once=True
                ):
                    processes.start(run, job)
                    st.rerun()
                if clicks.button("Dismiss", type="tertiary", key=f"breed.dismiss.{job.name}", of=name):
                    st.session_state["breed.started"][name].remove(job.name)
                    st.rerun()
            links.to("jobs", "Details", run=name, job=job.name)
