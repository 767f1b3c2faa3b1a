"""The decoder of a stack: the pipeline that draws image embeddings (`KandinskyV22Pipeline`, `KandinskyPipeline`)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from copy import copy, deepcopy
from pathlib import Path
from types import MethodType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from PIL.Image import Image, Resampling
from torch import Tensor

from core.errors import PromptError, StackError
from core.stack import folders, text
from core.stack.loading import load_failure, quietly
from core.stack.sizes import check_sizes

if TYPE_CHECKING:
    from diffusers import KandinskyPipeline, KandinskyV22Pipeline
    from diffusers.pipelines.kandinsky.text_encoder import MultilingualCLIP
    from transformers import PreTrainedTokenizerBase

    Decoder: TypeAlias = "KandinskyV22Pipeline | KandinskyPipeline"

# The pipelines that draw, each with the config key of its UNet that holds the width of image embeddings.
_DECODERS = {"KandinskyV22Pipeline": "encoder_hid_dim", "KandinskyPipeline": "cross_attention_dim"}

# The timestep of denoising errors, as a fraction of the schedule, and their number of noise samples.
NOISE_LEVEL, NOISE_SAMPLES = 0.4, 4


class Watch(NamedTuple):
    """Looks at drawings while they are denoised, and changes what guidance leads to and away from.

    after: the numbers of the denoising steps after which it looks, from 1. see: takes the rows of the drawings, and the
    picture that the decoder predicts for each at this step; returns their image embeddings and negatives `[n, width]`
    for the steps that follow.
    """

    after: Collection[int]
    see: Callable[[Sequence[int], list[Image]], tuple[Tensor, Tensor]]


def kind_of_decoder(where: str, folder: Path, width: int) -> str:
    """The class of a decoder's pipeline.

    Raises:
        StackError: it cannot draw embeddings of that width, or its parts do not fit together.
    """
    kind = str(folders.read_json(folder / "model_index.json").get("_class_name"))
    if kind not in _DECODERS:
        known = " or a ".join(_DECODERS)
        raise StackError(f"the decoder of {where!r} is a {kind}: expected a {known}")
    unet = folders.read_json(folder / "unet" / "config.json")
    takes = unet.get(_DECODERS[kind])
    if takes != width:
        raise StackError(f"the decoder of {where!r} takes width {takes}, but its prior gives {width}")
    if kind == "KandinskyPipeline":
        words = folders.read_json(folder / "text_encoder" / "config.json")
        pairs = (("numDims", 768, takes), ("transformerDimensions", 1024, unet.get("encoder_hid_dim")))
        for name, default, expected in pairs:
            if words.get(name, default) != expected:
                raise StackError(
                    f"the parts of {str(folder)!r} do not fit: text encoder's {name} is"
                    f" {words.get(name, default)}, the UNet takes {expected}"
                )
    return kind


def load_decoder(folder: Path, kind: str, dtype: torch.dtype, empty: tuple[Tensor, Tensor] | None) -> Decoder:
    """The pipeline in a folder.

    empty: for `KandinskyPipeline`, the encoding of the empty prompt. Its prompt is always empty, as in the paper, so it
    is loaded without its text encoder, which is as large as the UNet.
    """
    import diffusers

    without = {"text_encoder": None, "tokenizer": None} if empty else {}
    for part in ("unet", "movq"):
        check_sizes(folder / part)
    try:
        with quietly():
            pipeline = getattr(diffusers, kind).from_pretrained(folder, dtype=dtype, use_safetensors=True, **without)
    except Exception as error:  # a stranger's configuration may fail anywhere in a library
        raise StackError(f"the decoder in {folder} does not load: {load_failure(error, folder)}") from error
    if empty:
        pipeline._encode_prompt = MethodType(_empty_prompts(*empty), pipeline)
    pipeline.set_progress_bar_config(disable=True)
    for model in (pipeline.unet, pipeline.movq):
        model.eval().requires_grad_(False)
    return pipeline


def draw(
    decoder: Decoder,
    image_embeds: Tensor,
    negative_image_embeds: Tensor,
    seeds: Sequence[int],
    *,
    steps: int,
    guidance_scale: float,
    size: int,
    watch: Watch | None = None,
    rows: Sequence[int] = (),
    over: Sequence[Image] = (),
    strength: float = 1.0,
) -> list[Image]:
    """Pictures of image embeddings `[n, width]`, each guided away from its negative, from its seed.

    Several threads can draw at once: each call has a copy of the scheduler and of the pipeline's own state. rows: of
    the pictures, for `watch`. over, strength: see `Backbone.draw`.
    """
    decoder = copy(decoder)
    decoder.scheduler = deepcopy(decoder.scheduler)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    latents = _begun(decoder, over, generators, steps, strength, size) if over else None
    if watch is not None:
        _watched(decoder, watch, rows)
    prompts = {"prompt": [""] * len(seeds)} if type(decoder).__name__ == "KandinskyPipeline" else {}
    pictures: list[Image] = decoder(
        **prompts,
        image_embeds=image_embeds,
        negative_image_embeds=negative_image_embeds,
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        height=size,
        width=size,
        generator=generators,
        latents=latents,
    ).images
    return pictures


def denoising_errors(decoder: Decoder, pictures: Sequence[Image], image_embeds: Tensor, size: int) -> Tensor:
    """`[n]` of pictures, resized to `size`; see `Backbone.denoising_errors`. Each gets the same noise samples."""
    unet, scheduler, n = decoder.unet, deepcopy(decoder.scheduler), len(pictures)
    latents = _latents(decoder, pictures, size)
    conditions, encoder_hidden_states = {"image_embeds": image_embeds}, None
    if type(decoder).__name__ == "KandinskyPipeline":
        texts, encoder_hidden_states, _ = decoder._encode_prompt([""] * n, latents.device, 1, False)
        conditions["text_embeds"] = texts
    timesteps = torch.full((n,), int(NOISE_LEVEL * scheduler.config.num_train_timesteps), device=latents.device)
    generator, errors = torch.Generator().manual_seed(0), torch.zeros(n, device=latents.device)
    for _ in range(NOISE_SAMPLES):
        noise = torch.randn(latents[:1].shape, generator=generator).to(latents).expand_as(latents)
        noisy = scheduler.add_noise(latents, noise, timesteps)
        predicted = unet(noisy, timesteps, encoder_hidden_states, added_cond_kwargs=conditions).sample
        targets = {"epsilon": noise, "sample": latents}
        target = targets.get(scheduler.config.prediction_type, scheduler.get_velocity(latents, noise, timesteps))
        errors += (predicted[:, : latents.shape[1]] - target).float().square().mean((1, 2, 3)) / NOISE_SAMPLES
    return errors


def _begun(
    decoder: Decoder,
    pictures: Sequence[Image],
    generators: list[torch.Generator],
    steps: int,
    strength: float,
    size: int,
) -> Tensor:
    """Latents of pictures with the noise of the step where denoising begins; the decoder, a copy, begins there."""
    from diffusers.utils.torch_utils import randn_tensor

    scheduler = decoder.scheduler
    latents = _latents(decoder, pictures, size)
    left_out, set_timesteps = steps - int(steps * strength), scheduler.set_timesteps

    def set_later(*given: Any, **how: Any) -> None:
        set_timesteps(*given, **how)
        scheduler.timesteps = scheduler.timesteps[left_out:]

    scheduler.set_timesteps = set_later
    scheduler.set_timesteps(steps, device=latents.device)
    noise = randn_tensor(latents.shape, generators, latents.device, latents.dtype)
    noisy: Tensor = scheduler.add_noise(latents, noise, scheduler.timesteps[:1].repeat(len(pictures)))
    return noisy


def _latents(decoder: Decoder, pictures: Sequence[Image], size: int) -> Tensor:
    """Latents of pictures `[n, channels, height, width]`, resized to `size`."""
    sized = [np.asarray(picture.convert("RGB").resize((size, size), Resampling.BICUBIC)) for picture in pictures]
    pixels = torch.from_numpy(np.stack(sized)).permute(0, 3, 1, 2).to(decoder.movq.device, decoder.movq.dtype)
    latents: Tensor = decoder.movq.encode(pixels / 127.5 - 1).latents
    return latents.to(decoder.unet.dtype)


def _watched(decoder: Decoder, watch: Watch, rows: Sequence[int]) -> None:
    """Let `watch` look at what the scheduler predicts, and give the UNet its embeddings. decoder: a copy."""
    unet, step, done = copy(decoder.unet), decoder.scheduler.step, 0
    denoise, led = unet.forward, list[Tensor]()

    def forward(*, added_cond_kwargs: dict[str, Tensor], **given: Any) -> Any:
        if led:
            # Without guidance the pipeline gives no negatives.
            embeds = led[-1][-len(added_cond_kwargs["image_embeds"]) :]
            added_cond_kwargs = {**added_cond_kwargs, "image_embeds": embeds.to(added_cond_kwargs["image_embeds"])}
        return denoise(added_cond_kwargs=added_cond_kwargs, **given)

    def predict(*given: Any, **how: Any) -> Any:
        nonlocal done
        found = step(*given, **how)
        done += 1
        if done in watch.after:
            embeds, negatives = watch.see(rows, _pictures(decoder, found.pred_original_sample))
            led.append(torch.cat([negatives, embeds]))
        return found

    unet.forward = forward
    decoder.unet, decoder.scheduler.step = unet, predict


def _pictures(decoder: Decoder, latents: Tensor) -> list[Image]:
    """Pictures of latents `[n, channels, height, width]`, as the pipelines make them."""
    decoded = decoder.movq.decode(latents.to(decoder.movq.dtype), force_not_quantize=True)["sample"]
    pixels = (decoded * 0.5 + 0.5).clamp(0, 1).cpu().permute(0, 2, 3, 1).float().numpy()
    return list(decoder.numpy_to_pil(pixels))


def encode_multilingual(
    tokenizer: PreTrainedTokenizerBase, encoder: MultilingualCLIP, prompts: Sequence[str]
) -> tuple[Tensor, Tensor]:
    """`[n, width]` and `[n, 77, hidden]` of prompts by Kandinsky 2.1's text encoder, padded as KandinskyPipeline does.

    Raises:
        PromptError: a prompt is too long.
    """
    for prompt, ids in zip(prompts, tokenizer(list(prompts), verbose=False).input_ids, strict=True):
        if len(ids) > text.POSITIONS:
            raise PromptError(f"{prompt!r} has {len(ids)} multilingual tokens, but only 77 fit: shorten it")
    tokens = tokenizer(list(prompts), padding="max_length", max_length=text.POSITIONS, return_tensors="pt")
    embeds, hidden = encoder(tokens.input_ids.to(encoder.device), tokens.attention_mask.to(encoder.device))
    return embeds, hidden


def _empty_prompts(embeds: Tensor, hidden: Tensor) -> Callable[..., tuple[Tensor, Tensor, None]]:
    """A replacement of KandinskyPipeline's `_encode_prompt`: the encoding of the empty prompt, for as many rows."""

    def encode(
        pipeline: object, prompt: list[str], device: object, images: int, guided: bool, negative: object = None
    ) -> tuple[Tensor, Tensor, None]:
        rows = len(prompt) * images * (2 if guided else 1)
        return embeds.expand(rows, -1), hidden.expand(rows, -1, -1), None

    return encode
