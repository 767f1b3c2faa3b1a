"""Tags are notes: the latest count, undo goes back, and versions without tags lose none."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from evolve.store.parts import Damage, Room
from evolve.store.run import NOTES, Note, Run
from evolve.store.tags import LONGEST_TAG, MOST_TAGS, as_spelled, changed_tags, checked_tags
from tests.evolve.store.run.seen import parts, refused
from tests.families import by_letter


def test_tags_are_added_and_removed_one_by_one(pets):
    a, b = (by_letter(pets)[letter].id for letter in "ab")
    pets.note_all([a, b], tag=["forest", "night"])
    pets.note(a, untag=["night"], tag=["small"], rating=4)
    assert Run.open(pets.folder).notes() == {
        a: Note(rating=4, tags=("forest", "small")),
        b: Note(tags=("forest", "night")),
    }
    assert pets.tags() == {"forest": 2, "night": 1, "small": 1}
    pets.note(a, tags=["only"])
    assert pets.entry(a).note.tags == ("only",)
    assert len(parts(pets, "notes")) == 3, "tags of several concepts, and other notes with them, are one change"


def test_undo_and_redo_of_tags(pets):
    a, b = (by_letter(pets)[letter].id for letter in "ab")
    pets.note(a, tag=["forest"])
    pets.note_all([a, b], tag=["night"])
    assert [change.changed for change in pets.changes()] == [
        {"tags": ((), ("forest",))},
        {"tags": (("forest",), ("forest", "night"))},
        {"tags": ((), ("night",))},
    ]
    assert {change.concept for change in pets.undo_last()} == {a, b}
    assert pets.notes() == {a: Note(tags=("forest",)), b: Note()}
    assert pets.redo(a) == Note(tags=("forest", "night")) and pets.undo(a) == Note(tags=("forest",))
    assert pets.undo(a) == Note() and pets.undo(a) is None


def test_one_tag_has_one_spelling(pets):
    a, b = (by_letter(pets)[letter].id for letter in "ab")
    pets.note(a, tag=["#Cafe\u0301", "  two   words "])
    pets.note(b, tag=["caf\u00e9", "CAF\u00c9"])
    assert pets.tags() == {"Caf\u00e9": 2, "two words": 1}
    pets.note(a, untag=["#caf\u00e9"])
    assert pets.notes()[a].tags == ("two words",)
    assert as_spelled(["NIGHT", "new"], ["night"]) == ("night", "new")
    assert changed_tags(("a", "b"), add=["B", "c"], remove=["A"]) == ("b", "c")


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ([""], "tag = '': give 1 to 40 characters"),
        (["#"], "tag = '': give 1 to 40 characters"),
        (["x" * (LONGEST_TAG + 1)], "give 1 to 40 characters"),
        (["a\x1b[31m"], "tag = 'a\\x1b[31m' has a control character (U+001B): remove it"),
        (["a\nb"], "has a control character (U+000A)"),
        (["a\u202eb"], "has a character that changes the direction of text"),
        (["\ud800"], "has half of a character"),
        ([str(n) for n in range(10_000)], f"a concept has 10,000 tags: at most {MOST_TAGS} are stored"),
        ([1], "tags = '[1]': expected a list of texts"),
        ("forest", "tags = 'forest': expected a list of texts"),
        (None, "expected a list of texts"),
    ],
)
def test_tags_that_cannot_be_are_one_line(pets, tags, said):
    a = by_letter(pets)["a"].id
    assert said in refused(lambda: pets.note(a, tags=tags))
    if tags is not None:
        assert said in refused(lambda: pets.note(a, tag=tags))
    assert not parts(pets, "notes")


def test_more_tags_than_are_stored_cannot_be_added_one_by_one(pets):
    a = by_letter(pets)["a"].id
    pets.note(a, tags=[str(n) for n in range(MOST_TAGS)])
    assert f"a concept has {MOST_TAGS + 1} tags" in refused(lambda: pets.note(a, tag=["more"]))
    assert len(pets.note(a, tag=["7"]).tags) == MOST_TAGS, "it has that one"


def test_a_note_of_a_version_without_tags_keeps_them(pets):
    a = by_letter(pets)["a"].id
    pets.note(a, tag=["forest"])
    pets.note(a, rating=5)
    last = parts(pets, "notes")[-1]
    table = pq.read_table(last).drop_columns(["tags"])
    last.unlink()
    pq.write_table(table, last)
    again = Run.open(pets.folder)
    assert again.notes() == {a: Note(rating=5, tags=("forest",))}
    assert [change.changed for change in again.changes()] == [{"tags": ((), ("forest",))}, {"rating": (None, 5)}]
    assert again.undo(a) == Note(tags=("forest",)) and again.undo(a) == Note()


def test_a_strangers_row_with_impossible_tags_is_named(pets):
    a, b = (by_letter(pets)[letter].id for letter in "ab")
    row = {"concept": a, "favourite": True, "comment": "", "hidden": False, "locked": False}
    bad = [["a\x07"], [None], [str(n) for n in range(10_000)]]
    Room(pets.folder / "notes", NOTES).append([row, *({**row, "concept": b, "tags": tags} for tags in bad)])
    damage: list[Damage] = []
    assert pets.notes(damage) == {a: Note(favourite=True)} and [each.row for each in damage] == [2, 3, 4]
    assert checked_tags(["a", "a"]) == ("a",)
