"""kin: what a person and a program are told of a run, of one concept, of two."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evolve import Run
from tests.families import by_letter, concept, family, new_run
from tests.typed import good, one_line


@pytest.fixture(scope="module")
def pets(tmp_path_factory) -> Run:
    return family(tmp_path_factory.mktemp("runs") / "pets")


def names(run: Run) -> dict[str, str]:
    return {letter: each.name for letter, each in by_letter(run).items()}


def told(run: Run, *concepts: str) -> str:
    return good("kin", "pets", *concepts, "--runs", run.folder.parent)


def values(run: Run, *concepts: str) -> dict:
    return json.loads(good("kin", "pets", *concepts, "--json", "--runs", run.folder.parent))


def test_of_a_run_generations_fertile_founders_and_lines_that_ended(pets):
    name, text, found = names(pets), told(pets), values(pets)
    assert [(each["number"], each["concepts"], each["founders"]) for each in found["generations"]] == [
        (0, 4, 4),
        (1, 3, 4),
        (2, 2, 4),
    ]
    # b: e, f, h, i; a: e, h, i; c: f, h; the guest: i; d: g
    assert [each["descendants"] for each in found["founders"]] == [4, 3, 2, 1, 1]
    assert f"Most fertile founder: {name['b']}, with 4 concepts descended from it" in text
    assert [each["name"] for each in found["extinct"]] == [name["d"]]
    assert f"Extinct lines: {name['d']}" in text
    assert "0.25 / 0.25" in text


def test_hidden_concepts_do_not_keep_a_line_alive(tmp_path):
    run = family(tmp_path / "pets")
    letters = by_letter(run)
    run.note(letters["h"].id, hidden=True)
    assert {each["id"] for each in values(run)["extinct"]} == {letters["c"].id, letters["d"].id}


def test_of_one_concept_shares_ancestors_and_descendants(pets):
    name, text, found = names(pets), told(pets, names(pets)["i"]), values(pets, names(pets)["e"])
    assert "01234567 75 % of another run, or lost" in text
    assert f"{name['a']} 18.8 %" in text and f"{name['b']} 6.25 %" in text
    assert "4 ancestors" in text and "0 descendants: none" in text
    assert [(each["name"], each["share"]) for each in found["founders"]] == [(name["a"], 0.75), (name["b"], 0.25)]
    assert {each["name"] for each in found["descendants"]} == {name["h"], name["i"]}


def test_one_is_singular(pets):
    name = names(pets)
    assert "0 ancestors: none" in told(pets, name["d"]) and f"1 descendant: {name['g']}" in told(pets, name["d"])
    assert f"1 ancestor: {name['d']}" in told(pets, name["g"])


def test_of_two_concepts_what_they_have_in_common_and_from_whom(pets):
    name = names(pets)
    found, text = values(pets, name["h"], name["i"]), told(pets, name["h"], name["i"])
    # h = 1/2 e + 1/2 f, i = 1/4 e + the guest; f and e have 1/8 in common, by b: 1/4 · (1/2 + 1/2 · 1/8)
    assert found["relatedness"] == pytest.approx(0.140625)
    assert f"{name['h']} and {name['i']} have 14.1 % in common by descent" in text
    assert [each["name"] for each in found["nearest_common_ancestors"]] == [name["e"]]
    assert {each["name"] for each in found["common_ancestors"]} == {name["e"], name["a"], name["b"]}
    assert f"{name['a']} and {name['d']} have no ancestor in common" in told(pets, name["a"], name["d"])
    assert "have 100 % in common" in told(pets, name["a"], name["a"])


def test_mistakes_are_one_line_and_an_empty_run_is_none(pets, tmp_path):
    runs = pets.folder.parent
    assert "3 concepts are named: kin takes none, one or two" in one_line("kin", "pets", "a", "b", "c", "--runs", runs)
    assert "there is no concept 'nobody'" in one_line("kin", "pets", "nobody", "--runs", runs)
    new_run(tmp_path / "pets")
    assert "Extinct lines: none" in good("kin", "pets", "--runs", tmp_path)


def test_long_lists_are_cut(tmp_path: Path):
    run = new_run(tmp_path / "pets")
    a = concept(0)
    run.add([a])
    run.add([concept(seed, [a]) for seed in range(1, 31)])
    text = told(run, run.entries()[0].name)
    assert "30 descendants: " in text and "… and 10 more" in text
