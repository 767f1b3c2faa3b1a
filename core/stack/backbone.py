"""A Kandinsky-style stack of models, loaded part by part: encode, imagine, draw.

A stack is two saved pipelines: a prior's (`KandinskyPriorPipeline`, `KandinskyV22PriorPipeline`) and a decoder's
(core/stack/decoder.py), loaded through diffusers' and transformers' own classes. For the same seeds and settings it
imagines and draws the same as those pipelines; unlike theirs, imagining is differentiable in a concept's vectors.
core/stack/hub.py finds the folders.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from PIL.Image import Image
from torch import Tensor

from core.errors import PromptError, StackError, VectorError
from core.stack import decoder, folders, hub, text
from core.stack.device import device_named, precision_named
from core.stack.eclipse import TIME_PARTS, EclipsePrior, is_one_pass, without_time
from core.stack.fingerprint import content_hash
from core.stack.hub import EMOJI
from core.stack.loading import load_model, load_part, part_of
from core.stack.offload import Turns
from core.stack.prior import CachedPrior, draw_noise
from core.stack.protocols import MakesPrior, Prior, Vocabulary
from core.stack.sizes import check_sizes
from core.wording import counted

if TYPE_CHECKING:
    from diffusers import PriorTransformer, UnCLIPScheduler
    from diffusers.pipelines.kandinsky.text_encoder import MultilingualCLIP
    from transformers import (
        CLIPImageProcessor,
        CLIPTextModelWithProjection,
        CLIPVisionModelWithProjection,
        PreTrainedTokenizerBase,
    )

    from core.stack.decoder import Decoder

__all__ = ["EMOJI", "Backbone"]

# How the paper draws with Kandinsky; the default of stacks whose stack.json does not say.
_DRAWING = {"steps": 50, "guidance_scale": 7.5, "size": 512}
_ROWS_AT_ONCE = 64
_PIXELS_AT_ONCE = 2**18
_LEARNING_PARTS = ("tokenizer", "text_encoder", "prior", "scheduler")
T = TypeVar("T")


class Backbone:
    """A stack whose parts are loaded when they are first used: learning needs neither UNet nor MoVQ.

    `where` finds the same stack again, `version` is its own name, `width` is the width d of a concept's vectors and of
    all embeddings. `one_pass`: its prior is an ECLIPSE prior, without steps and guidance. `calibration` and
    `vocabulary` are read beside the weights; without a file they are None and empty. `turns` is None unless parts take
    turns on the device.
    """

    def __init__(
        self,
        stack: hub.Stack,
        device: torch.device,
        dtype: torch.dtype,
        offload: bool = False,
        make_prior: MakesPrior | None = None,
    ) -> None:
        self.where = stack.where
        self.device = device
        self.dtype = dtype
        self.turns = Turns(device) if offload else None
        self.loading = RLock()
        self.beside = stack.beside
        self.prior_folder = stack.prior
        self.decoder_folder = stack.decoder
        self._transformer = stack.transformer
        self._make_prior = make_prior
        self._priors: dict[tuple[float, ...], Prior] = {}
        self.width = _check_widths(self.prior_folder, self.part_folder("prior"))
        self.one_pass = is_one_pass(folders.read_json(self.part_folder("prior") / "config.json"))
        about = self._beside("stack.json") or {}
        self.version: str = about.get("version", stack.version)
        self.drawing: dict[str, Any] = {**_DRAWING, **about.get("drawing", {})}
        self.calibration: dict[str, Any] | None = self._beside("calibration.json")

    @classmethod
    def load(
        cls,
        where: str | Path = "emoji",
        device: torch.device | str | None = None,
        dtype: torch.dtype | str | None = None,
        *,
        revision: str | None = None,
        offload: bool = False,
        fetch: bool = True,
        make_prior: MakesPrior | None = None,
    ) -> Backbone:
        """Open a stack by name (core/stack/hub.py): "emoji", "kandinsky-2.1", a folder with `prior/` and `decoder/`, a
        prior's folder or repository alone (it cannot draw), PRIOR+DECODER or TRANSFORMER+PRIOR+DECODER.

        device: by default ("auto") the first GPU if there is one. dtype: precision of the frozen parts, by default
        float32; a concept's vectors, norms and losses are in float32 at least. revision: of the repositories. offload:
        keep a part on the device only while it is used. fetch: download files that are in no cache. make_prior:
        another prior in place of the stack's own, see `core.stack.protocols.MakesPrior`.

        Raises:
            StackError: a part is missing or wrong; in one line.
        """
        at, precision = device_named(device), precision_named(dtype)
        return cls(hub.find_stack(where, revision, fetch), at, precision, offload, make_prior)

    def __repr__(self) -> str:
        return f"Backbone({self.where!r}, version={self.version!r}, width={self.width}, device={str(self.device)!r})"

    @property
    def draws(self) -> bool:
        """Whether it has a decoder."""
        return self.decoder_folder is not None and (self.decoder_folder / "model_index.json").is_file()

    @property
    def multilingual(self) -> bool:
        """Whether the decoder has Kandinsky 2.1's multilingual text encoder, which encodes the constraints of the
        preset `published`.
        """
        folder = self.decoder_folder
        return self.draws and folder is not None and "text_encoder" in folders.parts_of(folder)

    @property
    def offloads(self) -> bool:
        """Whether its parts take turns on the device."""
        return self.turns is not None

    @property
    def question_answerer(self) -> str:
        """The VQA model to ask about its drawings: its own in `vqa/`, BLIP-2 for a stack from the hub, else ""."""
        own = self.beside / "vqa"
        if own.is_dir():
            return str(own)
        return hub.BLIP2 if hub.is_id(self.where.split("+")[0]) else ""

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Its words and categories (vocabulary.json); without that file, the plain English ones of the embedded stack
        if its tokenizer knows any word, else none.
        """
        own, english = self._beside("vocabulary.json"), EMOJI / "vocabulary.json"
        if own is None and english.is_file():
            subwords = (self.prior_folder / "tokenizer" / "merges.txt").is_file() or self._has_merges()
            own = folders.read_json(english) if subwords else None
        return Vocabulary.from_dict(own or {})

    def _has_merges(self) -> bool:
        file = self.prior_folder / "tokenizer" / "tokenizer.json"
        return file.is_file() and bool(folders.read_json(file).get("model", {}).get("merges"))

    def check(self) -> None:
        """Raise StackError, in one line, if a part is missing, damaged or does not fit. Loads nothing.

        Weights with wrong numbers pass.
        """
        for part in (*_LEARNING_PARTS, *(("image_encoder", "image_processor") if self.draws else ())):
            self._check_part(self.prior_folder, part)
        if self.draws:
            seen = folders.read_json(self.prior_folder / "image_encoder" / "config.json").get("projection_dim", 512)
            if seen != self.width:
                raise StackError(
                    f"the parts of {str(self.prior_folder)!r} do not fit: image encoder's projection_dim is {seen},"
                    f" prior's embedding_dim is {self.width}"
                )
        if self.decoder_folder is not None and self.draws:
            decoder.kind_of_decoder(self.where, self.decoder_folder, self.width)
            for part in folders.parts_of(self.decoder_folder):
                self._check_part(self.decoder_folder, part)

    def rest(self) -> None:
        """Free the device for other models, if parts take turns on it."""
        if self.turns is not None:
            self.turns.clear()

    def encode_text(self, prompts: str | Sequence[str], vectors: Mapping[str, Tensor] | None = None) -> Tensor:
        """`[n, width]` projected text embeddings, not normalised; `vectors` as for `imagine`."""
        return self._features(_prompts(prompts), vectors).embeds

    def encode_images(self, images: Image | Sequence[Image]) -> Tensor:
        """`[n, width]` projected image embeddings of PIL pictures, not normalised."""
        images = [images] if isinstance(images, Image) else list(images)
        embeds = [torch.zeros(0, self.width, device=self.device, dtype=self.dtype)]
        for chunk in _chunks(images, _ROWS_AT_ONCE):
            pixels = self.image_processor(chunk, return_tensors="pt").pixel_values
            with torch.no_grad():
                embeds.append(self.image_encoder(pixels.to(self.device, self.dtype)).image_embeds)
        self.rest()
        return torch.cat(embeds)

    @torch.no_grad()
    def encode_multilingual(self, prompts: str | Sequence[str]) -> Tensor:
        """`[n, width]` embeddings of prompts by Kandinsky 2.1's multilingual text encoder, in which the authors hold
        their constraints. Equal to KandinskyPipeline's.
        """
        embeds = [torch.zeros(0, self.width, device=self.device, dtype=self.dtype)]
        for chunk in _chunks(_prompts(prompts), _ROWS_AT_ONCE):
            encoded = decoder.encode_multilingual(self.multilingual_tokenizer, self.multilingual_encoder, chunk)
            embeds.append(encoded[0])
        self.rest()
        return torch.cat(embeds)

    def imagine(
        self,
        prompts: str | Sequence[str],
        vectors: Mapping[str, Tensor] | None = None,
        *,
        seeds: int | Sequence[int],
        steps: int = 5,
        guidance_scale: float = 4.0,
        at_name: bool = False,
    ) -> Tensor:
        """`[n, width]` image embeddings that the prior samples for prompts, one seed each; a single one serves all.

        `vectors` maps a name, a whole word of the prompts, to a tensor `[d]` or `[k, d]`; the result is differentiable
        in it. Equal to the prior's pipeline with one generator for each seed. A row does not depend on the others.
        at_name: see `text.encode`.
        """
        prompts, seeds = _paired(_prompts(prompts), _seeds(seeds))
        distinct = {prompt: row for row, prompt in enumerate(dict.fromkeys(prompts))}
        features = self._features(list(distinct), vectors, at_name)
        prior = self.cached_prior(steps, guidance_scale)
        imagined = [features.embeds[:0]]
        for chunk in _chunks(list(zip(prompts, seeds, strict=True)), _ROWS_AT_ONCE):
            rows = torch.tensor([distinct[prompt] for prompt, _ in chunk], device=self.device)
            noise = draw_noise([seed for _, seed in chunk], steps, self.width)
            imagined.append(prior.sample(features.rows(rows), noise))
        return torch.cat(imagined)

    @torch.no_grad()
    def draw(
        self,
        image_embeds: Tensor,
        seeds: int | Sequence[int],
        steps: int | None = None,
        guidance_scale: float | None = None,
        size: int | None = None,
        negative_image_embeds: Tensor | None = None,
        watch: decoder.Watch | None = None,
        over: Sequence[Image] = (),
        strength: float = 1.0,
    ) -> list[Image]:
        """Pictures of image embeddings `[n, width]` or `[width]`, one seed each; a single one serves all.

        `size` is the side in pixels; steps, guidance and size are the stack's own by default. `negative_image_embeds`
        `[n, width]`, or one for all: guidance leads away from them, by default from the embedding of an image of zeros.
        Equal to KandinskyV22Pipeline, or to KandinskyPipeline with an empty prompt, with one generator for each seed.
        watch: looks at the pictures while they are denoised. over: n pictures to draw over instead of beginning with
        noise; they get the noise of the last `strength` of the steps, above 0 and at most 1, and these are done, as in
        KandinskyV22Img2ImgPipeline.

        Raises:
            StackError: the stack has no decoder.
            PromptError, VectorError: the numbers of embeddings, seeds, negatives and pictures, or their widths, do not
                fit, or the strength leaves no step.
        """
        self._check_embeds(image_embeds)
        embeds, seeds = _paired(list(image_embeds.view(-1, self.width)), _seeds(seeds))
        side = size or self.drawing["size"]
        self._decoder_folder()
        # Before the decoder has its turn on the device.
        unlike = self.zero_image_embed if negative_image_embeds is None else negative_image_embeds
        self._check_embeds(unlike)
        negatives = list(unlike.view(-1, self.width))
        negatives = negatives * len(seeds) if len(negatives) == 1 else negatives
        if len(negatives) != len(seeds):
            raise VectorError(
                f"{counted(len(negatives), 'negative')} for {counted(len(seeds), 'picture')}: give one for each, or"
                " one for all"
            )
        steps = steps or self.drawing["steps"]
        if over and (len(over) != len(seeds) or not 1 <= steps * strength <= steps):
            raise PromptError(
                f"{counted(len(over), 'picture')} to draw over {counted(len(seeds), 'time')} with strength {strength}:"
                f" give one for each, and a strength from {1 / steps:.2g} to 1"
            )
        pipeline = self.decoder
        pictures: list[Image] = []
        for rows in _chunks(list(range(len(seeds))), max(1, _PIXELS_AT_ONCE // side**2)):
            pictures += decoder.draw(
                pipeline,
                torch.stack([embeds[row] for row in rows]).to(self.device, self.dtype),
                torch.stack([negatives[row] for row in rows]).to(self.device, self.dtype),
                [seeds[row] for row in rows],
                steps=steps,
                guidance_scale=self.drawing["guidance_scale"] if guidance_scale is None else guidance_scale,
                size=side,
                watch=watch and watch._replace(see=self._then_decoding(watch.see)),
                rows=rows,
                over=[over[row] for row in rows] if over else (),
                strength=strength,
            )
        self.rest()
        return pictures

    @torch.no_grad()
    def denoising_errors(self, pictures: Sequence[Image], image_embeds: Tensor) -> Tensor:
        """`[n]` mean squared errors of the UNet's prediction on noised pictures, given their embeddings `[n, width]`.

        The error is high where shapes are unlike those that the decoder was trained on, for example where a shape falls
        apart or is smeared.

        Raises:
            StackError: the stack has no decoder.
            VectorError: the numbers of pictures and embeddings, or the widths, do not fit.
        """
        self._check_embeds(image_embeds)
        embeds = image_embeds.view(-1, self.width)
        if len(embeds) != len(pictures):
            raise VectorError(f"{counted(len(embeds), 'embedding')} for {counted(len(pictures), 'picture')}")
        self._decoder_folder()
        pipeline, side = self.decoder, self.drawing["size"]
        errors = [torch.zeros(0)]
        for rows in _chunks(list(range(len(pictures))), max(1, _PIXELS_AT_ONCE // side**2)):
            conditions = embeds[rows].to(self.device, self.dtype)
            errors.append(decoder.denoising_errors(pipeline, [pictures[row] for row in rows], conditions, side).cpu())
        self.rest()
        return torch.cat(errors)

    def _then_decoding(self, see: Callable[..., T]) -> Callable[..., T]:
        """`see`, after which the decoder has its turn on the device again."""

        def seen(*given: Any) -> T:
            found = see(*given)
            _ = self.decoder
            return found

        return seen

    def _check_embeds(self, image_embeds: Tensor) -> None:
        if image_embeds.ndim not in (1, 2) or image_embeds.shape[-1] != self.width:
            raise VectorError(
                f"expected image embeddings of shape [n, width] with width {self.width}, got {list(image_embeds.shape)}"
            )

    def cached_prior(self, steps: int, guidance_scale: float, ends: Sequence[int] = ()) -> Prior:
        """The prior's sampler for that many steps and that guidance, with its constants, kept for the next call.

        ends: where the empty prompt is pooled, a row for each (`text.encode_empty`); by default at its own end. Another
        prior than the stack's own has its own pooling, and an ECLIPSE prior reads no empty prompt.
        """
        if self.one_pass and self._make_prior is None:
            return self._priors.get(()) or self._priors.setdefault((), EclipsePrior(self.prior))
        key = (steps, float(guidance_scale), *(ends if self._make_prior is None else ()))
        if key not in self._priors:
            if self._make_prior is None:
                if ends:
                    empty = text.encode_empty(self.text_encoder, self.tokenizer, ends)
                else:
                    empty = self._features([""], None)
                self._priors[key] = CachedPrior(self.prior, self.scheduler, steps, guidance_scale, empty)
            else:
                self._priors[key] = self._make_prior(self, steps, guidance_scale)
        return self._priors[key]

    def word_vector(self, word: str, first: bool = False) -> Tensor:
        """`[d]` where a concept starts: the mean of a word's token embeddings. first: the first of them instead."""
        return text.word_embedding(self.text_encoder, self.tokenizer, word, first)

    def knows(self, words: str) -> bool:
        """Whether the tokenizer has tokens for all of the words; a tokenizer of subwords always has."""
        return not text.has_unknown_words(self.tokenizer, words)

    @cached_property
    def fingerprint(self) -> str:
        """Hash, twelve hex digits, of the parts that affect learning: text encoder, prior, tokenizer and scheduler,
        weights and configurations. The place of the folder and the library versions that wrote it play no part.
        """
        make = self._make_prior
        other = f"prior {make.__module__}.{make.__qualname__}" if make is not None else ""
        folders = {part: self.part_folder(part) for part in _LEARNING_PARTS}
        return content_hash(folders, other, bare=("prior",) if self._transformer else ())

    @cached_property
    def drawing_fingerprint(self) -> str:
        """The same for the parts that affect drawings: decoder, image encoder, and the stack's own steps, guidance
        and size. Of learning, only a namer's answers depend on it.
        """
        folder = self.decoder_folder
        parts = {part: folder / part for part in ("unet", "movq", "scheduler")} if folder is not None else {}
        if folder is not None and self.multilingual:
            parts |= {part: folder / part for part in ("text_encoder", "tokenizer")}
        parts["image_encoder"] = self.prior_folder / "image_encoder"
        there = {part: folder for part, folder in parts.items() if folder.is_dir()}
        return content_hash(there, json.dumps(self.drawing, sort_keys=True))

    @cached_property
    def multilingual_fingerprint(self) -> str:
        """The same for the multilingual text encoder, on which constraints of the preset `published` depend."""
        folder = self._multilingual_folder
        return content_hash({part: folder / part for part in ("text_encoder", "tokenizer")})

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        tokenizer = self._load("tokenizer")
        positions = self._tower_config.get("max_position_embeddings", text.POSITIONS)
        if tokenizer.model_max_length > positions:  # if its configuration does not say
            tokenizer.model_max_length = positions
        return tokenizer

    @property
    def _tower_config(self) -> dict[str, Any]:
        return folders.read_json(self.prior_folder / "text_encoder" / "config.json")

    @cached_property
    def scheduler(self) -> UnCLIPScheduler:
        return self._load("scheduler")

    @cached_property
    def image_processor(self) -> CLIPImageProcessor:
        # The variant that resizes with PIL, so that results do not depend on whether torchvision is installed.
        return self._load("image_processor", cls="CLIPImageProcessorPil")

    @part_of("learn")
    def text_encoder(self) -> CLIPTextModelWithProjection:
        """The prior's text tower."""
        return self._model("text_encoder")

    @part_of("learn")
    def prior(self) -> PriorTransformer:
        """diffusers' PriorTransformer; of an ECLIPSE prior without its time embedding."""
        return without_time(self._model("prior", but=TIME_PARTS)) if self.one_pass else self._model("prior")

    @part_of("see")
    def image_encoder(self) -> CLIPVisionModelWithProjection:
        """The image tower whose embeddings the prior imagines."""
        return self._model("image_encoder")

    @part_of("read")
    def multilingual_encoder(self) -> MultilingualCLIP:
        """diffusers' MultilingualCLIP, of Kandinsky 2.1's decoder."""
        return self._model("text_encoder", self._multilingual_folder)

    @cached_property
    def multilingual_tokenizer(self) -> PreTrainedTokenizerBase:
        return self._load("tokenizer", self._multilingual_folder)

    @property
    def _multilingual_folder(self) -> Path:
        if self.decoder_folder is None or not self.multilingual:
            raise StackError(f"the stack {self.where!r} has no multilingual text encoder: only Kandinsky 2.1 has one")
        return self.decoder_folder

    @cached_property
    def zero_image_embed(self) -> Tensor:
        """`[1, width]` the embedding of an image of zeros, from which the decoder's guidance leads away."""
        side = self.image_encoder.config.image_size
        with torch.no_grad():
            return self.image_encoder(torch.zeros(1, 3, side, side, device=self.device, dtype=self.dtype)).image_embeds

    @part_of("draw")
    def decoder(self) -> Decoder:
        """diffusers' KandinskyV22Pipeline or KandinskyPipeline; the latter without its text encoder."""
        folder = self._decoder_folder()
        kind = decoder.kind_of_decoder(self.where, folder, self.width)
        return decoder.load_decoder(folder, kind, self.dtype, self._empty_text if kind == "KandinskyPipeline" else None)

    @cached_property
    def _empty_text(self) -> tuple[Tensor, Tensor]:
        """`[1, width]` and `[1, 77, hidden]` Kandinsky 2.1's encoding of the empty prompt.

        Its text encoder is needed for this alone: it is dropped again and never comes to the device.
        """
        encoder = self._model("text_encoder", self._multilingual_folder)
        with torch.no_grad():
            embeds, hidden = decoder.encode_multilingual(self.multilingual_tokenizer, encoder, [""])
        return embeds.to(self.device), hidden.to(self.device)

    def _decoder_folder(self) -> Path:
        if self.decoder_folder is None or not self.draws:
            raise StackError(f"the stack {self.where!r} has no decoder: it can learn, but not draw")
        return self.decoder_folder

    def _features(
        self, prompts: Sequence[str], vectors: Mapping[str, Tensor] | None, at_name: bool = False
    ) -> text.TextFeatures:
        return text.encode(self.text_encoder, self.tokenizer, prompts, vectors, at_name)

    def _model(self, part: str, pipeline: Path | None = None, but: Sequence[str] = ()) -> Any:
        """A part with its weights, by default of the prior. but: modules of it that have none."""
        return load_model(part, *self._found(pipeline or self.prior_folder, part), self.dtype, but)

    def _load(self, part: str, pipeline: Path | None = None, cls: str | None = None) -> Any:
        """A part without weights, by default of the prior's pipeline. cls: another class than its own."""
        folder, library, name = self._found(pipeline or self.prior_folder, part)
        return load_part(part, folder, library, cls or name)

    def _found(self, pipeline: Path, part: str) -> tuple[Path, str, str]:
        """(its folder, the library and the name of its class)"""
        library, name = folders.parts_of(pipeline).get(folders.called(pipeline, part), (None, ""))
        folder = self.part_folder(part) if pipeline == self.prior_folder else pipeline / part
        if folder == self._transformer:
            library, name = "diffusers", "PriorTransformer"
        if library is None or not folder.is_dir():
            raise StackError(f"the stack {self.where!r} has no {part}: expected a folder {folder}")
        return folder, library, name

    def part_folder(self, part: str) -> Path:
        """The folder of a part of the prior's pipeline."""
        if part == hub.TRANSFORMER and self._transformer:
            return self._transformer
        return self.prior_folder / folders.called(self.prior_folder, part)

    def _check_part(self, pipeline: Path, part: str) -> None:
        folder = self._found(pipeline, part)[0]
        folders.refuse_code(folder)
        check_sizes(folder)
        if missing := folders.lacks(folder, folders.has_weights(part)):
            raise StackError(f"the {part} of {self.where!r} is not complete: in {folder}, {missing.strip()}")
        folders.check_weights(folder)

    def _beside(self, name: str) -> dict[str, Any] | None:
        file = self.beside / name
        return folders.read_json(file) if file.is_file() else None


def _check_widths(folder: Path, transformer: Path) -> int:
    """The width of a prior pipeline's embeddings. Its parts must agree on it and on the length of prompts."""
    prior, encoder = (folders.read_json(each / "config.json") for each in (transformer, folder / "text_encoder"))
    width = prior.get("embedding_dim", 768)
    for name, default in (("hidden_size", 512), ("projection_dim", 512)):
        if encoder.get(name, default) != width:
            raise StackError(
                f"the parts of {str(folder)!r} do not fit: text encoder's {name} is {encoder.get(name, default)},"
                f" prior's embedding_dim is {width}"
            )
    length, limit = prior.get("num_embeddings", 77), encoder.get("max_position_embeddings", 77)
    if length != limit:
        raise StackError(
            f"the parts of {str(folder)!r} do not fit: text encoder's max_position_embeddings is {limit},"
            f" prior's num_embeddings is {length}"
        )
    return width


def _paired(items: list[T], seeds: list[int]) -> tuple[list[T], list[int]]:
    """As many items as seeds: a single item or seed is repeated."""
    n = max(len(items), len(seeds)) if items and seeds else 0
    items, seeds = (items * n if len(items) == 1 else items), (seeds * n if len(seeds) == 1 else seeds)
    if len(items) != len(seeds):
        raise PromptError(
            f"{counted(len(items), 'item')} and {counted(len(seeds), 'seed')}: give one seed for each, or one for all"
        )
    return items, seeds


def _prompts(given: str | Iterable[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _seeds(given: int | Iterable[int]) -> list[int]:
    return [given] if isinstance(given, int) else list(given)


def _chunks(items: list[T], size: int) -> Iterator[list[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
