"""Searches that are proposed instead of one that finds nothing."""

from __future__ import annotations

import pytest

from ui.search import COMMENT, LIKE, NAME, NOT, PROMPT, TAG, common, proposed, terms_of

THERE = [
    (NAME, "Moku"),
    (NAME, "Whisker"),
    (LIKE, "striped"),
    (NOT, "black cat"),
    (NOT, "dog"),
    (NOT, "dog"),
    (TAG, "Forest"),
    (COMMENT, "my favourite one"),
    (PROMPT, "a photo of a {}"),
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mokku", ["moku"]),
        ("catt", ["cat"]),
        ("not:dag", ["not:dog"]),
        ("tag:dog", ["not:dog"]),
        ("like:forest", ["tag:forest"]),
        ("striped wisker", ["striped whisker"]),
        ('"blak cat"', ['"black cat"']),
        ("moku dog", ["moku", "dog"]),
        ("moku", []),
        ("favorite", []),
        ("moku qqqqqq", []),
    ],
)
def test_near_words_fields_and_single_terms_are_proposed(text, found):
    assert proposed(terms_of(text), THERE) == found


def test_all_that_is_proposed_finds_something():
    for text in ("mokku", "catt", "like:dag", "striped wisker", '"blak cat"', "moku dog"):
        for each in proposed(terms_of(text), THERE):
            assert all(any(term.fits(*there) for there in THERE) for term in terms_of(each))


def test_common_tags_and_words_come_first():
    assert common(THERE)[0] == "dog" and set(common(THERE)) == {"dog", "striped", '"black cat"', "forest"}


@pytest.mark.parametrize("text", ["moku", '"black cat"', 'not:"black cat"', '"not:cat"', '"a: b"', "12:30"])
def test_a_term_is_written_as_it_is_read(text):
    (term,) = terms_of(text)
    assert terms_of(str(term)) == [term]
