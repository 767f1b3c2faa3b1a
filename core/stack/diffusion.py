"""Stable Diffusion, and SD-ConceptLab (arXiv 2308.02669 §5.3): the paper's ablation that has no prior.

What the prior does elsewhere, a glimpse of the picture does here. A step starts from noise, goes some way down DDIM
without gradients, and holds the constraints in CLIP's space against the picture that DDIM expects from there:

    x̂_0 = (x_t − √(1 − ᾱ_t) ε_θ(x_t, E_y(v))) / √ᾱ_t        Eq. 12 of arXiv 2010.02502; v predictions likewise

The category pulls by its text, as in Eq. 3. The negative classes push by images that are collected first, one
constraint each, which stand in the Request as numbers, as whatever a concept shall keep away from does. Request,
Settings, constraints, AdamW and the loop over segments are the other rooms' own.

    stack = StableDiffusion.load(FOLDER, Backbone.load(PRIOR))
    images = collect_images(stack, ["dog", "cat"])
    [concept] = SDConceptLab(stack).run([image_request(stack, "pet", images)])
    stack.draw(["a pencil sketch of a <new>"], {"<new>": torch.tensor(concept.vectors)}, seeds=[1])

The paper does not say how far down DDIM a step goes, nor its guidance: here every one of DDIM_STEPS steps is as likely,
under GUIDANCE_SCALE; a concept's settings have both as `prior_steps` and `guidance_scale`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL.Image import Image
from safetensors import SafetensorError
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from core.concept import Avoid, Request, RequestError
from core.constraints import normalise
from core.errors import PromptError, StackError
from core.optimizer import ConceptLab
from core.prompts import TEMPLATES, fill, portrait
from core.settings import Settings
from core.stack import hub, text
from core.stack.fingerprint import content_hash
from core.stack.loading import load_failure, quietly
from core.stack.protocols import Vocabulary
from core.step import NAME, Draw, Step, make_step
from core.streams import stream_seed
from core.wording import counted

DDIM_STEPS = 20
GUIDANCE_SCALE = 7.5
DRAWING_STEPS = 50
_MODELS = ("text_encoder", "unet", "vae")
_PARTS = ("tokenizer", "scheduler", *_MODELS)
_PICTURES_AT_ONCE = 4


class StableDiffusion:
    """What StableDiffusionPipeline saves (1.4, 1.5, 2, 2.1), and `clip`, a Backbone, whose text and image
    encoders the constraints are held in: that of Kandinsky 2.1 is the CLIP ViT-L/14 that Stable Diffusion 1 reads.

    To a ConceptLab it is a stack: `imagine` gives CLIP's embeddings, of pictures that are drawn for it. `width` is that
    of CLIP's embeddings, `token_width` that of a concept's vectors; they need not agree.
    """

    calibration = None
    vocabulary = Vocabulary()
    draws = offloads = False  # pictures come from prompts, not from image embeddings
    question_answerer = ""

    def __init__(self, where: str, folder: Path, pipeline: Any, clip: Any) -> None:
        self.where = where
        self.version = Path(where).name
        self.clip = clip
        self.device, self.dtype, self.width = clip.device, clip.dtype, clip.width
        self.pipeline = pipeline
        self.tokenizer, self.text_encoder = pipeline.tokenizer, pipeline.text_encoder
        self.token_width = text.embedding_width(self.text_encoder)
        self._folder = folder

    @classmethod
    def load(cls, where: str | Path, clip: Any, revision: str | None = None) -> StableDiffusion:
        """Open a folder, or a hub's repository as ORG/NAME[@REVISION], on the device and in the precision of `clip`.

        Raises:
            StackError: it is nowhere, another kind of pipeline, not whole, or its parts do not fit; in one line.
        """
        place = hub.find_model(str(where), revision, lacks=_missing)
        folder = place.folder
        for part in _PARTS:
            hub.refuse_code(folder / part)
            hub.check_weights(folder / part)
        from diffusers import DDIMScheduler, StableDiffusionPipeline

        nobody = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
        try:
            with quietly():
                pipeline = StableDiffusionPipeline.from_pretrained(
                    folder, dtype=clip.dtype, use_safetensors=True, **nobody
                )
        except (AttributeError, OSError, TypeError, ValueError, SafetensorError) as error:
            raise StackError(
                f"the Stable Diffusion in {folder} does not load: {load_failure(error, folder)}"
            ) from error
        unet = pipeline.unet.config
        width = text.embedding_width(pipeline.text_encoder)
        if unet.in_channels != pipeline.vae.config.latent_channels:
            raise StackError(
                f"the UNet of {str(where)!r} takes {unet.in_channels} channels, its pictures have"
                f" {pipeline.vae.config.latent_channels}: one that draws from text alone is needed"
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
            model.enable_gradient_checkpointing()  # the same gradients; at 512 pixels activations are gigabytes
        return cls(place.where, folder, pipeline, clip)

    def __repr__(self) -> str:
        return f"StableDiffusion({self.where!r}, token_width={self.token_width}, clip={self.clip!r})"

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits that tell what learns here: all that draws, and the CLIP that judges."""
        judge = f"{self.clip.fingerprint} {self.clip.drawing_fingerprint}"
        return content_hash({part: self._folder / part for part in _PARTS}, judge)

    @cached_property
    def ddim(self) -> Any:
        """The folder's noise schedule as DDIM samples it, which by default would clip: pictures, and so not latents."""
        from diffusers import DDIMScheduler

        return DDIMScheduler.from_config(self.pipeline.scheduler.config, clip_sample=False)

    @property
    def size(self) -> int:
        """The side of its pictures, in pixels."""
        return self.pipeline.unet.config.sample_size * self.pipeline.vae_scale_factor

    def knows(self, words: str) -> bool:
        """Whether both tokenizers, its own and CLIP's, have tokens for all of the words."""
        return self.clip.knows(words) and not text.has_unknown_words(self.tokenizer, words)

    def word_vector(self, word: str) -> Tensor:
        """`[d]` the mean of a word's token embeddings, from which a concept starts."""
        return text.word_embedding(self.text_encoder, self.tokenizer, word)

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """`[n, width]` CLIP's embeddings of prompts: what the constraints' words are encoded with."""
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
        """`[n, length, d]` what the UNet is conditioned on, `vectors[name]` (`[d]` or `[k, d]`) standing wherever the
        name does; differentiable in them. Equal to StableDiffusionPipeline.encode_prompt on the same words.
        """
        rows = {name: text.as_rows(self.text_encoder, vector, name) for name, vector in (vectors or {}).items()}
        tokens = text.tokenize(self.tokenizer, prompts, {name: len(each) for name, each in rows.items()})
        places = zip(tokens.names, tokens.slots.tolist(), strict=True)
        values = [rows[name][slot] for name, slot in places]
        return self._condition(tokens, torch.stack(values) if values else None)

    def encode_concepts(self, prompts: Sequence[str], vectors: Tensor) -> Tensor:
        """The same with row i of `vectors` `[n, k, d]` standing at NAME in prompt i: each row another concept."""
        tokens = text.tokenize(self.tokenizer, prompts, {NAME: vectors.shape[1]})
        return self._condition(tokens, vectors.to(self.dtype)[tokens.rows, tokens.slots])

    def _condition(self, tokens: text.Tokens, values: Tensor | None) -> Tensor:
        """The text tower on prompts padded to the full length, all of which the UNet attends to."""
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
        """`[1, 3, side, side]` the picture x̂_0, from 0 to 1, that DDIM expects at one of its `steps` steps, for the
        condition `hidden` `[1, length, d]`; the seed tells the noise and which step. Differentiable in `hidden` through
        that step alone: what led to it counts as given.
        """
        generator = torch.Generator().manual_seed(seed)
        unet = self.pipeline.unet.config
        # In float32 whatever the model runs in, so that a seed means the same noise everywhere.
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
        # Computed again in the backward pass, so that a population needs the memory of one concept.
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
        """A picture of each prompt from its seed, by the folder's own scheduler. `vectors` as for `encode_prompts`;
        `negative`: the prompt that guidance leads away from. Equal to StableDiffusionPipeline, a generator for each.

        Raises:
            PromptError: not as many seeds as prompts, or a prompt or negative that is too long.
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
    ) -> Tensor:
        """`[n, width]` CLIP's embeddings of what it draws: what the fixed panel measures. Without gradients."""
        return self.encode_images(self.draw(prompts, vectors, seeds=seeds, steps=steps, guidance_scale=guidance_scale))


class SDConceptLab(ConceptLab):
    """ConceptLab whose step sees glimpses of pictures in place of what a prior imagines.

    It names no negatives: a request says from the start what it keeps away from, see `image_request`.
    """

    def make_step(self, settings: Settings, text_space: bool) -> Step:
        if text_space:
            raise RequestError("Stable Diffusion has no prior to leave out: set through_prior and mix_through_prior")

        def embed(vectors: Tensor, draws: Sequence[Draw]) -> Tensor:
            # One by one: a UNet keeps any device busy with a single picture, and rows stay alike in every batch.
            hidden = self.stack.encode_concepts([each.prompt for each in draws], vectors).split(1)
            steps, guidance_scale = settings.prior_steps, settings.guidance_scale
            seeds = [draw.noise_seed for draw in draws]
            each = [
                self.stack.glimpse(row, seed, steps, guidance_scale) for row, seed in zip(hidden, seeds, strict=True)
            ]
            return torch.cat([self.stack.encode_pixels(picture) for picture in each])

        return make_step(self.stack, settings, embed=embed)

    def _check_stack(self, request: Request) -> None:
        stack = self.stack
        if request.start is not None and request.start.shape[-1] != stack.token_width:
            raise RequestError(
                f"'start' is {request.start.shape[-1]} wide, the tokens of {stack.version} {stack.token_width}:"
                " use the stack it was learned on"
            )
        super()._check_stack(replace(request, start=None))


def collect_images(
    stack: StableDiffusion, words: Sequence[str], count: int = 8, seed: int = 0, kind: str = "object"
) -> dict[str, list[Image]]:
    """`count` pictures of each negative class, drawn by Stable Diffusion itself as "a photo of a {}"."""
    unknown = [word for word in words if not stack.knows(word)]
    if unknown:
        raise RequestError(f"{stack.version} does not know the word {unknown[0]!r}: choose another")
    seeds = [stream_seed(seed, number, "collected") for number in range(count)]
    return {word: stack.draw([portrait(kind).format(word)] * count, seeds=seeds) for word in words}


def image_request(
    stack: StableDiffusion,
    category: str,
    images: Mapping[str, Sequence[Image]],
    seed: int = 0,
    *,
    kind: str = "object",
    tokens: int = 1,
    **settings: Any,
) -> Request:
    """The Request for a concept of `category` that keeps away from classes by their `images`, class → pictures.

    Its settings are the paper's, with the cap and the floor that the images themselves give, since the published ones
    are those of other encoders: the cap is the median similarity of the category's text to its members' images, the
    floor the median between images of different members. `settings`: others.

    Raises:
        RequestError: a class without images, or one class alone, which gives no floor.
    """
    for word, of in images.items():
        if not len(of):
            raise RequestError(f"there are no images of {word!r}: collect some, or leave it out")
    if not images or (len(images) == 1 and "avoid_floor" not in settings):
        raise RequestError(
            f"{len(images)} negative classes have images ({', '.join(images) or 'none'}): give two, or one and the"
            " setting avoid_floor"
        )
    embeds = {word: normalise(stack.encode_images(list(of))) for word, of in images.items()}
    chosen: dict[str, Any] = {"preset": "paper", "prior_steps": DDIM_STEPS, "guidance_scale": GUIDANCE_SCALE}
    request = Request(
        category,
        kind,
        schedule="none",
        avoid=tuple(Avoid(f"{word} {i}", e.cpu().numpy()) for word, of in embeds.items() for i, e in enumerate(of, 1)),
        seed=seed,
        tokens=tokens,
        settings=Settings(**(chosen | _scale(stack, category, kind, embeds) | settings)),
        fingerprint=stack.fingerprint,
    )
    return request


def _missing(folder: Path) -> str:
    """What a folder lacks of a Stable Diffusion, "" where nothing; a safety checker is not needed."""
    if not (folder / "model_index.json").is_file():
        return "model_index.json is missing"
    kind = hub.read_json(folder / "model_index.json").get("_class_name")
    if kind != "StableDiffusionPipeline":
        return f"it is a {kind}, and a StableDiffusionPipeline (1 or 2) is needed"
    found = ((part, hub.lacks(folder / part, weights=part in _MODELS)) for part in _PARTS)
    return next((f"{part}/{missing}" for part, missing in found if missing), "")


def _scale(stack: StableDiffusion, category: str, kind: str, embeds: Mapping[str, Tensor]) -> dict[str, float]:
    """Cap and floor from unit embeddings [m, width] of the images of each class."""
    every = torch.cat(list(embeds.values()))
    own = "" if kind == "style" else category
    texts = normalise(stack.encode_text([fill(template, own) for template in TEMPLATES[kind]]))
    scale = {"max_cosine": float((texts @ every.T).median())}
    if len(embeds) > 1:
        of = torch.tensor([i for i, each in enumerate(embeds.values()) for _ in each])
        scale["avoid_floor"] = float((every @ every.T).cpu()[of[:, None] != of].median())
    return scale


@contextmanager
def _put(text_encoder: Any, tokens: text.Tokens, values: Tensor | None) -> Iterator[None]:
    """While it lasts, `values` [m, d] stand where `tokens` have places for vectors."""
    if values is None:
        yield
        return

    def put(module: Any, args: Any, embeds: Tensor) -> Tensor:
        return embeds.index_put((tokens.rows, tokens.positions), values)

    hook = text_encoder.get_input_embeddings().register_forward_hook(put)
    try:
        yield
    finally:
        hook.remove()
