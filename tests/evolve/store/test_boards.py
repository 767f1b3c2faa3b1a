"""Boards beside the runs: kept, undone, found again, and refused where they are damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

import evolve.store.beside as beside
from core.errors import ConceptreeError
from evolve.store.boards import (
    MOST_BOARDS,
    MOST_PINS,
    Board,
    Pin,
    add,
    board,
    boards,
    change,
    delete,
    pin,
    placed,
    remove,
    rename,
    undo,
)
from evolve.store.run import Run
from tests.families import by_letter, family


@pytest.fixture
def runs(tmp_path) -> Path:
    """Two runs with the same nine concepts."""
    family(tmp_path / "pets")
    family(tmp_path / "others")
    return tmp_path


def pins(runs: Path, run: str, letters: str) -> list[Pin]:
    opened = Run.open(runs / run)
    return [pin(opened, by_letter(opened)[letter]) for letter in letters]


def made(number: int) -> Pin:
    return Pin("pets", "2026", str(number), f"name {number}")


def refused(call, *arguments) -> str:
    with pytest.raises(ConceptreeError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value) and str(caught.value).isprintable()
    return str(caught.value)


def has(runs: Path):
    return lambda run, id_: id_ in {each.id for each in Run.open(runs / run).entries()}


def test_concepts_are_added_once_and_removed(runs):
    assert boards(runs) == []
    a, b = pins(runs, "pets", "ab")
    change = add(runs, "  Children\u2019s   room ", [a, b, a])
    assert change.before is None and change.after == Board("Children\u2019s room", (a, b))
    assert add(runs, "CHILDREN\u2019S ROOM", [b, made(3)]).after == Board("Children\u2019s room", (a, b, made(3)))
    assert remove(runs, "children\u2019s room", [a.id, "none"]).after == Board("Children\u2019s room", (b, made(3)))
    add(runs, "Hall", [])
    assert [each.name for each in boards(runs)] == ["Children\u2019s room", "Hall"]
    assert json.loads((runs / "boards.json").read_text())["conceptree_boards"] == 1


def test_several_changes_are_one_write_and_one_undo(runs, monkeypatch):
    a, b = pins(runs, "pets", "ab")
    before = add(runs, "Hall", [a]).after
    written = []
    write = beside.write_atomically
    monkeypatch.setattr(beside, "write_atomically", lambda *given: (written.append(given), write(*given)))
    done = change(runs, "hall", add=[b, made(3)], remove=[a.id, "3"], rename="Stairs")
    assert len(written) == 1 and boards(runs) == [done.after] == [Board("Stairs", (b,))]
    undo(runs, done)
    assert boards(runs) == [before]
    assert "there is no board" in refused(lambda: change(runs, "Attic", remove=[a.id], rename="Roof"))


def test_renaming_and_deleting_are_undone_and_redone(runs):
    for name in ("One", "Two", "Three"):
        add(runs, name, [made(1)])
    renamed = rename(runs, "two", "TWO and a half")
    deleted = delete(runs, "two AND a half")
    assert [each.name for each in boards(runs)] == ["One", "Three"]
    again = undo(runs, deleted)
    assert [each.name for each in boards(runs)] == ["One", "TWO and a half", "Three"], "in its old place"
    assert undo(runs, undo(runs, again)) and board(runs, "two and a half").pins == (made(1),)
    undo(runs, renamed)
    assert [each.name for each in boards(runs)] == ["One", "Two", "Three"]
    assert "there is a board 'three' already" in refused(rename, runs, "Two", "three")
    assert rename(runs, "Two", "TWO").after == Board("TWO", (made(1),)), "another spelling of its own name"


def test_undoing_does_not_give_two_boards_one_name(runs):
    add(runs, "One", [made(1)])
    renamed = rename(runs, "One", "Two")
    add(runs, "one", [made(2)])
    assert "there is a board 'One' already" in refused(undo, runs, renamed)
    assert [each.name for each in boards(runs)] == ["Two", "one"]


def test_what_others_have_changed_since_is_not_undone(runs):
    change = add(runs, "One", [made(1)])
    add(runs, "One", [made(2)])
    assert "was changed since: nothing is undone" in refused(undo, runs, change)
    assert board(runs, "One").pins == (made(1), made(2))


def test_a_run_that_was_renamed_is_found_and_what_is_gone_is_named(runs):
    mine = pins(runs, "pets", "abc")
    add(runs, "One", mine)
    (runs / "pets").rename(runs / "animals")
    found = placed(runs, board(runs, "One").pins, has(runs))
    assert [each.run for each in found] == ["animals"] * 3 and not any(each.problem for each in found)
    part = sorted((runs / "animals" / "concepts").glob("*.parquet"))[0]
    part.write_bytes(b"torn")
    found = placed(runs, board(runs, "One").pins, has(runs))
    assert [each.run for each in found] == ["", "", "animals"]
    assert found[0].problem == "there is no run 'pets' any more"
    shutil.rmtree(runs / "animals")
    found = placed(runs, board(runs, "One").pins, has(runs))
    assert [each.problem for each in found] == ["there is no run 'pets' any more"] * 3


def test_a_concept_that_is_gone_and_a_run_that_cannot_be_read_are_problems(runs):
    (a,) = pins(runs, "pets", "a")
    lost = Pin("pets", a.made, "0" * 16, "lost")
    (found,) = placed(runs, [lost], has(runs))
    assert found.run == "" and found.problem == "the run 'pets' has no such concept any more"
    (runs / "pets" / "run.json").write_text("{")
    (found,) = placed(runs, [a], has(runs))
    assert found.run == "" and "it is not JSON" in found.problem


def test_another_run_under_the_old_name_is_no_place(runs):
    (a,) = pins(runs, "pets", "a")
    old = Pin("pets", "2020-01-01", "f" * 16, "old")
    assert [each.run for each in placed(runs, [a, old], has(runs))] == ["pets", ""]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b'{"conceptree_boards": 1}',
        b'{"conceptree_boards": 1, "boards": [1]}',
        b'{"conceptree_boards": "1", "boards": []}',
        b'{"conceptree_boards": 1, "boards": [{"name": 5, "concepts": []}]}',
        b'{"conceptree_boards": 1, "boards": [{"name": "", "concepts": []}]}',
        b'{"conceptree_boards": 1, "boards": [{"name": "a\\u0007", "concepts": []}]}',
        b'{"conceptree_boards": 1, "boards": [{"name": "a", "concepts": [{}]}]}',
        b'{"conceptree_boards": 1, "boards": [{"name": "a", "concepts": [{"run": "\\u202e", "made": "", "id": "1"}]}]}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_one_line_and_is_not_written(runs, content):
    file = runs / "boards.json"
    file.write_bytes(content)
    said = refused(boards, runs)
    assert "boards.json' cannot be read: " in said and "put back a copy of it, or remove it to begin anew" in said
    for act in (lambda: add(runs, "New", []), lambda: delete(runs, "a"), lambda: rename(runs, "a", "b")):
        assert "cannot be read" in refused(act)
    assert file.read_bytes() == content


def test_every_cut_of_the_file_is_refused_or_whole(runs):
    add(runs, "One", pins(runs, "pets", "ab"))
    whole = (runs / "boards.json").read_bytes()
    before = boards(runs)
    for length in range(1, len(whole), 7):
        (runs / "boards.json").write_bytes(whole[:length])
        assert "cannot be read" in refused(boards, runs)
    (runs / "boards.json").write_bytes(whole)
    assert boards(runs) == before


def test_a_newer_version_a_folder_and_too_much_are_refused(runs):
    file = runs / "boards.json"
    file.write_text('{"conceptree_boards": 2, "boards": []}')
    assert "has schema 2, and this version reads 1: update Conceptree" in refused(boards, runs)
    rows = [{"name": str(n), "concepts": []} for n in range(MOST_BOARDS + 1)]
    file.write_text(json.dumps({"conceptree_boards": 1, "boards": rows}))
    assert f"at most {MOST_BOARDS} are read" in refused(boards, runs)
    file.write_text(json.dumps({"conceptree_boards": 1, "boards": rows[:-1]}))
    assert f"at most {MOST_BOARDS} are stored" in refused(add, runs, "one more", [])
    with file.open("wb") as sparse:
        sparse.truncate(beside.LARGEST + 1)
    assert "bytes" in refused(boards, runs)
    file.unlink()
    file.mkdir()
    assert "is a folder" in refused(boards, runs)


@pytest.mark.parametrize("name", ["", " ", "x" * 61, "a\x1b[31m", "a\nb", "\u202egnp", "\ud800"])
def test_names_that_cannot_be(runs, name):
    assert "board = " in refused(add, runs, name, [])
    add(runs, "One", [])
    assert "board = " in refused(rename, runs, "One", name)
    assert [each.name for each in boards(runs)] == ["One"]


def test_a_board_has_room_for_so_many(runs):
    add(runs, "One", [made(n) for n in range(MOST_PINS)])
    assert f"more than {MOST_PINS} concepts" in refused(add, runs, "One", [made(-1)])
    changed = change(runs, "One", add=[made(-1)], remove=[made(0).id]).after
    assert changed and len(changed.pins) == MOST_PINS and changed.pins[-1] == made(-1), "one goes, one comes"


def test_an_unknown_board_and_a_folder_in_use(runs, monkeypatch):
    add(runs, "Bedroom", [])
    assert "there is no board 'Bedrom': did you mean Bedroom?" in refused(delete, runs, "Bedrom")
    assert "there are 'Bedroom'" in refused(remove, runs, "xyz", [])
    monkeypatch.setattr(beside, "WAIT", 0.1)
    with FileLock(runs / ".lock"):
        assert "the folder of boards" in refused(add, runs, "One", [])
    assert [each.name for each in boards(runs)] == ["Bedroom"]
