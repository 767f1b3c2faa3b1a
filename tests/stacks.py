"""Tiny random stacks with the structure of Kandinsky 2.1 and 2.2, for tests that need every part but no weights."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    KandinskyPipeline,
    KandinskyPriorPipeline,
    KandinskyV22Pipeline,
    KandinskyV22PriorPipeline,
    PriorTransformer,
    UnCLIPPipeline,
    UnCLIPScheduler,
    UNet2DConditionModel,
    UNet2DModel,
    VQModel,
)
from diffusers.pipelines.deprecated.unclip.text_proj import UnCLIPTextProjModel
from diffusers.pipelines.kandinsky.text_encoder import MCLIPConfig, MultilingualCLIP
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipImageProcessorPil,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    T5Tokenizer,
    XLMRobertaTokenizer,
)

from core.stack.eclipse import without_time
from training.tokenizer import word_tokenizer

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


SEEN = dict(
    hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=16
)
# What tells the two published families apart: (activation, token that pads).
FAMILIES = {"2.1": ("quick_gelu", "!"), "2.2": ("gelu", None)}


def clip_tokenizer(length: int = 77) -> Any:
    """CLIP's own tokenizer with few merges: every text of whatever script has tokens, most words several."""
    letters = list(bytes_to_unicode().values())
    merges = [("d", "o"), ("do", "g</w>"), ("a", "t</w>"), ("c", "at</w>"), ("p", "h"), ("o", "f</w>")]
    tokens = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: place for place, token in enumerate(tokens)}
    return CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=length)


def bytes_to_unicode() -> dict[int, str]:
    """The letters that stand for bytes in CLIP's vocabulary, "!" the first of them."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + n) for n, byte in enumerate(others)}


def text_parts(
    width: int = 16,
    *,
    layers: int = 2,
    heads: int = 2,
    length: int = 20,
    published_eos: bool = False,
    pad: str | None = None,
    act: str = "gelu",
    words: bool = True,
    seed: int = 1,
) -> tuple[Any, Any]:
    """A tokenizer and text encoder. `published_eos` writes `eos_token_id: 2` into the config, as Kandinsky has it.

    `pad` is the token to pad with (2.1 pads with "!"), by default the end token (2.2). words: one token for each word,
    as the embedded stack has them, or CLIP's own tokenizer.
    """
    tokenizer = word_tokenizer(WORDS, length) if words else clip_tokenizer(length)
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


def eclipse_transformer(
    width: int = 16, *, layers: int = 2, heads: int = 2, head: int = 8, length: int = 20, seed: int = 7
) -> Any:
    """The transformer of an ECLIPSE prior: three tokens after the text, and no time embedding."""
    prior = PriorTransformer(
        num_attention_heads=heads,
        attention_head_dim=head,
        num_layers=layers,
        embedding_dim=width,
        num_embeddings=length,
        additional_embeddings=3,
    )
    return without_time(liven(prior, seed))


def save_eclipse(folder: Path, **options: Any) -> Path:
    """Save it as published, with a model card beside it: neither a pipeline nor time in its configuration."""
    prior = eclipse_transformer(**options)
    prior.save_pretrained(folder)
    config = folder / "config.json"
    told = {name: value for name, value in json.loads(config.read_text()).items() if not name.startswith("time_")}
    config.write_text(json.dumps(told | {"_diffusers_version": "0.20.2"}))
    (folder / "README.md").write_text("# ECLIPSE\n")
    return folder


def vision(width: int) -> CLIPVisionConfig:
    """A small image encoder with embeddings of this width."""
    return CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        projection_dim=width,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=32,
        patch_size=16,
    )


def prior_pipeline(
    width: int = 16,
    *,
    length: int = 20,
    published_eos: bool = False,
    pad: str | None = None,
    family: str = "",
) -> Any:
    """A whole KandinskyV22PriorPipeline; with `family` that of "2.1" or "2.2", with what else is published of it."""
    act, pad = FAMILIES[family] if family else ("gelu", pad)
    text = dict(length=length, published_eos=published_eos, pad=pad, act=act, words=not family)
    tokenizer, text_encoder = text_parts(width, **text)
    prior, scheduler = prior_parts(width, length=length)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    return (KandinskyPriorPipeline if family == "2.1" else KandinskyV22PriorPipeline)(
        prior=prior,
        image_encoder=liven(CLIPVisionModelWithProjection(vision(width)), 3),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        scheduler=scheduler,
        image_processor=processor,
    )


def multilingual_parts(width: int = 16, hidden: int = 24) -> tuple[Any, Any]:
    """Tokenizer and encoder of the text that the decoder of 2.1 reads."""
    letters = [(letter, -5.0) for letter in "▁abcdefghijklmnopqrstuvwxyzпитомец"]
    specials = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    words = [(f"▁{word}", -1.0) for word in WORDS if word.isalpha() and len(word) > 1]
    tokenizer = XLMRobertaTokenizer(vocab=[*specials, *letters, *words], model_max_length=77)
    config = MCLIPConfig(
        transformerDimSize=hidden,
        imageDimSize=width,
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=hidden,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=80,
        pad_token_id=1,
    )
    return tokenizer, liven(MultilingualCLIP(config), 6)


def decoder_pipeline(width: int = 16, scheduler: Any = None, family: str = "") -> Any:
    """A whole KandinskyV22Pipeline that draws small pictures; with `family` "2.1" a KandinskyPipeline."""
    asks: dict[str, Any] = dict(addition_embed_type="image", encoder_hid_dim=width, encoder_hid_dim_type="image_proj")
    reads: dict[str, Any] = {}
    if family == "2.1":
        asks = dict(addition_embed_type="text_image", encoder_hid_dim=24, encoder_hid_dim_type="text_image_proj")
        reads = dict(zip(("tokenizer", "text_encoder"), multilingual_parts(width, 24), strict=True))
        ddim = dict(beta_schedule="linear", beta_start=0.00085, beta_end=0.012, clip_sample=False)
        scheduler = scheduler or DDIMScheduler(**ddim, set_alpha_to_one=False, steps_offset=1)
    unet = UNet2DConditionModel(
        in_channels=4,
        out_channels=8,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        block_out_channels=(16, 32),
        layers_per_block=1,
        **asks,
        cross_attention_dim=width if family == "2.1" else 16,
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
    parts = dict(unet=liven(unet, 4), movq=liven(movq, 5), scheduler=scheduler, **reads)
    return KandinskyPipeline(**parts) if reads else KandinskyV22Pipeline(**parts)


KARLO = dict(num_train_timesteps=1000, clip_sample=True)  # of its schedulers


def karlo_pipeline(width: int = 16, *, length: int = 77, pixels: int = 16) -> Any:
    """A whole UnCLIPPipeline, which has Karlo's prior beside its decoder; draws pictures of 2 x `pixels`."""
    tokenizer, text_encoder = text_parts(width, length=length, published_eos=True, act="quick_gelu", words=False)
    prior, _ = prior_parts(width, length=length)
    channels = (16, 32)
    decoder = UNet2DConditionModel(
        sample_size=pixels,
        in_channels=3,
        out_channels=6,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        block_out_channels=channels,
        layers_per_block=1,
        cross_attention_dim=24,
        attention_head_dim=4,
        norm_num_groups=8,
        resnet_time_scale_shift="scale_shift",
        class_embed_type="identity",
    )
    larger, smaller = (
        UNet2DModel(
            sample_size=2 * pixels,
            in_channels=6,
            out_channels=3,
            down_block_types=("ResnetDownsampleBlock2D", "ResnetDownsampleBlock2D"),
            up_block_types=("ResnetUpsampleBlock2D", "ResnetUpsampleBlock2D"),
            block_out_channels=channels,
            layers_per_block=1,
            norm_num_groups=8,
        )
        for _ in range(2)
    )
    text_proj = UnCLIPTextProjModel(
        clip_extra_context_tokens=4, clip_embeddings_dim=width, time_embed_dim=4 * channels[0], cross_attention_dim=24
    )
    noise = dict(variance_type="fixed_small_log", **KARLO)
    return UnCLIPPipeline(
        prior=prior,
        decoder=liven(decoder, 11),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        text_proj=liven(text_proj, 12),
        super_res_first=liven(larger, 13),
        super_res_last=liven(smaller, 14),
        prior_scheduler=UnCLIPScheduler(prediction_type="sample", clip_sample_range=5.0, **noise),
        decoder_scheduler=UnCLIPScheduler(prediction_type="epsilon", variance_type="learned_range", **KARLO),
        super_res_scheduler=UnCLIPScheduler(prediction_type="epsilon", **noise),
    )


def save_karlo(folder: Path, **options: Any) -> Path:
    """Save Karlo's pipeline as published: its text projection is of the library "unclip"."""
    karlo_pipeline(**options).save_pretrained(folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["text_proj"] = ["unclip", "UnCLIPTextProjModel"]
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


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
    decoder_pipeline(options.get("width", 16), scheduler, options.get("family", "")).save_pretrained(folder / "decoder")
    about = {"version": "tiny-1", "drawing": {"steps": 3, "guidance_scale": 2.0, "size": 16}}
    (folder / "stack.json").write_text(json.dumps(about))
    (folder / "vocabulary.json").write_text(json.dumps({"words": MEMBERS, "categories": CATEGORIES}))
    return folder


def save_blip2(folder: Path) -> Path:
    """The structure of Salesforce/blip2-flan-t5-xl, which answers questions about pictures; returns its folder."""
    words = [(f"▁{word}", -1.0) for word in WORDS if word.isalpha()] + [(each, -5.0) for each in "▁abcdefghijklmnop"]
    tokenizer = T5Tokenizer(vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *words], extra_ids=2)
    layers = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16)
    t5 = dict(model_type="t5", d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0)
    config = Blip2Config(
        vision_config=SEEN,
        qformer_config=dict(layers, vocab_size=30, encoder_hidden_size=16, cross_attention_frequency=1),
        text_config=t5 | {"vocab_size": len(tokenizer) + 1},
        num_query_tokens=4,
        image_token_index=len(tokenizer),
    )
    torch.manual_seed(0)
    liven(Blip2ForConditionalGeneration(config), 3).save_pretrained(folder)
    processor = BlipImageProcessorPil(size={"height": 32, "width": 32})
    Blip2Processor(processor, tokenizer, num_query_tokens=4).save_pretrained(folder)
    return folder


def cache_as_hub(cache: Path, id_: str, folder: Path, commit: str = "c0ffee" + "0" * 34, ref: str = "main") -> Path:
    """A folder as the hub's cache would hold it, its weights as blobs that are named by their content; the snapshot."""
    repository = cache / f"models--{id_.replace('/', '--')}"
    snapshot = repository / "snapshots" / commit
    for file in (file for file in folder.rglob("*") if file.is_file()):
        blob = repository / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        blob.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, blob)
        place = snapshot / file.relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(os.path.relpath(blob, place.parent))
    (repository / "refs").mkdir(exist_ok=True)
    (repository / "refs" / ref).write_text(commit)
    return snapshot


def save_clip(folder: Path) -> Path:
    """Save a whole CLIPModel with its processor, as one that judges; returns its folder."""
    tokenizer = clip_tokenizer()
    ids = dict(bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=1)
    text = dict(vocab_size=len(tokenizer), hidden_size=16, intermediate_size=16, num_hidden_layers=1, **ids)
    config = CLIPConfig(text_config=dict(text, num_attention_heads=2), vision_config=SEEN, projection_dim=12)
    liven(CLIPModel(config), 3).save_pretrained(folder)
    size = dict(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    CLIPProcessor(CLIPImageProcessorPil(**size), tokenizer).save_pretrained(folder)
    return folder
