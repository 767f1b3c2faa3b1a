"""What the palette finds besides pages and actions: runs, boards, and concepts and tags of a run.

`/offers?run=RUN` answers with all runs and boards, and the concepts and tags of one run; `/offers/others?run=RUN` with
the concepts of the other runs.
"""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from core.errors import ConceptreeError
from evolve import Run
from evolve.store import boards as stored
from ui.runs import checked_name, open_run
from ui.view import store
from ui.view.links import OFFERS
from ui.view.text import on_one_line, shortened
from ui.view.thumbnails import NOT_KEPT, none

LONGEST = 60  # characters of a name
MOST = 20_000  # concepts of other runs, those of the latest runs first


def own(name: str) -> list[tuple[str, str, str]]:
    """(id, name, digest of its portrait or "") of each concept of a run, the newest first."""
    found = store.opened(name)
    return [
        (each.id, shortened(each.name, LONGEST), drawn[0].file.stem if (drawn := found.drawings.get(each.id)) else "")
        for each in reversed(found.entries)
    ]


def boards() -> list[str]:
    """Names of all boards; none if they cannot be read, which the gallery says."""
    with suppress(ConceptreeError, OSError):
        return [each.name for each in stored.boards(store.runs_folder())]
    return []


def others(name: str) -> list[tuple[str, str, str]]:
    """(run, id, name) of the concepts of all other runs that can be read."""
    found: list[tuple[str, str, str]] = []
    for other in store.newest_first():
        if other == name or len(found) >= MOST:
            continue
        with suppress(ConceptreeError, OSError):
            run = open_run(store.runs_folder(), other)
            found += [(other, *each) for each in _names(run.folder, store.state_of(run.folder))]
    return found[:MOST]


@lru_cache(maxsize=64)
def _names(folder: Path, state: tuple[tuple[str, int, int], ...]) -> list[tuple[str, str]]:
    """Ids and names of the concepts of a run, the newest first. state: see `store.state_of`."""
    return [(each.id, shortened(each.name, LONGEST)) for each in reversed(Run.open(folder).entries([]))]


def _asked(request: Request) -> str:
    name = request.query_params.get("run", "")
    return checked_name(name) if name else ""


def serve(request: Request) -> Response:
    """Answer with the runs and boards, and the concepts and tags of one run."""
    try:
        name = _asked(request)
        runs = [on_one_line(each) for each in store.newest_first()]
        of_run = {"concepts": own(name), "tags": store.opened(name).tags} if name else {"concepts": [], "tags": []}
        return JSONResponse({"runs": runs, "boards": boards(), **of_run}, headers=NOT_KEPT)
    except (ConceptreeError, OSError, ValueError):
        return none(request)


def serve_others(request: Request) -> Response:
    """Answer with the concepts of the other runs."""
    try:
        return JSONResponse({"concepts": others(_asked(request))}, headers=NOT_KEPT)
    except (ConceptreeError, OSError, ValueError):
        return none(request)


ROUTES = [Route(f"/{OFFERS}", serve), Route(f"/{OFFERS}/others", serve_others), Route(f"/{OFFERS}/{{rest:path}}", none)]
