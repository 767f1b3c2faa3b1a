"""Jobs of a run: progress, drawings, negatives and curves, with decisions. The page only reads and queues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import streamlit as st

from core.errors import ConceptreeError
from core.review import Decision
from core.wording import counted
from evolve import Run, likeness
from evolve.jobs.job import Job, Status
from evolve.jobs.plans import Breed, Evolve, Map, Seed
from evolve.store.looks import Look
from evolve.store.parts import Damage
from ui.labels import NAMED_BY, STATES
from ui.runs import open_run
from ui.view import clicks, curves, learning, links, notices, processes, store
from ui.view.processes import AT_WORK
from ui.view.screens import steering
from ui.view.text import left, plain, shortened

EVERY = 1.5  # seconds between two updates of a running job
COLOURS: dict[str, Literal["blue", "green", "red", "orange"]] = {
    "starting": "blue",
    "working": "blue",
    "finished": "green",
    "failed": "red",
    "killed": "orange",
}
SIDE = 72  # pixels of a drawing in a strip
MOST_AT_WORK = 6  # concepts that are shown with curves while they learn
MOST = 12  # finished concepts; a checkbox shows the others
TAIL = 6000  # bytes of a log, from its end


def show() -> None:
    run = open_run(store.runs_folder(), st.query_params["run"])
    damage: list[Damage] = []
    found = store.jobs_of(run, damage)
    notices.warn_of(damage)
    if not found:
        st.title("Jobs", anchor=False)
        st.caption("This run has no jobs yet. Choose parents in the family tree to breed children.")
        links.to("tree", "Family tree", icon=":material/account_tree:", run=run.folder.name)
        return
    job = _chosen(found)
    state = processes.status(job).state
    st.session_state["progress.live"] = state in AT_WORK
    st.session_state.pop("progress.rerun", None)
    with st.container(key="progress.top"):
        st.fragment(_top, run_every=EVERY if state in AT_WORK else None)(run, job)
    st.fragment(steering.panel)(run, job)
    with st.container(key="progress.course"):
        st.fragment(_course, run_every=EVERY if state in AT_WORK else None)(run, job)
    if len(found) > 1:
        _others(run, job, found)


def _chosen(found: Sequence[tuple[Job, Status]]) -> Job:
    """The job of the address, else a running one, else the newest."""
    by_name = {job.name: job for job, _ in found}
    asked = st.query_params.get("job", "")
    if asked in by_name:
        return by_name[asked]
    if asked:
        st.warning(plain(f"There is no job {asked!r} in this run; showing another one."))
    return next(iter([job for job, status in found if status.state in AT_WORK]), found[0][0])


def _others(run: Run, now: Job, found: Sequence[tuple[Job, Status]]) -> None:
    """Links to all jobs of the run with their states, the newest first."""
    with st.expander(f"All jobs of this run ({len(found)})", key="progress.others"):
        for job, status in found:
            label = plain(f"{learning.called(job)}: {learning.state(job, status)}")
            links.to("jobs", f"**{label}**" if job.name == now.name else label, run=run.folder.name, job=job.name)


def _course(run: Run, job: Job) -> None:
    """The part that updates while a job runs. Reruns the page once when the job has ended."""
    status = processes.status(job)
    if st.session_state.get("progress.live") and status.state not in AT_WORK:
        st.session_state["progress.live"] = False
        st.rerun(scope="app")
    if st.session_state.pop("progress.rerun", False):
        st.rerun(scope="app")
    question = job.question()
    looks = job.looks()
    places = learning.by_number(job)
    if question:
        steering.ask(run, job, question)
    _diversity(run, looks)
    pending: dict[int, list[Decision]] = {}
    for number, decision in ((each.number, each.decision) for each in job.pending()):
        pending.setdefault(number, []).append(decision)
    at_work = [number for number, of in places.items() if not of[-1].concept]
    every = len(at_work) <= MOST_AT_WORK or st.session_state.get(f"progress.more.{job.name}", False)
    for number in at_work if every else at_work[:MOST_AT_WORK]:
        _learning(run, job, status, number, places[number], pending.get(number, []), bool(question))
    if not every:
        _drafts(run, job, {number: places[number] for number in at_work[MOST_AT_WORK:]})
        st.checkbox(f"Curves and words of all {len(at_work)}", key=f"progress.more.{job.name}")
    _all_finished(run, job, places)
    if not places and not question and status.state in AT_WORK:
        st.caption(
            "Loading the model. The first drawings appear here soon. You can close this page; the job continues."
        )
    _log(job)


def _drafts(run: Run, job: Job, places: Mapping[int, Sequence[Look]]) -> None:
    """The latest drawing of each concept, in one row. places: looks by the concept's number."""
    drawn = {n: image for n, of in places.items() if (image := next((x.image for x in of[::-1] if x.image), None))}
    if not drawn:
        return
    st.image(
        [links.look(run.folder.name, job.name, image.stem, 2 * 96) for image in drawn.values()],
        caption=[learning.one(job, number) for number in drawn],
        width=SIDE,
        alt=[f"the latest drawing of {learning.one(job, number)}" for number in drawn],
    )


def _all_finished(run: Run, job: Job, places: Mapping[int, Sequence[Look]]) -> None:
    """The finished concepts, the newest first, two in a row; below them those that the job has hidden, and how many a
    person has. places: looks by the concept's number.
    """
    aside, by_hand = run.aside(), learning.hidden_by_hand(run)
    finished = [number for number in [*places][::-1] if places[number][-1].concept]
    if not finished:
        return
    hidden = [number for number in finished if places[number][-1].concept in aside]
    left_out = [number for number in finished if places[number][-1].concept in by_hand]
    finished = [number for number in finished if number not in hidden and number not in left_out]
    st.subheader("Finished", anchor=False)
    every = len(finished) <= MOST or st.session_state.get(f"progress.all.{job.name}", False)
    shown = finished if every else finished[:MOST]
    for first in range(0, len(shown), 2):
        for column, number in zip(st.columns(2), shown[first : first + 2], strict=False):
            with column:
                _finished(run, job, number, places[number])
    if not every:
        st.checkbox(f"Show all {len(finished)}", key=f"progress.all.{job.name}")
    if hidden:
        told = counted(len(hidden), "more is hidden", "more are hidden")
        st.caption(f"{told}: those above are more whole, or differ more. You can show any of them.")
        _drafts(run, job, {number: places[number] for number in hidden})
    if left_out:
        told = counted(len(left_out), "concept that you hid is", "concepts that you hid are")
        st.caption(f"{told} not shown here. “Include hidden” in the gallery shows them.")


def _top(run: Run, job: Job) -> None:
    _head(run, job, processes.status(job), waits=bool(job.question()))


def _head(run: Run, job: Job, status: Status, waits: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="progress.head"):
        called = learning.called(job)  # names keep their capitals
        st.title(plain(f"{called[:1].upper()}{called[1:]}"), anchor=False, width="content")
        paused = status.state == "working" and job.paused
        told = "paused" if paused else "waits for you" if waits else STATES[status.state]
        st.badge(told, color=COLOURS.get(status.state, "gray"))
        st.space("stretch")
        _buttons(run, job, status)
    if status.state == "failed":
        notices.error(status.problem)
        st.caption("Finished concepts are kept. **Resume** continues where it stopped; the log below has details.")
    elif status.state == "killed":
        st.warning(
            "The process was killed, or the machine went down. Finished concepts are kept; the others resume from their"
            " last drawing.",
            icon=":material/power_off:",
        )
    if status.steps and status.state != "finished":
        texts = [f"step {status.step:,} of {status.steps:,}", *([status.doing] if status.doing and not paused else [])]
        if status.state == "working" and status.left is not None:
            texts.append(left(status.left))
        st.progress(learning.percent(status), text=plain(", ".join(texts)))


def _buttons(run: Run, job: Job, status: Status) -> None:
    name = run.folder.name
    if status.state == "working":
        _pause_button(job)
        stopping = (job.folder / "stop").exists()
        st.button(
            "Stopping …" if stopping else "Stop",
            key="progress.stop",
            icon=":material/stop:",
            disabled=stopping,
            on_click=learning.stop,
            args=(job,),
            help="Finished concepts are kept, and the job can be resumed.",
        )
    elif status.state not in ("starting", "finished"):
        label = "Start" if status.state == "waiting" else "Resume"
        if clicks.button(
            label, key="progress.on", of=str(job.folder), once=True, type="primary", icon=":material/play_arrow:"
        ) and _start(run, job):
            st.rerun(scope="app")
    if status.state == "finished":
        links.to("tree", "Family tree", icon=":material/account_tree:", run=name)
        links.to("gallery", "Gallery", icon=":material/grid_view:", run=name)


def _pause_button(job: Job) -> None:
    """Pause, or go on. A paused job keeps its process, so it goes on at once."""
    if job.paused:
        st.button("Resume", key="progress.unpause", icon=":material/play_arrow:", on_click=job.go_on, type="primary")
    else:
        st.button(
            "Pause",
            key="progress.pause",
            icon=":material/pause:",
            on_click=_pause,
            args=(job,),
            help="The job waits at its next step until you continue it, so that you can steer it without haste.",
        )


def _pause(job: Job) -> None:
    try:
        job.pause()
    except ConceptreeError as error:
        st.toast(plain(str(error)), icon=":material/error:")


def _start(run: Run, job: Job) -> bool:
    try:
        processes.start(run, job)
    except ConceptreeError as error:
        notices.error(error)
        return False
    return True


def _diversity(run: Run, looks: Sequence[Look]) -> None:
    """Mean similarity of the finished concepts, and how it changed."""
    finished = tuple(dict.fromkeys(look.concept for look in looks if look.concept))
    course = _likeness(str(run.folder), finished, run) if len(finished) > 1 else []
    if course:
        before = f" (before: {', '.join(f'{value:.2f}' for value in course[-6:-1])})" if len(course) > 1 else ""
        st.caption(
            f"Diversity: mean similarity {course[-1]:.2f} of the {len(course) + 1} finished concepts{before}. Lower is"
            " more diverse; at 1 all are the same."
        )


@st.cache_data(max_entries=64, show_spinner=False)
def _likeness(folder: str, finished: tuple[str, ...], _run: Run) -> list[float]:
    """Mean similarity of the first two, three … of these concepts, skipping those the run no longer has."""
    by_id = {each.id: each.concept for each in _run.individuals()}
    concepts = [by_id[id_] for id_ in finished if id_ in by_id]
    return [likeness(concepts[:number]) for number in range(2, len(concepts) + 1)]


def _learning(
    run: Run, job: Job, status: Status, number: int, looks: Sequence[Look], pending: Sequence[Decision], asks: bool
) -> None:
    """An unfinished concept: drawings, negatives and curves.

    asks: whether the job waits for an answer, so that nothing else can be decided.
    """
    with st.container(border=True, key=f"progress.of.{job.name}.{number}"):
        seen, plot = st.columns([5, 4], gap="medium")
        with seen:
            st.markdown(f"**{plain(learning.one(job, number))}**")
            _strip(run, job, learning.one(job, number), looks)
            _negatives(looks)
            for decision in pending:
                st.caption(plain(f"At the next checkpoint: {steering.said(decision)}."))
        with plot:
            _curves(run, job, learning.one(job, number), looks)
        if status.state == "working" and not asks:
            st.button(
                "Steer",
                key=f"progress.decide.{job.name}.{number}",
                icon=":material/tune:",
                on_click=steering.open_panel,
                args=(job, number),
            )


def _strip(run: Run, job: Job, name: str, looks: Sequence[Look]) -> None:
    drawn = [(look.step, look.image) for look in looks if look.image and look.image.is_file()]
    if not drawn:
        return
    st.image(
        [links.look(run.folder.name, job.name, image.stem, 2 * 96) for _, image in drawn],
        caption=[str(step) for step, _ in drawn],
        width=SIDE,
        alt=[f"{name} at step {step}" for step, _ in drawn],
    )


def _negatives(looks: Sequence[Look]) -> None:
    """The current negatives by source, each with the step that added it; the last remark; what a person decided."""
    added = {word: (look.step, by) for look in looks for word, by in look.negatives}
    by_source: dict[str, list[str]] = {}
    for word in looks[-1].all_negatives:
        step, by = added.get(word, (0, "request"))
        by_source.setdefault(NAMED_BY.get(by, by), []).append(f"**{plain(word)}** ({step})")
    if by_source:
        told = "; ".join(f"{', '.join(words)} – {plain(source)}" for source, words in by_source.items())
        st.markdown(f"Negatives (from step): {told}")
    if note := next((look.note for look in reversed(looks) if look.note), ""):
        st.caption(plain(shortened(note, 300)))
    if steered := looks[-1].steered:
        st.caption(plain(shortened(f"Your decisions: {'; '.join(steered)}", 300)))


def _curves(run: Run, job: Job, name: str, looks: Sequence[Look]) -> None:
    """Fig. 14 so far: similarity to each constraint, by step."""
    names = run.names() if any(":" in word for look in looks for word in look.similarities) else {}
    table = curves.so_far(looks, names)
    if table.empty:
        return
    chart = curves.chart(table, end=max(looks[-1].step, _steps(job), 1))
    now = ", ".join(f"{curves.constraint(word, names)} {value:.2f}" for word, value in looks[-1].similarities.items())
    told = f"Similarity of {name} to its constraints, by step; at step {looks[-1].step}: {now}"
    st.altair_chart(chart, width="stretch", alt=told, key=f"progress.curves.{job.name}.{looks[-1].number}")


def _steps(job: Job) -> int:
    """Steps of each concept, if the plan says so."""
    plan = learning.plan_of(job)
    return plan.settings.steps if isinstance(plan, Seed | Breed | Evolve | Map) and plan.settings else 0


def _finished(run: Run, job: Job, number: int, looks: Sequence[Look]) -> None:
    """A finished concept: link, strip, negatives, curves."""
    last = looks[-1]
    name = shortened(last.name or last.concept, 40)
    with st.container(border=True, key=f"progress.done.{job.name}.{number}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            links.to(
                "concept", f"**{plain(name)}**", icon=":material/check:", run=run.folder.name, concept=last.concept
            )
            st.caption(plain(f"{learning.one(job, number)}, {counted(last.step, 'step')}"))
            st.space("stretch")
            key = f"progress.how.{job.name}.{number}"
            with st.popover("Curves", key=key, type="tertiary", on_change="rerun") as opened:
                if opened.open:
                    _curves(run, job, name, looks)
        _strip(run, job, name, looks)
        _negatives(looks)


def _log(job: Job) -> None:
    if text := tail(job.folder / "log.txt"):
        with st.expander("Log", key=f"progress.log.{job.name}"):
            st.code(text, language=None, wrap_lines=True)


def tail(file: Path) -> str:
    """The end of a log, without control characters."""
    try:
        with file.open("rb") as opened:
            size = opened.seek(0, 2)
            opened.seek(max(0, size - TAIL))
            text = opened.read().decode(errors="replace")
    except OSError:
        return ""
    lines = text.splitlines()[1 if size > TAIL else 0 :]
    return "\n".join("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line) for line in lines)
