"""Caps and floors are measured on a stack and stored beside it."""

from __future__ import annotations

import json

import pytest
import torch

from core import Backbone, Settings
from core.calibration import CalibrationError, calibrate, main, reservation
from tests.stacks import save_prior, save_stack

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
        {"itself": 1.0, "category": 0.6, "own": 1.0, "others": 0.36, "image_to_own": 1.0, "image_to_others": 0.36}
    )
    assert result["categories"]["pet"] == result["object"]  # the median over one
    assert result["object"] == {"max_cosine": 1.0, "min_cosine": 0.68, "avoid_floor": 0.68}


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


def test_learning_rates_that_were_stored_stay():
    stack = Orderly()
    stack.calibration = {"object": {"learning_rate": 0.5, "max_cosine": 0.1}}
    result = calibrate(stack, {"pet": SMALL["pet"]}, prompts=2, seeds=1)
    assert result["object"]["learning_rate"] == 0.5 and result["object"]["max_cosine"] == 1.0


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
    assert "on other weights (it is not said which)" in reservation(stale)
    assert "with categories of yours" in reservation(Backbone.load(folder / "prior"))


def test_a_stack_without_categories_cannot_be_calibrated(tmp_path, capsys):
    folder = save_prior(tmp_path / "prior")
    with pytest.raises(CalibrationError, match="no categories with 3 members"):
        calibrate(Backbone.load(folder))
    capsys.readouterr()
    assert main([str(folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
