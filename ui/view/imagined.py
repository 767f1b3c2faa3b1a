"""What the embedded stack draws for some categories, for the first page: drawn when the browser asks, and kept."""

from __future__ import annotations

import io
from functools import partial
from threading import Lock

import anyio
import torch
from anyio import to_thread
from PIL import Image
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from core.errors import ConceptreeError
from core.prompts import portrait
from ui.view import model
from ui.view.links import IMAGINED
from ui.view.preview import STEPS
from ui.view.thumbnails import NOT_KEPT, none

# Those that draw well; any other word of the stack is a category too.
CATEGORIES = (
    *("pet", "bird", "sea animal", "fruit", "flower", "dessert", "vehicle", "furniture", "musical instrument"),
    "building",
)
SEED, SIDE = 1, 256  # pixels
FOR_A_DAY = {"Cache-Control": "private, max-age=86400"}  # the next version may draw otherwise
_turn = Lock()  # one at a time: together all would be slower
_waiting = anyio.CapacityLimiter(2)  # threads of their own, as of previews
_drawn: dict[str, bytes] = {}


def drawn(category: str) -> bytes:
    """A picture of a category of `CATEGORIES` as WebP, drawn once.

    Raises:
        ConceptreeError: the stack cannot be loaded.
    """
    with _turn:
        if category not in _drawn:
            stack = model.stack("emoji")
            with torch.no_grad():
                embeds = stack.imagine([portrait("object").format(category)], seeds=[SEED])
            (picture,) = stack.draw(embeds.flatten(0, -2), [SEED], steps=STEPS)
            written = io.BytesIO()
            picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(written, format="WEBP", quality=88)
            _drawn[category] = written.getvalue()
        return _drawn[category]


async def serve(request: Request) -> Response:
    """Answer with the picture of the category in the address."""
    category = request.path_params["category"]
    if category not in CATEGORIES:
        return none(request)
    try:
        content = _drawn.get(category) or await to_thread.run_sync(partial(drawn, category), limiter=_waiting)
    except ConceptreeError as error:
        return PlainTextResponse(str(error), status_code=500, headers=NOT_KEPT)
    return Response(content, media_type="image/webp", headers=FOR_A_DAY)


ROUTES = [Route(f"/{IMAGINED}/{{category}}.webp", serve), Route(f"/{IMAGINED}/{{rest:path}}", none)]
