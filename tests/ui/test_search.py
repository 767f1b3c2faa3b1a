"""Searches that are proposed instead of one that finds nothing."""

from __future__ import annotations

import pytest

from ui.search import COMMENT, LIKE, NAME, NOT, PROMPT, TAG, common, proposed, terms_of

THERE = [
    [(NAME, "Moku"), (NOT, "black cat"), (NOT, "dog"), (COMMENT, "my favourite one"), (PROMPT, "a photo of a {}")],
    [(NAME, "Whisker"), (LIKE, "striped"), (NOT, "dog"), (TAG, "Forest")],
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
        ("moku forest", ["moku", "forest"]),
        ("mokku forest", ["moku", "forest"]),
        ("wisker blak", ["whisker", "black"]),
        ("moku", []),
        ("favorite", []),
        ("moku qqqqqq", ["moku"]),
    ],
)
def test_near_words_fields_and_single_terms_are_proposed(text, found):
    assert proposed(terms_of(text), THERE) == found


def test_all_that_is_proposed_finds_something():
    for text in ("mokku", "catt", "like:dag", "striped wisker", '"blak cat"', "moku forest", "mokku forrest", "a b c"):
        for each in proposed(terms_of(text), THERE):
            terms = terms_of(each)
            assert any(all(any(term.fits(*text) for text in concept) for term in terms) for concept in THERE), each


def test_common_tags_and_words_come_first():
    every = [each for concept in THERE for each in concept]
    assert common(every)[0] == "dog" and set(common(every)) == {"dog", "striped", '"black cat"', "forest"}


@pytest.mark.parametrize("text", ["moku", '"black cat"', 'not:"black cat"', '"not:cat"', '"a: b"', "12:30"])
def test_a_term_is_written_as_it_is_read(text):
    (term,) = terms_of(text)
    assert terms_of(str(term)) == [term]
