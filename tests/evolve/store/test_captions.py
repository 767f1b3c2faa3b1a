"""A run's pictures say what they show: prompt, seed, concept, run, stack and parents."""

from __future__ import annotations

import json

import pytest

from core.concept import Request
from core.png import png_bytes, strangers_texts, texts_in
from evolve.store.captions import LONGEST_PROMPT, Shown, shown_by
from evolve.store.looks import keep_picture
from tests.families import by_letter, family, picture


def told(run, letter: str) -> dict[str, str]:
    (drawing,) = run.drawings(by_letter(run)[letter].id)
    return texts_in(drawing.file)


def test_a_drawing_says_what_it_shows(run, ids):
    e, a, b = (by_letter(run)[letter] for letter in "eab")
    assert told(run, "e") == {
        "prompt": "a photo of a {}",
        "seed": "1",
        "concept": e.name,
        "id": e.id,
        "category": "pet",
        "parents": f"0.75 {a.name} ({a.id}), 0.25 {b.name} ({b.id})",
        "run": "pets",
        "stack": "tiny-1 (f)",
        "parameters": f"a photo of a {e.name}\nSeed: 1, Size: 8x8, Model: tiny-1, Concept: {e.name},"
        f" Concept id: {e.id}, Run: pets, Version: Conceptree",
        "conceptree": f'{{"conceptree": 1, "concept": "{e.name}", "id": "{e.id}", "run": "pets", "prompt":'
        ' "a photo of a {}", "seed": 1, "stack": {"version": "tiny-1", "fingerprint": "f"}}',
        "Software": "Conceptree",
    }
    assert "parents" not in told(run, "a")


@pytest.mark.parametrize("name", ["noël's 2nd", "ねこ"])
def test_a_drawing_is_read_back_to_its_concept_prompt_and_seed(run, ids, name):
    run.note(ids["a"], name=name)
    (drawing,) = run.add_drawings([(ids["a"], "a \N{NO-BREAK SPACE}{}, asleep", 2**40, picture(99))])
    shown = shown_by(strangers_texts(drawing.file.read_bytes()))
    expected = Shown(ids["a"], run.entry(ids["a"]).name, "pets", "tiny-1 (f)", "a \N{NO-BREAK SPACE}{}, asleep", 2**40)
    assert shown == expected


def test_the_last_line_is_as_a1111_reads_it(tmp_path):
    made = family(tmp_path / "pets, mine")
    one = made.entries()[0]
    first, last = texts_in(made.drawings(one.id)[0].file)["parameters"].split("\n")
    assert first == f"a photo of a {one.name}" and ', Run: "pets, mine", ' in last


def test_a_drawing_of_an_earlier_version_is_read_by_its_keywords(run, ids):
    texts = {key: value for key, value in told(run, "e").items() if key not in ("conceptree", "parameters")}
    assert shown_by(texts) == shown_by(told(run, "e"))


def test_a_sheet_names_its_concept_alone():
    texts = {"prompt": "a {}; b {}", "seed": "1, 1", "id": "0" * 16, "concept": "moku", "run": "pets"}
    assert shown_by(texts) == Shown("0" * 16, "moku", "pets")


GOOD = {"conceptree": 1, "id": "0" * 16, "concept": "moku", "prompt": "a {}", "seed": 1}


@pytest.mark.parametrize(
    "change",
    [{"id": 5}, {"id": "../../x"}, {"id": "0" * 17}, {"id": None}, {"conceptree": 2}],
)
def test_a_strangers_text_without_an_id_shows_nothing(change):
    assert shown_by({"conceptree": json.dumps(GOOD | change)}) is None
    assert shown_by({}) is None and shown_by({"conceptree": "[" * 2000}) is None


@pytest.mark.parametrize(
    "change",
    [
        {"seed": "1"}, {"seed": True}, {"seed": -1}, {"seed": 2**63}, {"prompt": "a dog"}, {"prompt": ["{}"]},
        {"prompt": "{}" * LONGEST_PROMPT},
    ],
)  # fmt: skip
def test_what_is_no_prompt_or_seed_is_left_out(change):
    assert shown_by({"conceptree": json.dumps(GOOD | change)}) == Shown("0" * 16, "moku")


def test_a_text_of_another_type_is_left_out():
    shown = shown_by({"conceptree": json.dumps(GOOD | {"concept": {"a": 1}, "run": "x" * 300, "stack": 5})})
    assert shown == Shown("0" * 16, prompt="a {}", seed=1)


def test_a_picture_of_another_program_shows_nothing():
    assert shown_by(strangers_texts(png_bytes(picture(), {"parameters": "a cat\nSteps: 20, Seed: 1"}))) is None


def test_a_drawing_calls_a_concept_what_it_is_called_and_guests_by_their_run(run, ids):
    run.note(ids["i"], name="noël")
    run.add_drawings([(ids["i"], "a {}", 2, picture(99))])
    found = told(run, "i")
    assert found["concept"] == "noël" and found["parents"].endswith("0.75 0123456789abcdef of run others")


def test_a_drawing_of_a_concept_that_is_not_there_says_the_rest(run):
    (drawing,) = run.add_drawings([("lost", "a {}", 2, picture(98))])
    assert texts_in(drawing.file) == {
        "prompt": "a {}", "seed": "2", "run": "pets", "stack": "tiny-1 (f)", "Software": "Conceptree"
    }  # fmt: skip


def test_a_look_while_learning_says_what_it_shows(tmp_path):
    (tmp_path / "0001-seed").mkdir()
    file = keep_picture(tmp_path / "0001-seed", picture(), Request("pet", seed=7), 100)
    assert texts_in(file) == {
        "category": "pet", "step": "100", "seed": "7", "job": "0001-seed", "Software": "Conceptree"
    }  # fmt: skip
