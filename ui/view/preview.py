"""Previews of mixtures before anything is learned, drawn when the browser asks for them.

A page remembers a mix and gives its address to the browser (ui/view/pad), which asks for pictures by weights:
`/mixtures/<key>/50-50_75-25.webp` shows two mixtures of two parents, side by side. A key depends on all that the
pictures depend on, so an address never changes its content, and the browser keeps it.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from threading import Lock
from typing import Any

import anyio
import numpy as np
import numpy.typing as npt
import torch
from anyio import to_thread
from PIL import Image
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from core.concept import Array
from core.errors import ConceptreeError, StackError
from core.stack.backbone import Backbone
from evolve.jobs.drawings import is_quick
from evolve.mixtures import Vectors, mixture, weights_of_line
from ui.view.links import MIXTURES
from ui.view.thumbnails import FOR_EVER, NOT_KEPT, none
from ui.webp import animation_bytes

STEPS = 4  # of the decoder, for a cell of the pad: enough to tell mixtures apart, in a third of the time
SLOW_STEPS = 8  # for the one chosen mixture, on a stack that draws slowly; a quick one draws it with its own steps
SEED = 1  # the same noise for all, so that they differ by their weights
WHOLE = 100  # the sum of the weights in an address
MOST = 9  # mixtures in an answer
FRAMES = 16  # of a morph
SIDE, FINE_SIDE = 128, 512  # greatest side of a picture in pixels: of a cell, of the chosen mixture
MIXES, ANSWERS = 128, 1024  # kept, about 10 kB for an answer
STACKS = 2  # whose mixes are kept; a mix keeps its stack in memory
VERSION = 1  # of all else that a picture depends on, such as `mixture` and the WebP quality: add 1 if that changes
CELLS = re.compile(r"[0-9]{1,3}(?:[-_][0-9]{1,3})*")

Cells = tuple[tuple[int, ...], ...]

# One drawing at a time: of stacks whose parts take turns on a device, and of heavy work on the others.
drawing = Lock()
_turn = Lock()  # of previews, which need not wait for heavy work
_waiting = anyio.CapacityLimiter(2)  # threads of their own: those that wait for _turn keep none from other pictures
_keeping = Lock()
_mixes: OrderedDict[str, Mix] = OrderedDict()
_answers: OrderedDict[tuple[str, str, bool], bytes] = OrderedDict()
_drawn_at = -1e9


@dataclass(frozen=True, eq=False)
class Mix:
    """Parents to mix, see `mixture`: their embeddings, those with weights below 0, and the direction of a word."""

    backbone: Backbone
    embeds: tuple[Array, ...]
    away: tuple[tuple[Array, float], ...] = ()
    floor: float = 1.0
    push: Vectors | None = None

    def __post_init__(self) -> None:
        """Raise StackError if the stack cannot draw these embeddings."""
        width = self.backbone.width
        for each in self._numbers:
            if each.shape[-1:] != (width,) or not np.isfinite(each).all():
                raise StackError(
                    f"an image embedding of shape {list(each.shape)} cannot be drawn: the stack {self.backbone.version}"
                    f" reads {width} finite numbers: choose other concepts"
                )

    @cached_property
    def key(self) -> str:
        """24 hex digits of everything that its pictures depend on."""
        about = [self.backbone.drawing_fingerprint, len(self.embeds), [weight for _, weight in self.away], self.floor]
        how = [VERSION, STEPS, SLOW_STEPS, SEED, SIDE, FINE_SIDE, FRAMES]
        found = hashlib.sha256(json.dumps([*about, how, [each.shape for each in self._numbers]]).encode())
        for each in self._numbers:
            found.update(np.ascontiguousarray(each, dtype=np.float64).tobytes())
        return found.hexdigest()[:24]

    @property
    def _numbers(self) -> list[npt.NDArray[Any]]:
        push = [] if self.push is None else [self.push]
        return [*self.embeds, *(embed for embed, _ in self.away), *push]

    def draw(self, cells: Sequence[Sequence[float]], fine: bool) -> list[Image.Image]:
        """A picture of each mixture, by its weights. fine: with all steps, where the stack is quick."""
        embeds = [mixture(self.embeds, each, away=self.away, floor=self.floor, push=self.push) for each in cells]
        steps = (None if is_quick(self.backbone) else SLOW_STEPS) if fine else STEPS
        with drawing if self.backbone.offloads else nullcontext():
            return self.backbone.draw(torch.from_numpy(np.stack(embeds)), SEED, steps=steps)


def remember(mix: Mix) -> str:
    """Keep a mix, so that its pictures can be asked for; return its key."""
    with _keeping:
        _mixes.pop(mix.key, None)
        _mixes[mix.key] = mix
        latest = list(dict.fromkeys(id(each.backbone) for each in reversed(_mixes.values())))[:STACKS]
        for key in [key for key, each in _mixes.items() if id(each.backbone) not in latest]:
            del _mixes[key]
        while len(_mixes) > MIXES:
            _mixes.popitem(last=False)
    return mix.key


def last_drawn() -> float:
    """When a preview was last drawn, by time.monotonic()."""
    return _drawn_at


def cells_of(text: str, parents: int) -> Cells:
    """The weights in an address: `50-50_75-25`.

    Raises:
        ValueError: they are not up to MOST times one weight for each parent, with the sum WHOLE.
    """
    cells = tuple(tuple(map(int, each.split("-"))) for each in text.split("_")) if CELLS.fullmatch(text) else ()
    if not 1 <= len(cells) <= MOST or any(len(each) != parents or sum(each) != WHOLE for each in cells):
        raise ValueError(f"expected weights of {parents} parents with the sum {WHOLE}, got {text[:100]!r}")
    return cells


def pictures(key: str, cells: str, fine: bool = False) -> bytes:
    """Mixtures of a remembered mix side by side, as WebP; drawn once.

    Raises:
        KeyError: the mix is not remembered, for example since the server was started anew.
        ValueError: the weights are wrong.
        ConceptreeError: the stack cannot draw.
    """
    mix = _mixes[key]
    weights, side = cells_of(cells, len(mix.embeds)), FINE_SIDE if fine else SIDE
    return _once((key, cells, fine), lambda: _side_by_side(mix.draw(weights, fine), side))


def morph(key: str) -> bytes:
    """An animated WebP from the first parent of a remembered mix to the second and back; drawn once.

    Raises:
        KeyError, ConceptreeError: as for `pictures`.
        ValueError: it has not two parents.
    """
    mix = _mixes[key]
    return _once((key, "morph", False), lambda: animation_bytes(mix.draw(weights_of_line(FRAMES), False)))


async def serve(request: Request) -> Response:
    """Answer with the mixtures in the address: `?fine=1` with all steps; `morph` instead of weights, see `morph`."""
    key, cells = request.path_params["key"], request.path_params["cells"]
    fine = request.query_params.get("fine") == "1"
    try:
        content = _answers.get((key, cells, fine)) or await to_thread.run_sync(
            partial(morph, key) if cells == "morph" else partial(pictures, key, cells, fine), limiter=_waiting
        )
    except (KeyError, ValueError):
        return none(request)
    except ConceptreeError as error:
        return PlainTextResponse(str(error), status_code=500, headers=NOT_KEPT)
    return Response(content, media_type="image/webp", headers=FOR_EVER)


def _once(asked: tuple[str, str, bool], make: Callable[[], bytes]) -> bytes:
    """Return the kept answer, or make it. One at a time: together all would be slower."""
    global _drawn_at
    if found := _answers.get(asked):
        return found
    with _turn:
        if asked not in _answers:
            made = make()
            _drawn_at = time.monotonic()
            with _keeping:
                _answers[asked] = made
                while len(_answers) > ANSWERS:
                    _answers.popitem(last=False)
        return _answers[asked]


def _side_by_side(drawn: Sequence[Image.Image], most: int) -> bytes:
    side = min(most, max(drawn[0].size))
    row = Image.new("RGB", (side * len(drawn), side))
    for place, each in enumerate(drawn):
        row.paste(
            each if each.size == (side, side) else each.resize((side, side), Image.Resampling.LANCZOS),
            (place * side, 0),
        )
    written = io.BytesIO()
    row.save(written, format="WEBP", quality=88)
    return written.getvalue()


ROUTES = [Route(f"/{MIXTURES}/{{key}}/{{cells}}.webp", serve), Route(f"/{MIXTURES}/{{rest:path}}", none)]
