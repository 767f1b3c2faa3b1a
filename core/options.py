"""Options of a learning run: how requests are learned, beside their own settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from core.concept import RequestError
from core.negatives import Namer
from core.review import Review
from core.settings import Settings

if TYPE_CHECKING:
    from core.stack.protocols import Draws

OWN: Literal["own"] = "own"


@dataclass(frozen=True)
class Options:
    """How requests are learned.

    settings: for requests that have none; by default the stack's calibrated ones. namer: the model that proposes
    negatives for adaptive requests; by default the stack's own question answerer if it has one, and None for the
    stack's vocabulary. draw: draw concepts at each boundary (a namer's drawings are made in any case). review: called
    for each new negative, see `core.review`. review_last: call it at the last boundary too, where it can only send the
    concept back. images: drawings of a concept in one question; their answers are pooled, most probable first. drafts:
    further steps after which concepts are drawn, for people; learning does not depend on them. at_once: how many
    requests make a batch at most, by default `optimizer.MOST_AT_ONCE`.

    Raises:
        RequestError: images, drafts or at_once is not a valid number.
    """

    settings: Settings | None = None
    namer: Namer | Literal["own"] | None = OWN
    draw: bool = False
    review: Review | None = None
    review_last: bool = False
    images: int = 1
    drafts: tuple[int, ...] = ()
    at_once: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "drafts", tuple(self.drafts))
        for name, value in (("images", self.images), ("at_once", 1 if self.at_once is None else self.at_once)):
            if type(value) is not int or value < 1:
                raise RequestError(f"{name} = {value!r}: expected a whole number of at least 1")
        for step in self.drafts:
            if type(step) is not int or step < 0:
                raise RequestError(f"drafts = {self.drafts!r}: expected steps, whole numbers of at least 0")

    def namer_on(self, stack: Draws, greedy: bool = False) -> Namer | None:
        """The model that proposes negatives on a stack; None for the stack's vocabulary. greedy: with answers as the
        authors' code takes them, if the model can give those.
        """
        namer = self.namer
        if namer == OWN:
            from core.namers import namer_of  # loads transformers, only for adaptive requests

            namer = namer_of(stack) if getattr(stack, "draws", False) else None
        return (getattr(namer, "greedy", None) or namer) if greedy else namer
