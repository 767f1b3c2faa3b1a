"""Running jobs beside the tree: progress, drawings so far, and how to stop; and what a stopped one has learned."""

from __future__ import annotations

import streamlit as st

from core.errors import ConceptreeError
from evolve import Run
from evolve.jobs.job import Job, Status
from evolve.jobs.plans import Seed
from ui.view import clicks, ghosts, learning, links, notices, processes, store
from ui.view.store import Opened
from ui.view.text import plain, shortened

EVERY = 1.5  # seconds between two updates
STOPPED = ("stopped", "killed")  # states of a job that can go on as if nothing had happened
LONGEST = 100  # characters of the line of a stopped job
SIDE, MOST = 62, 8  # drawings of a job: pixels, and how many


def are_coming(run: Run) -> bool:
    """Whether a job is running."""
    return any(status.state in processes.AT_WORK for _, status in _current(run))


def work(found: Opened, drawings: bool = True) -> None:
    """Show the run's current jobs, updated while one is running. drawings: also their drawings so far."""
    every = EVERY if are_coming(found.run) else None
    st.fragment(_work, run_every=every)(found.run, _shown(found), drawings)


def stopped(run: Run) -> None:
    """Say that the newest job of the run was stopped, and what it has learned, with a button that goes on."""
    for job, status in store.jobs_of(run)[:1]:
        if status.state in STOPPED and job.name not in _names("breed.dismissed", run):
            with st.container(horizontal=True, vertical_alignment="center", gap="small", key="header.stopped"):
                told = plain(shortened(learning.ended(job, status), LONGEST))
                links.to("jobs", told, icon=":material/stop_circle:", run=run.folder.name, job=job.name)
                _buttons(run, job)


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
        if status.state in processes.AT_WORK:
            _running(run, job, status, drawings)
        else:
            _ended(run, job, status)


def _current(run: Run) -> list[tuple[Job, Status]]:
    """Running jobs, and those started in this session that failed or did not begin; `stopped` shows the others."""
    mine = _names("breed.started", run) - _names("breed.dismissed", run)
    return [
        (job, status)
        for job, status in store.jobs_of(run)
        if status.state in processes.AT_WORK or (job.name in mine and status.state not in (*STOPPED, "finished"))
    ]


def started(run: Run, job: Job) -> None:
    """Note a job that this session has started, or started again."""
    _names("breed.started", run).add(job.name)
    _names("breed.dismissed", run).discard(job.name)


def _names(key: str, run: Run) -> set[str]:
    """Names of jobs of a run that the session keeps; callers may change them."""
    found: set[str] = st.session_state.setdefault(key, {}).setdefault(run.folder.name, set())
    return found


def drafts(run: Run) -> dict[str, str]:
    """Last looks of finished concepts that have no drawing yet: addresses by concept id."""
    return {
        look.concept: links.look(run.folder.name, job.name, look.image.stem, 128)
        for job, status in _current(run)
        for look in job.looks()
        if look.concept and look.image and status.state in processes.AT_WORK
    }


def _running(run: Run, job: Job, status: Status, drawings: bool) -> None:
    name = run.folder.name
    with st.container(border=True, key=f"breed.job.{job.name}"):
        told = learning.told(job, status)
        st.progress(learning.percent(status), text=plain(told[:1].upper() + told[1:]))
        if drawings:
            learning.so_far(run, job, SIDE, MOST)
        if status.steps and status.step >= status.steps and isinstance(plan := learning.plan_of(job), Seed):
            stay = " Founders that you breed, rate or mark stay." if plan.keep else ""
            st.caption(f"All founders are learned: you can breed already.{stay}")
        with st.container(horizontal=True, vertical_alignment="center"):
            if clicks.button(
                "Stop",
                icon=":material/stop:",
                key=f"breed.stop.{job.name}",
                of=name,
                help="Finished concepts are kept.",
            ):
                job.request_stop()
            links.to("jobs", "Details", run=name, job=job.name)


def _ended(run: Run, job: Job, status: Status) -> None:
    """What an unfinished job has learned, and how to go on."""
    name = run.folder.name
    with st.container(border=True, key=f"breed.job.{job.name}"):
        st.markdown(plain(learning.ended(job, status)))
        if status.problem:
            notices.error(status.problem)
        with st.container(horizontal=True, vertical_alignment="center"):
            _buttons(run, job)
            links.to("jobs", "Details", run=name, job=job.name)


def _buttons(run: Run, job: Job) -> None:
    """Go on with an unfinished job, or say no more of it."""
    name = run.folder.name
    if clicks.button("Resume", icon=":material/play_arrow:", key=f"breed.on.{job.name}", of=name, once=True):
        _resume(run, job)
    if clicks.button("Dismiss", type="tertiary", key=f"breed.dismiss.{job.name}", of=name):
        _names("breed.dismissed", run).add(job.name)
        st.rerun()


def _resume(run: Run, job: Job) -> None:
    """Start the job again, or show the error."""
    try:
        processes.start(run, job)
    except ConceptreeError as error:
        notices.error(error)
        return
    started(run, job)
    st.rerun()
