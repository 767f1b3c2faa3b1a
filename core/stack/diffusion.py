"""Stable Diffusion as a stack: it draws prompts, and glimpses of pictures differentiably (core/sd_conceptlab.py).

stack = StableDiffusion.load(FOLDER, Backbone.load(PRIOR))
stack.draw(["a pencil sketch of a <new>"], {"<new>": torch.tensor(concept.vectors)}, seeds=[1])
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from PIL.Image import Image
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from core.errors import PromptError, StackError
from core.prompts import NAME
from core.stack import folders, hub, text
from core.stack.fingerprint import content_hash
from core.stack.loading import load_failure, quietly
from core.stack.protocols import Vocabulary
from core.stack.sizes import check_sizes
from core.wording import counted

if TYPE_CHECKING:
    from diffusers import DDIMScheduler, StableDiffusionPipeline
    from transformers import CLIPTextModelWithProjection

    from core.stack.backbone import Backbone

DDIM_STEPS = 20
GUIDANCE_SCALE = 7.5
DRAWING_STEPS = 50
_MODELS = ("text_encoder", "unet", "vae")
_PARTS = ("tokenizer", "scheduler", *_MODELS)
_PICTURES_AT_ONCE = 4


class StableDiffusion:
    """A saved StableDiffusionPipeline (1.4, 1.5, 2, 2.1), and `clip`, a Backbone whose encoders hold the constraints.

    Kandinsky 2.1's CLIP is the ViT-L/14 that Stable Diffusion 1 reads. For a ConceptLab this is a stack: `imagine`
    draws pictures and gives CLIP's embeddings of them. `width` is the width of CLIP's embeddings, `token_width` that of
    a concept's vectors; they may differ.
    """

    calibration = None
    vocabulary = Vocabulary()
    draws = offloads = False  # pictures come from prompts, not from image embeddings
    question_answerer = ""

    def __init__(self, where: str, folder: Path, pipeline: StableDiffusionPipeline, clip: Backbone) -> None:
        self.where = where
        self.version = Path(where).name
        self.clip = clip
        self.device, self.dtype, self.width = clip.device, clip.dtype, clip.width
        self.pipeline = pipeline
        self.tokenizer, self.text_encoder = pipeline.tokenizer, pipeline.text_encoder
        self.token_width = text.embedding_width(self.text_encoder)
        self._folder = folder

    @classmethod
    def load(cls, where: str | Path, clip: Backbone, revision: str | None = None) -> StableDiffusion:
        """Open a folder, or a hub's repository as ORG/NAME[@REVISION], on the device and in the precision of `clip`.

        Raises:
            StackError: it is missing, incomplete, of another kind, or its parts do not fit; in one line.
        """
        place = hub.find_model(str(where), revision, lacks=_missing)
        folder = place.folder
        for part in _PARTS:
            folders.refuse_code(folder / part)
            folders.check_weights(folder / part)
            check_sizes(folder / part)
        from diffusers import DDIMScheduler, StableDiffusionPipeline

        without = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        try:
            with quietly():
                pipeline = StableDiffusionPipeline.from_pretrained(
                    folder, dtype=clip.dtype, use_safetensors=True, **without
                )
        except Exception as error:  # a stranger's configuration may fail anywhere in a library
            raise StackError(
                f"the Stable Diffusion in {folder} does not load: {load_failure(error, folder)}"
            ) from error
        unet = pipeline.unet.config
        width = text.embedding_width(pipeline.text_encoder)
        if unet.in_channels != pipeline.vae.config.latent_channels:
            raise StackError(
                f"the UNet of {str(where)!r} takes {unet.in_channels} channels, its pictures have"
                f" {pipeline.vae.config.latent_channels}: choose one that draws from text alone"
            )
        if unet.cross_attention_dim != width:
            raise StackError(
                f"the parts of {str(where)!r} do not fit: UNet's cross_attention_dim is {unet.cross_attention_dim},"
                f" text encoder's hidden_size is {width}"
            )
        prediction = DDIMScheduler.from_config(pipeline.scheduler.config).config.prediction_type
        if prediction not in ("epsilon", "v_prediction"):
            raise StackError(f"the UNet of {str(where)!r} predicts {prediction!r}: expected epsilon or v_prediction")
        pipeline.to(clip.device)
        pipeline.set_progress_bar_config(disable=True)
        for model in (pipeline.text_encoder, pipeline.unet, pipeline.vae):
            model.eval().requires_grad_(False)
        for model in (pipeline.unet, pipeline.vae):
            model.enable_gradient_checkpointing()  # same gradients; activations at 512 pixels take gigabytes
        return cls(place.where, folder, pipeline, clip)

    def __repr__(self) -> str:
        return f"StableDiffusion({self.where!r}, token_width={self.token_width}, clip={self.clip!r})"

    @cached_property
    def fingerprint(self) -> str:
        """Hash, twelve hex digits, of all parts that affect learning: those that draw, and CLIP."""
        judge = f"{self.clip.fingerprint} {self.clip.drawing_fingerprint}"
        return content_hash({part: self._folder / part for part in _PARTS}, judge)

    @cached_property
    def ddim(self) -> DDIMScheduler:
        """The folder's noise schedule for DDIM, without clipping, which is meant for pictures and not for latents."""
        from diffusers import DDIMScheduler

        return DDIMScheduler.from_config(self.pipeline.scheduler.config, clip_sample=False)

    @property
    def size(self) -> int:
        """The side of its pictures, in pixels."""
        return self.pipeline.unet.config.sample_size * self.pipeline.vae_scale_factor

    def knows(self, words: str) -> bool:
        """Whether both tokenizers, its own and CLIP's, have tokens for all of the words."""
        return self.clip.knows(words) and not text.has_unknown_words(self.tokenizer, words)

    def word_vector(self, word: str, first: bool = False) -> Tensor:
        """`[d]` where a concept starts: the mean of a word's token embeddings. first: the first of them instead."""
        return text.word_embedding(self.text_encoder, self.tokenizer, word, first)

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """`[n, width]` CLIP's embeddings of prompts, in which constraints are held."""
        return self.clip.encode_text(prompts)

    def encode_images(self, images: Sequence[Image]) -> Tensor:
        """`[n, width]` CLIP's embeddings of PIL pictures."""
        return self.clip.encode_images(images)

    def encode_pixels(self, pixels: Tensor) -> Tensor:
        """`[n, width]` CLIP's embeddings of square pictures `[n, 3, side, side]` from 0 to 1, differentiable in them.

        Up to rounding what `encode_images` gives for the same pictures from PIL.
        """
        pixels = pixels if pixels.dtype == torch.float64 else pixels.float()
        processor = self.clip.image_processor
        edge = processor.size["shortest_edge" if "shortest_edge" in processor.size else "height"]
        pixels = F.interpolate(pixels, (edge, edge), mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        if processor.do_center_crop:
            side = processor.crop_size["height"]
            margin = (edge - side) // 2
            pixels = pixels[..., margin : margin + side, margin : margin + side]
        mean, std = (torch.tensor(x).to(pixels)[:, None, None] for x in (processor.image_mean, processor.image_std))
        return self.clip.image_encoder(((pixels - mean) / std).to(self.dtype)).image_embeds

    def encode_prompts(self, prompts: Sequence[str], vectors: Mapping[str, Tensor] | None = None) -> Tensor:
        """`[n, length, d]` the UNet's condition, with `vectors[name]` (`[d]` or `[k, d]`) in place of the name;
        differentiable in them. Equal to StableDiffusionPipeline.encode_prompt on the same words.
        """
        rows = {name: text.as_rows(self.text_encoder, vector, name) for name, vector in (vectors or {}).items()}
        tokens = text.tokenize(self.tokenizer, prompts, {name: len(each) for name, each in rows.items()})
        places = zip(tokens.names, tokens.slots.tolist(), strict=True)
        values = [rows[name][slot] for name, slot in places]
        return self._condition(tokens, torch.stack(values) if values else None)

    def encode_concepts(self, prompts: Sequence[str], vectors: Tensor) -> Tensor:
        """The same with row i of `vectors` `[n, k, d]` in place of NAME in prompt i: each row another concept."""
        tokens = text.tokenize(self.tokenizer, prompts, {NAME: vectors.shape[1]})
        return self._condition(tokens, vectors.to(self.dtype)[tokens.rows, tokens.slots])

    def _condition(self, tokens: text.Tokens, values: Tensor | None) -> Tensor:
        """The text tower on prompts padded to the full length; the UNet attends to padding too."""
        tokens = tokens.to(self.device)
        ids = torch.where(tokens.mask, tokens.ids, self.tokenizer.pad_token_id)
        beyond = self.tokenizer.model_max_length - ids.shape[1]
        ids = F.pad(ids, (0, beyond), value=self.tokenizer.pad_token_id)
        with _put(self.text_encoder, tokens, values):
            return self.text_encoder(ids).last_hidden_state

    @cached_property
    def _empty(self) -> Tensor:
        """`[1, length, d]` the condition of the empty prompt, from which guidance leads away."""
        return self.encode_prompts([""])

    def glimpse(
        self, hidden: Tensor, seed: int, steps: int = DDIM_STEPS, guidance_scale: float = GUIDANCE_SCALE
    ) -> Tensor:
        """`[1, 3, side, side]` the picture x̂_0, from 0 to 1, that DDIM expects at one of its `steps` steps:

            x̂_0 = (x_t − √(1 − ᾱ_t) ε_θ(x_t, E_y(v))) / √ᾱ_t        Eq. 12 of arXiv 2010.02502; v predictions likewise

        `hidden` `[1, length, d]` is the condition; the seed decides the noise and the step. Differentiable in `hidden`
        through that step alone.
        """
        generator = torch.Generator().manual_seed(seed)
        unet = self.pipeline.unet.config
        # Always float32, so that a seed means the same noise in every precision.
        noise = torch.randn(1, unet.in_channels, unet.sample_size, unet.sample_size, generator=generator)
        stop = int(torch.randint(steps, (), generator=generator))
        scheduler = copy.copy(self.ddim)
        scheduler.set_timesteps(steps, device=self.device)
        latent = noise.to(hidden) * scheduler.init_noise_sigma
        with torch.no_grad():
            for t in scheduler.timesteps[:stop]:
                latent = scheduler.step(self._predict(latent, t, hidden, guidance_scale), t, latent).prev_sample

        def expected(hidden: Tensor) -> Tensor:
            predicted = self._predict(latent, t_stop, hidden, guidance_scale)
            clean = scheduler.step(predicted, t_stop, latent).pred_original_sample
            vae = self.pipeline.vae
            return (vae.decode(clean / vae.config.scaling_factor, return_dict=False)[0] / 2 + 0.5).clamp(0, 1)

        t_stop = scheduler.timesteps[stop]
        # Recomputed in the backward pass, so that a population needs the memory of one concept.
        return checkpoint(expected, hidden, use_reentrant=False) if hidden.requires_grad else expected(hidden)

    def _predict(self, latent: Tensor, t: Tensor, hidden: Tensor, guidance_scale: float) -> Tensor:
        """The UNet's prediction under classifier-free guidance."""
        prompted = self.pipeline.unet(latent, t, encoder_hidden_states=hidden).sample
        if guidance_scale <= 1:
            return prompted
        with torch.no_grad():
            without = self.pipeline.unet(latent, t, encoder_hidden_states=self._empty).sample
        return without + guidance_scale * (prompted - without)

    @torch.no_grad()
    def draw(
        self,
        prompts: Sequence[str],
        vectors: Mapping[str, Tensor] | None = None,
        *,
        seeds: Sequence[int],
        negative: str = "",
        steps: int = DRAWING_STEPS,
        guidance_scale: float = GUIDANCE_SCALE,
    ) -> list[Image]:
        """A picture of each prompt from its seed, by the folder's own scheduler. `vectors`: see `encode_prompts`.
        `negative`: the negative prompt. Equal to StableDiffusionPipeline with one generator for each seed.

        Raises:
            PromptError: the numbers of seeds and prompts differ, or a prompt is too long.
        """
        if len(prompts) != len(seeds):
            raise PromptError(
                f"{counted(len(prompts), 'prompt')} and {counted(len(seeds), 'seed')}: give one seed for each"
            )
        pictures: list[Image] = []
        without = self.encode_prompts([negative])
        for start in range(0, len(prompts), _PICTURES_AT_ONCE):
            rows = slice(start, start + _PICTURES_AT_ONCE)
            there = {name: each for name, each in (vectors or {}).items() if any(name in p for p in prompts[rows])}
            hidden = self.encode_prompts(prompts[rows], there)
            pictures += self.pipeline(
                prompt_embeds=hidden,
                negative_prompt_embeds=without.expand(len(hidden), -1, -1),
                num_inference_steps=steps,
                guidance_scale=guidance_scale,
                height=self.size,
                width=self.size,
                generator=[torch.Generator().manual_seed(seed) for seed in seeds[rows]],
            ).images
        return pictures

    def imagine(
        self,
        prompts: Sequence[str],
        vectors: Mapping[str, Tensor] | None = None,
        *,
        seeds: Sequence[int],
        steps: int = DDIM_STEPS,
        guidance_scale: float = GUIDANCE_SCALE,
        at_name: bool = False,
    ) -> Tensor:
        """`[n, width]` CLIP's embeddings of pictures that it draws, for measuring. Without gradients. at_name plays no
        part, since nothing is pooled.
        """
        return self.encode_images(self.draw(prompts, vectors, seeds=seeds, steps=steps, guidance_scale=guidance_scale))


def _missing(folder: Path) -> str:
    """The first missing part of a Stable Diffusion, or ""; a safety checker is not needed."""
    if not (folder / "model_index.json").is_file():
        return "model_index.json is missing"
    kind = folders.read_json(folder / "model_index.json").get("_class_name")
    if kind != "StableDiffusionPipeline":
        return f"it is a {kind}: expected a StableDiffusionPipeline (1 or 2)"
    found = ((part, folders.lacks(folder / part, weights=part in _MODELS)) for part in _PARTS)
    return next((f"{part}/{missing}" for part, missing in found if missing), "")


@contextmanager
def _put(text_encoder: CLIPTextModelWithProjection, tokens: text.Tokens, values: Tensor | None) -> Iterator[None]:
    """Replace the embeddings at the places for vectors in `tokens` by `values` [m, d], within the context."""
    if values is None:
        yield
        return

    def put(module: object, args: object, embeds: Tensor) -> Tensor:
        return embeds.index_put((tokens.rows, tokens.positions), values)

    hook = text_encoder.get_input_embeddings().register_forward_hook(put)
    try:
        yield
    finally:
        hook.remove()
