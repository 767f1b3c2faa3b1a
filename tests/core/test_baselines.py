"""The paper's baselines draw what diffusers' pipelines draw for the paper's prompts."""

from __future__ import annotations

import diffusers
import numpy as np
import pytest
import torch
from diffusers import KandinskyV22Pipeline, KandinskyV22PriorPipeline, StableDiffusionPipeline

from core.baselines import (
    adaptive_negation,
    decoder_negation,
    imagine_apart,
    imagine_with_negation,
    kandinsky_negation,
    negation,
    stable_diffusion_negation,
)
from core.concept import RequestError
from core.errors import PromptError, VectorError
from core.namers import from_function
from core.stack.backbone import Backbone
from core.stack.decoder import Watch
from core.stack.diffusion import StableDiffusion
from tests.diffusion import save_sd
from tests.stacks import save_stack

PRIORS = {"2.1": "KandinskyPriorPipeline", "2.2": "KandinskyV22PriorPipeline"}
DECODERS = {"2.1": "KandinskyPipeline", "2.2": "KandinskyV22Pipeline"}


def generators(seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def alike(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert np.abs(np.asarray(a).astype(int) - np.asarray(b)).max() <= 1


def test_the_prompts_are_the_papers():
    assert negation("pet", ["cat", "dog", "hamster"]) == ("A photo of a pet", "A photo of a cat, dog, hamster")
    assert negation(" musical  instrument", ["guitar"]) == ("A photo of a musical instrument", "A photo of a guitar")


@pytest.fixture(scope="module")
def prior_pipeline(stack_folder):
    # The processor that loads without torchvision, for the embedding of an empty image.
    from transformers import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil.from_pretrained(stack_folder / "prior" / "image_processor")
    pipeline = KandinskyV22PriorPipeline.from_pretrained(stack_folder / "prior", image_processor=processor)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.mark.parametrize(("steps", "guidance_scale"), [(5, 4.0), (3, 1.5)])
def test_the_negation_is_in_the_prior(backbone, prior_pipeline, steps, guidance_scale):
    seeds = [3, 4, 5]
    expected = prior_pipeline(
        ["A photo of a pet"] * 3,
        negative_prompt=["A photo of a cat, dog"] * 3,
        generator=generators([*seeds, 0, 0, 0]),  # the pipeline imagines the negative prompt beside the prompt
        num_inference_steps=steps,
        guidance_scale=guidance_scale,
    ).image_embeds
    found = imagine_with_negation(backbone, "pet", ["cat", "dog"], seeds, steps=steps, guidance_scale=guidance_scale)
    assert torch.allclose(found, expected, atol=1e-5)
    plain = backbone.imagine("A photo of a pet", seeds=seeds, steps=steps, guidance_scale=guidance_scale)
    other = imagine_with_negation(backbone, "pet", ["dog", "cat"], seeds, steps=steps, guidance_scale=guidance_scale)
    assert not torch.allclose(found, plain, atol=1e-2) and not torch.allclose(found, other, atol=1e-3)


def test_the_decoder_leads_away_from_the_empty_image_as_ever(backbone, prior_pipeline, stack_folder):
    decoder = KandinskyV22Pipeline.from_pretrained(stack_folder / "decoder")
    decoder.set_progress_bar_config(disable=True)
    expected = decoder(
        image_embeds=imagine_with_negation(backbone, "pet", ["cat"], [7, 8]),
        negative_image_embeds=prior_pipeline.get_zero_embed(2),
        generator=generators([7, 8]),
        num_inference_steps=3,
        guidance_scale=2.0,
        height=16,
        width=16,
    ).images
    alike(kandinsky_negation(backbone, "pet", ["cat"], [7, 8]), expected)


@pytest.mark.parametrize("family", ["2.1", "2.2"])
def test_the_decoder_can_be_led_away_from_the_imagined_negatives(tmp_path, family):
    backbone = Backbone.load(save_stack(tmp_path, family=family), device="cpu")
    prior = getattr(diffusers, PRIORS[family]).from_pretrained(tmp_path / "prior")
    decoder = getattr(diffusers, DECODERS[family]).from_pretrained(tmp_path / "decoder")
    for pipeline in (prior, decoder):
        pipeline.set_progress_bar_config(disable=True)
    seeds = [5, 6]
    how = dict(num_inference_steps=5, guidance_scale=4.0)
    expected = decoder(
        **({"prompt": ["", ""]} if family == "2.1" else {}),
        image_embeds=prior(["A photo of a pet"] * 2, generator=generators(seeds), **how).image_embeds,
        negative_image_embeds=prior(["A photo of a cat, dog"] * 2, generator=generators(seeds), **how).image_embeds,
        generator=generators(seeds),
        num_inference_steps=backbone.drawing["steps"],
        guidance_scale=backbone.drawing["guidance_scale"],
        height=backbone.drawing["size"],
        width=backbone.drawing["size"],
    ).images
    found = decoder_negation(backbone, "pet", ["cat", "dog"], seeds)
    alike(found, expected)
    plain = backbone.draw(backbone.imagine("A photo of a pet", seeds=seeds), seeds=seeds)
    assert all(a != b for a, b in zip(found, plain, strict=True))
    alike(decoder_negation(backbone, "pet", ["cat", "dog"], seeds[1:]), expected[1:])


def naming(*words, asked=None):
    """A namer with an answer for each look, the same for all pictures; the last one from then on."""
    looks = iter([*words, *[words[-1]] * 100])

    @from_function
    def namer(images, question):
        if asked is not None:
            asked.append((len(images), images[0].size, question))
        word = next(looks)
        return [[(word, 0.9), ("horse", 0.1)] for _ in images]

    return namer


@pytest.fixture(params=["2.1", "2.2"])
def family(request, tmp_path):
    return Backbone.load(save_stack(tmp_path, family=request.param), device="cpu")


def test_without_answers_an_adaptive_negation_is_the_plain_picture(family):
    asked = []
    pictures, negatives = adaptive_negation(family, "pet", naming("", asked=asked), [5, 6])
    plain = family.draw(family.imagine("A photo of a pet", seeds=[5, 6]), seeds=[5, 6])
    assert [np.array_equal(a, b) for a, b in zip(pictures, plain, strict=True)] == [True, True]
    assert negatives == [[], []]
    side = family.drawing["size"]
    assert asked == [(2, (side, side), "What kind of pet is in this photo?")] * (family.drawing["steps"] - 1)
    for useless in ("pet", "animal", "nothing"):
        pictures, negatives = adaptive_negation(family, "pet", naming(useless), [5])
        assert np.array_equal(pictures[0], plain[0]) and negatives == [[]], useless


def test_answers_grow_the_negative_and_lead_away_from_it(family):
    family.drawing["steps"] = 4
    pictures, negatives = adaptive_negation(family, "pet", naming("a cat", "cats", "dog"), [5, 6], ["horse"])
    assert negatives == [["horse", "cat", "dog"]] * 2
    from_the_start = decoder_negation(family, "pet", ["horse"], [5, 6])
    assert not any(np.array_equal(a, b) for a, b in zip(pictures, from_the_start, strict=True))
    kept, same = adaptive_negation(family, "pet", naming("horse"), [5, 6], ["horse"])
    assert all(np.array_equal(a, b) for a, b in zip(kept, from_the_start, strict=True)) and same == [["horse"]] * 2
    again, _ = adaptive_negation(family, "pet", naming("a cat", "cats", "dog"), [5, 6], ["horse"])
    assert all(np.array_equal(a, b) for a, b in zip(again, pictures, strict=True)), "same seed, same picture"
    few, less = adaptive_negation(family, "pet", naming("cat"), [5], every=family.drawing["steps"])
    assert less == [[]] and np.array_equal(few[0], family.draw(family.imagine("A photo of a pet", seeds=5), [5])[0])


def test_the_negative_of_the_steps_that_follow_is_the_imagined_prompt(family):
    """Named after the first step, a negative leads all the others as if the pipeline had changed it there."""
    seen = []
    plain = family.imagine("A photo of a pet", seeds=[5])
    unlike = family.imagine("A photo of a cat", seeds=[5])

    def see(rows, pictures):
        seen.append(list(rows))
        return plain, unlike

    expected = family.draw(plain, [5], watch=Watch([1], see))
    found, _ = adaptive_negation(family, "pet", naming("cat"), [5])
    assert np.array_equal(found[0], expected[0]) and seen == [[0]]
    assert not np.array_equal(found[0], family.draw(plain, [5])[0])
    late = family.draw(plain, [5], watch=Watch([family.drawing["steps"]], see))
    assert np.array_equal(late[0], family.draw(plain, [5])[0]), "nothing follows the last step"


def test_unknown_words_and_those_that_no_longer_fit_are_left_out(backbone):
    full = ["cat", "dog", "rabbit", "hamster", "parrot", "goldfish", "turtle"]
    for word in ("unicorn", "horse"):
        assert adaptive_negation(backbone, "pet", naming(word), [5], full)[1] == [full], word
    assert adaptive_negation(backbone, "pet", naming("horse"), [5], full[:-1])[1] == [[*full[:-1], "horse"]]
    assert adaptive_negation(backbone, "pet", naming("horse"), []) == ([], [])


def test_one_negative_embedding_serves_all_pictures(backbone):
    embeds, unlike = imagine_apart(backbone, "pet", ["cat"], [1, 2])
    one = backbone.draw(embeds, seeds=[1, 2], negative_image_embeds=unlike[0])
    alike(one, backbone.draw(embeds, seeds=[1, 2], negative_image_embeds=unlike[:1].expand(2, -1)))
    alike(
        backbone.draw(embeds, seeds=[1, 2], negative_image_embeds=backbone.zero_image_embed),
        backbone.draw(embeds, [1, 2]),
    )
    for n in (1, 2):
        with pytest.raises(VectorError, match=f"3 negatives for {n} pictures?: give one for each"):
            backbone.draw(embeds[:n], seeds=[1, 2][:n], negative_image_embeds=unlike[:1].expand(3, -1))
    with pytest.raises(VectorError, match="width 16"):
        backbone.draw(embeds, seeds=[1, 2], negative_image_embeds=unlike[:, :8])


def test_a_picture_depends_on_its_seed_alone(backbone):
    many = imagine_with_negation(backbone, "pet", ["cat"], range(70))
    assert torch.allclose(imagine_with_negation(backbone, "pet", ["cat"], [69])[0], many[69], atol=1e-5)
    assert kandinsky_negation(backbone, "pet", ["cat"], []) == decoder_negation(backbone, "pet", ["cat"], []) == []


@pytest.mark.parametrize("version", [1, 2])
def test_stable_diffusion_negates_in_the_sampler(backbone, tmp_path, version):
    folder = save_sd(tmp_path / "sd", version=version)
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    expected = pipeline(
        ["A photo of a pet"] * 2,
        negative_prompt=["A photo of a cat, dog"] * 2,
        generator=generators([1, 2]),
        num_inference_steps=4,
    ).images
    stack = StableDiffusion.load(folder, backbone)
    found = stable_diffusion_negation(stack, "pet", ["cat", "dog"], [1, 2], steps=4)
    alike(found, expected)
    assert any(a != b for a, b in zip(found, stack.draw(["A photo of a pet"] * 2, seeds=[1, 2], steps=4), strict=True))


def test_the_embedded_stack_draws_it():
    backbone = Backbone.load("emoji", device="cpu")
    [picture] = kandinsky_negation(backbone, "pet", ["cat", "dog"], [1])
    [plain] = backbone.draw(backbone.imagine("A photo of a pet", seeds=1), seeds=1)
    assert picture.size == (128, 128) and np.asarray(picture).std() > 10 and picture != plain


@pytest.mark.parametrize(
    ("positive", "negatives", "said"),
    [
        ("pet", [], "negatives = []: expected a list with one word at least"),
        ("pet", "cat", "negatives = 'cat': expected a list"),
        ("pet", ["{}"], "negative = '{}'"),
        ("", ["cat"], "positive = '': expected a word"),
        ("unicorn", ["cat"], "does not know the word 'unicorn'"),
        ("pet", ["unicorn"], "does not know the word 'unicorn'"),
    ],
)
@pytest.mark.parametrize("baseline", [kandinsky_negation, decoder_negation])
def test_mistakes_are_one_line(backbone, baseline, positive, negatives, said):
    with pytest.raises(RequestError) as error:
        baseline(backbone, positive, negatives, [1])
    assert said in str(error.value) and "\n" not in str(error.value)


def test_more_negatives_than_fit(backbone):
    for baseline in (kandinsky_negation, decoder_negation):
        with pytest.raises(PromptError, match="but only 20 fit"):
            baseline(backbone, "pet", ["cat"] * 20, [1])
