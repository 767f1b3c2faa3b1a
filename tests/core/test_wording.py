"""Plurals, and the names that a person meant."""

from __future__ import annotations

import pytest

from core.wording import counted, did_you_mean, meant

NAMES = ["bege", "bede", "moku", "Tiger", "noël", "Easy Negative"]


@pytest.mark.parametrize(
    "number, text", [(0, "0 steps"), (1, "1 step"), (2, "2 steps"), (999, "999 steps"), (12_000, "12,000 steps")]
)
def test_a_number_has_the_form_of_its_noun(number, text):
    assert counted(number, "step") == text


def test_other_plurals_and_verbs_are_given():
    assert counted(1, "child", "children") == "1 child" and counted(2, "child", "children") == "2 children"
    assert counted(1, "of them stays", "of them stay") == "1 of them stays"


@pytest.mark.parametrize(
    "given, names",
    [
        ("Bege", ["bege"]),  # case
        ("TIGER", ["Tiger"]),
        ("noel", ["noël"]),  # accents
        ("easy  negative", ["Easy Negative"]),
        ("mokuu", ["moku"]),  # a letter too many
        ("mou", ["moku"]),  # one too few
        ("moke", ["moku"]),  # another one
        ("omku", ["moku"]),  # two swapped
        ("beve", ["bege", "bede"]),
        ("Negative", ["Easy Negative"]),  # similar
        ("Easy Negativ one", ["Easy Negative"]),
        ("moku robot", ["moku"]),  # a whole word, not one that is spelled like robot
        ("a tiger and bege", ["Tiger", "bege"]),
        ("my easy negative", ["Easy Negative"]),
        ("some mokuu", ["moku"]),
        ("tigress", []),  # only somewhat similar
        ("zilo", []),
        ("", []),
    ],
)
def test_a_name_differs_in_case_or_by_a_letter(given, names):
    assert meant(given, NAMES) == names


def test_the_question_names_what_a_terminal_can_show():
    assert did_you_mean("Bege", NAMES) == "did you mean bege?"
    assert did_you_mean("a\x1bx", ["a\x1b"]) == "did you mean 'a\\x1b'?"
    assert did_you_mean("zilo", NAMES) == ""
