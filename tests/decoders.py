"""Tiny random pipelines of the classes that renderers draw with, and IP-Adapters for them, laid out as published."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDPMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionXLPipeline,
    StableUnCLIPImg2ImgPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer
from safetensors.torch import save_file
from transformers import (
    CLIPImageProcessorPil,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPVisionModelWithProjection,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
)

from core.exchange import CLIP_G
from tests.stacks import WORDS, clip_tokenizer, liven, save_karlo, vision

HIDDEN = 8  # of each text encoder; published for SDXL: 768 and 1280
CROSS = 2 * HIDDEN
JOINT = 32  # of FLUX
Weights = Mapping[str, Mapping[str, torch.Tensor]]


def text_config(tokenizer: Any, hidden: int = HIDDEN) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        projection_dim=hidden,
        intermediate_size=hidden,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def small_unet(**more: Any) -> UNet2DConditionModel:
    return liven(
        UNet2DConditionModel(
            sample_size=16,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            attention_head_dim=(2, 2),
            use_linear_projection=True,
            **more,
        ),
        4,
    )


def small_vae(**more: Any) -> AutoencoderKL:
    return liven(AutoencoderKL(block_out_channels=(8,), norm_num_groups=4, sample_size=16, **more), 1)


def quiet(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def tiny_sdxl() -> StableDiffusionXLPipeline:
    """The structure of SDXL, as small as it goes."""
    tokenizer = clip_tokenizer()
    text = text_config(tokenizer)
    unet = small_unet(
        addition_embed_type="text_time",
        addition_time_embed_dim=4,
        projection_class_embeddings_input_dim=HIDDEN + 6 * 4,
        cross_attention_dim=CROSS,
    )
    return quiet(
        StableDiffusionXLPipeline(
            vae=small_vae(latent_channels=4),
            text_encoder=liven(CLIPTextModel(text), 2),
            text_encoder_2=liven(CLIPTextModelWithProjection(text), 3),
            tokenizer=tokenizer,
            tokenizer_2=tokenizer,
            unet=unet,
            scheduler=EulerDiscreteScheduler(),
            feature_extractor=CLIPImageProcessorPil(),
            add_watermarker=False,
        )
    )


def image_proj(cross: int, width: int, rng: torch.Generator) -> dict[str, torch.Tensor]:
    """The projection of an IP-Adapter: an image embedding of that width to four tokens."""
    proj = torch.randn(4 * cross, width, generator=rng) / width**0.5
    image = {"proj.weight": proj, "proj.bias": torch.zeros(4 * cross)}
    return image | {"norm.weight": torch.ones(cross), "norm.bias": torch.zeros(cross)}


def sdxl_adapter(unet: UNet2DConditionModel, width: int = CLIP_G) -> dict[str, dict[str, torch.Tensor]]:
    """Random weights with the names and shapes of ip-adapter_sdxl.safetensors for that UNet."""
    rng = torch.Generator().manual_seed(5)
    image = image_proj(CROSS, width, rng)
    layers: dict[str, torch.Tensor] = {}
    for number, name in enumerate(unet.attn_processors):
        if name.endswith("attn2.processor"):  # cross attention; each layer has two numbers, its second is used
            inner = unet.get_submodule(name.removesuffix(".processor")).to_k.out_features
            for key in ("to_k_ip", "to_v_ip"):
                layers[f"{number}.{key}.weight"] = torch.randn(inner, CROSS, generator=rng)
    return {"image_proj": image, "ip_adapter": layers}


def save_sdxl(folder: Path, width: int = CLIP_G) -> Path:
    """Save SDXL as published, and its adapter beside it; returns its folder."""
    pipeline = tiny_sdxl()
    pipeline.save_pretrained(folder)
    weights = sdxl_adapter(pipeline.unet, width)
    save_file(
        {f"{of}.{name}": each for of, group in weights.items() for name, each in group.items()}, adapter_of(folder)
    )
    return folder


def adapter_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-adapter.safetensors")


def tiny_unclip(width: int) -> StableUnCLIPImg2ImgPipeline:
    """The structure of Stable unCLIP, for image embeddings of that width."""
    tokenizer = clip_tokenizer()
    unet = small_unet(
        class_embed_type="projection", projection_class_embeddings_input_dim=2 * width, cross_attention_dim=HIDDEN
    )
    return quiet(
        StableUnCLIPImg2ImgPipeline(
            feature_extractor=CLIPImageProcessorPil(),
            image_encoder=liven(CLIPVisionModelWithProjection(vision(width)), 3),
            image_normalizer=liven(StableUnCLIPImageNormalizer(width), 6),
            image_noising_scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
            tokenizer=tokenizer,
            text_encoder=liven(CLIPTextModel(text_config(tokenizer)), 2),
            unet=unet,
            scheduler=EulerDiscreteScheduler(prediction_type="v_prediction"),
            vae=small_vae(latent_channels=4),
        )
    )


def save_unclip(folder: Path, width: int = 768) -> Path:
    """Save it as published: its normalizer is of the library "stable_diffusion"."""
    tiny_unclip(width).save_pretrained(folder)
    index = folder / "model_index.json"
    index.write_text(index.read_text().replace("CLIPImageProcessorPil", "CLIPImageProcessor"))
    return folder


def tiny_flux() -> FluxPipeline:
    """The structure of FLUX.1-dev, as small as it goes."""
    tokenizer = clip_tokenizer()
    letters = [(letter, -5.0) for letter in "▁abcdefghijklmnopqrstuvwxyz"]
    words = [(f"▁{word}", -1.0) for word in WORDS if word.isalpha()]
    specials = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    tokenizer_2 = T5Tokenizer(vocab=[*specials, *dict(letters + words).items()], extra_ids=2, model_max_length=64)
    t5 = T5Config(d_model=JOINT, d_kv=8, d_ff=16, num_layers=1, num_heads=2, vocab_size=len(tokenizer_2) + 4)
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=4,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=JOINT,
        pooled_projection_dim=HIDDEN,
        axes_dims_rope=(4, 4, 8),
        guidance_embeds=True,
    )
    vae = small_vae(latent_channels=1, use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.06)
    return quiet(
        FluxPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
            vae=vae,
            text_encoder=liven(CLIPTextModel(text_config(tokenizer)), 2),
            tokenizer=tokenizer,
            text_encoder_2=liven(T5EncoderModel(t5), 3),
            tokenizer_2=tokenizer_2,
            transformer=liven(transformer, 4),
        )
    )


def flux_adapter(transformer: FluxTransformer2DModel, width: int) -> dict[str, torch.Tensor]:
    """Random weights with the names and shapes of XLabs' ip_adapter.safetensors for that transformer."""
    rng, inner = torch.Generator().manual_seed(5), transformer.inner_dim
    found = {f"ip_adapter_proj_model.{name}": each for name, each in image_proj(JOINT, width, rng).items()}
    for block in range(transformer.config.num_layers):
        for key in ("k", "v"):
            name = f"double_blocks.{block}.processor.ip_adapter_double_stream_{key}_proj"
            found[f"{name}.weight"] = torch.randn(inner, JOINT, generator=rng)
            found[f"{name}.bias"] = torch.zeros(inner)
    return found


def save_flux(folder: Path, width: int = 768) -> Path:
    """Save FLUX as published, and its adapter beside it; returns its folder."""
    pipeline = tiny_flux()
    pipeline.save_pretrained(folder)
    save_file(flux_adapter(pipeline.transformer, width), adapter_of(folder))
    return folder


SAVED = {"sdxl": save_sdxl, "karlo": save_karlo, "unclip-small": save_unclip, "flux": save_flux}


def save_decoder(name: str, folder: Path, width: int) -> Path:
    """Save the decoder of a renderer that reads image embeddings of that width; returns its folder."""
    return SAVED[name](folder, width=width)
