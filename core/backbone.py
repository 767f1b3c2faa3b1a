"""A Kandinsky-style stack of models, loaded from a folder part by part: encode, imagine, draw.

A stack is what `KandinskyV22PriorPipeline` and `KandinskyV22Pipeline` save: `prior/` and `decoder/`, loaded through
diffusers' and transformers' own classes. What is imagined and drawn equals what those pipelines give for the same
seeds and settings; unlike theirs, imagining is differentiable in a concept's vectors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image
from safetensors import SafetensorError, safe_open
from torch import Tensor

from core import text
from core.errors import PromptError, StackError, VectorError
from core.prior import CachedPrior, draw_noise

EMOJI = Path(__file__).parent / "emoji" / "weights"

# How Kandinsky draws in the paper, for stacks that do not say how they draw (stack.json).
_DRAWING = {"steps": 50, "guidance_scale": 7.5, "size": 512}
_ROWS_AT_ONCE = 64
_PIXELS_AT_ONCE = 2**18
_VERSIONS = ("_diffusers_version", "_name_or_path", "transformers_version")
_LEARNING_PARTS = ("tokenizer", "text_encoder", "prior", "scheduler")


class Backbone:
    """A loaded stack. Parts come into memory when they are first needed: learning needs neither UNet nor MoVQ.

    `where` is what was asked for, `version` what the stack calls itself, `width` (d) that of a concept's vectors and
    of all embeddings; `calibration` and `vocabulary` are what lies beside the weights, None and {} where nothing does.
    """

    def __init__(self, where: str, folder: Path, device: torch.device, dtype: torch.dtype) -> None:
        self.where = where
        self.device = device
        self.dtype = dtype
        self._folder = folder
        self._prior_folder = folder / "prior" if (folder / "prior" / "model_index.json").is_file() else folder
        self._priors: dict[tuple[int, float], CachedPrior] = {}
        self.width = _check_widths(self._prior_folder)
        about = self._beside("stack.json") or {}
        self.version: str = about.get("version", folder.resolve().name)
        self.drawing: dict[str, Any] = {**_DRAWING, **about.get("drawing", {})}
        self.calibration: dict[str, Any] | None = self._beside("calibration.json")
        self.vocabulary: dict[str, Any] = self._beside("vocabulary.json") or {}

    @classmethod
    def load(
        cls,
        where: str | Path = "emoji",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Backbone:
        """Open "emoji", a folder with `prior/` and `decoder/`, or a prior pipeline's folder alone (it cannot draw).

        By default on the first GPU if there is one, in float32 whatever the files hold.
        """
        folder = EMOJI if str(where) == "emoji" else Path(where).expanduser()
        if not folder.is_dir():
            hint = "make train-emoji builds it" if folder == EMOJI else "give a folder with prior/ and decoder/"
            raise StackError(f"there is no stack {str(where)!r}: {hint}")
        if not any((each / "model_index.json").is_file() for each in (folder / "prior", folder)):
            raise StackError(f"the stack {str(where)!r} has no prior/ pipeline: no model_index.json is in it")
        return cls(str(where), folder, torch.device(device or _best_device()), dtype or torch.float32)

    def __repr__(self) -> str:
        return f"Backbone({self.where!r}, version={self.version!r}, width={self.width}, device={str(self.device)!r})"

    def encode_text(self, prompts: str | Sequence[str], vectors: Mapping[str, Tensor] | None = None) -> Tensor:
        """`[n, width]` projected text embeddings, not normalised; `vectors` as for `imagine`."""
        return self._features(_listed(prompts), vectors).embeds

    def encode_images(self, images: Image | Sequence[Image]) -> Tensor:
        """`[n, width]` projected image embeddings of PIL pictures, not normalised."""
        images = [images] if isinstance(images, Image) else list(images)
        embeds = [torch.zeros(0, self.width, device=self.device, dtype=self.dtype)]
        for chunk in _chunks(images, _ROWS_AT_ONCE):
            pixels = self.image_processor(chunk, return_tensors="pt").pixel_values
            with torch.no_grad():
                embeds.append(self.image_encoder(pixels.to(self.device, self.dtype)).image_embeds)
        return torch.cat(embeds)

    def imagine(
        self,
        prompts: str | Sequence[str],
        vectors: Mapping[str, Tensor] | None = None,
        *,
        seeds: int | Sequence[int],
        steps: int = 5,
        guidance_scale: float = 4.0,
    ) -> Tensor:
        """`[n, width]` image embeddings that the prior samples for prompts, one seed each; one of either serves all.

        `vectors` maps a name that stands in the prompts as a whole word to a tensor `[d]` or `[k, d]`; the result is
        differentiable in it. Equal to KandinskyV22PriorPipeline with a list of generators of these seeds, whatever
        else is in the batch.
        """
        prompts, seeds = _paired(_listed(prompts), _listed(seeds))
        distinct = {prompt: row for row, prompt in enumerate(dict.fromkeys(prompts))}
        features = self._features(list(distinct), vectors)
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
    ) -> list[Image]:
        """Pictures of image embeddings `[n, width]` (or `[width]`), one seed each; one of either serves all.

        `size` is the side in pixels; what is not given, the stack says. Equal to KandinskyV22Pipeline with a list of
        generators, the embedding of an empty (zero) image as the negative. Drawn in chunks that fit into memory.
        """
        decoder = self.decoder
        if image_embeds.ndim not in (1, 2) or image_embeds.shape[-1] != self.width:
            raise VectorError(
                f"expected image embeddings of shape [n, width] with width {self.width}, got {list(image_embeds.shape)}"
            )
        embeds, seeds = _paired(list(image_embeds.view(-1, self.width)), _listed(seeds))
        side = size or self.drawing["size"]
        pictures: list[Image] = []
        for chunk in _chunks(list(zip(embeds, seeds, strict=True)), max(1, _PIXELS_AT_ONCE // side**2)):
            pictures += decoder(
                image_embeds=torch.stack([embed for embed, _ in chunk]).to(self.device, self.dtype),
                negative_image_embeds=self.zero_image_embed.expand(len(chunk), -1),
                num_inference_steps=steps or self.drawing["steps"],
                guidance_scale=self.drawing["guidance_scale"] if guidance_scale is None else guidance_scale,
                height=side,
                width=side,
                generator=[torch.Generator().manual_seed(seed) for _, seed in chunk],
            ).images
        return pictures

    def cached_prior(self, steps: int, guidance_scale: float) -> CachedPrior:
        """The prior's sampler for that many steps and that guidance, with its constants, kept for the next call."""
        key = (steps, float(guidance_scale))
        if key not in self._priors:
            empty = self._features([""], None)
            self._priors[key] = CachedPrior(self.prior, self.scheduler, steps, guidance_scale, empty)
        return self._priors[key]

    def word_vector(self, word: str) -> Tensor:
        """`[d]` the mean of a word's token embeddings, from which a concept starts."""
        return text.word_embedding(self.text_encoder, self.tokenizer, word)

    def knows(self, words: str) -> bool:
        """Whether the tokenizer has tokens for all of the words; a tokenizer of subwords always has."""
        return not text.has_unknown_words(self.tokenizer, words)

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits that tell what learns here: text encoder, prior, tokenizer, scheduler; weights and configs.

        Where the folder lies and which library version wrote it play no part.
        """
        return content_hash({part: self._prior_folder / part for part in _LEARNING_PARTS})

    @cached_property
    def drawing_fingerprint(self) -> str:
        """The same for what draws: decoder, image encoder, and the steps, guidance and size that the stack says.

        It plays no part in learning, but for the questions that are asked about drawings.
        """
        parts = {part: self._folder / "decoder" / part for part in ("unet", "movq", "scheduler")}
        parts["image_encoder"] = self._prior_folder / "image_encoder"
        there = {part: folder for part, folder in parts.items() if folder.is_dir()}
        return content_hash(there, json.dumps(self.drawing, sort_keys=True))

    @cached_property
    def tokenizer(self) -> Any:
        return self._part("tokenizer")

    @cached_property
    def text_encoder(self) -> Any:
        return self._model("text_encoder", dtype=self.dtype)

    @cached_property
    def prior(self) -> Any:
        return self._model("prior", dtype=self.dtype)

    @cached_property
    def scheduler(self) -> Any:
        return self._part("scheduler")

    @cached_property
    def image_encoder(self) -> Any:
        return self._model("image_encoder", dtype=self.dtype)

    @cached_property
    def image_processor(self) -> Any:
        # The one that resizes with PIL, so that pictures are seen alike whether torchvision is installed or not.
        return self._part("image_processor", cls="CLIPImageProcessorPil")

    @cached_property
    def zero_image_embed(self) -> Tensor:
        """`[1, width]` the embedding of an image of zeros, from which the decoder's guidance leads away."""
        side = self.image_encoder.config.image_size
        with torch.no_grad():
            return self.image_encoder(torch.zeros(1, 3, side, side, device=self.device, dtype=self.dtype)).image_embeds

    @cached_property
    def decoder(self) -> Any:
        """diffusers' KandinskyV22Pipeline."""
        folder = self._folder / "decoder"
        if not (folder / "model_index.json").is_file():
            raise StackError(f"the stack {self.where!r} has no decoder/, so it can learn but not draw")
        kind = _json(folder / "model_index.json").get("_class_name")
        if kind != "KandinskyV22Pipeline":
            raise StackError(f"the decoder of {self.where!r} is a {kind}: only a KandinskyV22Pipeline draws here")
        from diffusers import KandinskyV22Pipeline

        try:
            with quietly():
                pipeline = KandinskyV22Pipeline.from_pretrained(folder, dtype=self.dtype, use_safetensors=True)
        except (AttributeError, OSError, ValueError, SafetensorError) as error:
            raise StackError(f"the decoder in {folder} does not load: {load_failure(error, folder)}") from error
        pipeline.to(self.device)
        pipeline.set_progress_bar_config(disable=True)
        for model in (pipeline.unet, pipeline.movq):
            model.eval().requires_grad_(False)
        width = pipeline.unet.config.encoder_hid_dim
        if width != self.width:
            raise StackError(f"the decoder of {self.where!r} takes width {width}, its prior gives {self.width}")
        return pipeline

    def _features(self, prompts: Sequence[str], vectors: Mapping[str, Tensor] | None) -> text.TextFeatures:
        return text.encode(self.text_encoder, self.tokenizer, prompts, vectors)

    def _model(self, part: str, **options: Any) -> Any:
        return self._part(part, use_safetensors=True, **options).to(self.device).eval().requires_grad_(False)

    def _part(self, part: str, cls: str | None = None, **options: Any) -> Any:
        """One part of the prior's pipeline, of the class that its model_index.json names, as diffusers loads it."""
        library, name = _json(self._prior_folder / "model_index.json").get(part, (None, None))
        folder = self._prior_folder / part
        if library not in ("diffusers", "transformers") or not folder.is_dir():
            raise StackError(f"the stack {self.where!r} has no {part}: there should be a folder {folder}")
        try:
            with quietly():
                return getattr(import_module(library), cls or name).from_pretrained(folder, **options)
        except (AttributeError, OSError, ValueError, SafetensorError) as error:
            raise StackError(f"the {part} in {folder} does not load: {load_failure(error, folder)}") from error

    def _beside(self, name: str) -> dict[str, Any] | None:
        file = self._folder / name
        return _json(file) if file.is_file() else None


def _check_widths(folder: Path) -> int:
    """The width of a prior pipeline's embeddings, if its parts agree on it and on the length of prompts."""
    prior, encoder = (_json(folder / part / "config.json") for part in ("prior", "text_encoder"))
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


def _paired(items: list[Any], seeds: list[int]) -> tuple[list[Any], list[int]]:
    """As many items as seeds: a single one of either stands for all."""
    n = max(len(items), len(seeds)) if items and seeds else 0
    items, seeds = (items * n if len(items) == 1 else items), (seeds * n if len(seeds) == 1 else seeds)
    if len(items) != len(seeds):
        raise PromptError(f"{len(items)} to make and {len(seeds)} seeds: give one seed for each, or one for all")
    return items, seeds


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | int) else list(value)


def _chunks(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _json(file: Path) -> dict[str, Any]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StackError(f"{file} is missing or is not JSON") from error


def content_hash(folders: Mapping[str, Path], also: str = "") -> str:
    """Twelve hex digits that tell what lies in folders, which are parts by name: their files by name and content, JSON
    without versions; not where they lie.
    """
    digest = hashlib.sha256(also.encode())
    for part, folder in folders.items():
        if not folder.is_dir():
            raise StackError(f"a folder of the stack is missing: {folder}")
        for file in sorted(folder.iterdir()):
            digest.update(f"{part}/{file.name}\n".encode())
            if file.suffix == ".json":
                digest.update(_without_versions(file).encode())
            elif file.is_file():
                with file.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:12]


def load_failure(error: Exception, folder: Path) -> str:
    """Why the weights in `folder` do not load, in one line, with the damaged file's name, which safetensors omits."""
    for file in sorted(folder.rglob("*.safetensors")):
        try:
            with safe_open(file, "pt"):
                pass
        except (SafetensorError, OSError) as damage:
            return f"{file} is damaged ({str(damage).splitlines()[0]}): fetch it again"
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _without_versions(file: Path) -> str:
    content: Any = _json(file)
    if isinstance(content, dict):
        content = {key: value for key, value in content.items() if key not in _VERSIONS}
    return json.dumps(content, sort_keys=True)


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@contextmanager
def quietly() -> Iterator[None]:
    """Without the libraries' progress bars: a small stack loads in a blink, and the command has its own."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = [each for each in (diffusers_logging, transformers_logging) if each.is_progress_bar_enabled()]
    for each in libraries:
        each.disable_progress_bar()
    try:
        yield
    finally:
        for each in libraries:
            each.enable_progress_bar()
