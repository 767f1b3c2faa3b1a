"""Routes that serve pictures, by the run's name and the picture's id, never by a path."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from PIL import Image
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from core.errors import ConceptreeError
from core.png import texts_in, xmp_of
from evolve.store.rows import PHOTO, PICTURE
from ui.runs import checked_name
from ui.sheet import opened
from ui.view.links import LOOKS, PHOTOS, PICTURES
from ui.view.store import runs_folder

SIDES = (32, 64, 96, 128, 192, 256, 512)
JOB, LOOK = re.compile(r"[0-9]{4,}-[a-z]+"), re.compile(r"[0-9a-f]{8,64}")
# The content of an address never changes; a missing file may come back.
FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
NOT_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
NONE = ConceptreeError("no such picture")


def drawing(run: Path, ids: dict[str, str]) -> Path:
    return run / "drawings" / f"{_checked(PICTURE, ids['digest'] + '.png')}"


def look(run: Path, ids: dict[str, str]) -> Path:
    return run / "jobs" / _checked(JOB, ids["job"]) / "looks" / f"{_checked(LOOK, ids['digest'])}.png"


def photo(run: Path, ids: dict[str, str]) -> Path:
    return run / "photos" / f"{_checked(PHOTO, ids['id'])}.png"


def _checked(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise NONE
    return text


def serving(file_of: Callable[[Path, dict[str, str]], Path]) -> Callable[[Request], Response]:
    """Answer a route with the picture as WebP; `?side=` sets its longer side in pixels."""

    def serve(request: Request) -> Response:
        ids, side = dict(request.path_params), request.query_params.get("side", "0")
        try:
            if side not in ("0", *map(str, SIDES)):
                raise NONE
            file = file_of(runs_folder() / checked_name(ids["run"]), ids)
            about = file.stat()
            content = _webp(str(file), about.st_mtime_ns, about.st_size, int(side))
        except (ConceptreeError, OSError, ValueError):
            return none(request)
        return Response(content, media_type="image/webp", headers=FOR_EVER)

    return serve


def none(request: Request) -> Response:
    return PlainTextResponse("There is no such picture.", status_code=404, headers=NOT_KEPT)


@lru_cache(maxsize=4096)
def _webp(file: str, changed: int, size: int, side: int) -> bytes:
    """The file as WebP. changed, size: of the file, so that a repaired one is read again."""
    picture = opened(Path(file))
    longer = max(picture.size)
    if side and side != longer:
        width, height = (max(1, round(length * side / longer)) for length in picture.size)
        how = Image.Resampling.LANCZOS if side < longer else Image.Resampling.BICUBIC
        picture = picture.resize((width, height), how)
    written = io.BytesIO()
    xmp = b"" if side else xmp_of(texts_in(Path(file)))  # the full size, which people save
    picture.save(written, format="WEBP", lossless=side == 0, quality=88, xmp=xmp)
    return written.getvalue()


ROUTES = [
    Route(f"/{PICTURES}/{{run}}/{{digest}}.webp", serving(drawing)),
    Route(f"/{LOOKS}/{{run}}/{{job}}/{{digest}}.webp", serving(look)),
    Route(f"/{PHOTOS}/{{run}}/{{id}}.webp", serving(photo)),
    # Streamlit would answer any other path with its page.
    *(Route(f"/{room}/{{rest:path}}", none) for room in (PICTURES, LOOKS, PHOTOS)),
]
