"""The README's claims about the embedded stack, in small: adaptive negatives push, waves of founders differ, children
follow their weights. Fewer steps than the demo, so that all of it takes about a minute on one core."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from core import Backbone, ConceptLab, Request, Settings
from core.concept import Avoid, Parent
from core.constraints import normalise
from core.metrics import imagine_panel, imagine_word, mean_pairwise_similarity, word_similarity
from core.options import Options
from core.stack.wordbank import WordBank
from core.streams import stream_seed

pytestmark = pytest.mark.slow
FOUNDERS, STEPS, SEGMENT = 6, 300, 60
WEIGHTS = (0.1, 0.3, 0.5, 0.7, 0.9)


@pytest.fixture(scope="module")
def emoji():
    return Backbone.load("emoji", device="cpu")


@pytest.fixture(scope="module")
def settings(emoji):
    return Settings.for_stack(emoji, category="pet", steps=STEPS, segment=SEGMENT)


@pytest.fixture(scope="module")
def lab(emoji):
    return ConceptLab(emoji)


def seeds():
    return [stream_seed(0, number, "founder") % 10**9 for number in range(FOUNDERS)]


@pytest.fixture(scope="module")
def independent(lab, settings):
    """Founders that know nothing of each other, with adaptive negatives."""
    return lab.run([Request("pet", seed=seed) for seed in seeds()], Options(settings, namer=None))


@pytest.fixture(scope="module")
def control(lab, settings):
    """The same without negatives, for as many steps."""
    to_the_end = replace(settings, patience=0)
    return lab.run([Request("pet", seed=seed, schedule="none", settings=to_the_end) for seed in seeds()[:4]])


def to_words(emoji, concept, words):
    """Similarity of a concept to words on the fixed panel."""
    bank = WordBank(emoji.encode_text, emoji.width)
    imagined = imagine_panel(emoji, "object", torch.from_numpy(concept.vectors.copy())[None])
    return word_similarity(imagined, bank.panels("object", words))[0].tolist()


def test_adaptive_negatives_push(emoji, independent, control):
    """At least 90 % end lower than when they were added, and lower than in a control that learns without them."""
    lower_than_added, lower_than_control = [], []
    for concept, without in zip(independent, control, strict=False):
        words = [negative.word for negative in concept.negatives]
        ends = to_words(emoji, concept, words)
        added = {(m.constraint, m.step): m.similarity for m in concept.history}
        lower_than_added += [
            end < added[negative.word, negative.step]
            for end, negative in zip(ends, concept.negatives, strict=True)
            if negative.step < concept.kept_step
        ]
        lower_than_control += [a < b for a, b in zip(ends, to_words(emoji, without, words), strict=True)]
    assert len(lower_than_added) >= 8
    assert np.mean(lower_than_added) >= 0.9
    assert np.mean(lower_than_control) >= 0.9


def test_waves_of_founders_differ_and_still_belong(lab, independent):
    waves = []
    for first in range(0, FOUNDERS, 2):
        avoid = tuple(Avoid(concept.id, concept.image_embed) for concept in waves)
        waves += lab.run([Request("pet", seed=seed, avoid=avoid) for seed in seeds()[first : first + 2]])

    def likeness(concepts):
        return mean_pairwise_similarity(torch.tensor(np.stack([concept.image_embed for concept in concepts])))

    def belongs(concepts):
        return np.mean([concept.scores["belongs"] for concept in concepts])

    assert likeness(waves) <= likeness(independent) - 0.15
    assert belongs(waves) >= belongs(independent) - 0.05


def test_a_childs_closeness_to_a_parent_follows_the_weight(emoji, settings):
    """Five seeds, weights 0.1 … 0.9, the fixed panel: Spearman of at least 0.9 for each seed."""
    one, two = (imagine_word(emoji, "object", word).flatten(0, 2) for word in ("cat", "parrot"))
    settings = replace(settings, steps=100, segment=100)
    requests = [
        Request(
            "pet",
            parents=(Parent("one", weight, one.numpy()), Parent("two", 1 - weight, two.numpy())),
            seed=seed,
            settings=settings,
        )
        for seed in range(5)
        for weight in WEIGHTS
    ]
    children = ConceptLab(emoji).run(requests)
    own = normalise(one.mean(0))
    closeness = [float(normalise(torch.tensor(child.image_embed)) @ own) for child in children]
    for of_seed in np.array(closeness).reshape(5, len(WEIGHTS)):
        assert spearmanr(WEIGHTS, of_seed).statistic >= 0.9
