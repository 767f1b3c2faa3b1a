"""A stack from a folder imagines and draws what diffusers' own pipelines do, and says clearly what it lacks."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, KandinskyV22Pipeline, KandinskyV22PriorPipeline
from PIL import Image
from safetensors.torch import load_file

import core.backbone
from core.backbone import Backbone
from core.errors import PromptError, StackError, VectorError
from tests.stacks import MEMBERS, save_prior, save_stack

PROMPTS = ["a photo of a dog", "the painting of my cat on a red table , in this style", "chair"]
SEEDS = [3, 1, 4]
STACKS = [(eos, pad) for eos in (False, True) for pad in (None, "!")]


def generators(seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def noisy_pictures():
    generator = np.random.default_rng(0)
    return [Image.fromarray(generator.integers(0, 256, (h, w, 3), dtype=np.uint8)) for h, w in ((32, 32), (48, 40))]


@pytest.fixture(scope="module", params=STACKS, ids=lambda it: f"eos {'2' if it[0] else 'real'}, pad {it[1] or 'end'}")
def prior_folder(request, tmp_path_factory):
    published_eos, pad = request.param
    return save_prior(tmp_path_factory.mktemp("prior") / "prior", published_eos=published_eos, pad=pad)


@pytest.mark.parametrize("guidance_scale", [1.0, 4.0])
@pytest.mark.parametrize("seeds", [SEEDS, SEEDS[:1]])
def test_imagine_equals_the_prior_pipeline(prior_folder, guidance_scale, seeds):
    pipeline = KandinskyV22PriorPipeline.from_pretrained(prior_folder)
    plain = pipeline(
        PROMPTS[: len(seeds)],
        num_inference_steps=5,
        guidance_scale=guidance_scale,
        generator=generators(seeds),
    )
    ours = Backbone.load(prior_folder).imagine(PROMPTS[: len(seeds)], seeds=seeds, guidance_scale=guidance_scale)
    assert torch.allclose(ours, plain.image_embeds, rtol=0, atol=1e-5)


def test_zero_image_is_the_pipelines(stack_folder, backbone):
    plain = KandinskyV22PriorPipeline.from_pretrained(stack_folder / "prior").get_zero_embed()
    assert torch.allclose(backbone.zero_image_embed, plain, atol=1e-6)


@pytest.mark.parametrize("scheduler", [DDPMScheduler, DDIMScheduler])
@pytest.mark.parametrize("guidance_scale", [1.0, 3.0])
def test_draw_equals_the_decoder_pipeline(tmp_path, scheduler, guidance_scale):
    folder = save_stack(tmp_path, scheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction"))
    backbone = Backbone.load(folder)
    embeds = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    pipeline = KandinskyV22Pipeline.from_pretrained(folder / "decoder")
    plain = pipeline(
        image_embeds=embeds,
        negative_image_embeds=backbone.zero_image_embed.repeat(3, 1),
        num_inference_steps=4,
        guidance_scale=guidance_scale,
        height=24,
        width=24,
        generator=generators(SEEDS),
    ).images
    ours = backbone.draw(embeds, SEEDS, steps=4, guidance_scale=guidance_scale, size=24)
    assert [picture.size for picture in ours] == [(24, 24)] * 3
    for one, other in zip(ours, plain, strict=True):
        assert np.array_equal(one, other)
    assert not np.array_equal(ours[0], ours[1])


def test_drawing_in_chunks_changes_nothing_but_rounding(backbone, monkeypatch):
    embeds = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    together = backbone.draw(embeds, range(5))
    monkeypatch.setattr(core.backbone, "_PIXELS_AT_ONCE", 2 * 16**2)
    for one, other in zip(backbone.draw(embeds, range(5)), together, strict=True):
        assert one.size == (16, 16)  # stack.json says so
        assert np.abs(np.int16(one) - np.int16(other)).max() <= 1


def test_imagining_is_differentiable_in_several_concepts(backbone64):
    vectors = {
        "<one>": torch.randn(16, dtype=torch.float64, requires_grad=True),
        "<two>": torch.randn(3, 16, dtype=torch.float64, requires_grad=True),
    }

    def imagine(one, two):
        return backbone64.imagine(["a <one>", "a <two> by a <one>"], {"<one>": one, "<two>": two}, seeds=[1, 2])

    assert torch.autograd.gradcheck(imagine, tuple(vectors.values()), atol=1e-6)


def test_what_is_imagined_for_a_row_does_not_depend_on_its_neighbours(backbone64, monkeypatch):
    together = backbone64.imagine(PROMPTS, seeds=SEEDS)
    alone = torch.cat([backbone64.imagine(prompt, seeds=seed) for prompt, seed in zip(PROMPTS, SEEDS, strict=True)])
    assert torch.allclose(together, alone, rtol=0, atol=1e-10)
    monkeypatch.setattr(core.backbone, "_ROWS_AT_ONCE", 2)
    assert torch.allclose(backbone64.imagine(PROMPTS, seeds=SEEDS), together, rtol=0, atol=1e-10)


def test_one_prompt_serves_all_seeds_and_one_seed_all_prompts(backbone64):
    prompt = PROMPTS[0]
    assert torch.equal(backbone64.imagine(prompt, seeds=SEEDS), backbone64.imagine([prompt] * 3, seeds=SEEDS))
    assert torch.equal(backbone64.imagine(PROMPTS, seeds=7), backbone64.imagine(PROMPTS, seeds=[7, 7, 7]))
    assert backbone64.imagine([], seeds=[]).shape == backbone64.encode_text([]).shape == (0, 16)


def test_images_are_encoded_as_the_pipeline_does(stack_folder, backbone):
    pipeline = KandinskyV22PriorPipeline.from_pretrained(stack_folder / "prior")
    pictures = noisy_pictures()
    ours = backbone.encode_images(pictures)
    for picture, embed in zip(pictures, ours, strict=True):
        pixels = pipeline.image_processor(picture, return_tensors="pt").pixel_values
        assert torch.allclose(embed, pipeline.image_encoder(pixels).image_embeds[0], atol=1e-5)
    assert torch.allclose(backbone.encode_images(pictures[1]), ours[1:], atol=1e-5)
    assert backbone.encode_images([]).shape == (0, 16)


def test_a_stack_tells_what_lies_beside_its_weights(backbone, stack_folder):
    assert (backbone.where, backbone.version, backbone.width) == (str(stack_folder), "tiny-1", 16)
    assert backbone.vocabulary["words"] == MEMBERS and backbone.calibration is None
    assert backbone.knows("a red dog") and not backbone.knows("axolotl")
    assert backbone.word_vector("red dog").shape == (16,)


def test_only_what_is_needed_is_loaded(stack_folder):
    backbone = Backbone.load(stack_folder)
    backbone.imagine("a dog", seeds=1)
    assert not {"decoder", "image_encoder", "image_processor"} & set(vars(backbone))


def test_half_precision_on_disk_is_loaded_as_float32(stack_folder, tmp_path):
    pipeline = KandinskyV22PriorPipeline.from_pretrained(stack_folder / "prior").to(torch.float16)
    pipeline.save_pretrained(tmp_path)
    backbone = Backbone.load(tmp_path)
    assert {backbone.text_encoder.dtype, backbone.prior.dtype, backbone.image_encoder.dtype} == {torch.float32}
    assert not any(parameter.requires_grad for parameter in backbone.prior.parameters())


def test_the_fingerprint_tells_what_learns(stack_folder, tmp_path, backbone):
    copy = shutil.copytree(stack_folder, tmp_path / "elsewhere")
    shutil.rmtree(copy / "decoder")
    config = copy / "prior" / "prior" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"_diffusers_version": "9"}))
    assert Backbone.load(copy).fingerprint == backbone.fingerprint

    weights = next((copy / "prior" / "text_encoder").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    assert Backbone.load(copy).fingerprint != backbone.fingerprint


def test_a_prior_alone_learns_and_says_that_it_cannot_draw(stack_folder):
    backbone = Backbone.load(stack_folder / "prior")
    assert backbone.imagine("a dog", seeds=1).shape == (1, 16)
    with pytest.raises(StackError, match="has no decoder/, so it can learn but not draw"):
        backbone.draw(torch.zeros(1, 16), seeds=1)


def test_mistakes_are_told_in_one_line(stack_folder, tmp_path, backbone):
    with pytest.raises(StackError, match="there is no stack '/nowhere': give a folder with prior/"):
        Backbone.load("/nowhere")
    with pytest.raises(StackError, match="has no prior/ pipeline"):
        Backbone.load(tmp_path)
    with pytest.raises(PromptError, match="2 to make and 3 seeds"):
        backbone.imagine(PROMPTS[:2], seeds=SEEDS)
    with pytest.raises(VectorError, match=r"with width 16, got \[2, 12\]"):
        backbone.draw(torch.zeros(2, 12), seeds=1)


def test_parts_that_do_not_fit_are_told(stack_folder, tmp_path):
    folder = shutil.copytree(stack_folder / "prior", tmp_path / "prior")
    for part, key, message in [
        ("text_encoder", "projection_dim", "text encoder's projection_dim is 7, prior's embedding_dim is 16"),
        ("prior", "num_embeddings", "max_position_embeddings is 20, prior's num_embeddings is 7"),
    ]:
        config = folder / part / "config.json"
        sound = config.read_text()
        config.write_text(json.dumps(json.loads(sound) | {key: 7}))
        with pytest.raises(StackError, match=message):
            Backbone.load(folder)
        config.write_text(sound)
    shutil.rmtree(folder / "scheduler")
    with pytest.raises(StackError, match="has no scheduler"):
        Backbone.load(folder).imagine("a dog", seeds=1)


def test_a_decoder_of_another_width_is_told(tmp_path, stack_folder):
    folder = shutil.copytree(stack_folder, tmp_path / "stack")
    shutil.rmtree(folder / "prior")
    save_prior(folder / "prior", width=8)
    with pytest.raises(StackError, match="takes width 16, its prior gives 8"):
        Backbone.load(folder).draw(torch.zeros(8), seeds=1)


def test_a_pickled_weight_file_is_never_read(stack_folder, tmp_path):
    """Without safetensors the libraries would fall back to unpickling."""
    folder = tmp_path / "stack"
    shutil.copytree(stack_folder, folder)
    weights = folder / "prior" / "text_encoder" / "model.safetensors"
    torch.save(load_file(weights), weights.with_name("pytorch_model.bin"))
    weights.unlink()
    with pytest.raises(StackError, match="text_encoder"):
        Backbone.load(folder).encode_text("a photo of a pet")


@pytest.mark.parametrize("part", ["prior/prior", "prior/text_encoder", "prior/image_encoder", "decoder/unet"])
def test_a_damaged_weight_file_is_named(stack_folder, tmp_path, part):
    folder = shutil.copytree(stack_folder, tmp_path / "stack")
    (weights,) = (folder / part).glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:-100])
    backbone = Backbone.load(folder, device="cpu")
    with pytest.raises(StackError) as error:
        _ = backbone.prior, backbone.text_encoder, backbone.image_encoder, backbone.decoder
    assert f"{weights} is damaged" in str(error.value) and "\n" not in str(error.value)


def test_what_draws_has_a_fingerprint_of_its_own(stack_folder, tmp_path, backbone):
    folder = shutil.copytree(stack_folder, tmp_path / "stack")
    assert Backbone.load(folder).drawing_fingerprint == backbone.drawing_fingerprint
    weights = next((folder / "decoder" / "unet").glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    other = Backbone.load(folder)
    assert (other.fingerprint, other.drawing_fingerprint != backbone.drawing_fingerprint) == (
        backbone.fingerprint,
        True,
    )
    shutil.rmtree(folder / "prior" / "scheduler")
    with pytest.raises(StackError, match="a folder of the stack is missing"):
        _ = Backbone.load(folder).fingerprint
