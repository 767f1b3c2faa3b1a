"""Image embeddings as other tools read them: an SDXL pipeline with an IP-Adapter, and ComfyUI's Load Embeds."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from core.depict import imagine_concept, portrait_embeds
from core.errors import PromptError
from core.exchange import (
    CLIP_G,
    CLIP_L,
    ExchangeError,
    ImageEmbeds,
    image_files,
    image_readers,
    read_embedding,
    read_sidecar,
    write_image_embeds,
    write_sidecar,
)
from tests.decoders import sdxl_adapter, tiny_sdxl
from tests.families import learned


def embeds(seed: int, n: int = 3, width: int = CLIP_G) -> ImageEmbeds:
    return ImageEmbeds(np.random.default_rng(seed).normal(size=(n, width)), {"name": "moku", "category": "pet"})


def test_the_file_has_the_embeddings_bit_for_bit_and_their_history(tmp_path):
    given = embeds(1)
    (file,) = write_image_embeds(tmp_path / "moku", given)
    assert file == tmp_path / "moku.image.safetensors"
    assert load_file(file)["image_embeds"].numpy().tobytes() == given.image_embeds.tobytes()
    with safe_open(file, "pt") as opened:
        about = json.loads(opened.metadata()["conceptree"])
    assert about == {"conceptree": 1, "sha256": given.digest, "name": "moku", "category": "pet"}
    told = read_sidecar(write_sidecar(tmp_path / "moku.image.json", given, file=file.name))
    assert (told["image_embeds"], told["width"], told["sha256"]) == (3, CLIP_G, given.digest)


def load_embeds(file: Path) -> torch.Tensor:
    """What ComfyUI_IPAdapter_plus's IPAdapterLoadEmbeds returns, with today's default of torch.load."""
    return torch.load(file, weights_only=True).cpu()


def conditions(pos: torch.Tensor, neg: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The pair that its IPAdapterEmbeds passes to the adapter: the negative has as many rows as the positive."""
    rows = len(pos)
    return pos, torch.cat([neg, neg[-1:].expand(max(0, rows - len(neg)), -1)])[:rows]


def test_comfyui_reads_the_pair(tmp_path):
    given = embeds(1)
    files = write_image_embeds(tmp_path / "moku", given, "comfyui")
    assert [file.name for file in files] == ["moku.ipadpt", "moku.negative.ipadpt"]
    positive, negative = conditions(*map(load_embeds, files))
    assert positive.numpy().tobytes() == given.image_embeds.tobytes() and positive.dtype == torch.float32
    assert negative.shape == positive.shape and not negative.any()


@pytest.mark.parametrize("width", [16, 192, 1024])
def test_other_widths_are_for_conceptree_alone_and_it_is_said(tmp_path, width):
    assert image_readers("image", width).startswith("only Conceptree reads it")
    assert write_image_embeds(tmp_path / "moku", embeds(1, width=width))
    with pytest.raises(ExchangeError, match=r"1280 wide .* write --format image"):
        write_image_embeds(tmp_path / "moku", embeds(1, width=width), "comfyui")
    assert [file.name for file in tmp_path.iterdir()] == ["moku.image.safetensors"]


def test_each_width_names_its_readers():
    assert "ip-adapter_sdxl" in image_readers("image", CLIP_G) and "FLUX" in image_readers("image", CLIP_L)
    assert "IPAdapter Load Embeds" in image_readers("comfyui", CLIP_G)
    with pytest.raises(ExchangeError, match="these are 768 wide"):
        image_readers("comfyui", CLIP_L)
    with pytest.raises(ExchangeError, match="unknown form 'png': choose image, comfyui"):
        image_files("moku", "png")


@pytest.mark.parametrize("wrong", [np.zeros(4), np.zeros((0, 4)), np.full((1, 4), np.nan), np.zeros((1, 2, 4))])
def test_what_is_no_image_embedding_is_refused(wrong):
    with pytest.raises(ExchangeError, match="the image embeddings have"):
        ImageEmbeds(wrong)


def test_they_are_not_imported_as_a_token(tmp_path):
    (file,) = write_image_embeds(tmp_path / "moku", embeds(1, width=16))
    with pytest.raises(ExchangeError, match="holds image embeddings"):
        read_embedding(file)


def test_the_mean_of_the_portraits_is_first(backbone):
    concept = learned(3, backbone)
    found = portrait_embeds(backbone, concept, (1, 2))
    each = imagine_concept(backbone, concept, ["a photo of a {}"] * 2, (1, 2)).numpy()
    assert found.shape == (3, backbone.width) and found[1:].tobytes() == each.tobytes()
    assert np.allclose(found[0], each.mean(0), atol=1e-6)
    with pytest.raises(PromptError, match="no seeds"):
        portrait_embeds(backbone, concept, ())


# SDXL with an IP-Adapter, through diffusers' own loader


@pytest.fixture(scope="module")
def sdxl() -> StableDiffusionXLPipeline:
    pipe = tiny_sdxl()
    pipe.load_ip_adapter(sdxl_adapter(pipe.unet), subfolder="", weight_name="", image_encoder_folder=None)
    pipe.set_ip_adapter_scale(1.0)
    return pipe


def drawn(pipe: StableDiffusionXLPipeline, file: Path, guidance: float) -> np.ndarray:
    """A picture of a concept, with the lines of docs/embeddings.md."""
    mean = load_file(file)["image_embeds"][:1]
    guided = guidance > 1
    rows = torch.stack([torch.zeros_like(mean), mean]) if guided else mean[None]
    assert rows.shape == ((2, 1, CLIP_G) if guided else (1, 1, CLIP_G))
    return pipe(
        "a photo",
        ip_adapter_image_embeds=[rows],
        guidance_scale=guidance,
        num_inference_steps=2,
        height=16,
        width=16,
        generator=torch.Generator().manual_seed(0),
        output_type="np",
    ).images[0]


@pytest.mark.parametrize("guidance", [5.0, 0.0])
def test_sdxl_draws_two_concepts_differently_and_each_the_same_again(sdxl, tmp_path, guidance):
    files = [write_image_embeds(tmp_path / str(seed), embeds(seed))[0] for seed in (1, 2)]
    one, two = (drawn(sdxl, file, guidance) for file in files)
    assert np.isfinite(one).all() and np.abs(one - two).max() > 0.02
    assert np.array_equal(one, drawn(sdxl, files[0], guidance))


def test_the_lines_of_the_page_for_sdxl(tmp_path, monkeypatch):
    pipe = tiny_sdxl()
    pipe.save_pretrained(tmp_path / "model")
    weights = {f"{part}.{name}": each for part, of in sdxl_adapter(pipe.unet).items() for name, each in of.items()}
    (tmp_path / "adapter" / "sdxl_models").mkdir(parents=True)
    save_file(weights, tmp_path / "adapter" / "sdxl_models" / "ip-adapter_sdxl.safetensors")
    write_image_embeds(tmp_path / "moku", embeds(1))
    page = (Path(__file__).parents[2] / "docs" / "embeddings.md").read_text(encoding="utf-8")
    (code,) = (each for each in re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE) if "h94" in each)
    code = code.replace('"stabilityai/stable-diffusion-xl-base-1.0"', repr(str(tmp_path / "model")))
    code = code.replace('"h94/IP-Adapter"', repr(str(tmp_path / "adapter")))
    code = code.replace(").images[0]", ", num_inference_steps=2).images[0]")
    monkeypatch.chdir(tmp_path)
    made: dict = {}
    exec(code, made)
    assert made["embeds"].shape == (2, 1, CLIP_G) and np.ptp(np.asarray(made["image"])) > 0
