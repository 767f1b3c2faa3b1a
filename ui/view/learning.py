"""What a job does, in words: for the line above every page, the cards of runs and the page of a job."""

from __future__ import annotations

from evolve.jobs import Job, Status
from ui.view.text import counted, left, shortened

WHAT = {"seed": ("founder", "founders"), "breed": ("child", "children"), "vary": ("variation", "variations")}


def what(job: Job) -> str:
    """`6 founders`, `2 children`, as far as the plan can be read."""
    one, several = WHAT.get(job.command, ("concept", "concepts"))
    requests = job.plan.get("requests")
    numbers = [job.plan.get("count"), job.plan.get("children"), len(requests) if isinstance(requests, list) else None]
    number = next((number for number in numbers if isinstance(number, int)), None)
    return several if number is None else counted(number, one, several)


def called(job: Job) -> str:
    """`6 founders of pet`, `2 children of moku and vasi`"""
    try:
        parents = [str(each["name"]) for room in ("parents", "photos") for each in job.plan.get(room, ())]
    except (KeyError, TypeError):
        parents = []
    of = " and ".join(parents) or job.plan.get("category")
    return f"{what(job)} of {shortened(of, 60)}" if isinstance(of, str) else what(job)


def told(job: Job, status: Status) -> str:
    """`6 founders: learning, 40 %, about 1 min left`"""
    return f"{what(job)}: {state(job, status)}"


def state(job: Job, status: Status) -> str:
    """How a job is, in words that say what can be done."""
    at = f" at step {status.step:,} of {status.steps:,}" if status.steps else ""
    match status.state:
        case "working" if job.question():
            return "waits for you"
        case "working":
            part = [f"{percent(status)} %"] if status.steps else []
            return ", ".join(filter(None, [status.doing or "learning", *part, left(status.left)]))
        case "stopped" | "failed" | "killed":
            return f"{status.state}{at}"
        case "waiting":
            return "not begun"
    return str(status.state)


def percent(status: Status) -> int:
    return min(100, 100 * status.step // status.steps) if status.steps else 0
