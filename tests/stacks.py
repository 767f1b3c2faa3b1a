"""Tiny random stacks with the structure of Kandinsky 2.2, for tests that need every part but no trained weights."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    DDPMScheduler,
    KandinskyV22Pipeline,
    KandinskyV22PriorPipeline,
    PriorTransformer,
    UnCLIPScheduler,
    UNet2DConditionModel,
    VQModel,
)
from transformers import (
    CLIPImageProcessorPil,
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
)

from core.emoji.tokenizer import word_tokenizer

CATEGORIES = {
    "pet": ["dog", "cat", "rabbit", "hamster", "parrot", "goldfish", "turtle", "horse"],
    "fruit": ["apple", "banana", "pear", "cherry", "lemon", "melon"],
    "furniture": ["chair", "table", "sofa", "bed"],
    "style": ["painting", "sketch", "mosaic", "watercolour"],
}
MEMBERS = [word for members in CATEGORIES.values() for word in members]
FILLERS = (
    "! . , ' a an the my of in on with is this what kind type photo picture drawing art style image red blue small"
)
WORDS: list[str] = [*FILLERS.split(), *CATEGORIES, *MEMBERS]


def liven(model: torch.nn.Module, seed: int) -> Any:
    """Fill a model with random weights under which attention and every bias matter; frozen, in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name == "clip_std":
                parameter.copy_(0.8 + 0.1 * noise)
            elif "norm" in name and name.endswith("weight") and parameter.ndim == 1:
                parameter.copy_(1 + 0.1 * noise)
            elif parameter.ndim < 2 or "position" in name or len(parameter) == 1:
                parameter.copy_(0.2 * noise)
            else:
                parameter.copy_(0.8 * noise / math.sqrt(parameter[0].numel()))
    return model.eval().requires_grad_(False)


def text_parts(
    width: int = 16,
    *,
    layers: int = 2,
    heads: int = 2,
    length: int = 20,
    published_eos: bool = False,
    pad: str | None = None,
    act: str = "gelu",
    seed: int = 1,
) -> tuple[Any, Any]:
    """A tokenizer and text encoder. `published_eos` writes `eos_token_id: 2` into the config, as Kandinsky has it.

    `pad` is the token to pad with (2.1 pads with "!"), by default the end token (2.2).
    """
    tokenizer = word_tokenizer(WORDS, length)
    if pad:
        tokenizer.pad_token = pad
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=length,
        hidden_act=act,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=2 if published_eos else tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return tokenizer, liven(CLIPTextModelWithProjection(config), seed)


def prior_parts(
    width: int = 16,
    *,
    layers: int = 3,
    heads: int = 2,
    head: int = 12,
    length: int = 20,
    clip: float = 10,
    seed: int = 2,
) -> tuple[Any, Any]:
    """A diffusion prior and its scheduler."""
    prior = PriorTransformer(
        num_attention_heads=heads,
        attention_head_dim=head,
        num_layers=layers,
        embedding_dim=width,
        num_embeddings=length,
        additional_embeddings=4,
    )
    scheduler = UnCLIPScheduler(
        variance_type="fixed_small_log", prediction_type="sample", clip_sample=True, clip_sample_range=clip
    )
    return liven(prior, seed), scheduler


def prior_pipeline(width: int = 16, *, length: int = 20, published_eos: bool = False, pad: str | None = None) -> Any:
    """A whole KandinskyV22PriorPipeline."""
    tokenizer, text_encoder = text_parts(width, length=length, published_eos=published_eos, pad=pad)
    prior, scheduler = prior_parts(width, length=length)
    image = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        projection_dim=width,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
    )
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return KandinskyV22PriorPipeline(
        prior=prior,
        image_encoder=liven(CLIPVisionModelWithProjection(image), 3),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        scheduler=scheduler,
        image_processor=processor,
    )


def decoder_pipeline(width: int = 16, scheduler: Any = None) -> Any:
    """A whole KandinskyV22Pipeline that draws small pictures."""
    unet = UNet2DConditionModel(
        in_channels=4,
        out_channels=8,
        addition_embed_type="image",
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        block_out_channels=(16, 32),
        layers_per_block=1,
        encoder_hid_dim=width,
        encoder_hid_dim_type="image_proj",
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=8,
        resnet_time_scale_shift="scale_shift",
    )
    movq = VQModel(
        block_out_channels=[32, 32],
        down_block_types=["DownEncoderBlock2D", "AttnDownEncoderBlock2D"],
        up_block_types=["AttnUpDecoderBlock2D", "UpDecoderBlock2D"],
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=8,
        norm_type="spatial",
        num_vq_embeddings=8,
        vq_embed_dim=4,
    )
    scheduler = scheduler or DDPMScheduler(beta_schedule="linear", beta_start=0.00085, beta_end=0.012)
    return KandinskyV22Pipeline(unet=liven(unet, 4), movq=liven(movq, 5), scheduler=scheduler)


def save_prior(folder: Path, **options: Any) -> Path:
    """Save a prior's pipeline as published; returns its folder."""
    prior_pipeline(**options).save_pretrained(folder)
    # Without torchvision the class is recorded under a name that published stacks do not have.
    index = folder / "model_index.json"
    index.write_text(index.read_text().replace("CLIPImageProcessorPil", "CLIPImageProcessor"))
    return folder


def save_stack(folder: Path, scheduler: Any = None, **options: Any) -> Path:
    """Save a whole stack, prior and decoder, with its vocabulary and how it draws; returns its folder."""
    save_prior(folder / "prior", **options)
    decoder_pipeline(options.get("width", 16), scheduler).save_pretrained(folder / "decoder")
    about = {"version": "tiny-1", "drawing": {"steps": 3, "guidance_scale": 2.0, "size": 16}}
    (folder / "stack.json").write_text(json.dumps(about))
    (folder / "vocabulary.json").write_text(json.dumps({"words": MEMBERS, "categories": CATEGORIES}))
    return folder
