"""Running jobs for the browser's tab: a route that every page asks, also in a tab in the background.

`/working` lists the running jobs; with `?job=RUN/JOB`, as often as needed, also the state of jobs that ran before.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TypedDict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.errors import ConceptreeError
from evolve.jobs.job import Job, Status
from ui.runs import checked_name, open_run
from ui.view import learning, store
from ui.view.links import WORKING
from ui.view.processes import AT_WORK
from ui.view.text import shortened
from ui.view.thumbnails import NOT_KEPT, none

MOST = 50  # jobs that one request may ask for


class Told(TypedDict):
    """A job as a tab tells of it. job: `RUN/JOB`. asks: it waits for an answer. percent: None before it learns."""

    job: str
    run: str
    name: str
    what: str
    state: str
    works: bool
    asks: bool
    percent: int | None


def told(asked: list[str]) -> list[Told]:
    """The running jobs, then those of `asked` (`RUN/JOB`) that are not running; unknown ones are left out."""
    found = {f"{run}/{job.name}": _told(run, job, status) for run, job, status in store.at_work()}
    for each in asked[:MOST]:
        run, _, name = each.partition("/")
        if each in found:
            continue
        with suppress(ConceptreeError, OSError, ValueError):
            for job, status in store.jobs_of(open_run(store.runs_folder(), checked_name(run))):
                if job.name == name:
                    found[each] = _told(run, job, status)
    return [*found.values()]


def _told(run: str, job: Job, status: Status) -> Told:
    works = status.state in AT_WORK
    return {
        "job": f"{run}/{job.name}",
        "run": run,
        "name": job.name,
        "what": shortened(f"{run}: {learning.what(job)}", 80),
        "state": shortened(learning.state(job, status), 120),
        "works": works,
        "asks": works and bool(job.question()),
        "percent": learning.percent(status) if works and status.steps else None,
    }


def serve(request: Request) -> Response:
    """Answer with the jobs, as JSON."""
    try:
        return JSONResponse(told(request.query_params.getlist("job")), headers=NOT_KEPT)
    except (ConceptreeError, OSError, ValueError):
        return none(request)


ROUTES = [Route(f"/{WORKING}", serve)]
