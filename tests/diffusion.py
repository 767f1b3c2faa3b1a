"""Tiny random pipelines of Stable Diffusion 1.5, 2 and XL, with structure and tokenizer as published."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    KandinskyPriorPipeline,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPImageProcessorPil,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
)

from tests.stacks import liven, prior_parts, vision

SENTENCE = "a photo of the my pet dog cat hamster parrot fruit apple on in blue beach sks moku"
WORDS = SENTENCE.split()
LENGTH = 77


def clip_tokenizer(length: int = LENGTH, pad: str = "<|endoftext|>") -> CLIPTokenizer:
    """transformers' CLIPTokenizer with pieces of its own: all bytes, and WORDS, each of one token."""
    letters = [chr(c) for c in [*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324)]]
    merges: list[tuple[str, str]] = []
    for word in WORDS:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        while len(pieces) > 1:
            # A word's own pieces, so that no other word's merge takes its letters first: the end is merged first.
            pair = (pieces[-2], pieces[-1])
            if pair not in merges:
                merges.append(pair)
            pieces = [*pieces[:-2], "".join(pair)]
    made = ["".join(pair) for pair in merges]
    pieces = dict.fromkeys([*letters, *[f"{x}</w>" for x in letters], *made, "<|startoftext|>", "<|endoftext|>"])
    return CLIPTokenizer(
        vocab={piece: i for i, piece in enumerate(pieces)}, merges=merges, model_max_length=length, pad_token=pad
    )


def text_tower(
    tokenizer: Any,
    width: int,
    *,
    act: str = "quick_gelu",
    published_eos: bool = True,
    projected: bool = False,
    seed: int = 1,
) -> Any:
    """A text encoder of two layers; `published_eos` writes `eos_token_id: 2` into its config, as the published do."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=2 * width if width < 100 else 64,
        projection_dim=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=tokenizer.model_max_length,
        hidden_act=act,
        bos_token_id=0 if published_eos else tokenizer.bos_token_id,
        eos_token_id=2 if published_eos else tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return liven((CLIPTextModelWithProjection if projected else CLIPTextModel)(config), seed)


def unet(width: int, seed: int = 2, in_channels: int = 4, **more: Any) -> Any:
    """A UNet that listens to its prompt, more than random weights do."""
    model = liven(
        UNet2DConditionModel(
            sample_size=8,
            in_channels=in_channels,
            out_channels=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(16, 32),
            layers_per_block=1,
            cross_attention_dim=width,
            attention_head_dim=4,
            norm_num_groups=8,
            **more,
        ),
        seed,
    )
    for name, parameter in model.named_parameters():
        if "attn2.to_" in name and name.endswith("weight"):
            parameter.mul_(3)
    return model


def vae(seed: int = 3) -> Any:
    model = liven(
        AutoencoderKL(
            block_out_channels=(16, 32),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=8,
            sample_size=16,
        ),
        seed,
    )
    model.decoder.conv_out.weight.mul_(0.2)  # pictures of greys: what is all black or white has no gradient
    return model


def sd_pipeline(width: int = 16, *, version: int = 1, published_eos: bool = True) -> StableDiffusionPipeline:
    """version 1: quick_gelu, PNDM, noise predicted, padded with the end; 2: gelu, DDIM, v, padded with "!"."""
    tokenizer = clip_tokenizer(pad="!" if version == 2 else "<|endoftext|>")
    betas = dict(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, set_alpha_to_one=False
    )
    if version == 2:
        scheduler = DDIMScheduler(**betas, clip_sample=False, prediction_type="v_prediction")
    else:
        scheduler = PNDMScheduler(**betas, skip_prk_steps=True)
    act = "gelu" if version == 2 else "quick_gelu"
    return StableDiffusionPipeline(
        vae=vae(),
        text_encoder=text_tower(tokenizer, width, act=act, published_eos=published_eos),
        tokenizer=tokenizer,
        unet=unet(width),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl_pipeline(width: int = 768, width_2: int = 1280, *, published_eos: bool = True) -> StableDiffusionXLPipeline:
    """Its first text encoder is CLIP ViT-L's width, its second, with a projection, that of ViT-bigG."""
    tokenizers = clip_tokenizer(), clip_tokenizer(pad="!")
    return StableDiffusionXLPipeline(
        vae=vae(),
        text_encoder=text_tower(tokenizers[0], width),
        text_encoder_2=text_tower(
            tokenizers[1], width_2, act="gelu", published_eos=published_eos, projected=True, seed=4
        ),
        tokenizer=tokenizers[0],
        tokenizer_2=tokenizers[1],
        unet=unet(
            width + width_2,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=width_2 + 6 * 8,
        ),
        scheduler=EulerDiscreteScheduler(),
    )


def save_sd(folder: Path, **options: Any) -> Path:
    """Save a Stable Diffusion pipeline as published; returns its folder."""
    sd_pipeline(**options).save_pretrained(folder)
    return folder


def save_prior_21(folder: Path, width: int = 768) -> Path:
    """Save a KandinskyPriorPipeline (2.1) of any width with a tokenizer of pieces; returns its folder."""
    tokenizer = clip_tokenizer(pad="!")
    prior, scheduler = prior_parts(width, length=tokenizer.model_max_length)
    pipeline = KandinskyPriorPipeline(
        prior=prior,
        image_encoder=liven(CLIPVisionModelWithProjection(vision(width)), 5),
        text_encoder=text_tower(tokenizer, width, projected=True),
        tokenizer=tokenizer,
        scheduler=scheduler,
        image_processor=CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
    )
    pipeline.save_pretrained(folder)
    return folder
