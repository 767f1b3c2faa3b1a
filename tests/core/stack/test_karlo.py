"""Karlo's prior is read from its own layout of folders by the same code, and equals UnCLIPPipeline."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from core import ConceptLab, Request, Settings
from core.errors import StackError
from core.stack import hub
from core.stack.backbone import Backbone
from tests.stacks import cache_as_hub, karlo_pipeline, save_karlo

(KARLO,) = hub.ALIASES["karlo"]
PROMPTS = ["a photo of a dog", "кот 🐈, ! 猫", ""]


@pytest.fixture(scope="module")
def karlo(tmp_path_factory):
    return save_karlo(tmp_path_factory.mktemp("karlo") / "karlo")


class Imagined(Exception):
    """Stops a pipeline where its prior has imagined."""


@pytest.mark.parametrize("steps, guidance_scale", [(5, 4.0), (3, 1.0)])
def test_imagine_equals_its_pipeline(karlo, steps, guidance_scale):
    pipeline = karlo_pipeline()  # from_pretrained no longer knows the library "unclip", which is published
    pipeline.set_progress_bar_config(disable=True)
    assert json.loads((karlo / "model_index.json").read_text())["_class_name"] == "UnCLIPPipeline"
    real, told = pipeline.prior.post_process_latents, []

    def stop(latents):
        told.append(real(latents))
        raise Imagined

    pipeline.prior.post_process_latents = stop
    for seed, prompt in enumerate(PROMPTS):
        with pytest.raises(Imagined):
            pipeline(
                prompt,
                prior_num_inference_steps=steps,
                prior_guidance_scale=guidance_scale,
                generator=torch.Generator().manual_seed(seed),
            )
    ours = Backbone.load(karlo, device="cpu").imagine(
        PROMPTS, seeds=[0, 1, 2], steps=steps, guidance_scale=guidance_scale
    )
    assert torch.allclose(ours, torch.cat(told), rtol=0, atol=2e-5)
    assert (ours[0] - ours[1]).abs().max() > 1e-2


def test_it_is_whole_without_the_parts_that_draw(karlo, tmp_path):
    backbone = Backbone.load(karlo, device="cpu")
    backbone.check()
    assert not backbone.draws and backbone.scheduler.config.clip_sample_range == 5.0
    unread = ("decoder", "text_proj", "super_res_first", "super_res_last")
    folder = shutil.copytree(karlo, tmp_path / "cut", ignore=shutil.ignore_patterns(*unread))
    cut = Backbone.load(f"{folder}", device="cpu")
    cut.check()
    assert cut.fingerprint == backbone.fingerprint
    shutil.rmtree(folder / "prior_scheduler")
    with pytest.raises(StackError, match=r"has no scheduler: expected a folder \S+cut/prior_scheduler"):
        cut.check()


def test_its_alias_fetches_the_prior_and_what_it_reads(karlo, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    with pytest.raises(StackError, match=r"--revision 5ee45298\w+ .*--exclude 'decoder/\*' .*'super_res_last/\*'$"):
        hub.find_stack("karlo")
    unread = ("decoder", "text_proj", "super_res_first", "super_res_last")
    folder = shutil.copytree(karlo, tmp_path / "cut", ignore=shutil.ignore_patterns(*unread))
    cache_as_hub(tmp_path / "hub", KARLO, folder, hub.COMMITS[KARLO])
    found = Backbone.load("karlo", device="cpu")
    assert (found.version, found.where) == ("karlo", f"{KARLO}@{hub.COMMITS[KARLO]}")
    again = Backbone.load(found.where, device="cpu")
    assert again.fingerprint == found.fingerprint == Backbone.load(karlo).fingerprint
    assert found.beside == again.beside == tmp_path / "data/conceptree/stacks" / KARLO.replace("/", "--")


def test_a_concept_is_learned_on_it(karlo):
    settings = Settings(steps=3, segment=3, learning_rate=1e-3)
    stack = Backbone.load(karlo, device="cpu")
    [concept] = ConceptLab(stack).run([Request("dog", negatives=("cat",), schedule="list", settings=settings)])
    moved = torch.from_numpy(concept.vectors.copy())[0] - stack.word_vector("dog").float()
    assert concept.fingerprint == stack.fingerprint and 0 < moved.abs().max() < 1e-2
