"""One aspect of an image embedding, taken from others: the algebra, the phrases, and errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.aspects import ASPECTS, VARIANCE, AspectError, checked_aspect, subspace, with_aspect, words_of

RNG = np.random.default_rng(0)


def test_the_aspect_is_of_the_others_and_the_rest_stays():
    """e − P e + P t in float64 with P written out, at length 1, then as long as e."""
    e, t = RNG.normal(size=(3, 16)), RNG.normal(size=(2, 16))
    basis = np.linalg.qr(RNG.normal(size=(16, 4)))[0].T
    projection = sum(np.outer(row, row) for row in basis)
    mean = sum(row / np.linalg.norm(row) for row in t)
    mean = mean / np.linalg.norm(mean)
    found = with_aspect(e, t, basis)
    for row, ours in zip(e, found, strict=True):
        unit = row / np.linalg.norm(row)
        plain = unit - projection @ unit + projection @ mean
        np.testing.assert_allclose(ours, plain / np.linalg.norm(plain) * np.linalg.norm(row), rtol=1e-6)
        direction = ours / np.linalg.norm(ours) * np.linalg.norm(plain)
        np.testing.assert_allclose(projection @ direction, projection @ mean, atol=1e-6)
    assert np.allclose(with_aspect(e[:1], e[:1], basis), e[:1]), "its own aspect changes nothing"
    assert found.dtype == np.float32


def test_the_subspace_is_spanned_by_the_words_averaged_over_nouns(backbone64):
    """By hand: every word with every noun, one prompt at a time."""
    nouns = [word for word in backbone64.vocabulary.words if backbone64.knows(word)]
    nouns = [nouns[place * len(nouns) // 24] for place in range(24)] if len(nouns) > 24 else nouns
    means = []
    for word in ("red", "blue", "small"):
        rows = [backbone64.encode_text([f"a photo of a {word} {noun}"])[0].double() for noun in nouns]
        means.append(sum(row / row.norm() for row in rows) / len(rows))
    centred = torch.stack(means) - sum(means) / 3
    _, values, directions = torch.linalg.svd(centred, full_matrices=False)
    rank = 1 if values[0] ** 2 >= VARIANCE * (values**2).sum() else 2
    found = torch.from_numpy(subspace(backbone64, "red,blue,small").astype(np.float64))
    assert found.shape == (rank, backbone64.width)
    assert torch.allclose(found.T @ found, directions[:rank].T @ directions[:rank], atol=1e-6)
    assert subspace(backbone64, "red,blue,small") is subspace(backbone64, "red,blue,small"), "made once"


def test_the_rank_is_what_explains_the_words(backbone):
    words = [word for word in ASPECTS["colour"] if backbone.knows(word)]
    basis = subspace(backbone, "colour")
    assert 1 <= len(basis) < len(words)
    assert 0.5 < VARIANCE < 1


def test_a_single_word_is_compared_with_a_thing_without_it(backbone):
    assert words_of("blue", backbone) == ["", "blue"]
    assert words_of(" blue , small,blue", backbone) == ["blue", "small"]
    assert len(subspace(backbone, "blue")) == 1


@pytest.mark.parametrize(
    ("aspect", "told"),
    [
        ("unheardof", "does not know the aspect 'unheardof': choose colour, pattern"),
        ("blue,unheardof", "does not know the aspect 'unheardof'"),
        (",", "the aspect ',' has no words"),
        ("", "write colour, pattern"),
        ("{}", "write colour, pattern"),
        ("b\x07lue", "remove it"),
        ("blue " * 50, "write colour, pattern"),
    ],
)
def test_what_cannot_be_taken_is_said_in_one_line(backbone, aspect, told):
    with pytest.raises(AspectError) as error:
        words_of(checked_aspect(aspect), backbone)
    assert told in str(error.value) and "\n" not in str(error.value)


def test_aspects_go_by_one_name():
    assert (checked_aspect("Color"), checked_aspect(" PATTERN "), checked_aspect("style")) == (
        "colour",
        "pattern",
        "look",
    )
    assert checked_aspect("Top  hat") == "Top hat"
