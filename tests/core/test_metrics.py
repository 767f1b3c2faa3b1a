"""Measures on the fixed panel, by numbers that can be checked by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from core.concept import Avoid, Parent, Positive, Request
from core.metrics import (
    consistency,
    image_similarity,
    imagine_panel,
    imagine_word,
    mean_pairwise_similarity,
    membership,
    nearest_words,
    scores,
    word_similarity,
)
from core.prompts import GROUPS, PANEL, PANEL_SEEDS, TEMPLATES, drawn_for_question, fill, question
from core.settings import Settings
from core.stack.wordbank import WordBank

X, Y = torch.eye(2)
DIAGONAL = (X + Y) * 7  # lengths play no part
HALF = math.sqrt(0.5)


def test_word_similarity_is_the_mean_over_templates_and_seeds_each_in_its_own_prompt():
    imagined = torch.stack([torch.stack([X, DIAGONAL]), torch.stack([Y, Y])])[None]  # [1, templates, seeds, width]
    texts = torch.stack([torch.stack([X, Y]), torch.stack([Y, X])])  # [words, templates, width]
    assert word_similarity(imagined, texts)[0].tolist() == pytest.approx(
        [(1 + HALF + 1 + 1) / 4, (0 + HALF + 0 + 0) / 4]
    )


def test_image_similarity_is_the_mean_over_panel_and_images():
    imagined = torch.stack([X, Y]).view(2, 1, 1, 2)
    assert image_similarity(imagined, torch.stack([X, DIAGONAL])).tolist() == pytest.approx([(1 + HALF) / 2, HALF / 2])


def test_consistency_compares_templates_of_the_same_seed():
    alike = torch.stack([torch.stack([X, Y]), torch.stack([X, Y])])[None]
    unlike = torch.stack([torch.stack([X, X]), torch.stack([Y, X])])[None]
    assert consistency(torch.cat([alike, unlike])).tolist() == pytest.approx([1.0, 0.5])


def test_mean_pairwise_similarity_of_a_population():
    assert mean_pairwise_similarity(torch.stack([X, Y, DIAGONAL])) == pytest.approx(2 * HALF / 3)
    assert math.isnan(mean_pairwise_similarity(X[None]))


def test_the_panel_is_the_same_alone_and_in_a_batch(backbone64):
    vectors = torch.stack([backbone64.word_vector("cat"), backbone64.word_vector("pear")])[:, None]
    both = imagine_panel(backbone64, "object", vectors)
    assert both.shape == (2, len(PANEL["object"]), len(PANEL_SEEDS), 16)
    assert (imagine_panel(backbone64, "object", vectors[1:]) - both[1:]).abs().max() < 1e-12
    assert (imagine_word(backbone64, "object", "cat") - both[:1]).abs().max() < 1e-12


def test_nearest_words_are_members_nearest_first(backbone):
    bank = WordBank(backbone.encode_text, backbone.width)
    imagined = torch.cat([imagine_word(backbone, "object", word) for word in ("cat", "pear")])
    found = nearest_words(imagined, bank, backbone, "object", "fruit", 3)
    assert len(found) == 2 and all(len(each) == 3 for each in found)
    assert {word for word, _ in found[0]} <= set(backbone.vocabulary.categories["fruit"])
    assert [value for _, value in found[0]] == sorted((value for _, value in found[0]), reverse=True)


def test_members_of_categories_and_styles(backbone):
    categories = backbone.vocabulary.categories
    assert backbone.vocabulary.members("Pet") == tuple(categories["pet"])
    assert backbone.vocabulary.members("art", "style") == tuple(categories["style"])
    assert backbone.vocabulary.members("spaceship") == tuple(backbone.vocabulary.words)


FOUND = {"pet": 0.6, "cat": 0.2, "dog": 0.4, "avoid:a": 0.7, "parent:p": 0.9, "parent:q": 0.5}
SETTINGS = Settings(max_cosine=0.5, min_cosine=0.3, avoid_floor=0.65)


def test_score_of_a_founder():
    request = Request("pet", avoid=(Avoid("a", X.numpy()),), settings=SETTINGS)
    result = scores(request, FOUND, ["cat", "dog"])
    assert result["score"] == pytest.approx(0.5 - 0.4 - (0.7 - 0.65))
    assert result["margin"] == pytest.approx(0.6 - 0.4)
    assert (result["belongs"], result["nearest"], result["crowded"]) == (0.6, 0.4, 0.7)
    assert scores(request, FOUND, ["cat"])["score"] == pytest.approx(0.5 - 0.3 - 0.05)
    assert scores(request, FOUND | {"avoid:a": 0.1}, [])["score"] == pytest.approx(0.5)
    unclamped = replace(request, settings=replace(SETTINGS, clamp=False))
    assert scores(unclamped, FOUND, ["cat"])["score"] == pytest.approx(0.6 - 0.2 - 0.05)


def test_score_of_a_child_and_of_several_positives():
    parents = tuple(Parent(name, weight, X[None].numpy()) for name, weight in (("p", 3), ("q", 1)))
    assert scores(Request("pet", parents=parents, settings=SETTINGS), FOUND, [])["score"] == pytest.approx(0.8)
    both = Request("pet", positives=(Positive("cat", 3), Positive("dog")), settings=SETTINGS)
    assert scores(both, FOUND, [])["belongs"] == pytest.approx(0.25)


def test_score_of_a_child_that_moves_away_from_a_parent():
    """A similarity below the floor costs as much as the floor."""
    parents = tuple(Parent(name, weight, X[None].numpy()) for name, weight in (("p", 2.0), ("q", -0.5)))
    request = Request("pet", parents=parents, settings=SETTINGS)
    result = scores(request, FOUND | {"parent:q": 0.75}, [])
    assert (result["resembles"], result["repelled"]) == (0.9, 0.75)
    assert result["score"] == pytest.approx(0.9 - 0.25 * 0.75)
    assert scores(request, FOUND, [])["score"] == pytest.approx(0.9 - 0.25 * 0.65)
    unclamped = replace(request, settings=replace(SETTINGS, clamp=False))
    assert scores(unclamped, FOUND, [])["score"] == pytest.approx(0.9 - 0.25 * 0.5)


def test_membership_is_to_the_category_and_against_who_is_known_or_else_the_negatives(backbone):
    bank = WordBank(backbone.encode_text, backbone.width)
    imagined = imagine_word(backbone, "object", "dog")
    like = dict(
        zip(
            words := ("pet", "cat", "dog", "apple"),
            word_similarity(imagined, bank.panels("object", words))[0],
            strict=True,
        )
    )
    request = Request("pet", positives=(Positive("apple"),), negatives=("cat",), settings=SETTINGS)
    found = membership(request, imagined, bank, ["cat", "dog", "pet"], ["apple"])
    assert found["category"] == pytest.approx(float(like["pet"]), abs=1e-6), "not to its other positives"
    assert found["differs"] == pytest.approx(float(like["pet"] - max(like["cat"], like["dog"])), abs=1e-6)
    assert membership(request, imagined, bank, [], ["apple"])["differs"] == pytest.approx(
        float(like["pet"] - like["apple"]), abs=1e-6
    )
    assert "differs" not in membership(request, imagined, bank, ["pet", "animals"])


def test_templates_are_what_the_paper_describes():
    standard, edits = GROUPS["object"]
    assert (len(standard), len(edits)) == (3 * 3, 9 * 3) and len(TEMPLATES["style"]) == 20
    for kind, templates in TEMPLATES.items():
        assert len(set(templates)) == len(templates)
        assert all(template.count("{}") == 1 for template in (*templates, *PANEL[kind]))
        assert set(fill(templates[0], "moku")) - set(fill(templates[0], "")) >= set("mk") - set(templates[0])


def test_a_styles_own_positive_is_its_prompt_without_the_style():
    assert fill("a painting of a dog in the style of {}", "") == "a painting of a dog"


def test_questions_name_the_category():
    assert question("object", "pet") == "What kind of pet is in this photo?"
    assert question("style", "art", "paper") == "What art style was used in this photo of a horse and a barn?"
    assert drawn_for_question("object", "published").startswith("Professional high-quality art")


def test_constraint_words_are_encoded_once_as_one_batch_of_a_fixed_shape(backbone):
    calls = []

    def encode(prompts):
        calls.append(len(prompts))
        return backbone.encode_text(prompts)

    bank = WordBank(encode, 16)
    for word in ("cat", "dog", "cat"):
        assert bank.templates(TEMPLATES["object"], word).shape == (len(TEMPLATES["object"]), 16)
        assert torch.allclose(bank.panel("object", word).norm(dim=-1), torch.ones(len(PANEL["object"])))
    assert bank.panels("object", ["cat", "dog"]).shape == (2, len(PANEL["object"]), 16)
    assert sorted(calls) == sorted([len(TEMPLATES["object"]), len(PANEL["object"])] * 2)
