"""Caps and floors are measured on a stack and stored beside it."""

from __future__ import annotations

import json
from typing import ClassVar

import numpy as np
import pytest
import torch
from huggingface_hub import constants

from core import Backbone, ConceptLab, Request, Settings
from core.calibration import LEARNS, CalibrationError, calibrate, main, reservation
from tests.stacks import cache_as_hub, save_prior, save_stack

SMALL = {"pet": ["cat", "dog", "parrot"], "style": ["sketch", "mosaic", "painting"], "few": ["cat"]}


class Orderly:
    """A stack whose members and categories lie at known angles: 0.6 member to category, 0 between members."""

    version, fingerprint, where, calibration = "orderly-1", "f", "orderly", None
    axes = torch.eye(4)

    def _vector(self, prompt):
        for axis, word in enumerate(("cat", "dog", "parrot")):
            if word in prompt.split():
                return 0.8 * self.axes[axis] + 0.6 * self.axes[3]
        return self.axes[3]

    def encode_text(self, prompts):
        return torch.stack([self._vector(prompt) for prompt in prompts]) * 3

    def imagine(self, prompts, seeds, steps, guidance_scale):
        return self.encode_text(prompts) * 5


def test_constants_by_hand():
    result = calibrate(Orderly(), {"pet": SMALL["pet"]}, prompts=2, seeds=1)
    assert result["measured"]["pet"] == pytest.approx(
        {
            "itself": 1.0, "category": 0.6,
            "own": 1.0, "others": 0.36, "image_to_own": 1.0, "image_to_others": 0.36,
        }
    )  # fmt: skip
    assert result["categories"]["pet"] == result["object"]  # the median over one
    assert result["object"] == {"max_cosine": 0.6, "min_cosine": 0.68, "avoid_floor": 0.68}


class Uneven(Orderly):
    """Members that belong to their category to different degrees."""

    belongs: ClassVar = {"cat": 0.2, "dog": 0.4, "parrot": 0.6, "turtle": 0.7, "rabbit": 0.9}
    axes = torch.eye(6)

    def _vector(self, prompt):
        for axis, (word, cosine) in enumerate(self.belongs.items()):
            if word in prompt.split():
                return (1 - cosine**2) ** 0.5 * self.axes[axis] + cosine * self.axes[5]
        return self.axes[5]


def test_the_cap_is_the_median_of_the_members_and_not_the_word_itself():
    pets = list(Uneven.belongs)
    result = calibrate(Uneven(), {"pet": pets}, prompts=2, seeds=1)
    assert result["categories"]["pet"]["max_cosine"] == 0.6
    assert result["measured"]["pet"]["category"] == pytest.approx(0.6)
    assert result["measured"]["pet"]["itself"] == pytest.approx(1.0)
    few = calibrate(Uneven(), {"pet": pets[:3]}, prompts=2, seeds=1)
    assert few["categories"]["pet"]["max_cosine"] == 0.4, "the middle one of three"


def test_the_embedded_stack_has_the_steps_that_serve_it_whatever_was_stored():
    stack = Orderly()
    stack.where, stack.calibration = "emoji", {"object": {"steps": 7, "learning_rate": 0.5}}
    result = calibrate(stack, {"pet": SMALL["pet"]}, prompts=2, seeds=1)
    of_objects = LEARNS["object"]
    assert {name: result["object"][name] for name in of_objects} == of_objects
    numbers = [*LEARNS.values(), {name: of_objects[f"between_{name}"] for name in ("steps", "segment")}]
    assert all(each["steps"] % each["segment"] == 0 for each in numbers), "whole segments"


def test_objects_and_styles_are_calibrated_apart(backbone):
    result = calibrate(backbone, SMALL, prompts=2, seeds=1, learns={"steps": 7})
    assert set(result) == {"schema", "version", "fingerprint", "object", "style", "categories", "measured"}
    assert set(result["measured"]) == {"pet", "style"}
    assert result["object"]["steps"] == result["style"]["steps"] == 7
    assert result["fingerprint"] == backbone.fingerprint


def test_the_command_stores_what_settings_then_use(tmp_path, capsys):
    folder = save_stack(tmp_path / "stack")
    (folder / "vocabulary.json").write_text(json.dumps({"words": [], "categories": SMALL}))
    assert main([str(folder)]) == 0
    stored = json.loads((folder / "calibration.json").read_text())
    assert "max_cosine" in capsys.readouterr().out
    assert [path.name for path in folder.glob("*.tmp")] == []
    assert Settings.for_stack(Backbone.load(folder)).max_cosine == stored["object"]["max_cosine"]


def test_each_pair_of_stack_and_constraint_encoder_has_its_own_figures(tmp_path, capsys):
    folder = save_stack(tmp_path / "paper", family="2.1", length=77, published_eos=True)
    (folder / "vocabulary.json").write_text(json.dumps({"words": [], "categories": SMALL}))
    assert Settings.for_stack(Backbone.load(folder), "published").max_cosine == 0.28
    assert main([str(folder), "--constraints", "multilingual", "--device", "cpu"]) == 0
    first = Backbone.load(folder, device="cpu")
    multilingual = first.calibration["multilingual"]
    assert multilingual["encoder"] == first.multilingual_fingerprint
    assert "is not calibrated" in reservation(first), "the prior's own encoder was not measured"
    assert Settings.for_stack(first).max_cosine == 0.28

    assert main([str(folder)]) == 0
    both = Backbone.load(folder, device="cpu")
    assert reservation(both) is None and both.calibration["multilingual"] == multilingual
    own = both.calibration["object"]
    assert own["max_cosine"] != multilingual["object"]["max_cosine"]
    for preset, figures in (("default", own), ("paper", own), ("published", multilingual["object"])):
        assert Settings.for_stack(both, preset).max_cosine == figures["max_cosine"], preset
        assert Settings.for_stack(both, preset).min_cosine == figures["min_cosine"], preset
    assert main([str(folder), "--constraints", "multilingual"]) == 0
    assert Backbone.load(folder).calibration["object"] == own, "what was measured with the other encoder stays"
    capsys.readouterr()


def test_a_stack_without_a_second_encoder_says_so(backbone, stack_folder, capsys):
    with pytest.raises(CalibrationError, match="constraints = 'russian': choose own or multilingual"):
        calibrate(backbone, constraints="russian")
    assert main([str(stack_folder), "--constraints", "multilingual"]) == 2
    assert capsys.readouterr().err == ("the stack tiny-1 has no multilingual text encoder: choose constraints 'own'\n")


def test_what_is_measured_on_a_repository_is_stored_outside_the_hub_s_cache(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = save_stack(tmp_path / "stack")
    cache_as_hub(tmp_path / "hub", "some/prior", folder / "prior")
    beside = tmp_path / "data/conceptree/stacks/some--prior"
    beside.mkdir(parents=True)
    (beside / "vocabulary.json").write_text(json.dumps({"words": [], "categories": SMALL}))
    before = sorted((tmp_path / "hub").rglob("*"))
    assert main(["some/prior"]) == 0 and "max_cosine" in capsys.readouterr().out
    assert reservation(Backbone.load("some/prior")) is None
    assert sorted((tmp_path / "hub").rglob("*")) == before and (beside / "calibration.json").is_file()


def test_published_constraints_are_held_in_the_multilingual_encoder(tmp_path):
    folder = save_stack(tmp_path / "paper", family="2.1", length=77, published_eos=True)
    backbone = Backbone.load(folder, device="cpu")
    seen = []
    encode = backbone.encode_multilingual
    backbone.encode_multilingual = lambda prompts: seen.append(prompts) or encode(prompts)
    concepts = {}
    for preset in ("default", "published"):
        settings = Settings(preset, steps=2, segment=1, learning_rate=0.05)
        request = Request("dog", negatives=("cat",), schedule="list", seed=1, settings=settings)
        [concepts[preset]] = ConceptLab(backbone).run([request])
        assert bool(seen) == (preset == "published")
    assert any("cat" in prompt for prompts in seen for prompt in prompts)
    assert np.abs(concepts["default"].vectors - concepts["published"].vectors).max() > 1e-3

    weights = folder / "decoder/text_encoder/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    other = ConceptLab(Backbone.load(folder, device="cpu"))
    for preset, same in (("default", True), ("published", False)):
        concept = concepts[preset]
        assert (other.concept_id(concept.request) == concept.id) == same, "another encoder, another concept"


def test_learning_rates_that_were_stored_stay():
    stack = Orderly()
    stack.calibration = {"object": {"learning_rate": 0.5, "max_cosine": 0.1}}
    result = calibrate(stack, {"pet": SMALL["pet"]}, prompts=2, seeds=1)
    assert result["object"]["learning_rate"] == 0.5 and result["object"]["max_cosine"] == 0.6


def test_a_stack_says_whose_caps_and_floors_it_has(tmp_path):
    folder = save_stack(tmp_path / "a stack")
    (folder / "vocabulary.json").write_text(json.dumps({"words": [], "categories": SMALL}))
    said = reservation(Backbone.load(folder))
    assert "is not calibrated: the published cap 0.28 and floors 0.2, 0.15 for styles and 0.65" in said
    assert said.endswith(f"python -m core.calibration '{folder}'")
    main([str(folder)])
    assert reservation(Backbone.load(folder)) is None

    other = folder / "prior" / "prior" / "config.json"
    other.write_text(json.dumps(json.loads(other.read_text()) | {"note": "another"}))
    stale = Backbone.load(folder)
    measured_on = stale.calibration["fingerprint"]
    assert f"tiny-1 ({stale.fingerprint}) were measured on other weights ({measured_on})" in reservation(stale)
    assert Settings.for_stack(stale).max_cosine == stale.calibration["object"]["max_cosine"], (
        "they are used all the same"
    )
    stale.calibration = {"object": {"max_cosine": 0.5}}
    assert "on other weights (unknown)" in reservation(stale)
    assert "with your own categories" in reservation(Backbone.load(folder / "prior"))


def test_a_stack_without_categories_cannot_be_calibrated(tmp_path, capsys):
    folder = save_prior(tmp_path / "prior")
    with pytest.raises(CalibrationError, match="no categories with 3 members"):
        calibrate(Backbone.load(folder))
    capsys.readouterr()
    assert main([str(folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
