"""A job in words and pictures, for every page that shows one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from core.concept import TAKES
from core.errors import ConceptreeError
from core.wording import counted
from evolve import Run
from evolve.jobs import plans
from evolve.jobs.job import Job, Status
from evolve.jobs.plans import Breed, Evolve, Given, Map, Plan, Seed, Vary
from evolve.store.looks import Look
from evolve.store.parts import RunError
from ui.descent import crossed
from ui.labels import RESULTS, STATES
from ui.view import links, store
from ui.view.text import left, plain, shortened

LONGEST_NAME, LONGEST_TITLE = 24, 140  # characters of a parent's name and of all parents in the title of a job
Looks = Mapping[int, Sequence[Look]]  # of each concept, by its number


def what(job: Job) -> str:
    """`6 founders`, `the best 6 of 18 founders`, `2 children`; without the number if the plan cannot be read."""
    one, several = RESULTS.get(job.command, ("concept", "concepts"))
    match plan_of(job):
        case Seed(keep=kept, count=number) if kept:
            return f"the best {kept} of {counted(number, one, several)}"
        case Evolve(select=plans.TASTE):
            return "children of what you like"
        case Seed(count=number) | Evolve(generations=number) | Breed(children=number) | Vary(children=number):
            return counted(number, one, several)
        case Given() as given:
            return counted(given.children, one, several)
    return several


def called(job: Job) -> str:
    """`6 founders of pet`, `2 children of moku × vasi, less bege, but blue`."""
    match plan_of(job):
        case Seed(category=of):
            pass
        case Breed() as plan:
            parents = [(shortened(each.name, LONGEST_NAME), each.weight, "mix") for each in plan.parents]
            parents += [(shortened(each.label, LONGEST_NAME), each.weight, "image") for each in plan.photos]
            parents += [(shortened(each.name, LONGEST_NAME), 0.0, f"{TAKES}{each.aspect}") for each in plan.takes]
            of = crossed(parents, plan.words)
        case Vary(parents=(parent,), words=words):
            of = crossed([(shortened(parent.name, LONGEST_NAME), parent.weight, "mutate")], words)
        case _:
            return what(job)
    return f"{what(job)} of {shortened(of, LONGEST_TITLE)}"


def plan_of(job: Job) -> Plan | None:
    """The plan of a job; None if it cannot be read."""
    try:
        return job.plan
    except RunError:
        return None


def one(job: Job, number: int) -> str:
    """`Founder 3`, for number 2 (from 0); `Child 3 of generation 2` in an evolution."""
    plan = plan_of(job)
    if isinstance(plan, Map) and number < plan.first:
        return f"Founder {number + 1}"
    if isinstance(plan, Evolve | Map):
        first = plan.first if isinstance(plan, Map) else 0
        generation, place = divmod(number - first, plan.children)
        return f"Child {place + 1} of generation {generation + 1 + bool(first)}"
    return f"{_one(job).capitalize()} {number + 1}"


def _one(job: Job) -> str:
    if job.command in (Evolve.command, Map.command):
        return "child"
    return RESULTS.get(job.command, ("concept", ""))[0]


def told(job: Job, status: Status) -> str:
    """`6 founders: learning, 40 %, about 1 min left`."""
    return f"{what(job)}: {state(job, status)}"


def ended(job: Job, status: Status) -> str:
    """`Stopped: 4 children of moku × vasi, 1 learned.`"""
    count = len({look.number for look in job.looks() if look.concept})
    return f"{STATES[status.state].capitalize()}: {called(job)}, {count or 'none'} learned."


def state(job: Job, status: Status) -> str:
    """State of a job in words, with its progress."""
    at = f" at step {status.step:,} of {status.steps:,}" if status.steps else ""
    match status.state:
        case "working" if job.paused:
            return f"paused{at}"
        case "working" if job.question():
            return "waits for you"
        case "working":
            part = [f"{percent(status)} %"] if 0 < percent(status) < 100 else []
            return ", ".join(filter(None, [status.doing or STATES["working"], *part, left(status.left)]))
        case "stopped" | "failed" | "killed":
            return f"{STATES[status.state]}{at}"
    return STATES[status.state]


def percent(status: Status) -> int:
    """Progress from 0 to 100, in the time that steps and drawings take; in steps where that is not known."""
    if status.part is not None:
        return min(99, int(100 * status.part))
    return min(100, 100 * status.step // status.steps) if status.steps else 0


def by_number(job: Job) -> Looks:
    """All looks of a job by the numbers of its concepts."""
    found: dict[int, list[Look]] = {}
    for look in job.looks():
        found.setdefault(look.number, []).append(look)
    return found


def so_far(run: Run, job: Job, side: int, most: int, captions: bool = True) -> None:
    """The last look at each concept of a job that no person has hidden: the newest `most`, each `side` pixels wide.

    captions: the names of finished concepts.
    """
    last = {look.number: look for look in job.looks() if look.image and look.image.is_file()}
    hidden = hidden_by_hand(run) if any(look.concept for look in last.values()) else set()
    shown = [last[number] for number in sorted(last) if last[number].concept not in hidden][-most:]
    if not shown:
        return
    st.image(
        [links.look(run.folder.name, job.name, look.image.stem, 128) for look in shown if look.image],
        caption=[plain(look.name) for look in shown] if captions and any(look.name for look in shown) else None,
        width=side,
        alt=[look.name or f"a {_one(job)} in progress" for look in shown],
    )


def hidden_by_hand(run: Run) -> set[str]:
    """Ids of the concepts that a person has hidden, without those that a job has set aside."""
    return {each.id for each in store.opened(run.folder.name).entries if each.note.hidden} - run.aside()


def stop(job: Job) -> None:
    """Ask a job to stop, or say why that is not possible."""
    try:
        job.request_stop()
    except ConceptreeError as error:
        st.toast(plain(str(error)), icon=":material/error:")
