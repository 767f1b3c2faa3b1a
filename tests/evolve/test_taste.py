"""A taste learns from ratings and comparisons, says how sure it is, and its file is nobody's program."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy.optimize import minimize
from scipy.stats import norm

from evolve import taste
from evolve.store.ratings import answer, new_session
from evolve.taste import Judgements, TasteError, fit, judgements, most_telling, reasons
from tests.families import concept, new_run

WIDTH = 16


def pool(count: int, seed: int = 0) -> np.ndarray:
    """Embeddings that vary in a few directions."""
    random = np.random.default_rng(seed)
    return (random.normal(size=(count, 4)) @ random.normal(size=(4, WIDTH)) + 3).astype(np.float32)


def told(embeds: np.ndarray, ratings=(), preferred=()) -> Judgements:
    named = {str(row): embed for row, embed in enumerate(embeds)}
    return Judgements(
        tuple((str(row), level) for row, level in ratings),
        tuple((str(one), str(two)) for one, two in preferred),
        named,
    )


def utility(embeds: np.ndarray, seed: int = 1) -> np.ndarray:
    unit = embeds / np.linalg.norm(embeds, axis=1, keepdims=True)
    along = (unit - unit.mean(0)) @ np.random.default_rng(seed).normal(size=WIDTH)
    return (along - along.mean()) / along.std()


RATINGS = [(0, 5), (1, 1), (2, 3), (2, 4), (3, 2)]
PAIRS = [(0, 1), (4, 5), (5, 4), (0, 4)]


def test_slope_and_curvature_are_those_of_the_likelihood():
    random, thresholds = np.random.default_rng(0), np.array([-1.2, -0.3, 0.4, 1.5])
    appeal = random.normal(size=6)

    def value(at):
        return taste._likelihood(at, RATINGS, PAIRS, thresholds)

    around = 1e-5 * np.eye(6)
    _, slope, curvature = value(appeal)
    numeric = [(value(appeal + each)[0] - value(appeal - each)[0]) / 2e-5 for each in around]
    np.testing.assert_allclose(slope, numeric, atol=1e-7)
    bent = [-(value(appeal + each)[1] - value(appeal - each)[1]) / 2e-5 for each in around]
    np.testing.assert_allclose(curvature, bent, atol=1e-6)


def test_the_likelihood_is_ordered_probit_and_bradley_terry():
    appeal, thresholds = np.array([0.3, -0.4]), np.array([-1.0, -0.2, 0.5, 1.1])
    value, _, _ = taste._likelihood(appeal, [(0, 2), (1, 5)], [(0, 1)], thresholds)
    s = taste.NOISE
    rated = norm.cdf((-0.2 - 0.3) / s) - norm.cdf((-1.0 - 0.3) / s), 1 - norm.cdf((1.1 + 0.4) / s)
    won = np.exp(0.3 / s) / (np.exp(0.3 / s) + np.exp(-0.4 / s))
    assert value == pytest.approx(np.log(rated).sum() + np.log(won))


def test_the_posterior_is_laplaces_written_plainly():
    """Its mode by a general optimiser; mean and variance elsewhere from the inverse of the curvature."""
    embeds = pool(9)
    found = fit(told(embeds[:6], RATINGS, PAIRS), list(embeds[6:]))
    kernel = taste._kernel(found.places, found.places)
    inverse = np.linalg.inv(kernel)

    def loss(at):
        value, slope, _ = taste._likelihood(at, RATINGS, PAIRS, found.thresholds)
        return at @ inverse @ at / 2 - value, inverse @ at - slope

    mode = minimize(loss, np.zeros(6), jac=True, tol=1e-14).x
    *_, curvature = taste._likelihood(mode, RATINGS, PAIRS, found.thresholds)
    places = (taste._unit(embeds[6:]) - found.centre) @ found.directions
    near = taste._kernel(places, found.places) @ inverse
    posterior = np.linalg.inv(inverse + curvature)
    plain = taste._kernel(places, places) - near @ kernel @ near.T + near @ posterior @ near.T
    mean, covariance = found.appeal(embeds[6:].astype(np.float64))
    np.testing.assert_allclose(mean, near @ mode, atol=1e-5)
    np.testing.assert_allclose(covariance, plain, atol=1e-5)


def test_it_finds_what_a_person_likes():
    embeds, truth = pool(200), utility(pool(200))
    levels = np.searchsorted([-1.0, -0.3, 0.3, 1.0], truth[:30]) + 1
    preferred = [(a, b) if truth[a] > truth[b] else (b, a) for a, b in zip(range(30, 50), range(50, 70), strict=True)]
    expected, unsure = fit(told(embeds, list(enumerate(levels)), preferred), list(embeds)).rating(embeds[70:])
    assert np.corrcoef(expected, truth[70:])[0, 1] > 0.85
    assert expected.min() >= 1 and expected.max() <= 5 and (unsure > 0).all()
    assert unsure[:30].mean() > 0


def test_it_is_surer_of_what_resembles_the_judged():
    embeds = pool(40)
    found = fit(told(embeds, [(row, 1 + row % 5) for row in range(10)]), list(embeds))
    _, judged = found.rating(embeds[:10])
    _, far = found.rating(3 * embeds.mean(0) - 2 * embeds[10:])
    assert judged.mean() < far.mean()


def test_the_most_telling_pair_is_the_one_with_most_expected_information():
    embeds = pool(12)
    found = fit(told(embeds, [(0, 5), (1, 1), (2, 4)]), list(embeds))
    mean, covariance = found.appeal(embeds.astype(np.float64))
    points, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    noise = np.sqrt(taste.NOISE**2 * 8 / np.pi)

    def entropy(p):
        p = np.clip(p, 1e-12, 1 - 1e-12)
        return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))

    gains = {}
    for one in range(12):
        for two in range(one):
            spread = np.sqrt(max(covariance[one, one] + covariance[two, two] - 2 * covariance[one, two], 0))
            chances = norm.cdf((mean[one] - mean[two] + spread * points) / noise)
            gains[one, two] = entropy(weights @ chances) - weights @ entropy(chances)
    chosen = tuple(sorted(most_telling(found, embeds.astype(np.float64)), reverse=True))
    assert gains[chosen] > 0.98 * max(gains.values())


def test_reasons_name_the_direction_that_counts():
    embeds, random = pool(80), np.random.default_rng(1)
    liked = random.normal(size=WIDTH)
    truth = utility(embeds)
    levels = np.searchsorted([-1.0, -0.3, 0.3, 1.0], truth) + 1
    found = fit(told(embeds, list(enumerate(levels[:60]))), list(embeds))
    words = {"liked": liked, "disliked": -liked, "other": random.normal(size=WIDTH)}
    (first, strength), (_, opposite), _ = reasons(found, embeds.astype(np.float64), words)
    assert first in ("liked", "disliked") and strength == pytest.approx(-opposite)
    assert dict(reasons(found, embeds.astype(np.float64), words))["liked"] > 0.7


def test_too_few_answers_and_other_stacks_are_told():
    with pytest.raises(TasteError, match="only 2 concepts are judged: rate or compare at least 3"):
        fit(told(pool(2), [(0, 5)], [(0, 1)]))
    other = Judgements((("x", 3),), (), {"x": np.ones(WIDTH, np.float32)}, "another")
    with pytest.raises(TasteError, match=r"of another stack \(another, not \)"):
        told(pool(2), [(0, 5)]).with_others([other])
    narrow = Judgements((("x", 3),), (), {"x": np.ones(3, np.float32)}, "")
    with pytest.raises(TasteError, match=f"of widths 3 and {WIDTH}"):
        told(pool(2), [(0, 5)]).with_others([narrow])
    with pytest.raises(TasteError, match="no concept of the run is judged yet"):
        taste.store(Judgements(), Path("nowhere"))
    with pytest.raises(TasteError, match="a comparison takes two"):
        most_telling(fit(told(pool(3), [(0, 5), (1, 1), (2, 3)])), pool(1).astype(np.float64))


def test_all_of_one_concept_or_all_alike_is_no_fault():
    embeds = np.repeat(pool(1), 4, 0)
    expected, unsure = fit(told(embeds, [(row, 4) for row in range(4)])).rating(embeds)
    assert np.isfinite(expected).all() and np.isfinite(unsure).all()


def test_notes_and_blind_answers_of_a_run_are_judgements(tmp_path):
    run = new_run(tmp_path)
    ids = [each.id for each in run.add([concept(seed) for seed in range(5)])]
    run.note(ids[0], rating=4)
    run.note(ids[1], favourite=True)
    run.note(ids[2], hidden=True)
    session = new_session(run, "me", "pairs", {ids[3]: ["a" * 24 + ".png"], ids[4]: ["b" * 24 + ".png"]}, "which?", 0)
    (question,) = session.questions()
    answer(run, session, question, 2)
    found = judgements(run)
    assert set(found.ratings) == {(ids[0], 4), (ids[1], 5), (ids[2], 1)}
    assert found.preferred == ((question.concepts[1], question.concepts[0]),)
    assert set(found.embeds) == set(ids)
    expected = taste.expected_ratings(run)
    assert set(expected) == set(ids) and expected[ids[1]] > expected[ids[2]]


def test_concepts_of_another_width_are_left_out(tmp_path):
    run = new_run(tmp_path)
    ids = [each.id for each in run.add([concept(seed) for seed in range(3)])]
    (strange,) = run.add([replace(concept(4), image_embed=np.ones(7, np.float32))])
    run.note(ids[0], rating=4)
    run.note(strange.id, rating=2)
    assert judgements(run).ratings == ((ids[0], 4),) and set(judgements(run).embeds) == {ids[0]}


def test_a_concept_counts_with_the_answers_of_the_first_that_judges_it():
    mine, theirs = told(pool(4), [(0, 5), (1, 2)], [(2, 3)]), told(pool(6), [(0, 1), (4, 3)], [(3, 2), (3, 5)])
    mine = Judgements(mine.ratings, mine.preferred, {id_: mine.embeds[id_] for id_ in mine.concepts})
    together = mine.with_others([mine, theirs])
    assert together.ratings == (("0", 5), ("1", 2), ("4", 3)) and together.preferred == (("2", "3"), ("3", "5"))
    assert set(together.concepts) <= set(together.embeds)


def test_a_taste_is_a_small_file_that_comes_back(tmp_path):
    mine = told(pool(6), RATINGS, PAIRS)
    taste.store(mine, tmp_path / "mine.safetensors")
    again = taste.read(tmp_path / "mine.safetensors")
    assert again.ratings == mine.ratings and again.preferred == mine.preferred
    assert all((again.embeds[id_] == mine.embeds[id_]).all() for id_ in mine.concepts)


@pytest.mark.parametrize(
    "content",
    [
        {"concepts": ["a", "a"], "ratings": [], "preferred": []},
        {"concepts": ["a", "b"], "ratings": [[2, 5]], "preferred": []},
        {"concepts": ["a", "b"], "ratings": [[-1, 5]], "preferred": []},
        {"concepts": ["a", "b"], "ratings": [[0, 6]], "preferred": []},
        {"concepts": ["a", "b"], "ratings": [[0, "x"]], "preferred": []},
        {"concepts": ["a"], "ratings": [], "preferred": []},
        {"concepts": ["a", "b"], "ratings": [[0, 1e999]], "preferred": []},
        [],
    ],
)
def test_a_strangers_file_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "strange.safetensors"
    content = {"stack": "f", **content} if isinstance(content, dict) else content
    save_file({"embeds": np.ones((2, 4), np.float32)}, path, metadata={"taste": json.dumps(content)})
    with pytest.raises(TasteError, match="is not a taste"):
        taste.read(path)


@pytest.mark.parametrize("cut", [0, 7, 40, -3])
def test_a_cut_file_is_refused_in_one_line(tmp_path, cut):
    path = tmp_path / "mine.safetensors"
    taste.store(told(pool(6), RATINGS, PAIRS), path)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(TasteError, match="is not a taste"):
        taste.read(path)
