"""SD-ConceptLab learns what its plain twin learns, Stable Diffusion draws what diffusers draws; mistakes are a line."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from PIL import Image

from core.concept import Parent, Request, RequestError
from core.constraints import normalise
from core.errors import PromptError, StackError, VectorError
from core.options import Options
from core.prompts import TEMPLATES
from core.sd_conceptlab import SDConceptLab, collect_images, image_request
from core.settings import Settings
from core.stack.backbone import Backbone
from core.stack.diffusion import StableDiffusion
from core.state import initial_state
from core.step import draw
from tests.diffusion import save_sd, unet

NAME = "<new>"
QUICK = dict(steps=4, segment=2, prior_steps=3, learning_rate=0.05)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A tiny Stable Diffusion of either version."""
    root = tmp_path_factory.mktemp("sd")
    return {version: save_sd(root / f"sd{version}", version=version) for version in (1, 2)}


@pytest.fixture(scope="module")
def stack(folders, backbone):
    return StableDiffusion.load(folders[1], backbone)


@pytest.fixture(scope="module")
def stacks64(folders, backbone64):
    return {version: StableDiffusion.load(folder, backbone64) for version, folder in folders.items()}


def pipeline_of(folder, dtype=torch.float32):
    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=dtype, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def photos(seed: int, count: int = 2) -> list[Image.Image]:
    generator = np.random.default_rng(seed)
    return [Image.fromarray(generator.integers(0, 255, (24, 24, 3), dtype=np.uint8)) for _ in range(count)]


IMAGES = {"dog": photos(1), "cat": photos(2, 3)}


def one_line(error) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


# The plain twin


def put_vectors(pipeline, prompt, vectors):
    """`[1, length, d]` the condition of a prompt in which "moku" stands where vectors [k, d] go."""
    tokenizer, encoder = pipeline.tokenizer, pipeline.text_encoder
    inputs = tokenizer(prompt, padding="max_length", max_length=tokenizer.model_max_length, return_tensors="pt")
    places = inputs.input_ids == tokenizer.convert_tokens_to_ids("moku</w>")
    hook = encoder.get_input_embeddings().register_forward_hook(
        lambda module, args, output: output.index_put(torch.where(places), vectors) if places.any() else output
    )
    hidden = encoder(inputs.input_ids)[0]
    hook.remove()
    return hidden


def plain_loss(pipeline, clip, request, vectors, step):
    """Eq. 3 and 4 on x̂_0 of one DDIM step, with diffusers' modules as they are and Eq. 12 written out."""
    settings, chance = request.chosen, draw(request, step)
    template = TEMPLATES["object"][chance.template]
    hidden = put_vectors(pipeline, template.format(" ".join(["moku"] * len(vectors))), vectors)
    both = torch.cat([put_vectors(pipeline, "", vectors.detach()), hidden])
    scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, clip_sample=False)
    scheduler.set_timesteps(settings.prior_steps)
    generator = torch.Generator().manual_seed(chance.noise_seed)
    latent = torch.randn(1, 4, 8, 8, generator=generator).double()
    stop = int(torch.randint(settings.prior_steps, (), generator=generator))
    for i, t in enumerate(scheduler.timesteps):
        without, prompted = pipeline.unet(torch.cat([latent] * 2), t, both).sample.chunk(2)
        predicted = without + settings.guidance_scale * (prompted - without)
        if i == stop:
            break
        latent = scheduler.step(predicted.detach(), t, latent).prev_sample
    alpha = scheduler.alphas_cumprod[t]
    if scheduler.config.prediction_type == "epsilon":
        clean = (latent - (1 - alpha).sqrt() * predicted) / alpha.sqrt()
    else:
        clean = alpha.sqrt() * latent - (1 - alpha).sqrt() * predicted
    picture = (pipeline.vae.decode(clean / pipeline.vae.config.scaling_factor).sample / 2 + 0.5).clamp(0, 1)
    picture = torch.nn.functional.interpolate(picture, (32, 32), mode="bicubic", antialias=True).clamp(0, 1)
    mean, std = (
        torch.tensor(x)[:, None, None] for x in (clip.image_processor.image_mean, clip.image_processor.image_std)
    )
    seen = clip.image_encoder((picture - mean.double()) / std.double()).image_embeds[0]

    def similarity(other):
        return torch.nn.functional.cosine_similarity(seen, other, dim=0)

    positive = similarity(clip.encode_text(template.format(request.category))[0])
    negatives = torch.stack([similarity(torch.tensor(each.image_embed).double()) for each in request.avoid])
    negatives = negatives.clamp(min=settings.avoid_floor)
    return 1 - positive.clamp(max=settings.max_cosine) + (negatives.mean() + negatives.max()) / 2


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("k", [1, 2])
def test_each_step_equals_the_plain_twin_and_its_gradient_reaches_the_vector(folders, stacks64, backbone64, version, k):
    stack, pipeline = stacks64[version], pipeline_of(folders[version], torch.float64)
    lab = SDConceptLab(stack)
    # Bounds that do not bind, so that every constraint pulls.
    request = image_request(
        stack, "pet", IMAGES, seed=3, tokens=k, max_cosine=1.0, avoid_floor=-1.0, learning_rate=0.02, prior_steps=3
    )
    start = lab.start(request)[None].double()
    state = initial_state([request], start, [()], lab.bank)
    step = lab.make_step(request.chosen, False)
    vectors = torch.nn.Parameter(start[0].clone())
    optimizer = torch.optim.AdamW([vectors], lr=0.02, betas=(0.9, 0.999), weight_decay=1e-2, eps=1e-8)
    for i in range(3):
        optimizer.zero_grad()
        loss = plain_loss(pipeline, backbone64, request, vectors, i)
        loss.backward()
        assert vectors.grad.norm() > 1e-6, "the gradient goes all the way: CLIP, VAE, UNet, text tower, vector"
        before = state
        state, losses = step(state)
        assert losses[0] == pytest.approx(loss.item(), abs=1e-9)
        # AdamW's first moment has the gradient itself.
        gradient = (state.exp_avg - 0.9 * before.exp_avg) / 0.1
        assert (gradient[0] - vectors.grad).norm() < 1e-8 * vectors.grad.norm()
        optimizer.step()
    assert torch.allclose(state.vectors[0], vectors.detach(), atol=1e-8)


def test_satisfied_constraints_do_not_pull(stack):
    request = image_request(stack, "pet", IMAGES, max_cosine=-1.0, avoid_floor=1.0, prior_steps=3)
    lab = SDConceptLab(stack)
    state = initial_state([request], lab.start(request)[None], [()], lab.bank)
    state, _ = lab.make_step(request.chosen, False)(state)
    assert not state.exp_avg.any()


# What diffusers draws


@pytest.mark.parametrize("version", [1, 2])
def test_prompts_are_encoded_as_by_the_pipeline(folders, stacks64, version):
    prompts = ["a photo of a dog", "the zebra, on the beach!", ""]
    expected = pipeline_of(folders[version], torch.float64).encode_prompt(prompts, "cpu", 1, False)[0]
    assert torch.allclose(stacks64[version].encode_prompts(prompts), expected, atol=1e-12)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("guidance_scale", [1.0, 7.5])
def test_it_draws_what_the_pipeline_draws(folders, backbone, version, guidance_scale):
    prompts = ["a photo of a dog", "a photo of a cat", "a pet", "the beach", "my hamster on blue"]
    seeds = [5, 6, 7, 8, 9]
    options = dict(guidance_scale=guidance_scale)
    pipeline = pipeline_of(folders[version])
    expected = []
    for rows in (slice(0, 4), slice(4, 5)):
        expected += pipeline(
            prompts[rows],
            negative_prompt=["a photo of a parrot"] * len(prompts[rows]),
            generator=[torch.Generator().manual_seed(seed) for seed in seeds[rows]],
            num_inference_steps=4,
            **options,
        ).images
    stack = StableDiffusion.load(folders[version], backbone)
    found = stack.draw(prompts, seeds=seeds, negative="a photo of a parrot", steps=4, **options)
    for a, b in zip(found, expected, strict=True):
        assert np.abs(np.asarray(a).astype(int) - np.asarray(b)).max() <= 1


def test_a_concept_is_drawn_where_its_name_stands(stack):
    table = stack.text_encoder.get_input_embeddings().weight
    dog = table[stack.tokenizer.convert_tokens_to_ids("dog</w>")]
    words = stack.draw(["a photo of a dog", "a photo of a cat"], seeds=[1, 1], steps=2)
    vectors = {NAME: dog, "<other>": torch.zeros(16)}
    [named, _] = stack.draw([f"a photo of a {NAME}", "<other>"], vectors, seeds=[1, 1], steps=2)
    assert np.array_equal(named, words[0]) and not np.array_equal(named, words[1])


def test_clip_sees_tensors_as_it_sees_pictures(stack, backbone):
    pictures = photos(4, 3)
    pixels = torch.stack([torch.from_numpy(np.array(each)).permute(2, 0, 1) / 255 for each in pictures])
    found, expected = normalise(stack.encode_pixels(pixels)), normalise(backbone.encode_images(pictures))
    assert (found * expected).sum(-1).min() > 0.9999


@pytest.mark.parametrize("size", [{"shortest_edge": 40}, {"height": 40, "width": 40}])
def test_the_processor_says_how_a_picture_is_cut(stack, backbone, monkeypatch, size):
    processor = backbone.image_processor
    for name, value in (("size", size), ("do_center_crop", True), ("crop_size", {"height": 32, "width": 32})):
        monkeypatch.setattr(processor, name, value)
    test_clip_sees_tensors_as_it_sees_pictures(stack, backbone)


# From images to a concept


def test_images_are_collected_first_and_a_concept_is_learned(stack):
    images = collect_images(stack, ["dog", "cat"], count=2, seed=1)
    assert {word: len(of) for word, of in images.items()} == {"dog": 2, "cat": 2}
    assert images["dog"][0].size == (16, 16) and images["dog"][0] != images["dog"][1]
    again = collect_images(stack, ["cat"], count=3, seed=1)["cat"]
    assert again[:2] == images["cat"] and again[2] not in images["cat"], "more of them begin with the same"
    request = image_request(stack, "pet", images, seed=4, tokens=2, **QUICK)
    assert [each.id for each in request.avoid] == ["dog 1", "dog 2", "cat 1", "cat 2"]
    reports = list(SDConceptLab(stack).learn([request]))
    [concept] = reports[-1].concepts
    start = stack.word_vector("pet").expand(2, -1)
    assert concept.vectors.shape == (2, 16) and not np.allclose(concept.vectors, start, atol=1e-3)
    assert {m.constraint for m in concept.history} == {"pet", *(f"avoid:{each.id}" for each in request.avoid)}
    assert {m.step for m in concept.history} == {0, 2, 4} and concept.kept_step == concept.steps == 4
    assert {"belongs", "crowded", "consistency"} <= set(concept.scores)
    assert concept.fingerprint == stack.fingerprint and concept.image_embed.shape == (16,)
    assert Request.from_json(concept.request.to_json()) == request, "it depends on nothing but its Request"


def test_alone_and_in_a_batch_are_the_same(stacks64):
    lab = SDConceptLab(stacks64[1])
    requests = [image_request(stacks64[1], "pet", IMAGES, seed=seed, **QUICK) for seed in (1, 2)]
    together = lab.run(requests)
    [alone] = lab.run(requests[1:])
    assert np.allclose(alone.vectors, together[1].vectors, atol=1e-7) and alone.id == together[1].id
    assert not np.allclose(together[0].vectors, together[1].vectors, atol=1e-3)


def test_half_precision_serves_the_frozen_parts(folders, stack_folder):
    half = Backbone.load(stack_folder, device="cpu", dtype=torch.bfloat16)
    stack = StableDiffusion.load(folders[1], half)
    assert stack.text_encoder.dtype == stack.pipeline.unet.dtype == torch.bfloat16
    [concept] = SDConceptLab(stack).run([image_request(stack, "pet", IMAGES, **QUICK)])
    start = stack.word_vector("pet").float()
    moved = np.abs(concept.vectors - start.numpy())
    assert np.isfinite(concept.vectors).all() and moved.max() > 0.01, "vectors and AdamW are float32"


def test_it_goes_on_from_a_snapshot(stack):
    lab, request = SDConceptLab(stack), image_request(stack, "pet", IMAGES, **QUICK)
    [uninterrupted] = lab.run([request])
    snapshot = next(report.snapshot() for report in lab.learn([request]) if report.step == 2)
    resumed = list(lab.learn([request], snapshots=[snapshot]))
    assert len(resumed) == 2 and np.array_equal(resumed[-1].concepts[0].vectors, uninterrupted.vectors)


@pytest.mark.slow
def test_learning_satisfies_the_constraints_better(stack):
    """The loss falls at draws that were not used for learning."""
    open_ended = dict(max_cosine=1.0, avoid_floor=-1.0, guidance_scale=40.0)
    request = image_request(stack, "pet", IMAGES, **open_ended, steps=30, segment=30, prior_steps=2, learning_rate=0.05)
    lab = SDConceptLab(stack)
    [concept] = lab.run([request])
    step = lab.make_step(request.chosen, False)

    def losses(vectors):
        state = initial_state([request], vectors[None], [()], lab.bank)
        return [step(replace(state, step=(i,), steps=(100,)))[1][0] for i in range(40, 52)]

    before, after = losses(lab.start(request)), losses(torch.tensor(concept.vectors))
    assert np.mean(after) < np.mean(before) and sum(a < b for a, b in zip(after, before, strict=True)) >= 9


def test_cap_and_floor_are_those_of_the_images(stack, backbone):
    settings = image_request(stack, "pet", IMAGES).chosen
    dogs, cats = (normalise(backbone.encode_images(IMAGES[word])) for word in ("dog", "cat"))
    texts = normalise(backbone.encode_text([template.format("pet") for template in TEMPLATES["object"]]))
    between = sorted(np.asarray(dogs @ cats.T).ravel())
    assert (
        settings.avoid_floor == pytest.approx(between[2], abs=1e-6) or between[2] <= settings.avoid_floor <= between[3]
    )
    own = np.asarray(texts @ torch.cat([dogs, cats]).T)
    assert np.quantile(own, 0.45) <= settings.max_cosine <= np.quantile(own, 0.55)
    assert (settings.preset, settings.prior_steps, settings.guidance_scale) == ("paper", 20, 7.5)
    assert image_request(stack, "pet", IMAGES, avoid_floor=0.5, lam=2.0).chosen.avoid_floor == 0.5
    assert image_request(stack, "pet", {"dog": photos(1)}, avoid_floor=0.5).chosen.avoid_floor == 0.5


def test_a_style_keeps_away_from_pictures_of_other_styles(stack):
    request = image_request(stack, "a", {"pet": photos(1), "the": photos(2)}, kind="style", **QUICK)
    assert request.kind == "style" and request.positives[0].word == ""
    [concept] = SDConceptLab(stack).run([request])
    assert np.isfinite(concept.vectors).all()


# Mistakes


def test_a_published_folder_has_a_safety_checker_which_is_left_out(folders, backbone, tmp_path):
    checked = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    folder = changed(folders[1], tmp_path / "sd", "model_index.json", safety_checker=checked)
    assert StableDiffusion.load(folder, backbone).pipeline.safety_checker is None


def test_what_is_not_in_the_cache_is_said_with_what_to_type(backbone):
    with pytest.raises(StackError, match="hf download nobody/stable-diffusion") as error:
        StableDiffusion.load("nobody/stable-diffusion", backbone)
    one_line(error)


def changed(folder, to, file, **values):
    """A copy with other values in one of its configurations."""
    shutil.copytree(folder, to)
    config = json.loads((to / file).read_text())
    (to / file).write_text(json.dumps(config | values))
    return to


def test_folders_that_are_none(folders, backbone, stack_folder, tmp_path):
    for where, said in (
        (tmp_path / "nowhere", "there is no folder"),
        (tmp_path, "is not whole: model_index.json is missing"),
        (stack_folder / "decoder", "it is a KandinskyV22Pipeline: expected a StableDiffusionPipeline (1 or 2)"),
        (
            changed(folders[1], tmp_path / "xl", "model_index.json", _class_name="StableDiffusionXLPipeline"),
            "it is a StableDiffusionXLPipeline",
        ),
        (
            changed(folders[1], tmp_path / "x0", "scheduler/scheduler_config.json", prediction_type="sample"),
            "predicts 'sample': expected epsilon or v_prediction",
        ),
    ):
        with pytest.raises(StackError) as error:
            StableDiffusion.load(where, backbone)
        assert said in one_line(error)


def test_damaged_and_missing_weights_are_named(folders, backbone, tmp_path):
    shutil.copytree(folders[1], tmp_path / "torn")
    weights = tmp_path / "torn" / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(StackError) as error:
        StableDiffusion.load(tmp_path / "torn", backbone)
    assert "unet" in one_line(error) and "damaged" in one_line(error)
    shutil.copytree(folders[1], tmp_path / "less")
    shutil.rmtree(tmp_path / "less" / "vae")
    with pytest.raises(StackError) as error:
        StableDiffusion.load(tmp_path / "less", backbone)
    assert "vae/ is missing" in one_line(error)
    shutil.copytree(folders[1], tmp_path / "pickled")
    weights = tmp_path / "pickled" / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(StackError, match="a pickle, which is never read") as error:
        StableDiffusion.load(tmp_path / "pickled", backbone)
    one_line(error)
    changed(folders[1], tmp_path / "code", "unet/config.json", auto_map={"AutoModel": "evil.Model"})
    with pytest.raises(StackError, match="wants to run code of its own") as error:
        StableDiffusion.load(tmp_path / "code", backbone)
    one_line(error)


def test_one_that_fills_in_pictures_is_not_for_this(folders, backbone, tmp_path):
    shutil.copytree(folders[1], tmp_path / "inpainting")
    unet(16, in_channels=9).save_pretrained(tmp_path / "inpainting" / "unet")
    with pytest.raises(StackError, match="takes 9 channels, its pictures have 4") as error:
        StableDiffusion.load(tmp_path / "inpainting", backbone)
    one_line(error)


def test_parts_that_do_not_fit(folders, backbone, tmp_path):
    other = save_sd(tmp_path / "wide", width=32)
    shutil.copytree(folders[1], tmp_path / "mixed")
    shutil.rmtree(tmp_path / "mixed" / "text_encoder")
    shutil.copytree(other / "text_encoder", tmp_path / "mixed" / "text_encoder")
    with pytest.raises(StackError, match="cross_attention_dim is 16, text encoder's hidden_size is 32") as error:
        StableDiffusion.load(tmp_path / "mixed", backbone)
    one_line(error)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict(images={}), "0 negative classes have images (none): give two"),
        (dict(images={"dog": photos(1)}), "1 negative classes have images (dog): give two, or one and the setting"),
        (dict(images={"dog": photos(1), "cat": []}), "no images of 'cat'"),
        (dict(through_prior=False), "no prior to leave out"),
        (dict(category="{}"), "category = '{}'"),
        (dict(category="zebra"), "does not know the word 'zebra'"),
    ],
)
def test_requests_that_cannot_be(stack, change, said):
    given = {"category": "pet", "images": IMAGES, **QUICK} | change
    with pytest.raises(RequestError) as error:
        SDConceptLab(stack).run([image_request(stack, **given)])
    assert said in one_line(error)


def test_nobody_names_negatives_here(stack):
    with pytest.raises(RequestError, match="adaptive negatives need a namer or a vocabulary"):
        SDConceptLab(stack).run([Request("pet")], Options(settings=Settings(**QUICK)))


def test_words_that_are_not_known_are_not_collected(stack):
    with pytest.raises(RequestError, match="does not know the word 'zebra'"):
        collect_images(stack, ["dog", "zebra"], count=1)


def test_vectors_of_other_stacks(folders, backbone, tmp_path):
    stack = StableDiffusion.load(save_sd(tmp_path / "wide", width=32), backbone)
    assert (stack.width, stack.token_width) == (16, 32), "CLIP's and the tokens' widths need not agree"
    good = image_request(stack, "pet", IMAGES, **QUICK)
    [concept] = SDConceptLab(stack).run([replace(good, start=np.ones((1, 32)))])
    assert concept.vectors.shape == (1, 32) and concept.image_embed.shape == (16,)
    with pytest.raises(RequestError, match="'start' is 16 wide, the tokens of wide 32") as error:
        SDConceptLab(stack).run([replace(good, start=np.ones((1, 16)))])
    one_line(error)
    with pytest.raises(RequestError, match="'a' is 32 wide, the stack wide 16"):
        SDConceptLab(stack).run([replace(good, avoid=(), parents=(Parent("a", 1.0, np.ones((1, 32))),))])
    with pytest.raises(StackError, match="needs the stack"):
        SDConceptLab(StableDiffusion.load(folders[1], backbone)).run([good])
    with pytest.raises(VectorError, match="expected vectors of shape"):
        stack.draw([NAME], {NAME: torch.zeros(16)}, seeds=[0])


def test_prompts_and_seeds(stack):
    with pytest.raises(PromptError, match="2 prompts and 1 seed:"):
        stack.draw(["a", "the"], seeds=[1])
    with pytest.raises(PromptError, match="but only 77 fit"):
        stack.draw(["a " * 80], seeds=[1])


def test_the_fingerprint_tells_every_part_that_learns(folders, stack, backbone, tmp_path):
    assert StableDiffusion.load(folders[1], backbone).fingerprint == stack.fingerprint
    assert StableDiffusion.load(folders[2], backbone).fingerprint != stack.fingerprint
    shutil.copytree(folders[1], tmp_path / "moved")
    assert StableDiffusion.load(tmp_path / "moved", backbone).fingerprint == stack.fingerprint
    for part in ("fingerprint", "drawing_fingerprint"):  # CLIP's text encoder, CLIP's image encoder
        judge = Backbone.load(backbone.where, device="cpu")
        setattr(judge, part, "another")
        assert StableDiffusion.load(folders[1], judge).fingerprint != stack.fingerprint
