"""Routes of the lightbox: facts about a picture, and the picture and its copies as PNG to keep."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from core.errors import ConceptreeError
from evolve.store.rows import Drawing, Entry
from evolve.store.run import Run
from ui.runs import checked_name, open_run
from ui.view import learning, store
from ui.view.described import seeded, titled
from ui.view.links import ABOUT, LOOKS, PHOTOS, PICTURES, SAVED
from ui.view.text import on_one_line
from ui.view.thumbnails import NONE, NOT_KEPT, drawing, look, none, photo

FILES = {PICTURES: drawing, LOOKS: look, PHOTOS: photo}


class About(TypedDict):
    """Facts about a picture. file: the name of a download, without suffix. concept: its id, or "" if it is not stored;
    then there is nothing to rate.
    """

    name: str
    lines: list[str]
    file: str
    run: str
    concept: str
    rating: int | None
    favourite: bool
    hidden: bool


def about(room: str, run: Run, ids: dict[str, str]) -> About:
    """Facts about a stored picture.

    Raises:
        ConceptreeError: there is no such picture.
    """
    if room == PICTURES:
        return _of_drawing(run, ids["digest"])
    if room == LOOKS:
        return _of_look(run, ids["job"], ids["digest"])
    if (kept := run.photos().get(ids["digest"])) is None:
        raise NONE
    return _told(run, None, kept.label, ["photograph"], kept.id)


def _of_drawing(run: Run, digest: str) -> About:
    found = store.opened(run.folder.name)
    every = (each for drawn in (found.drawings, found.renderings) for own in drawn.values() for each in own)
    shown: Drawing | None = next((each for each in every if each.file.stem == digest), None)
    entry = found.by_id.get(shown.concept) if shown else None
    if shown is None or entry is None:
        raise NONE
    lines = [titled(shown, entry), seeded(shown)]
    with suppress(ConceptreeError):  # a damaged part
        concept = store.individual(found, entry.id).concept
        if concept.steps:
            lines[1] += f", step {concept.kept_step:,} of {concept.steps:,}"
    return _told(run, entry, entry.name, lines, f"{entry.name}-seed-{shown.seed}")


def _of_look(run: Run, job_name: str, digest: str) -> About:
    for job, _ in store.jobs_of(run):
        for each in job.looks() if job.name == job_name else ():
            if each.image and each.image.stem == digest:
                name = each.name or learning.one(job, each.number)
                words = ", ".join(each.all_negatives)
                lines = [f"step {each.step:,}", *([f"not {words}"] if words else [])]
                entry = store.opened(run.folder.name).by_id.get(each.concept) if each.concept else None
                return _told(run, entry, entry.name if entry else name, lines, f"{name}-step-{each.step}")
    raise NONE


def _told(run: Run, entry: Entry | None, name: str, lines: list[str], file: str) -> About:
    note = entry.note if entry else None
    return {
        "name": on_one_line(name),
        "lines": [on_one_line(line) for line in lines],
        "file": "-".join("".join(c if c.isalnum() or c in "-_." else " " for c in file).split())[:80] or "picture",
        "run": run.folder.name,
        "concept": entry.id if entry else "",
        "rating": note.rating if note else None,
        "favourite": bool(note and note.favourite),
        "hidden": bool(note and note.hidden),
    }


def serve_about(request: Request) -> Response:
    """Answer with the facts, as JSON."""
    try:
        run = open_run(store.runs_folder(), checked_name(request.path_params["run"]))
        return JSONResponse(about(_room(request), run, request.path_params), headers=NOT_KEPT)
    except (ConceptreeError, OSError, ValueError):
        return none(request)


def serve_saved(request: Request) -> Response:
    """Answer with a PNG to keep, its origin inside: `?cutout=1` without the background, `?upscale=4` larger."""
    try:
        room, ids = _room(request), dict(request.path_params)
        file = FILES[room](store.runs_folder() / checked_name(ids["run"]), {**ids, "id": ids["digest"]})
        written = file.stat().st_mtime_ns
    except (ConceptreeError, OSError, ValueError):
        return none(request)
    cutout, upscale = request.query_params.get("cutout") == "1", request.query_params.get("upscale", "1")
    try:
        content = _copy(str(file), written, cutout, int(upscale) if upscale in ("1", "2", "4") else 1)
    except ConceptreeError as error:
        return PlainTextResponse(str(error), 422, NOT_KEPT)
    except OSError:
        return none(request)
    return Response(content, media_type="image/png", headers=NOT_KEPT)


@lru_cache(maxsize=32)  # up to 12 MB each
def _copy(file: str, written: int, cutout: bool, upscale: int) -> bytes:
    """The stored file, or a copy, see `copy_of`. written: when, so that a repaired file is read again."""
    if not cutout and upscale == 1:
        return Path(file).read_bytes()
    from ui.copies import copy_of  # imports torch

    return copy_of(Path(file), cutout, upscale)


def _room(request: Request) -> str:
    return request.url.path.split("/")[2]


def _routes() -> list[Route]:
    found = []
    for first, serve, suffix in ((ABOUT, serve_about, ""), (SAVED, serve_saved, ".png")):
        for room in FILES:
            job = "/{job}" if room == LOOKS else ""
            found.append(Route(f"/{first}/{room}/{{run}}{job}/{{digest}}{suffix}", serve))
        found.append(Route(f"/{first}/{{rest:path}}", none))
    return found


ROUTES = _routes()
