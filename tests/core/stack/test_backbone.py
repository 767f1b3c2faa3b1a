"""A stack from a folder imagines and draws what diffusers' own pipelines do, and says clearly what it lacks."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    KandinskyPipeline,
    KandinskyPriorPipeline,
    KandinskyV22Img2ImgPipeline,
    KandinskyV22Pipeline,
    KandinskyV22PriorPipeline,
)
from PIL import Image
from safetensors.torch import load_file

import core.stack.backbone
import core.stack.offload
from core import ConceptLab, Request, Settings
from core.errors import PromptError, StackError, VectorError
from core.stack.backbone import Backbone
from core.stack.prior import draw_noise
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


# What is published of each family, with several lengths of prompts beside the published 77.
PUBLISHED = [
    (family, length, eos) for family in ("2.1", "2.2") for length, eos in ((77, True), (24, True), (77, False))
]
PIPELINES = {
    "2.1": (KandinskyPriorPipeline, KandinskyPipeline),
    "2.2": (KandinskyV22PriorPipeline, KandinskyV22Pipeline),
}
WORDS_OF_ALL_KINDS = ["a photo of a dog", "кот 🐈, ! 猫", "", "a tabby axolotl's hat !"]


@pytest.fixture(scope="module", params=PUBLISHED, ids=lambda it: f"{it[0]}-{it[1]}-eos {'2' if it[2] else 'real'}")
def published(request, tmp_path_factory):
    """(family, folder) of a whole stack with a family's structure."""
    family, length, eos = request.param
    folder = tmp_path_factory.mktemp("published")
    return family, save_stack(folder, family=family, length=length, published_eos=eos)


@pytest.mark.parametrize("steps, guidance_scale", [(5, 4.0), (2, 1.0), (9, 1.7)])
def test_imagine_equals_the_prior_pipeline_of_either_family(published, steps, guidance_scale):
    family, folder = published
    pipeline = PIPELINES[family][0].from_pretrained(folder / "prior")
    backbone = Backbone.load(folder, device="cpu")
    assert type(pipeline).__name__ == json.loads((folder / "prior/model_index.json").read_text())["_class_name"]
    seeds = [3, 1, 4, 1]
    plain = pipeline(
        WORDS_OF_ALL_KINDS, num_inference_steps=steps, guidance_scale=guidance_scale, generator=generators(seeds)
    )
    ours = backbone.imagine(WORDS_OF_ALL_KINDS, seeds=seeds, steps=steps, guidance_scale=guidance_scale)
    assert torch.allclose(ours, plain.image_embeds, rtol=0, atol=2e-5)
    assert torch.allclose(backbone.zero_image_embed, plain.negative_image_embeds[:1], atol=1e-6)


@pytest.mark.parametrize("steps, guidance_scale", [(2, 7.5), (5, 1.0), (4, 4.0)])
def test_draw_equals_the_decoder_pipeline_of_either_family(published, steps, guidance_scale):
    family, folder = published
    backbone = Backbone.load(folder, device="cpu")
    embeds = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    pipeline = PIPELINES[family][1].from_pretrained(folder / "decoder")
    plain = pipeline(
        **({"prompt": [""] * 3} if family == "2.1" else {}),
        image_embeds=embeds,
        negative_image_embeds=backbone.zero_image_embed.repeat(3, 1),
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
        height=24,
        width=24,
        generator=generators(SEEDS),
    ).images
    ours = backbone.draw(embeds, SEEDS, steps=steps, guidance_scale=guidance_scale, size=24)
    for one, other in zip(ours, plain, strict=True):
        # The empty text is encoded once, not in a batch: the last bit may round otherwise.
        assert np.abs(np.int16(one) - np.int16(other)).max() <= (1 if family == "2.1" else 0)
    assert not np.array_equal(ours[0], ours[1])


def test_gradients_of_either_family_equal_those_through_diffusers_modules(published):
    """From the picture's embedding down to a vector that stands at a word of several tokens' neighbour."""
    _, folder = published
    backbone = Backbone.load(folder, device="cpu", dtype=torch.float64)
    tokenizer, tower, prior = backbone.tokenizer, backbone.text_encoder, backbone.prior
    vector = torch.randn(16, dtype=torch.float64, generator=torch.Generator().manual_seed(5)).requires_grad_()
    prompts = ["a photo of a <it> , !", "hats of the <it> 🐈"]
    noise = draw_noise([3, 8], 4, 16).double()
    ours = backbone.imagine(prompts, {"<it>": vector}, seeds=[3, 8], steps=4, guidance_scale=2.5)

    words = ["a photo of a dog , !", "hats of the dog 🐈", "", ""]
    read = tokenizer(words, padding="max_length", max_length=tokenizer.model_max_length, return_tensors="pt")
    dog = read.input_ids == tokenizer("dog", add_special_tokens=False).input_ids[0]
    assert dog.sum() == 2
    swap = tower.get_input_embeddings().register_forward_hook(
        lambda module, inputs, output: torch.where(dog[..., None], vector, output)
    )
    encoded = tower(read.input_ids)
    swap.remove()
    scheduler = backbone.scheduler
    scheduler.set_timesteps(4)
    latents, draws = noise[0], iter(noise[1:])
    with patch("diffusers.schedulers.scheduling_unclip.randn_tensor", lambda *_, **__: next(draws)):
        for i, t in enumerate(scheduler.timesteps):
            prompted, without = prior(
                torch.cat([latents] * 2),
                timestep=t,
                proj_embedding=encoded.text_embeds,
                encoder_hidden_states=encoded.last_hidden_state,
                attention_mask=read.attention_mask.bool(),
            ).predicted_image_embedding.chunk(2)
            following = scheduler.timesteps[i + 1] if i < 3 else None
            guided = without + 2.5 * (prompted - without)
            latents = scheduler.step(guided, timestep=t, sample=latents, prev_timestep=following).prev_sample
    plain = prior.post_process_latents(latents)

    assert torch.allclose(ours, plain, rtol=0, atol=1e-10)
    mine, theirs = (torch.autograd.grad(each.sin().sum(), vector)[0] for each in (ours, plain))
    assert torch.allclose(mine, theirs, rtol=0, atol=1e-10) and mine.abs().max() > 1e-4


@pytest.fixture(scope="module")
def paper_folder(tmp_path_factory):
    """A stack with the structure of Kandinsky 2.1."""
    return save_stack(tmp_path_factory.mktemp("paper"), family="2.1", length=77, published_eos=True)


def test_the_multilingual_encoder_reads_as_the_published_pipeline_does(paper_folder):
    backbone = Backbone.load(paper_folder, device="cpu")
    pipeline = KandinskyPipeline.from_pretrained(paper_folder / "decoder")
    prompts = ["a photo of a dog", "a питомец", ""]
    plain = pipeline._encode_prompt(prompts, "cpu", 1, False)[0]
    assert backbone.multilingual
    assert torch.allclose(backbone.encode_multilingual(prompts), plain, atol=1e-6)
    assert torch.allclose(backbone.encode_multilingual("a питомец"), plain[1:2], atol=1e-6)
    with pytest.raises(PromptError, match=r"has \d+ multilingual tokens, but only 77 fit: shorten it"):
        backbone.encode_multilingual(["dog", "dog " * 90])


def test_a_stack_without_a_multilingual_encoder_says_so(backbone):
    assert not backbone.multilingual
    with pytest.raises(StackError, match="has no multilingual text encoder"):
        backbone.encode_multilingual("a dog")


def test_drawing_with_the_paper_s_decoder_keeps_no_text_encoder_in_memory(paper_folder):
    backbone = Backbone.load(paper_folder, device="cpu")
    backbone.draw(torch.zeros(16), seeds=1)
    assert "multilingual_encoder" not in vars(backbone) and backbone.decoder.text_encoder is None


def test_what_the_paper_s_stack_reads_is_part_of_what_draws(paper_folder, tmp_path):
    folder = shutil.copytree(paper_folder, tmp_path / "stack")
    weights = folder / "decoder" / "text_encoder" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    one, other = (Backbone.load(each, device="cpu") for each in (paper_folder, folder))
    assert one.fingerprint == other.fingerprint and one.drawing_fingerprint != other.drawing_fingerprint


def test_a_stack_that_knows_any_word_has_plain_english_as_its_vocabulary(paper_folder, tmp_path):
    folder = shutil.copytree(paper_folder, tmp_path / "stack")
    (folder / "vocabulary.json").unlink()
    backbone = Backbone.load(folder, device="cpu")
    assert "dog" in backbone.vocabulary.words and "pet" in backbone.vocabulary.categories
    assert backbone.knows("кот") and Backbone.load(paper_folder).vocabulary.words == tuple(MEMBERS)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_frozen_parts_may_be_in_half_precision(paper_folder, dtype):
    half = Backbone.load(paper_folder, device="cpu", dtype=dtype)
    full = Backbone.load(paper_folder, device="cpu")
    vector = torch.randn(16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    imagined = half.imagine("a photo of a <it>", {"<it>": vector}, seeds=1)
    assert half.prior.dtype == half.text_encoder.dtype == getattr(torch, dtype)
    assert torch.allclose(imagined, full.imagine("a photo of a <it>", {"<it>": vector}, seeds=1), atol=0.3)
    assert imagined.dtype == torch.float32, "the denoised embedding is not rounded at every step"
    (gradient,) = torch.autograd.grad(imagined.sum(), vector)
    assert gradient.dtype == torch.float32 and gradient.abs().max() > 0
    assert [picture.size for picture in half.draw(imagined.detach(), seeds=1, size=16)] == [(16, 16)]


def test_what_is_learned_on_frozen_parts_in_half_precision_is_not_rounded_to_it(paper_folder):
    settings = Settings(steps=3, segment=3, learning_rate=1e-4)
    request = Request("dog", negatives=("cat",), schedule="list", settings=settings)
    half = Backbone.load(paper_folder, device="cpu", dtype="bfloat16")
    start = half.word_vector("dog").float()
    [concept] = ConceptLab(half).run([request])
    moved = torch.from_numpy(concept.vectors.copy())[0] - start
    assert 0 < moved.abs().max() < 1e-3, "steps too small for bfloat16 are taken all the same"
    assert "decoder" not in vars(half) and "image_encoder" not in vars(half), "learning needs neither"


def test_weights_are_mapped_not_copied(stack_folder):
    backbone = Backbone.load(stack_folder, device="cpu")
    maps = Path("/proc/self/maps")
    if not maps.exists():
        pytest.skip("the system does not tell what is mapped")
    _ = backbone.prior, backbone.text_encoder
    mapped = maps.read_text()
    assert str(stack_folder / "prior/prior") in mapped and str(stack_folder / "prior/text_encoder") in mapped


def test_with_offload_a_part_is_on_the_device_only_while_it_is_used(paper_folder, monkeypatch):
    """The device is the CPU here, and what is moved is counted."""
    journeys = []
    monkeypatch.setattr(core.stack.offload, "moved", lambda home, device: journeys.append(home) or home.clone())
    plain, backbone = Backbone.load(paper_folder, device="cpu"), Backbone.load(paper_folder, "cpu", offload=True)
    embeds = backbone.imagine(["a dog", "a cat"], seeds=[1, 2])
    # A copy lies otherwise in memory than a mapped file, which may round the last bit otherwise.
    assert torch.allclose(embeds, plain.imagine(["a dog", "a cat"], seeds=[1, 2]), atol=1e-5)
    assert backbone.turns.present == "learn" and "decoder" not in vars(backbone)
    learning = len(journeys)
    backbone.imagine("a dog", seeds=1)
    assert len(journeys) == learning, "what is there already is not moved again"

    home = backbone.prior.proj_in.weight.data_ptr()
    drawn = backbone.draw(embeds, seeds=[1, 2])
    for one, other in zip(drawn, plain.draw(embeds, seeds=[1, 2]), strict=True):
        assert np.abs(np.int16(one) - np.int16(other)).max() <= 1
    assert backbone.turns.present is None, "no part is left on the device after a drawing"
    assert vars(backbone)["prior"].proj_in.weight.data_ptr() != home, "the prior is where it was loaded again"
    there = [id(each) for model in (backbone.decoder.unet, backbone.decoder.movq) for each in model.parameters()]
    assert backbone.turns.present == "draw" and there
    backbone.encode_images(noisy_pictures())
    backbone.rest()
    assert backbone.turns.present is None


def test_a_stack_is_checked_without_loading_anything(paper_folder, tmp_path):
    backbone = Backbone.load(paper_folder, device="cpu")
    backbone.check()
    assert not {"prior", "text_encoder", "image_encoder", "decoder"} & set(vars(backbone))
    for path, message in (
        ("prior/prior/diffusion_pytorch_model.safetensors", "is damaged"),
        ("decoder/unet/diffusion_pytorch_model.safetensors", "is damaged"),
        ("decoder/text_encoder/model.safetensors", "is damaged"),
    ):
        folder = shutil.copytree(paper_folder, tmp_path / path.replace("/", "-"))
        (folder / path).write_bytes((folder / path).read_bytes()[:-10])
        with pytest.raises(StackError, match=message) as error:
            Backbone.load(folder, device="cpu").check()
        assert str(folder / path) in str(error.value) and "\n" not in str(error.value)
        (folder / path).unlink()
        with pytest.raises(StackError, match=r"is not complete: in .*, \*\.safetensors is missing"):
            Backbone.load(folder, device="cpu").check()


def test_widths_of_the_paper_s_decoder_must_fit(paper_folder, tmp_path):
    folder = shutil.copytree(paper_folder, tmp_path / "stack")
    config = folder / "decoder/text_encoder/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"transformerDimensions": 20}))
    with pytest.raises(StackError, match="text encoder's transformerDimensions is 20, the UNet takes 24"):
        Backbone.load(folder, device="cpu").check()
    shutil.rmtree(folder / "prior")
    save_prior(folder / "prior", width=8)
    with pytest.raises(StackError, match="takes width 16, but its prior gives 8"):
        Backbone.load(folder, device="cpu").check()
    shutil.rmtree(folder / "prior/image_encoder")
    shutil.copytree(paper_folder / "prior/image_encoder", folder / "prior/image_encoder")
    with pytest.raises(StackError, match="image encoder's projection_dim is 16, prior's embedding_dim is 8"):
        Backbone.load(folder, device="cpu").check()


def test_a_tokenizer_that_does_not_say_how_long_prompts_may_be_takes_the_towers_length(paper_folder, tmp_path):
    folder = shutil.copytree(paper_folder, tmp_path / "stack")
    config = folder / "prior/tokenizer/tokenizer_config.json"
    told = json.loads(config.read_text())
    del told["model_max_length"]
    config.write_text(json.dumps(told))
    backbone = Backbone.load(folder, device="cpu")
    assert backbone.tokenizer.model_max_length == 77
    with pytest.raises(PromptError, match="but only 77 fit"):
        backbone.imagine("! " * 80, seeds=1)


def test_code_that_a_stack_brings_along_is_never_run(stack_folder, tmp_path):
    folder = shutil.copytree(stack_folder, tmp_path / "stack")
    (folder / "prior/text_encoder/evil.py").write_text("raise SystemExit('ran')")
    config = folder / "prior/text_encoder/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"auto_map": {"AutoModel": "evil.Evil"}}))
    with pytest.raises(StackError, match=r"wants to run code of its own \(evil\.Evil\), which is refused"):
        Backbone.load(folder, device="cpu").encode_text("a dog")
    index = folder / "prior/model_index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | {"prior": ["evil", "Evil"]}))
    with pytest.raises(StackError, match="a Evil of 'evil', and a model's own code is never run"):
        Backbone.load(folder, device="cpu")


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


@pytest.mark.parametrize("scheduler", [DDPMScheduler, DDIMScheduler])
@pytest.mark.parametrize("steps, strength", [(6, 0.5), (4, 1.0), (7, 0.3)])
def test_drawing_over_pictures_equals_the_image_to_image_pipeline(tmp_path, scheduler, steps, strength):
    folder = save_stack(tmp_path, scheduler(beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction"))
    backbone = Backbone.load(folder)
    embeds = torch.randn(3, 16, generator=torch.Generator().manual_seed(0))
    pictures = backbone.draw(embeds.flip(0), SEEDS, steps=2, size=64)
    pipeline = KandinskyV22Img2ImgPipeline.from_pretrained(folder / "decoder")
    plain = pipeline(
        image=pictures,
        image_embeds=embeds,
        negative_image_embeds=backbone.zero_image_embed.repeat(3, 1),
        num_inference_steps=steps,
        strength=strength,
        guidance_scale=3.0,
        height=64,
        width=64,
        generator=generators(SEEDS),
    ).images
    ours = backbone.draw(embeds, SEEDS, steps=steps, guidance_scale=3.0, size=64, over=pictures, strength=strength)
    for one, other in zip(ours, plain, strict=True):
        assert np.abs(np.int16(one) - np.int16(other)).max() <= 1


def test_a_picture_drawn_over_does_not_depend_on_those_beside_it(backbone):
    embeds = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    pictures = backbone.draw(embeds, SEEDS[:2], size=64)
    both = backbone.draw(embeds, SEEDS[:2], size=64, over=pictures, strength=0.5)
    alone = backbone.draw(embeds[1], SEEDS[1], size=64, over=pictures[1:], strength=0.5)
    assert np.abs(np.int16(both[1]) - np.int16(alone[0])).max() <= 1


@pytest.mark.parametrize("number, strength", [(1, 0.5), (2, 0.0), (2, 1.2), (2, float("nan"))])
def test_pictures_to_draw_over_that_do_not_fit_are_refused_in_one_line(backbone, number, strength):
    pictures = [Image.new("RGB", (64, 64))] * number
    with pytest.raises(PromptError, match="draw over"):
        backbone.draw(torch.zeros(2, 16), [1, 2], size=64, over=pictures, strength=strength)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
def test_denoising_errors_are_those_of_the_pictures_predicted_one_by_one(tmp_path, prediction):
    folder = save_stack(tmp_path, DDIMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type=prediction))
    backbone, pictures = Backbone.load(folder), noisy_pictures()
    embeds = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    pipeline = KandinskyV22Pipeline.from_pretrained(folder / "decoder")
    signal = pipeline.scheduler.alphas_cumprod[400].sqrt()
    spread = (1 - signal**2).sqrt()
    for picture, embed, found in zip(pictures, embeds, backbone.denoising_errors(pictures, embeds), strict=True):
        pixels = torch.from_numpy(np.array(picture.resize((16, 16), Image.Resampling.BICUBIC))) / 127.5 - 1
        generator, wrong = torch.Generator().manual_seed(0), []
        with torch.no_grad():
            latents = pipeline.movq.encode(pixels.permute(2, 0, 1)[None]).latents
            for _ in range(4):
                noise = torch.randn(latents.shape, generator=generator)
                noisy = signal * latents + spread * noise
                led = {"image_embeds": embed[None]}
                told = pipeline.unet(noisy, 400, None, added_cond_kwargs=led).sample[:, : latents.shape[1]]
                if prediction == "epsilon":
                    clean, factor = (noisy - spread * told) / signal, spread / signal
                elif prediction == "sample":
                    clean, factor = told, 1.0
                else:
                    clean, factor = signal * noisy - spread * told, spread
                wrong.append(((clean - latents) / factor).square().mean())
        assert found == pytest.approx(torch.stack(wrong).mean().item(), rel=1e-4)


def test_a_denoising_error_does_not_depend_on_the_pictures_beside_it(published, monkeypatch):
    _, folder = published
    backbone, pictures = Backbone.load(folder, device="cpu"), noisy_pictures()
    embeds = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    together = backbone.denoising_errors(pictures, embeds)
    assert (together > 0).all() and together[0] != together[1]
    monkeypatch.setattr(core.stack.backbone, "_PIXELS_AT_ONCE", 1)
    assert torch.allclose(backbone.denoising_errors(pictures, embeds), together, rtol=1e-5)
    assert backbone.denoising_errors([], embeds[:0]).shape == (0,)
    with pytest.raises(VectorError, match="1 embedding for 2 pictures"):
        backbone.denoising_errors(pictures, embeds[:1])


def test_drawing_in_chunks_changes_nothing_but_rounding(backbone, monkeypatch):
    embeds = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    together = backbone.draw(embeds, range(5))
    monkeypatch.setattr(core.stack.backbone, "_PIXELS_AT_ONCE", 2 * 16**2)
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
    monkeypatch.setattr(core.stack.backbone, "_ROWS_AT_ONCE", 2)
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
    assert backbone.vocabulary.words == tuple(MEMBERS) and backbone.calibration is None
    assert backbone.knows("a red dog") and not backbone.knows("axolotl")
    assert backbone.word_vector("red dog").shape == (16,)


def test_only_what_is_needed_is_loaded(stack_folder):
    backbone = Backbone.load(stack_folder)
    backbone.imagine("a dog", seeds=1)
    assert not {"decoder", "image_encoder", "image_processor"} & set(vars(backbone))


def test_two_threads_that_ask_for_a_part_load_it_once(stack_folder, monkeypatch):
    backbone, loaded = Backbone.load(stack_folder, device="cpu"), []
    load = Backbone._model
    monkeypatch.setattr(Backbone, "_model", lambda self, part: loaded.append(part) or load(self, part))
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: backbone.prior, range(8)))
    assert loaded == ["prior"] and len({id(each) for each in found}) == 1


def test_threads_that_draw_at_once_do_not_disturb_each_other(backbone):
    """A pipeline and its scheduler keep the steps of a call; each call has its own."""
    embeds = torch.randn(2, backbone.width, generator=torch.Generator().manual_seed(0))
    ways = [(3, 4.0), (7, 1.0), (5, 7.5), (2, 2.0)] * 3
    alone = [backbone.draw(embeds, 1, steps=steps, guidance_scale=scale) for steps, scale in ways]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda way: backbone.draw(embeds, 1, steps=way[0], guidance_scale=way[1]), ways))
    assert [[each.tobytes() for each in row] for row in together] == [[each.tobytes() for each in row] for row in alone]


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
    with pytest.raises(StackError, match="has no decoder: it can learn, but not draw"):
        backbone.draw(torch.zeros(1, 16), seeds=1)


def test_mistakes_are_told_in_one_line(stack_folder, tmp_path, backbone):
    with pytest.raises(StackError, match="there is no stack '/nowhere': give a folder with prior/"):
        Backbone.load("/nowhere")
    with pytest.raises(StackError, match="has no prior/ pipeline"):
        Backbone.load(tmp_path)
    with pytest.raises(PromptError, match="2 items and 3 seeds"):
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
    with pytest.raises(StackError, match="takes width 16, but its prior gives 8"):
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
    with pytest.raises(StackError, match="a folder of the model is missing"):
        _ = Backbone.load(folder).fingerprint
