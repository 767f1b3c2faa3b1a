"""A run's pictures say what they show: prompt, seed, concept, run, stack and parents."""

from __future__ import annotations

from core.concept import Request
from core.png import texts_in
from evolve.store.looks import keep_picture
from tests.families import by_letter, picture


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
        "Software": "Conceptree",
    }
    assert "parents" not in told(run, "a")


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
