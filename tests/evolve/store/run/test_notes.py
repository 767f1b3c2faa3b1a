"""The latest note counts, earlier ones stay, and undo goes back change by change."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evolve.store.parts import Damage, Room
from evolve.store.run import NOTES, Note, Run
from tests.evolve.store.run.seen import parts, refused
from tests.families import by_letter


def test_the_latest_note_counts_and_earlier_ones_stay(pets):
    a = by_letter(pets)["a"].id
    assert pets.notes() == {} and pets.entry(a).note == Note()
    pets.note(a, rating=4, comment="[bold] ../\n猫")
    pets.note(a, favourite=True)
    assert Run.open(pets.folder).notes() == {a: Note(favourite=True, rating=4, comment="[bold] ../\n猫")}
    assert pets.note(a, rating=None, favourite=False, comment="") == pets.entry(a).note == Note()
    table = pa.concat_tables(pq.read_table(part) for part in parts(pets, "notes"))
    assert table.column("rating").to_pylist() == [4, 4, None]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rating": 6}, "rating = 6: expected 1 to 5"),
        ({"rating": 0}, "rating = 0"),
        ({"rating": 2.5}, "rating = 2.5"),
        ({"rating": True}, "rating = True"),
        ({"favourite": "yes"}, "favourite = 'yes': expected true or false"),
        ({"comment": None}, "a comment is text"),
        ({"comment": "\ud800"}, "has half of a character"),
        ({"comment": "a\x1b[31m"}, "has a control character (U+001B)"),
        ({"comment": "x" * 10_001}, "at most 10000 characters"),
        ({"stars": 3}, "a note has no 'stars': it has favourite, rating"),
        ({"name": ""}, "is not a valid name of a concept"),
        ({"name": "-x"}, "is not a valid name of a concept"),
        ({"name": "../x"}, "is not a valid name of a concept"),
        ({"name": "a:0.5"}, "is not a valid name of a concept"),
        ({"name": "x\x1b"}, "is not a valid name of a concept"),
        ({"name": "x" * 99}, "is not a valid name of a concept"),
        ({"name": "Whisker [Fin]"}, "give up to 80 letters, digits, spaces and - _ ' . with neither - nor . first"),
        ({"name": "a{}b"}, "is not a valid name of a concept"),
        ({"name": "a\u00a0b"}, "is not a valid name of a concept"),
        ({"name": "\ud800"}, "is not a valid name of a concept"),
        ({"name": 5}, "name = 5: expected text"),
    ],
)
def test_a_note_that_cannot_be_is_one_line(pets, values, said):
    assert said in refused(lambda: pets.note(by_letter(pets)["a"].id, **values))
    assert pets.notes() == {} and not parts(pets, "notes")


def test_a_note_needs_a_concept(pets):
    assert "there is no concept with the id 'nobody'" in refused(lambda: pets.note("nobody", rating=1))


def test_a_strangers_note_that_cannot_be_is_named(pets):
    a = by_letter(pets)["a"].id
    row = {"concept": a, "favourite": True, "rating": 9, "comment": "", "hidden": False, "locked": False}
    Room(pets.folder / "notes", NOTES).append([row, row | {"rating": 5}, row | {"concept": None, "rating": 1}])
    assert "row 1 of the part" in refused(pets.notes, strict=True)
    damage: list[Damage] = []
    assert pets.notes(damage) == {a: Note(favourite=True, rating=5)} and [each.row for each in damage] == [1, 3]


def test_undo_goes_back_change_by_change_and_redo_forth(pets):
    a = by_letter(pets)["a"].id
    first = pets.note(a, rating=4, comment="nice")
    second = pets.note(a, name="Whisker Fin")
    third = pets.note(a, hidden=True)
    assert pets.undo(a) == second and pets.undo(a) == first == pets.entry(a).note
    assert pets.redo(a) == second
    assert pets.undo(a) == first and pets.undo(a) == Note() == pets.notes()[a]
    assert pets.undo(a) is None
    assert [pets.redo(a) for _ in range(4)] == [first, second, third, None]
    assert Run.open(pets.folder).notes() == {a: third}
    assert len(parts(pets, "notes")) == 11, "nothing is taken out, and nothing is written in vain"


def test_something_new_after_an_undo_leaves_nothing_to_do_again(pets):
    a = by_letter(pets)["a"].id
    pets.note(a, favourite=True)
    pets.note(a, favourite=False)
    assert pets.undo(a) == Note(favourite=True), "what a person set back by hand is a change like any other"
    pets.note(a, rating=2)
    assert pets.redo(a) is None
    assert pets.undo(a) == Note(favourite=True) and pets.undo(a) == Note()


def test_changes_tell_what_was_said_before_and_after(pets):
    a, b = (by_letter(pets)[letter].id for letter in "ab")
    pets.note(a, rating=4)
    pets.note(b, hidden=True)
    pets.note(a, rating=5, comment="more")
    pets.note(a, rating=5)
    pets.undo(a)
    changes = pets.changes()
    assert [(change.concept, change.changed, change.way) for change in changes] == [
        (a, {"rating": (None, 4)}, ""),
        (b, {"hidden": (False, True)}, ""),
        (a, {"rating": (4, 5), "comment": ("", "more")}, ""),
        (a, {"rating": (5, 4), "comment": ("more", "")}, "undo"),
    ]
    assert [change.at for change in changes] == sorted(change.at for change in changes)


def test_what_was_said_of_several_at_once_is_taken_back_at_once(pets):
    a, b, c = (by_letter(pets)[letter].id for letter in "abc")
    pets.note(c, rating=1)
    assert len(pets.note_all([a, b, c], hidden=True)) == 3 and len(parts(pets, "notes")) == 2
    assert {change.concept for change in pets.undo_last()} == {a, b, c}
    assert pets.notes() == {a: Note(), b: Note(), c: Note(rating=1)}
    assert [change.changed for change in pets.undo_last()] == [{"rating": (None, 1)}] and pets.undo_last() == []
    assert pets.redo(b) == Note(hidden=True)
    assert "is for one concept" in refused(lambda: pets.note_all([a, b], name="Whisker Fin"))


def test_undo_of_nobody_and_to_a_name_that_is_taken_by_now_is_one_line(pets):
    a, b = (by_letter(pets)[letter].id for letter in "ab")
    assert "there is no concept with the id 'nobody'" in refused(pets.undo, "nobody")
    pets.note(a, name="Whisker Fin")
    pets.note(a, name="Tail Fin")
    pets.note(b, name="Whisker Fin")
    assert f"the name 'Whisker Fin' is taken, by {b}" in refused(pets.undo, a)
    assert pets.entry(a).name == "Tail Fin"


def test_undo_and_changes_go_on_with_what_is_whole(pets):
    a = by_letter(pets)["a"].id
    for rating in (1, 2, 3):
        pets.note(a, rating=rating)
    torn = parts(pets, "notes")[1]
    torn.write_bytes(torn.read_bytes()[:99])
    assert torn.name in refused(pets.changes, strict=True)
    damage: list[Damage] = []
    assert [change.changed["rating"] for change in pets.changes(damage)] == [(None, 1), (1, 3)]
    assert [each.part for each in damage] == [torn]
    assert pets.undo(a) == Note(rating=1) and pets.undo(a) == Note() and pets.undo(a) is None


def test_notes_of_before_undo_was_known_are_taken_back_as_well(pets):
    a = by_letter(pets)["a"].id
    pets.note(a, rating=1)
    pets.note(a, rating=2)
    for part in parts(pets, "notes"):
        pq.write_table(pq.read_table(part).drop_columns(["way"]), part)
    again = Run.open(pets.folder)
    assert again.notes() == {a: Note(rating=2)} and len(again.changes()) == 2
    assert again.undo(a) == Note(rating=1) and again.undo(a) == Note() and again.redo(a) == Note(rating=1)
