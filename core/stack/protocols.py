"""What the optimizer needs of a stack, as interfaces. `Backbone` and `StableDiffusion` implement them.

`Learns` is enough to learn a concept on; `Draws` can also draw it and ask a model about the drawing. Nothing here
imports torch, so that code that only reads runs can name these types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image
    from torch import Tensor
    from transformers import CLIPTextModelWithProjection, PreTrainedTokenizerBase

    from core.stack.text import TextFeatures


@dataclass(frozen=True)
class Vocabulary:
    """The words that a stack lists, and those of each category (vocabulary.json)."""

    words: tuple[str, ...] = ()
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Vocabulary:
        """A vocabulary.json, which may lack either key."""
        categories = {name: tuple(words) for name, words in told.get("categories", {}).items()}
        return cls(tuple(told.get("words", ())), categories)

    def lists(self, category: str, kind: str = "object") -> bool:
        """Whether it says which words belong to a category."""
        return bool(self._of(category, kind))

    def members(self, category: str, kind: str = "object") -> tuple[str, ...]:
        """The words of a category; all words if it does not list the category.

        Whatever a style is called ("painting", "art"), its members are listed as "style".
        """
        return self._of(category, kind) or self.words

    def _of(self, category: str, kind: str) -> tuple[str, ...]:
        return self.categories.get(category.lower()) or (self.categories.get("style", ()) if kind == "style" else ())


class Learns(Protocol):
    """A stack to learn on. Embeddings are `[n, width]`, not normalised."""

    @property
    def where(self) -> str:
        """The name, folder or id that finds the same stack again."""

    @property
    def version(self) -> str:
        """What the stack calls itself."""

    @property
    def width(self) -> int:
        """The width of its embeddings."""

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype:
        """The precision of its frozen parts."""

    @property
    def fingerprint(self) -> str:
        """Hash, twelve hex digits, of all parts that affect learning."""

    @property
    def calibration(self) -> Mapping[str, Any] | None:
        """calibration.json; None if the stack is not calibrated."""

    @property
    def vocabulary(self) -> Vocabulary: ...

    def knows(self, words: str, /) -> bool:
        """Whether its tokenizer has tokens for all of the words."""

    def word_vector(self, word: str, /, first: bool = ...) -> Tensor:
        """`[d]` where a concept starts: the mean of a word's token embeddings. first: the first of them instead."""

    def encode_text(self, prompts: Sequence[str], /) -> Tensor:
        """`[n, width]` text embeddings."""

    def imagine(
        self,
        prompts: Sequence[str],
        vectors: Mapping[str, Tensor] | None = None,
        *,
        seeds: Sequence[int],
        steps: int = ...,
        guidance_scale: float = ...,
        at_name: bool = ...,
    ) -> Tensor:
        """`[n, width]` image embeddings for prompts, one seed each; `vectors[name]` stands where the name does.

        at_name: pool texts where the name stands, see `core.stack.text.encode`.
        """


class Prior(Protocol):
    """Samples image embeddings from text features; `core.stack.prior.CachedPrior` is the stack's own."""

    def sample(self, features: TextFeatures, noise: Tensor, /) -> Tensor:
        """Image embeddings `[n, width]`, differentiable in `features`; noise `[steps, n, width]` is given."""


class HasPrior(Learns, Protocol):
    """A stack whose text tower and prior run step by step, as `core.step.make_embed` needs them."""

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase: ...

    @property
    def text_encoder(self) -> CLIPTextModelWithProjection: ...

    def cached_prior(self, steps: int, guidance_scale: float, ends: Sequence[int] = ..., /) -> Prior:
        """The prior's sampler for that many steps and that guidance; see `Backbone.cached_prior`."""


MakesPrior = Callable[[HasPrior, int, float], Prior]
"""(stack, steps, guidance_scale) -> another prior in place of the stack's own, by one function:

    class Identity:
        def sample(self, features, noise):
            return features.embeds  # as if the text embedding were the image embedding

    def identity(stack, steps, guidance_scale):
        return Identity()

    stack = Backbone.load("emoji", make_prior=identity)

Learning, measuring and drawing then use it. The function's module and name are part of the stack's fingerprint: rename
it if its results change.
"""


class Draws(Learns, Protocol):
    """A stack that can also draw what it imagines, and look at pictures."""

    @property
    def draws(self) -> bool:
        """Whether it has a decoder; without one `draw` fails."""

    @property
    def drawing_fingerprint(self) -> str:
        """Hash, twelve hex digits, of all parts that affect drawings."""

    @property
    def question_answerer(self) -> str:
        """The folder or id of the VQA model to ask about its drawings; "" for none."""

    @property
    def offloads(self) -> bool:
        """Whether its parts take turns on the device."""

    def rest(self) -> None:
        """Free the device for other models, if parts take turns on it."""

    def encode_images(self, images: Sequence[Image], /) -> Tensor:
        """`[n, width]` image embeddings of pictures."""

    def draw(
        self, image_embeds: Tensor, seeds: Sequence[int], *, over: Sequence[Image] = ..., strength: float = ...
    ) -> list[Image]:
        """Pictures of image embeddings `[n, width]`, one seed each; see `Backbone.draw`."""

    def denoising_errors(self, pictures: Sequence[Image], image_embeds: Tensor) -> Tensor:
        """`[n]` denoising errors of pictures, given their embeddings `[n, width]`; see `Backbone.denoising_errors`."""
