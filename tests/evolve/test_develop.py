"""Founders in waves, children of weighted parents, and the one way they come into a run."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from core import Request, Settings
from core.concept import RequestError
from evolve import Run, develop, founders, likeness, mate, mutate, populate
from evolve.operators import parent_images

QUICK = Settings(steps=2, segment=1, learning_rate=1e-2, max_cosine=0.5, min_cosine=0.2)


@pytest.fixture(scope="module")
def parents(backbone):
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=QUICK) for seed in (1, 2)]
    return develop(requests, backbone)


@pytest.fixture
def run(tmp_path, backbone):
    return Run.create(tmp_path / "run", "pet", backbone)


def test_develop_returns_and_stores_concepts_in_order(backbone, run):
    reports = []
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=QUICK) for seed in (5, 3)]
    concepts = develop(requests, backbone, run, on_report=reports.append)
    assert [concept.request for concept in concepts] == requests
    assert [each.concept for each in run.individuals()] == concepts
    assert reports[-1].concepts == tuple(concepts)
    assert len(list((run.folder / "concepts").glob("*.parquet"))) == 1


def test_what_a_run_has_is_not_learned_again(backbone, run):
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=QUICK) for seed in (1, 2)]
    first = develop(requests[:1], backbone, run)
    reports = []
    both = develop(requests[::-1], backbone, run, on_report=reports.append)
    assert both[1] == first[0] and reports[-1].concepts == (both[0],)
    assert develop(requests, backbone, run) == both[::-1]
    assert len(run.individuals()) == 2


def test_the_same_request_twice_is_an_error(backbone):
    request = Request("pet", settings=QUICK)
    with pytest.raises(RequestError, match="requests 0 and 1 are the same: give them different seeds"):
        develop([request, request], backbone)


def test_nothing_is_stored_when_learning_fails(backbone, run):
    with pytest.raises(RequestError):
        develop([Request("pet", settings=QUICK), Request("dragon", settings=QUICK)], backbone, run)
    assert run.individuals() == []


def test_founders_of_later_waves_avoid_what_earlier_ones_imagined(backbone):
    concepts, waves = [], []
    for requests in founders("pet", 5, concepts, wave=2, seed=7, settings=QUICK, negatives=("cat",)):
        waves.append(requests)
        concepts += develop(requests, backbone)
    assert [len(wave) for wave in waves] == [2, 2, 1]
    assert [[avoid.id for avoid in wave[0].avoid] for wave in waves] == [
        [], [c.id for c in concepts[:2]], [c.id for c in concepts[:4]]
    ]  # fmt: skip
    assert np.array_equal(waves[2][0].avoid[3].image_embed, concepts[3].image_embed)
    assert len({concept.request.seed for concept in concepts}) == 5


def test_a_wave_needs_the_one_before(backbone):
    waves = founders("pet", 4, [], wave=2)
    next(waves)
    with pytest.raises(RequestError, match="0 concepts were added before the next wave: expected 2"):
        next(waves)
    with pytest.raises(RequestError, match="founders = 0"):
        next(founders("pet", 0, []))


def test_populate_is_founders_and_develop(backbone, run):
    how = {"settings": QUICK, "run": run}
    concepts = populate("pet", 3, backbone, wave=2, seed=1, request={"negatives": ("cat",)}, **how)
    assert [each.concept for each in run.individuals()] == concepts
    assert [len(concept.request.avoid) for concept in concepts] == [0, 0, 2]
    assert -1 <= likeness(concepts) <= 1 and math.isnan(likeness(concepts[:1]))


def test_mate_makes_a_request_with_the_parents_images_and_weights(backbone, parents):
    known = {}
    request = mate([(parents[0], 0.7), (parents[1], 0.3)], backbone, seed=9, images=4, keep=2, known=known, run="here")
    assert [(p.id, p.weight, p.kind, p.run) for p in request.parents] == [
        (parents[0].id, 0.7, "mix", "here"), (parents[1].id, 0.3, "mix", "here")
    ]  # fmt: skip
    for parent, concept in zip(request.parents, parents, strict=True):
        assert np.array_equal(parent.image_embeds, parent_images(concept, backbone, 4, 2))
        assert known[concept.id] is not None
    assert (request.category, request.schedule, request.seed, request.start) == ("pet", "none", 9, None)
    assert mate([(parents[0], 1.0)], backbone, 1, known=known).parents[0].image_embeds.shape == (2, 16)
    develop([replace(request, settings=QUICK)], backbone)


def test_a_warm_start_is_the_weighted_mean_of_the_parents_vectors(backbone, parents):
    request = mate([(parents[0], 3.0), (parents[1], 1.0)], backbone, 1, warm=True, drawn=False, images=2, keep=1)
    assert np.allclose(request.start, 0.75 * parents[0].vectors + 0.25 * parents[1].vectors)


def test_of_a_parents_images_the_ones_most_like_it_are_kept(backbone, parents):
    every, best = (parent_images(parents[0], backbone, 6, keep) for keep in (6, 2))
    own = torch.tensor(parents[0].image_embed)
    similarity = torch.nn.functional.cosine_similarity(torch.tensor(every), own[None])
    assert similarity.tolist() == sorted(similarity.tolist(), reverse=True)
    assert np.allclose(every[:2], best)
    with pytest.raises(RequestError, match="keep = 3 of images = 2"):
        parent_images(parents[0], backbone, 2, 3)


def test_mating_checks_the_parents(backbone, parents):
    with pytest.raises(RequestError, match="at least one parent"):
        mate([], backbone, 1)
    with pytest.raises(RequestError, match="given twice"):
        mate([(parents[0], 1), (parents[0], 1)], backbone, 1)
    with pytest.raises(RequestError, match="different stacks"):
        mate([(parents[0], 1), (replace(parents[1], fingerprint="other"), 1)], backbone, 1)
    with pytest.raises(RequestError, match="weight 0: expected a number above 0"):
        mate([(parents[0], 1), (parents[1], 0)], backbone, 1, drawn=False, images=1, keep=1)


def test_mutate_goes_on_from_the_parent_and_away_from_it(backbone, parents, run):
    request = mutate(parents[0], 4, steps=1)
    assert np.array_equal(request.start, parents[0].vectors)
    assert request.avoid[-1].id == parents[0].id and request.mixed == () and request.settings.steps == 1
    further = mutate(parents[0], 4, word="dog")
    assert further.negatives == ("cat", "dog") and further.avoid == ()
    (variation,) = develop([request], backbone, run)
    assert run.individuals()[0].generation == 1 and variation.request.parents[0].kind == "mutate"
