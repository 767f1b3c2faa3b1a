"""taste: the ratings that a person would give, what to compare next, and why; answers go to a file and come back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evolve import Run, answers
from evolve.store.check import check
from evolve.taste import expected_ratings, judgements, store
from tests.families import by_letter, concept, family, new_run
from tests.typed import good, one_line
from tests.typed import run as run_command


@pytest.fixture
def pets(tmp_path) -> Run:
    run = family(tmp_path / "pets")
    letters = by_letter(run)
    run.note(letters["a"].id, rating=5)
    run.note(letters["b"].id, rating=1)
    run.note(letters["c"].id, favourite=True)
    run.note(letters["d"].id, hidden=True)
    return run


def values(run: Run, *more: object) -> dict:
    return json.loads(good("taste", run.folder.name, "--json", *more, "--runs", run.folder.parent))


def test_every_concept_that_is_not_hidden_has_an_expected_rating(pets):
    letters, text, found = by_letter(pets), good("taste", "pets", "--runs", pets.folder.parent), values(pets)
    expected = {each["id"]: each["expected"] for each in found["concepts"]}
    assert set(expected) == {letters[letter].id for letter in "abcefghi"}
    assert list(expected.values()) == sorted(expected.values(), reverse=True)
    assert expected[letters["a"].id] > expected[letters["b"].id]
    assert {each["id"]: each["rating"] for each in found["concepts"] if each["rating"]} == {
        letters["a"].id: 5,
        letters["b"].id: 1,
    }
    assert (found["answers"], found["judged"]) == (4, 4) and "from 4 answers about 4 concepts" in text
    assert set(found["compare"]) <= {each["concept"] for each in found["concepts"]}
    proposed = [each["parents"] for each in found["may_like"]]
    assert all(len(pair) == 2 for pair in proposed) and ("you may like children of" in text) == bool(proposed)
    assert f"a comparison of {' and '.join(found['compare'])} would teach most" in text


def test_the_answers_that_were_checked_are_kept_whatever_becomes_of_the_file(pets, tmp_path, monkeypatch):
    file = tmp_path / "pets.safetensors"
    store(judgements(pets), file)
    content, parse = file.read_bytes(), answers._parsed

    def checked(*given):
        file.write_bytes(b"other answers")
        return parse(*given)

    monkeypatch.setattr(answers, "_parsed", checked)
    assert answers.keep(pets, file).read_bytes() == content


def test_answers_about_two_runs_count_together(pets, tmp_path):
    file = tmp_path / "pets.safetensors"
    assert f"this run's answers: {file}" in good("taste", "pets", "--to", file, "--runs", tmp_path)
    other = new_run(tmp_path / "others")
    other.add([concept(seed) for seed in range(20, 25)])
    assert "0 concepts are judged" in one_line("taste", "others", "--runs", tmp_path)
    found = values(other, "--with", file)
    assert found["answers"] == 4 and len(found["concepts"]) == 5
    assert values(pets, "--with", file) == values(pets), "its own answers count once"


def test_kept_answers_of_another_run_count_everywhere(pets, tmp_path):
    file, other = tmp_path / "pets.safetensors", new_run(tmp_path / "others")
    good("taste", "pets", "--to", file, "--runs", tmp_path)
    other.add([concept(seed) for seed in range(20, 25)])
    assert not expected_ratings(other)
    values(other, "--with", file, "--keep")
    file.unlink()
    assert values(other)["answers"] == 4 and not judgements(other).ratings, "its own stay its own"
    assert set(expected_ratings(other)) == {each.id for each in other.entries()}
    assert check(other).whole
    (kept,) = (other.folder / "tastes").iterdir()
    kept.write_bytes(b"torn")
    assert not expected_ratings(other)
    said = run_command("taste", "others", "--keep", "--runs", tmp_path)
    assert said.exit_code == 2 and "--keep needs --with FILE" in said.stderr


def test_answers_about_another_stack_are_not_kept(pets, tmp_path):
    strange = replace(judgements(pets), stack="another")
    store(strange, tmp_path / "strange.safetensors")
    asked = ("taste", "pets", "--with", tmp_path / "strange.safetensors", "--keep", "--runs", tmp_path)
    assert "concepts of another stack" in one_line(*asked) and not (pets.folder / "tastes").exists()


def test_what_cannot_be_is_one_line(pets, tmp_path):
    strange = tmp_path / "strange.safetensors"
    strange.write_bytes(b"no")
    assert "is not a taste" in one_line("taste", "pets", "--with", strange, "--runs", tmp_path)
    assert "there is no file" in one_line("taste", "pets", "--with", tmp_path / "missing", "--runs", tmp_path)
    empty = new_run(tmp_path / "empty")
    assert "0 concepts are judged" in one_line("taste", "empty", "--runs", tmp_path)
    empty.add([concept(seed) for seed in range(3)])
    said = one_line("taste", "empty", "--to", tmp_path / "file", "--runs", tmp_path)
    assert "no concept of the run is judged yet" in said and not (tmp_path / "file").exists()
    empty.note_all([each.id for each in empty.entries()], hidden=True)
    assert "all concepts of 'empty' are hidden" in one_line("taste", "empty", "--runs", tmp_path)


def test_concepts_of_another_width_than_the_judged_ones_are_not_called_hidden(pets, tmp_path):
    letters = by_letter(pets)
    pets.note_all([each.id for each in letters.values()], hidden=True)
    pets.add([concept(seed, width=6) for seed in range(60, 62)])
    said = one_line("taste", "pets", "--runs", tmp_path)
    assert "hidden: unhide" not in said and "about concepts of width 4" in said and "have width 6" in said
    assert "there is no run 'ghosts'" in one_line("taste", "ghosts", "--runs", tmp_path)
