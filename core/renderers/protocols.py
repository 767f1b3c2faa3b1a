"""Drawing with other decoders than the stack's own, as interfaces and values. Nothing here imports torch or numpy.

A renderer draws image embeddings that a prior has imagined. Learning does not use it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from core.errors import ConceptreeError
from core.texts import checked_text

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

NAMES = ("sdxl", "karlo", "unclip-small", "flux")  # of the renderers in core/renderers/opening.py
PROMPT = "{}"  # a text: the prompt that the concept is drawn in, with its category's word
LONGEST = 500  # characters of a text, and of a place
_LIMITS = {"scale": (0.0, 2.0), "steps": (1, 1000), "guidance_scale": (0.0, 50.0), "size": (16, 2048)}
_OPTIONS = {"text": "--text", "scale": "--scale", "steps": "--steps", "guidance_scale": "--guidance", "size": "--size"}


class RenderError(ConceptreeError):
    """A decoder that cannot draw as asked."""


@dataclass(frozen=True)
class Look:
    """How a renderer draws. None: the renderer's default; in the defaults themselves: the renderer has no such option.

    text: a prompt beside the concept. scale: how much the concept counts beside the text. guidance_scale: 1 or less for
    none. size: of a side, in pixels.
    """

    text: str | None = None
    scale: float | None = None
    steps: int | None = None
    guidance_scale: float | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        for name, (least, most) in _LIMITS.items():
            value = getattr(self, name)
            whole = isinstance(least, int)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                raise RenderError(f"{name} = {str(value)[:40]}: expected a {'whole ' if whole else ''}number")
            if not least <= value <= most:
                raise RenderError(f"{name} = {str(value)[:40]}: expected {least} to {most}")
        if self.text is not None and len(checked_text(self.text, "text", error=RenderError)) > LONGEST:
            raise RenderError(f"the text {self.text[:40]!r} … has {len(self.text)} characters: at most {LONGEST}")


def complete(renderer: Renderer, look: Look) -> Look:
    """The look, with the renderer's defaults in place of None.

    Raises:
        RenderError: the renderer has no such option, or does not accept its value.
    """
    given = {name: value for name, value in asdict(look).items() if value is not None}
    for name in given:
        if getattr(renderer.usual, name) is None:
            raise RenderError(f"the decoder {renderer.name} has no {_OPTIONS[name]}: leave it out")
    found = replace(renderer.usual, **given)
    if (found.steps or 0) < renderer.least_steps:
        raise RenderError(f"steps = {found.steps}: the decoder {renderer.name} takes {renderer.least_steps} or more")
    if found.size is not None and found.size % renderer.grain:
        raise RenderError(f"size = {found.size}: the decoder {renderer.name} takes multiples of {renderer.grain}")
    return found


@dataclass(frozen=True)
class Rendered:
    """How a drawing was made by another decoder than the stack's own. where: its folder or ORG/NAME@COMMIT. adapter:
    the file or repository of its IP-Adapter, or "".
    """

    decoder: str
    where: str
    adapter: str = ""
    look: Look = Look()

    def __post_init__(self) -> None:
        for name in ("decoder", "where", "adapter"):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable():
                raise RenderError(f"{name} = {str(value)[:40]!r}: expected at most {LONGEST} printable characters")
        if not self.decoder or not self.where:
            raise RenderError("a drawing names no decoder")

    @property
    def brief(self) -> str:
        """One line for people."""
        look = {_OPTIONS[name][2:]: value for name, value in self.told.items() if name in _OPTIONS}
        return ", ".join([self.decoder, *(f"{name} {value}" for name, value in look.items() if value != "")])

    @property
    def told(self) -> dict[str, Any]:
        """As JSON values; what it does not have is left out."""
        named = {"decoder": self.decoder, "where": self.where, "adapter": self.adapter or None, **asdict(self.look)}
        return {name: value for name, value in named.items() if value is not None}

    @property
    def shared(self) -> Rendered:
        """The same for files that people trade: of a folder or a file here, its name alone."""
        return replace(self, where=_shared(self.where), adapter=_shared(self.adapter))

    def to_json(self) -> str:
        return json.dumps(self.told, ensure_ascii=False)

    @classmethod
    def of(cls, told: object) -> Rendered:
        """From `told`, which may be a stranger's; unknown keys are left out.

        Raises:
            RenderError: a value has another type or size.
        """
        if not isinstance(told, Mapping):
            raise RenderError("how a drawing was made should be a JSON object")
        look = {field.name: told[field.name] for field in fields(Look) if field.name in told}
        if not isinstance(look.get("text", ""), str):
            raise RenderError("the text of a drawing should be text")
        return cls(told.get("decoder", ""), told.get("where", ""), told.get("adapter", ""), Look(**look))


def _shared(where: str) -> str:
    path = PurePath(where)
    return path.name if path.is_absolute() else where


class Renderer(Protocol):
    """A decoder that draws image embeddings of another prior. One file in core/renderers/ implements one."""

    name: ClassVar[str]
    """As `--decoder` names it."""
    reads: ClassVar[str]
    """The image encoder whose embeddings it reads."""
    where: str
    """Its folder, or ORG/NAME@COMMIT."""
    adapter_where: str
    """The file or repository of its IP-Adapter, or ""."""
    usual: Look
    """Its defaults; None for an option that it does not have."""
    least_steps: ClassVar[int]
    grain: ClassVar[int]
    """Pixels that a side is a multiple of."""

    @property
    def width(self) -> int:
        """The width of the embeddings that it reads."""

    def draw(self, image_embed: Tensor, seed: int, look: Look) -> Image:
        """The picture of an embedding `[1, width]`, not normalised. look: complete, see `complete`."""

    def rest(self) -> None:
        """Free the device, if parts take turns on it."""
