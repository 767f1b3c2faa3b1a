"""Early stop: when a concept stops, and that the others in its batch do not change."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from core import ConceptLab, Request, Settings
from core.concept import Avoid, Parent, Positive, concept_id
from core.options import Options
from core.review import Decision
from core.settings import SettingsError
from core.stopping import GAIN, done_early

PATIENT = Settings(max_cosine=0.5, min_cosine=0.3, avoid_floor=0.7, patience=2)
INSIDE = {"pet": 0.5, "cat": 0.3, "dog": 0.1}
PET = Request("pet", negatives=("cat", "dog"), settings=PATIENT)
# The tiny stack's similarities all lie between 0.3 and 0.45: these are inside their clamps from the start, or never.
EASY = Settings(steps=8, segment=2, learning_rate=1e-2, max_cosine=0.0, min_cosine=0.9, patience=2)
HARD = replace(EASY, max_cosine=0.9, min_cosine=0.0)


def done(request, *looks, negatives=("cat", "dog"), pool=0):
    return bool(done_early(request, looks, negatives, pool))


def test_a_concept_is_done_once_every_constraint_was_inside_its_clamp_often_enough():
    assert done(PET, {}, INSIDE, INSIDE)
    assert not done(PET, INSIDE, INSIDE), "where it began does not count"
    for word, value in {"pet": 0.49, "cat": 0.31, "dog": 0.31}.items():
        outside = {**INSIDE, word: value}
        assert not done(PET, INSIDE, INSIDE, outside) and not done(PET, INSIDE, outside, INSIDE)
        assert done(PET, outside, INSIDE, INSIDE)


def test_earlier_waves_have_their_floor():
    wave = replace(PET, avoid=(Avoid("a", np.ones(4, dtype=np.float32)),))
    assert done(wave, {}, *[{**INSIDE, "avoid:a": 0.7}] * 2)
    assert not done(wave, {}, *[{**INSIDE, "avoid:a": 0.71}] * 2)


@pytest.mark.parametrize(
    "change",
    [
        {"settings": replace(PATIENT, patience=0)},
        {"settings": replace(PATIENT, clamp=False)},
        {"schedule": "adaptive"},
        {"settings": replace(PATIENT, patience=3)},
    ],
    ids=["never", "no clamps", "the next name is not known yet", "more patience"],
)
def test_who_goes_on_inside_the_clamps(change):
    assert not done(replace(PET, **change), {}, INSIDE, INSIDE)


def test_who_has_words_to_come_goes_on():
    assert not done(replace(PET, schedule="gradual"), {}, INSIDE, INSIDE, pool=1)
    assert done(replace(PET, schedule="gradual"), {}, INSIDE, INSIDE, pool=0)


@pytest.mark.parametrize("words", [(), (Positive("blue"),)])
def test_a_mix_is_done_when_its_loss_falls_no_more(words):
    images = np.ones((1, 4), dtype=np.float32)
    parents = (Parent("a", 3.0, images), Parent("b", 1.0, images))
    mix = Request("pet", parents=parents, positives=words, settings=PATIENT)

    def at(loss):
        return {"blue": 0.6} | {"parent:a": 1 - loss, "parent:b": 1 - loss}

    falls, stays = 0.2 * (1 - 2 * GAIN), 0.2 * (1 - GAIN / 2)
    assert done(mix, at(0.2), at(stays), at(stays), negatives=())
    assert done(mix, at(0.2), at(0.3), at(0.3), negatives=()), "what gets worse is kept from its best checkpoint"
    assert not done(mix, at(0.2), at(stays), at(falls), negatives=())
    assert not done(mix, at(0.2), at(falls), at(stays), negatives=()), "it fell within its patience"


def parent(backbone):
    images = np.random.default_rng(0).normal(size=(2, backbone.width)).astype(np.float32)
    return Parent("one", 1.0, images)


def learned(backbone, *requests, **options):
    reports = list(ConceptLab(backbone).learn(requests, Options(**options)))
    return reports, reports[-1].concepts


def test_a_concept_that_is_done_stays_as_it_is_beside_those_that_go_on(backbone64):
    easy = Request("pet", negatives=("cat",), seed=1, settings=EASY)
    hard = Request("pet", negatives=("cat",), seed=2, settings=HARD)
    reports, (early, late) = learned(backbone64, easy, hard)
    assert (early.steps, late.steps) == (4, 8)
    assert [(e.id, e.step) for r in reports for e in r.events if e.last] == [(early.id, 4), (late.id, 8)]
    shorter = replace(easy, settings=replace(EASY, steps=4, patience=0))
    (_, (as_before,)), (_, (alone,)) = learned(backbone64, shorter), learned(backbone64, hard)
    np.testing.assert_allclose(early.vectors, as_before.vectors, atol=1e-6)
    np.testing.assert_allclose(late.vectors, alone.vectors, atol=1e-6)
    assert early.id == learned(backbone64, easy)[1][0].id


def test_progress_reaches_its_end_when_all_are_done_early(backbone):
    first, second = (Request("pet", negatives=("cat",), seed=seed, settings=EASY) for seed in (1, 2))
    reports, concepts = learned(backbone, first, replace(second, tokens=2))
    assert [concept.steps for concept in concepts] == [4, 4]
    steps = [report.step for report in reports]
    assert steps == sorted(steps) and steps[-1] == reports[-1].steps == 16
    assert 8 in steps, "the first batch is done where it would have ended"
    notes = [event.note for report in reports for event in report.events if event.last]
    assert notes == ["done: every constraint is inside its clamp"] * 2


def test_a_mix_that_stands_still_is_done(backbone):
    still = Request("pet", parents=(parent(backbone),), settings=replace(EASY, learning_rate=0.0))
    reports, (concept,) = learned(backbone, still)
    assert concept.steps == 4 and reports[-1].events[0].note == "done: the mixing loss falls no more"


def test_a_word_that_a_person_adds_is_learned_before_a_concept_is_done(backbone):
    def adds(proposal):
        return Decision(words=("dog",)) if proposal.step == 4 else None

    _, (concept,) = learned(backbone, Request("pet", negatives=("cat",), settings=EASY), review=adds)
    assert [negative.word for negative in concept.negatives] == ["cat", "dog"] and concept.steps == 8


@pytest.mark.parametrize("place", range(4))
def test_who_goes_on_after_a_kill_is_done_where_it_would_have_been(backbone, place):
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=how) for seed, how in enumerate((EASY, HARD))]
    kept, concepts = [], ()
    for report in ConceptLab(backbone).learn(requests):
        kept += [report.snapshot()] if report.snapshot else []
        concepts = report.concepts
    again = list(ConceptLab(backbone).learn(requests, snapshots=[kept[place]]))[-1].concepts
    for one, other in zip(again, concepts, strict=True):
        assert replace(one, seconds=0.0) == replace(other, seconds=0.0)


def test_requests_from_before_there_was_any_patience_keep_their_ids():
    impatient = Request("pet", settings=Settings())
    assert "patience" not in impatient.to_json() and Request.from_json(impatient.to_json()) == impatient
    patient = replace(impatient, settings=Settings(patience=2))
    assert json.loads(patient.to_json())["settings"]["patience"] == 2
    assert Request.from_json(patient.to_json()) == patient
    assert concept_id(patient, "f") != concept_id(impatient, "f")
    for wrong in (-1, 1.5, True):
        with pytest.raises(SettingsError, match="patience = "):
            Settings(patience=wrong)
