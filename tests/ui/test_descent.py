"""The parents of a concept: shares, for any weights."""

from __future__ import annotations

import pytest

from evolve.family.lineage import edge_label
from evolve.store.rows import portion
from tests.families import concept, new_run
from ui.descent import announced, captioned, crossed, descent, mixed
from ui.pictures import card_lines


@pytest.mark.parametrize(
    ("parents", "told"),
    [
        ([], ""),
        ([("moku", 0.3, "mix")], "moku"),
        ([("moku", 7, "mix"), ("vasi", 3, "image")], "0.7 moku + 0.3 vasi"),
        ([("moku", 1, "mix"), ("vasi", 1, "mix"), ("buso", 1, "mix")], "0.33 moku + 0.33 vasi + 0.33 buso"),
        ([("moku", 0, "mix"), ("vasi", 0, None)], "0 moku + 0 vasi"),
        ([("moku", 3, "mix"), ("vasi", 1, "mix"), ("buso", -2, "mix")], "0.75 moku + 0.25 vasi, less 0.5 buso"),
        ([("buso", -2, "mix"), ("moku", 4, "mix")], "moku, less 0.5 buso"),
        (
            [("moku", 2, "mix"), ("vasi", 0, "take colour"), ("buso", 0, "take shape")],
            "moku, colour of vasi, shape of buso",
        ),
        ([("moku", 1, "mix"), ("vasi", 3, "mix"), ("vasi", 0, "take colour")], "0.25 moku + 0.75 vasi, colour of vasi"),
    ],
)
def test_parents_are_told_by_their_shares(parents, told):
    assert mixed(parents) == told


FIVA, GUZE, ZEKI = ("fiva", 0.81, "mix"), ("guze", 0.19, "image"), ("zeki", -0.5, "mix")


@pytest.mark.parametrize(
    ("parents", "words", "short", "told"),
    [
        ([FIVA, GUZE], [], "fiva × guze", "81% fiva + 19% guze"),
        ([FIVA, GUZE, ZEKI], [], "fiva × guze, less zeki", "81% fiva + 19% guze, less 50% zeki"),
        (
            [FIVA, ZEKI, GUZE],
            ["blue"],
            "fiva × guze, less zeki, but blue",
            "81% fiva + 19% guze, less 50% zeki, but blue",
        ),
        ([FIVA, ("buso", 0, "take colour")], [], "fiva, colour of buso", "fiva, colour of buso"),
        ([FIVA], ["blue", "round"], "fiva, but blue and round", "fiva, but blue and round"),
    ],
)
def test_a_caption_says_all_that_makes_a_child(parents, words, short, told):
    assert crossed(parents, words) == short
    assert mixed(parents, percent=True, but=words) == told


def test_a_caption_of_one_parent_says_how_the_concept_was_born():
    assert captioned(["mutate"], "fiva") == "variation of fiva"
    assert captioned(["mix", "take colour"], "fiva, colour of buso") == "child of fiva, colour of buso"
    assert captioned(["mix", "mix"], "fiva × guze") == "fiva × guze"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"weight": 0.7, "kind": "mix"}, "0.7"),
        ({"weight": 0.001, "kind": "mix"}, "<0.01"),
        ({"weight": 0.0, "kind": "away", "away": 0.5}, "less 0.5"),
        ({"weight": 0.0, "kind": "take", "takes": "colour"}, "colour"),
        ({"weight": 0.25, "kind": "mix", "takes": "colour, shape"}, "0.25, colour, shape"),
    ],
)
def test_an_edge_is_labelled_by_what_the_child_has_of_its_parent(data, told):
    assert edge_label(data) == told


def test_a_part_below_0_has_a_word_and_no_sign():
    assert (portion(-0.5), portion(-0.5, percent=True), portion(0, "take colour")) == ("less 0.5", "less 50%", "colour")


@pytest.mark.parametrize(
    ("parents", "birth", "announces", "descends"),
    [
        ({"a": 1.0}, "mutate", "zilo, a variation of bege", "variation of bege"),
        ({"a": 1.0}, "mix", "zilo, a child of bege", "mix of bege"),
        ({"a": 3.0, "b": 1.0}, "mix", "zilo = 0.75 bege + 0.25 moku", "mix of 0.75 bege + 0.25 moku"),
        ({"a": 1.0}, "image", "zilo, a child of bege", "image of bege"),
    ],
)
def test_a_birth_is_said_in_words(tmp_path, parents, birth, announces, descends):
    names = {"a": "bege", "b": "moku"}
    run = new_run(tmp_path / "pets")
    (each,) = run.add([concept(1, parents, birth=birth)])
    run.note(each.id, name="zilo")
    assert announced(run.find(each.id), names, run.words()) == announces
    assert descent(run.entry(each.id), names, run.words()) == descends
    parent = "bege" if len(parents) == 1 else "0.75 bege + 0.25 moku"
    assert card_lines(each, names, run.words())[0] == f"{'variation' if birth == 'mutate' else 'child'} of {parent}"


def test_a_founder_has_no_parents(tmp_path):
    run = new_run(tmp_path / "pets")
    (each,) = run.add([concept(1)])
    assert descent(run.entry(each.id), {}, {}) == "founder" and card_lines(each, {}, run.words()) == ["not: cat, dog"]


def test_the_trait_of_a_founder_is_told(tmp_path):
    run = new_run(tmp_path / "pets")
    (each,) = run.add([concept(1, words=["blue pet"])])
    assert descent(run.entry(each.id), {}, run.words()) == "founder, blue pet"
    assert card_lines(each, {}, run.words()) == ["blue pet", "not: cat, dog"]


def test_words_of_a_child_are_told_but_not_those_that_a_variation_keeps_of_its_parent(tmp_path):
    run = new_run(tmp_path / "pets")
    (blue,) = run.add([concept(1, {"a": 1.0, "b": 1.0}, words=["blue"])])
    kept, more = run.add(
        [
            concept(number, {blue.id: 1.0}, "mutate", words=each)
            for number, each in ((2, ["blue"]), (3, ["blue", "round"]))
        ]
    )
    names, words = {"a": "fiva", "b": "guze", blue.id: "vogu"}, run.words()
    assert descent(run.entry(blue.id), names, words) == "mix of 0.5 fiva + 0.5 guze, but blue"
    assert announced(kept, names, words) == f"{kept.name}, a variation of vogu"
    assert announced(more, names, words) == f"{more.name}, a variation of vogu, but round"
