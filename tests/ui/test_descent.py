"""The parents of a concept: shares, for any weights."""

from __future__ import annotations

import pytest

from tests.families import concept, new_run
from ui.descent import announced, descent, edge_label, mixed
from ui.pictures import card_lines


@pytest.mark.parametrize(
    ("parents", "told"),
    [
        ([], ""),
        ([("moku", 0.3, "mix")], "moku"),
        ([("moku", 7, "mix"), ("vasi", 3, "image")], "0.7 moku + 0.3 vasi"),
        ([("moku", 1, "mix"), ("vasi", 1, "mix"), ("buso", 1, "mix")], "0.33 moku + 0.33 vasi + 0.33 buso"),
        ([("moku", 0, "mix"), ("vasi", 0, None)], "0 moku + 0 vasi"),
        ([("moku", 3, "mix"), ("vasi", 1, "mix"), ("buso", -2, "mix")], "0.75 moku + 0.25 vasi - 0.5 buso"),
        ([("buso", -2, "mix"), ("moku", 4, "mix")], "- 0.5 buso + 1 moku"),
        (
            [("moku", 2, "mix"), ("vasi", 0, "take colour"), ("buso", 0, "take shape")],
            "moku, colour of vasi, shape of buso",
        ),
        ([("moku", 1, "mix"), ("vasi", 3, "mix"), ("vasi", 0, "take colour")], "0.25 moku + 0.75 vasi, colour of vasi"),
    ],
)
def test_parents_are_told_by_their_shares(parents, told):
    assert mixed(parents) == told


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"weight": 0.7, "kind": "mix"}, ("0.7", "70%")),
        ({"weight": 0.001, "kind": "mix"}, ("<0.01", "0%")),
        ({"weight": 0.0, "kind": "away", "away": 0.5}, ("-0.5", "-50%")),
        ({"weight": 0.0, "kind": "take", "takes": "colour"}, ("colour", "colour")),
        ({"weight": 0.25, "kind": "mix", "takes": "colour, shape"}, ("0.25, colour, shape", "25%, colour, shape")),
    ],
)
def test_an_edge_is_labelled_by_what_the_child_has_of_its_parent(data, told):
    assert (edge_label(data), edge_label(data, percent=True)) == told


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
    assert announced(run.find(each.id), names) == announces
    assert descent(run.entry(each.id), names) == descends
    parent = "bege" if len(parents) == 1 else "0.75 bege + 0.25 moku"
    assert card_lines(each, names)[0] == f"{'variation' if birth == 'mutate' else 'child'} of {parent}"


def test_a_founder_has_no_parents(tmp_path):
    run = new_run(tmp_path / "pets")
    (each,) = run.add([concept(1)])
    assert descent(run.entry(each.id), {}) == "founder"
