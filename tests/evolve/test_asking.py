"""What is asked next teaches or pleases, nothing is asked twice, and proposed parents are expected to be liked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evolve import Run
from evolve.asking import SHOWN, chosen, far_apart, may_like, next_round
from evolve.store.likes import add_round
from evolve.taste import NOISE, Judgements, fit, information
from tests.families import concept, new_run

WIDTH = 8


def placed(seed: int, embed: np.ndarray):
    made = concept(seed, width=WIDTH)
    return replace(made, image_embed=embed.astype(np.float32))


def on_a_circle(tmp_path, count: int = 24) -> Run:
    """Concepts whose embeddings lie on a half circle, in the order of their angle."""
    run = new_run(tmp_path / "circle")
    angles = np.linspace(0, np.pi, count)
    base = np.zeros((count, WIDTH))
    base[:, 0], base[:, 1], base[:, 2] = np.cos(angles), np.sin(angles), 1.0
    run.add([placed(seed, embed) for seed, embed in enumerate(base)])
    return run


def test_the_first_round_is_of_concepts_that_are_far_apart(tmp_path):
    run = on_a_circle(tmp_path)
    ids = [each.id for each in run.entries()]
    shown = [ids.index(id_) for id_ in next_round(run)]
    assert len(shown) == SHOWN and {0, len(ids) - 1} <= set(shown)
    assert min(np.diff(sorted(shown))) >= 2
    assert next_round(run) == next_round(Run.open(run.folder)), "the same until something is said"


def test_nothing_is_asked_twice_nor_what_is_judged_or_hidden(tmp_path):
    run = on_a_circle(tmp_path)
    ids = [each.id for each in run.entries()]
    run.note(ids[0], rating=3)
    run.note(ids[1], hidden=True)
    seen = {ids[0], ids[1]}
    while shown := next_round(run):
        assert seen.isdisjoint(shown) and len(shown) <= SHOWN
        seen.update(shown)
        add_round(run, shown, shown[:1])
    assert seen == set(ids)


def test_only_those_among_are_asked(tmp_path):
    run = on_a_circle(tmp_path)
    some = [each.id for each in run.entries()][:3]
    assert set(next_round(run, among=some)) == set(some) and next_round(run, among=[]) == []
    assert next_round(new_run(tmp_path / "empty")) == []


def test_half_of_a_round_is_expected_to_be_liked(tmp_path):
    run = on_a_circle(tmp_path, 40)
    ids = [each.id for each in run.entries()]
    for place in (0, 1, 2):
        run.note(ids[place], rating=5)
    for place in (20, 30, 39):
        run.note(ids[place], rating=1)
    shown = [ids.index(id_) for id_ in next_round(run)]
    assert len(shown) == SHOWN
    assert set(shown[SHOWN // 2 :]) <= set(range(3, 9)), "beside the liked ones"
    assert min(shown[: SHOWN // 2]) > 5 or max(shown[: SHOWN // 2]) > 8, "the others teach"


def test_one_answer_leaves_less_to_learn_about_its_neighbours():
    embeds = np.random.default_rng(0).normal(size=(30, WIDTH))
    embeds[1] = embeds[0]  # twins
    told = Judgements((("a", 5), ("b", 1), ("c", 3)), embeds={"a": embeds[5], "b": embeds[6], "c": embeds[7]})
    found = chosen(fit(told, list(embeds)), embeds, 20)
    teaching = found[:10]
    assert not {0, 1} <= set(teaching)
    assert len(set(found)) == len(found) == 20


def test_information_is_that_of_the_answer():
    """Against the mutual information computed on a grid; BALD's approximation is within a few percent."""
    from scipy.stats import norm

    grid = np.linspace(-9, 9, 4001)
    for mean, variance in ((0.0, 1.0), (0.7, 0.5), (-1.2, 2.0)):
        weights = norm.pdf(grid, mean, np.sqrt(variance))
        weights /= weights.sum()
        chance = norm.cdf(grid / NOISE)

        def bits(p):
            p = np.clip(p, 1e-12, 1 - 1e-12)
            return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))

        exact = bits((weights * chance).sum()) - (weights * bits(chance)).sum()
        near = information(np.array(mean), np.array(variance), NOISE**2)
        assert near == pytest.approx(exact, abs=0.02)


def test_few_concepts_are_all_shown():
    assert far_apart(np.eye(2), 6) == [0, 1]


def test_parents_are_proposed_once_something_is_judged(tmp_path):
    run = on_a_circle(tmp_path)
    entries = run.entries()
    assert may_like(run) == []
    for place in (0, 2, 6, 8):
        run.note(entries[place].id, rating=5)
    for place in (16, 20, 23):
        run.note(entries[place].id, rating=1)
    found = may_like(run)
    places = [[[each.id for each in entries].index(id_) for id_ in each.parents] for each in found]
    assert 1 <= len(found) <= 3 and max(places[0]) < 14
    assert [each.expected for each in found] == sorted((each.expected for each in found), reverse=True)
    flat = [place for pair in places for place in pair]
    assert len(flat) == len(set(flat))
    run.note(found[0].parents[0], hidden=True)
    assert found[0].parents[0] not in [id_ for each in may_like(run) for id_ in each.parents]


def test_a_pair_that_has_a_child_is_not_proposed(tmp_path):
    run = on_a_circle(tmp_path, 8)
    for each, rating in zip(run.entries(), (5, 5, 4, 4, 2, 2, 1, 1), strict=True):
        run.note(each.id, rating=rating)
    first = may_like(run)[0].parents
    child = concept(99, dict.fromkeys(first, 0.5), width=WIDTH)
    run.add([replace(child, image_embed=run.image_embeds()[first[0]])])
    assert all(set(each.parents) != set(first) for each in may_like(run))
