"""Requests are checked, compared by content, and survive JSON; settings follow from preset and stack."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import FrozenInstanceError, replace
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

from core.concept import Avoid, Concept, Measurement, Negative, Parent, Positive, Request, RequestError, concept_id
from core.settings import PATIENCE, PRESETS, Settings, SettingsError

RNG = np.random.default_rng(0)
FULL = Request(
    "musical instrument",
    positives=(Positive("violin", 2), Positive("drum")),
    negatives=("guitar",),
    schedule="adaptive",
    parents=(Parent("abc", 0.25, RNG.normal(size=(3, 4)), "mix", "run-1"),),
    avoid=(Avoid("def", RNG.normal(size=4)),),
    seed=2**63 - 1,
    tokens=2,
    initializer="horn",
    start=RNG.normal(size=(2, 4)),
    settings=Settings(steps=7, preset="published"),
)


def test_defaults_follow_from_what_is_given():
    plain = Request(" pet ")
    assert plain.category == "pet" and plain.positives == (Positive("pet"),) and plain.schedule == "adaptive"
    assert Request("pet", negatives=["cat"]).schedule == "list"
    child = Request("pet", parents=[Parent("a", 1, [[1, 2]])])
    assert child.schedule == "none" and child.positives == ()
    assert Request("painting", "style").positives == (Positive(""),)
    variation = Request("pet", parents=[Parent("a", 1, [[1, 2]], "mutate")])
    assert variation.mixed == () and variation.positives == (Positive("pet"),)


def test_json_round_trip_is_exact():
    again = Request.from_json(FULL.to_json())
    assert again == FULL and hash(again) == hash(FULL)
    assert again.to_json() == FULL.to_json()
    assert again.start.dtype == np.float32 and np.array_equal(again.start, FULL.start)
    assert Request.from_json(Request("pet").to_json()) == Request("pet")


@given(
    st.text("abcdefg hij-", min_size=1, max_size=20).filter(str.strip),
    st.lists(st.floats(1e-6, 1e6), max_size=3),
    st.integers(0, 2**63 - 1),
    st.lists(st.floats(-(2.0**90), 2.0**90, width=32), min_size=1, max_size=5),
)
def test_any_request_survives_json(category, weights, seed, embed):
    positives = tuple(Positive(f"word {i}", weight) for i, weight in enumerate(weights))
    request = Request(category, positives=positives, seed=seed, avoid=(Avoid("a", embed),))
    assert Request.from_json(request.to_json()) == request


def test_requests_differ_by_content():
    assert replace(FULL, seed=1) != FULL
    assert replace(FULL, start=FULL.start + 1e-3) != FULL
    assert FULL != "FULL"
    assert concept_id(FULL, "f") == concept_id(Request.from_json(FULL.to_json()), "f")
    assert len({concept_id(FULL, "f"), concept_id(FULL, "g"), concept_id(FULL, "f", ["veto"])}) == 3


def test_who_names_the_negatives_is_part_of_an_adaptive_requests_id_only():
    adaptive, listed = Request("pet"), Request("pet", negatives=("cat",))
    ids = {concept_id(adaptive, "f"), concept_id(adaptive, "f", naming="a"), concept_id(adaptive, "f", naming="b")}
    assert len(ids) == 3
    assert concept_id(listed, "f") == concept_id(listed, "f", naming="a")


def test_a_request_may_say_which_stack_its_numbers_come_from():
    plain, tied = Request("pet"), Request("pet", fingerprint="c07f3f89942c")
    assert "fingerprint" not in plain.to_json(), "the ids of requests that need none stay what they were"
    assert Request.from_json(tied.to_json()) == tied != plain
    assert concept_id(plain, "f") != concept_id(tied, "f")


def test_requests_are_frozen_arrays_and_all():
    with pytest.raises(FrozenInstanceError):
        FULL.seed = 1
    with pytest.raises(ValueError, match="read-only"):
        FULL.start[0] = 1
    mine = np.zeros((1, 2), dtype=np.float32)
    request = Request("pet", start=mine)
    mine += 1
    assert request.start.max() == 0


def test_pickled_requests_are_equal():
    assert pickle.loads(pickle.dumps(FULL)) == FULL


ONES = np.ones((1, 4))
WRONG = {
    "category = '  ': expected a word": dict(category="  "),
    "category = 'a {} b'": dict(category="a {} b"),
    "at most 80 characters": dict(category="x" * 81),
    "kind = 'thing': choose object or style": dict(kind="thing"),
    "schedule = 'often': choose none, list, gradual, adaptive": dict(schedule="often"),
    "schedule 'none' with negatives": dict(schedule="none", negatives=("cat",)),
    "schedule 'gradual' needs negatives": dict(schedule="gradual"),
    "expected a list of words": dict(negatives="cat"),
    "the negative 'cat' is given twice": dict(negatives=("cat", "Cat")),
    "'pet' is a negative and a positive": dict(negatives=("pet",)),
    "the positive 'cat' is given twice": dict(positives=(Positive("cat"), Positive("cat"))),
    "seed = -1": dict(seed=-1),
    "seed = True": dict(seed=True),
    "seed = 1.5": dict(seed=1.5),
    "tokens = 0": dict(tokens=0),
    "start has 1 vector and tokens = 2": dict(tokens=2, start=ONES),
    "start has shape [4]": dict(start=ONES[0]),
    "start contains NaN": dict(start=ONES * float("nan")),
    "start is not an array of numbers": dict(start="vector"),
    "a positive of an object is empty": dict(positives=(Positive(""),)),
    "positives contains 'cat': expected Positive": dict(positives=("cat",)),
    "embeddings of widths [3, 4]": dict(parents=(Parent("a", 1, ONES),), avoid=(Avoid("b", [1, 2, 3]),)),
    "the parent 'a' is given twice": dict(parents=(Parent("a", 1, ONES), Parent("a", 2, ONES))),
    "settings = 'paper'": dict(settings="paper"),
}


@pytest.mark.parametrize("message", WRONG)
def test_a_wrong_request_says_what_is_wrong(message):
    with pytest.raises(RequestError) as error:
        Request(**{"category": "pet", **WRONG[message]})
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), -float("inf"), "1", True, None])
def test_weights_are_numbers_above_zero_and_of_parents_below_too(weight):
    with pytest.raises(RequestError, match="expected a number above 0"):
        Positive("cat", weight)
    if weight == -1:
        assert Parent("a", weight, ONES).weight == -1
        return
    with pytest.raises(RequestError, match="the parent 'a' has weight"):
        Parent("a", weight, ONES)


def test_a_child_has_a_parent_to_resemble():
    for parents in ([Parent("a", -1, ONES)], [Parent("a", -1, ONES), Parent("b", 1, ONES[:1], "mutate")]):
        with pytest.raises(RequestError, match="no parent has a weight above 0: give at least one to resemble"):
            Request("pet", parents=tuple(parents))
    with pytest.raises(RequestError, match="the parent 'a' of a variation has weight -1"):
        Parent("a", -1, ONES, "mutate")


def test_a_parent_may_give_one_aspect_alone():
    base, giver = Parent("a", 1, ONES), Parent("b", 0, ONES, "take colour")
    for parents in ((base, giver), (base, giver, Parent("b", 2, ONES), Parent("b", 0, ONES, "take shape"))):
        request = Request("pet", parents=parents)
        assert Request.from_json(request.to_json()) == request
        assert giver not in request.mixed and base in request.mixed
    with pytest.raises(RequestError, match="the colour is taken, and there is no other parent"):
        Request("pet", parents=(giver,))
    with pytest.raises(RequestError, match="the colour is taken from two parents"):
        Request("pet", parents=(base, giver, Parent("c", 0, ONES, "take colour")))
    with pytest.raises(RequestError, match="the parent 'b' gives one aspect and has weight 1"):
        Parent("b", 1, ONES, "take colour")
    with pytest.raises(RequestError, match="choose mix, mutate, image"):
        Parent("b", 0, ONES, "take ")


def test_requests_of_earlier_versions_keep_their_ids():
    """The id is a hash of this text: it changes neither with weights below 0 nor with later fields."""
    request = Request("pet", parents=(Parent("a", 0.75, ONES[:1]), Parent("b", 0.25, ONES[:1], "image")), seed=3)
    assert hashlib.sha256(request.to_json().encode()).hexdigest()[:16] == "4892683fe6a2eed3"
    assert Request.from_json(request.to_json()) == request


def test_a_parents_kind_and_images_are_checked():
    with pytest.raises(RequestError, match="choose mix, mutate, image"):
        Parent("a", 1, ONES, "friend")
    with pytest.raises(RequestError, match=r"image_embeds of 'a' has shape \[0, 4\]"):
        Parent("a", 1, np.ones((0, 4)))


def test_stored_requests_of_another_kind_are_refused():
    with pytest.raises(RequestError, match="not JSON"):
        Request.from_json("{")
    newer = json.loads(Request("pet").to_json()) | {"mood": "good"}
    with pytest.raises(RequestError, match="unknown field 'mood'"):
        Request.from_json(json.dumps(newer))


def test_concepts_are_compared_by_content():
    made = [
        Concept(
            "id",
            replace(FULL, settings=Settings()),
            vectors=[[1, 2]],
            image_embed=[1, 2],
            negatives=(Negative("cat", 0, "user"),),
            history=(Measurement(0, "pet", 0.5),),
            scores={"b": np.float32(1), "a": 2},
        )
        for _ in range(2)
    ]
    assert made[0] == made[1] and hash(made[0]) == hash(made[1]) and made[0].scores == {"b": 1.0, "a": 2.0}
    assert replace(made[0], vectors=[[1, 3]]) != made[1]


WRONG_SETTINGS = {
    "unknown preset 'best'": dict(preset="best"),
    "steps = -1": dict(steps=-1),
    "steps = 1.5": dict(steps=1.5),
    "segment = 0": dict(segment=0),
    "prior_steps = 1": dict(prior_steps=1),
    "learning_rate = nan": dict(learning_rate=float("nan")),
    "learning_rate = -1": dict(learning_rate=-1),
    "max_cosine = 2": dict(max_cosine=2),
    "min_cosine = '0.2'": dict(min_cosine="0.2"),
    "guidance_scale = 0.5": dict(guidance_scale=0.5),
    "betas = (1, 0)": dict(betas=(1, 0)),
    "s_max = 1": dict(s_max=1),
    "answers = 'all'": dict(answers="all"),
    "keep = 'first'": dict(keep="first"),
}


@pytest.mark.parametrize("message", WRONG_SETTINGS)
def test_a_wrong_setting_says_what_is_wrong(message):
    with pytest.raises(SettingsError) as error:
        Settings(**WRONG_SETTINGS[message])
    assert message in str(error.value)


def test_presets_differ_in_what_they_do():
    default, paper, published = (Settings(preset=name) for name in ("default", "paper", "published"))
    assert (default.answers, default.keep) == ("ranked", "best")
    assert (paper.answers, paper.keep, paper.mix_through_prior, paper.normalise_weights) == (
        "first",
        "last",
        True,
        True,
    )
    assert (published.mix_through_prior, published.normalise_weights) == (False, False)
    assert Settings(keep="last").keep == "last"


def test_settings_of_a_stack_are_the_calibrated_ones():
    calibration = {
        "object": {"max_cosine": 0.5, "min_cosine": 0.3, "learning_rate": 5e-3, "steps": 600, "mix_steps": 300},
        "style": {"min_cosine": 0.25},
    }
    stack = SimpleNamespace(calibration=calibration)
    assert (Settings.for_stack(stack).max_cosine, Settings.for_stack(stack).steps) == (0.5, 600)
    style = Settings.for_stack(stack, "paper", "style", lam=2.0)
    assert (style.max_cosine, style.min_cosine, style.preset, style.lam) == (0.5, 0.25, "paper", 2.0)
    assert Settings.for_stack(stack, mixing=True).steps == 300
    stack.calibration["categories"] = {"pet": {"max_cosine": 0.4}}
    assert Settings.for_stack(stack, category="Pet").max_cosine == 0.4
    assert Settings.for_stack(stack, category="dragon").max_cosine == 0.5
    assert Settings.for_stack(stack, "paper", category="pet").max_cosine == 0.5
    bare = SimpleNamespace(calibration=None)
    assert Settings.for_stack(bare, "paper") == Settings("paper")
    assert Settings.for_stack(bare) == Settings(patience=PATIENCE)
    assert Settings.for_stack(bare, kind="style").min_cosine == 0.15
    assert Settings.for_stack(bare, mixing=True).steps == 2000
    looks = {preset: Settings.for_stack(stack, preset, mixing=True) for preset in ("default", "paper", "published")}
    assert {preset: (each.patience, each.segment) for preset, each in looks.items()} == {
        "default": (PATIENCE, 25), "paper": (0, 250), "published": (0, 250)
    }, "only who may be done early is looked at more often"  # fmt: skip
    with pytest.raises(SettingsError, match="unknown setting 'speed'"):
        Settings.for_stack(bare, speed=1)


def test_a_stack_may_have_steps_of_its_own_for_starts_between_two_members():
    numbers = {"steps": 50, "segment": 25, "mix_steps": 180, "between_steps": 26, "between_segment": 13}
    stack = SimpleNamespace(calibration={"object": numbers, "style": {"min_cosine": 0.25}})
    found = {
        (preset, kind, between): Settings.for_stack(stack, preset, kind, between=between)
        for preset in PRESETS
        for kind in ("object", "style")
        for between in (False, True)
    }
    shorter = {which for which, settings in found.items() if (settings.steps, settings.segment) == (26, 13)}
    assert shorter == {("default", "object", True)}
    assert {(each.steps, each.segment) for which, each in found.items() if which not in shorter} == {(50, 25)}
    assert Settings.for_stack(stack, mixing=True, between=True).steps == 180
    assert Settings.for_stack(stack, between=True, steps=7).steps == 7


def test_settings_survive_a_dictionary():
    settings = Settings(preset="published", betas=(0.5, 0.9), keep="best")
    assert Settings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings
    with pytest.raises(SettingsError, match="unknown setting 'speed'"):
        Settings.from_dict({"speed": 1})


def test_a_concept_survives_a_file(tmp_path):
    request, negatives = replace(FULL, settings=Settings()), (Negative("cat", 0, "user"),)
    history = (Measurement(0, "pet", 0.5),)
    given = Concept("id", request, [[1, 2]], [1, 2], negatives, history, scores={"b": 0.1}, fingerprint="f", steps=7)
    path = given.save(str(tmp_path / "moku.safetensors"))
    assert Concept.load(path) == given == Concept.load(str(path))
    with pytest.raises(RequestError, match=r"choose a name that ends with \.safetensors"):
        given.save(tmp_path / "moku.pt")
    with pytest.raises(RequestError, match="cannot be read"):
        Concept.load(tmp_path / "nothing.safetensors")
    for content in (b"", path.read_bytes()[:-4], save_file_bytes()):
        path.write_bytes(content)
        with pytest.raises(RequestError, match=r"is damaged, or not a file of Concept\.save"):
            Concept.load(path)


def save_file_bytes() -> bytes:
    return safetensors.numpy.save({"vectors": np.ones((1, 4), np.float32)})


def test_further_constraints_have_one_order_and_leave_other_ids_alone():
    given = Request("pet", constraints={"soft": ["fur", "down"], "bright": ("sun",)})
    assert given.constraints == (("bright", ("sun",)), ("soft", ("fur", "down")))
    assert Request.from_json(given.to_json()) == given == replace(given)
    assert given.words == ("pet", "sun", "fur", "down") and "constraints" not in Request("pet").to_json()
    with pytest.raises(RequestError, match=r"constraints\['soft'\] = 'fur': expected a list"):
        Request("pet", constraints={"soft": "fur"})
