"""Words beside parents, weights around given ones, and how far a variation goes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as within
from hypothesis import strategies as st

from core import Request, Settings
from core.concept import Parent, RequestError
from core.constraints import normalise
from core.optimizer import ConceptLab
from core.prompts import TEMPLATES
from core.stack.wordbank import WordBank
from core.state import initial_state, make_constraints
from core.step import Draw, make_loss
from evolve import Portraits, develop, mate, mutate
from evolve.operators import LEAST_SHARE, NO_SPREAD, spread_weights

QUICK = Settings(steps=3, segment=1, learning_rate=1e-2, lam=0.7)


@pytest.fixture(scope="module")
def parents(backbone):
    return develop([Request("pet", negatives=("cat",), seed=seed, settings=QUICK) for seed in (1, 2)], backbone)


def test_words_beside_parents_are_the_positive_part_of_eq_3_with_its_lambda(backbone, parents):
    """λ (1 − S(words)) + 1 − Σ w c, with the words capped as ever."""
    pairs = [(parents[0], 0.7), (parents[1], 0.3)]
    settings = replace(QUICK, max_cosine=0.1)
    request = mate(pairs, backbone, 5, settings=settings, portraits=Portraits(2, 1, False), words=("blue", "small"))
    plain = replace(request, positives=())
    bank = WordBank(backbone.encode_text, backbone.width)
    lab = ConceptLab(backbone)
    requests = [lab.prepared(each) for each in (request, plain)]
    like = torch.zeros(1, 1)
    imagined = normalise(torch.randn(2, backbone.width, generator=torch.Generator().manual_seed(1)))
    imagined[1] = imagined[0]
    state = initial_state(requests, torch.zeros(2, 1, 16), [(), ()], bank)
    draws = [Draw("object", 1, (0, 0), 0)] * 2
    with_words, without = make_loss(settings)(
        imagined, make_constraints(requests, [(), ()], bank, like), state.numbers, draws
    )
    by_hand = [float(bank.templates(TEMPLATES["object"], word)[1] @ imagined[0]) for word in ("blue", "small")]
    images = [float(normalise(torch.tensor(p.image_embeds[0])) @ imagined[0]) for p in request.parents]
    assert float(without) == pytest.approx(1 - 0.7 * images[0] - 0.3 * images[1], abs=1e-5)
    expected = 0.7 * (1 - sum(min(each, 0.1) for each in by_hand) / 2)
    assert float(with_words - without) == pytest.approx(expected, abs=1e-5)


def test_a_child_with_words_is_learned_and_measured_by_them(backbone, parents):
    pairs = [(parents[0], 0.5), (parents[1], 0.5)]
    how = {"settings": replace(QUICK, steps=30, segment=10), "portraits": Portraits(2, 1, False)}
    plain, blue = develop([mate(pairs, backbone, 5, **how), mate(pairs, backbone, 5, words=["blue"], **how)], backbone)
    measured = {(each.step, each.constraint): each.similarity for each in blue.history}
    assert "belongs" not in plain.scores and blue.scores["belongs"] == measured[blue.kept_step, "blue"]
    assert {"belongs", "resembles"} <= set(blue.scores)
    with pytest.raises(RequestError, match="does not know the word 'unheardof'"):
        develop([mate(pairs, backbone, 5, words=["unheardof"], **how)], backbone)


shares = st.lists(st.floats(0.01, 100), min_size=1, max_size=6)


@within(max_examples=60)
@given(shares, st.floats(0, 0.9), st.integers(0, 10**9))
def test_spread_weights_are_weights_with_the_same_sum(weights, spread, seed):
    drawn = spread_weights(weights, spread, seed)
    assert len(drawn) == len(weights) and drawn == spread_weights(weights, spread, seed)
    assert sum(drawn) == pytest.approx(sum(weights), rel=1e-2)
    if spread >= NO_SPREAD and len(weights) > 1:
        assert min(drawn) / sum(drawn) >= LEAST_SHARE / 2
    else:
        assert drawn == weights


def test_the_spread_is_a_share_of_the_widest_there_could_be():
    drawn = np.array([spread_weights([0.6, 0.4], 0.25, seed)[0] for seed in range(400)])
    assert drawn.mean() == pytest.approx(0.6, abs=0.02)
    assert drawn.std() == pytest.approx(0.25 * np.sqrt(0.6 * 0.4), rel=0.12)
    for spread in (-0.1, 1.0, float("nan")):
        with pytest.raises(RequestError, match="spread = "):
            spread_weights([1.0, 1.0], spread, 0)


def test_how_far_a_variation_may_go(parents):
    floor = parents[0].request.chosen.avoid_floor
    whole, half = mutate(parents[0], 3), mutate(parents[0], 3, strength=0.5)
    assert (whole.chosen.steps, whole.chosen.avoid_floor) == (3, floor)
    assert (half.chosen.steps, half.chosen.avoid_floor) == (2, pytest.approx((1 + floor) / 2))
    assert mutate(parents[0], 3, strength=0.5, steps=9).chosen.steps == 9
    assert np.array_equal(half.start, parents[0].vectors)
    shaken = [mutate(parents[0], seed, jitter=0.2).start for seed in (3, 3, 4)]
    assert np.array_equal(shaken[0], shaken[1]) and not np.array_equal(shaken[0], shaken[2])
    for strength in (0, 1.1, float("nan")):
        with pytest.raises(RequestError, match="strength = "):
            mutate(parents[0], 3, strength=strength)


def test_words_of_a_variation_stand_beside_what_its_parent_is(parents):
    request = mutate(parents[0], 3, words=["blue", "Pet"])
    assert [(p.word, p.weight) for p in request.positives] == [("pet", 1.0), ("blue", 1.0)]
    assert mutate(parents[0], 3, words=["Cat"]).negatives == (), "a positive is removed from the negatives"
    assert mutate(parents[0], 3).positives == parents[0].request.positives


def test_children_begin_at_the_weighted_mean_of_their_parents_unless_they_are_learned_as_the_paper_says(
    backbone, parents
):
    pairs, how = [(parents[0], 3.0), (parents[1], 1.0)], {"portraits": Portraits(2, 1, False)}
    mean = 0.75 * parents[0].vectors + 0.25 * parents[1].vectors
    for settings in (None, QUICK):
        np.testing.assert_allclose(mate(pairs, backbone, 1, settings=settings, **how).start, mean, rtol=1e-6)
    for preset in ("paper", "published"):
        assert mate(pairs, backbone, 1, settings=Settings(preset=preset), **how).start is None


def test_the_categorys_word_stands_for_a_photograph_where_a_child_begins(backbone, parents):
    photo = Parent("photo-0123456789abcdef", 2.0, np.ones((1, backbone.width), dtype=np.float32), "image")
    how = {"portraits": Portraits(2, 1, False)}
    word = backbone.word_vector("cat").numpy()
    request = mate([(parents[0], 2.0), photo], backbone, 1, category="cat", **how)
    np.testing.assert_allclose(request.start, (parents[0].vectors + word) / 2, rtol=1e-6)
    assert mate([photo], backbone, 1, category="pet", **how).start is None


@pytest.mark.slow
def test_a_grandchild_of_four_founders_is_as_near_to_each_as_its_share(backbone):
    """Hierarchical mixing, as in the paper: two couples, and their children are a couple. A founder's share is
    the product of the weights on the way. In four grandchildren the founders change places: each is nearest to the one
    in which its share is largest, and the larger the share, the nearer.
    """
    settings, seen = Settings(steps=120, segment=60, learning_rate=5e-2), {}

    def child(couple, seed):  # from the category's word: from its parents' mean it would be near them before it learns
        request = mate(couple, backbone, seed, settings=settings, portraits=Portraits(known=seen))
        return replace(request, start=None)

    founders = develop([Request("pet", negatives=("cat",), seed=n, settings=QUICK) for n in range(4)], backbone)
    axes = np.linalg.qr(np.random.default_rng(3).normal(size=(backbone.width, 4)))[0].T.astype(np.float32)
    seen |= {each.id: axis[None] for each, axis in zip(founders, axes, strict=True)}  # they look as unlike as can be
    places = [[(place + turn) % 4 for place in range(4)] for turn in range(4)]
    couples = [
        [[(founders[a], 0.8), (founders[b], 0.2)], [(founders[c], 0.7), (founders[d], 0.3)]] for a, b, c, d in places
    ]
    children = develop([child(couple, 5) for two in couples for couple in two], backbone)
    seen |= {child.id: child.image_embed[None] for child in children}
    couples = [[(children[2 * n], 0.75), (children[2 * n + 1], 0.25)] for n in range(4)]
    grandchildren = develop([child(couple, 9) for couple in couples], backbone)
    shares = np.zeros((4, 4))
    for row, place in enumerate(places):
        shares[row, place] = 0.75 * 0.8, 0.75 * 0.2, 0.25 * 0.7, 0.25 * 0.3
    assert np.allclose(shares.sum(1), 1)
    near = np.stack([axes @ (each.image_embed / np.linalg.norm(each.image_embed)) for each in grandchildren])
    assert (near.argmax(0) == shares.argmax(0)).all()
    both = shares.ravel(), (near - near.mean(0)).ravel()
    assert np.corrcoef(both)[0, 1] > 0.5


def test_a_child_that_inherits_is_of_its_category_and_none_of_what_its_parents_are_not(backbone):
    one, other = develop(
        [
            Request("pet", negatives=negatives, seed=seed, settings=QUICK)
            for seed, negatives in ((1, ("cat", "dog")), (2, ("dog",)))
        ],
        backbone,
    )
    how = {"settings": QUICK, "portraits": Portraits(2, 1, False)}
    plain = mate([(one, 0.4), (other, 0.6)], backbone, 5, **how)
    child = mate([(one, 0.4), (other, 0.6)], backbone, 5, inherit=True, words=("blue", "pet"), **how)
    assert not plain.negatives and not plain.positives and plain.schedule == "none"
    assert [positive.word for positive in child.positives] == ["pet", "blue"]
    assert child.negatives == ("dog", "cat") and child.schedule == "list"  # of the heavier parent first
    assert replace(child, positives=(), negatives=(), schedule="none") == plain
    # A positive is removed from the negatives that parents pass on.
    assert mate([(one, 1.0)], backbone, 5, inherit=True, words=("cat",), **how).negatives == ("dog",)
    (learned,) = develop([child], backbone)
    assert {"belongs", "nearest", "resembles"} <= set(learned.scores)
