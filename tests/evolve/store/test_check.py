"""A run's check-up: whole is said of what is whole alone, and what is lost is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolve.store.check import Finding, check
from evolve.store.parts import Room
from evolve.store.run import CONCEPTS, DRAWINGS, NOTES, Run
from tests.families import by_letter, concept, family, picture


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Run:
    run = family(tmp_path_factory.mktemp("runs") / "pets")
    run.note(by_letter(run)["e"].id, name="Whisker Fin")
    return run


@pytest.fixture
def pets(whole, tmp_path) -> Run:
    shutil.copytree(whole.folder, tmp_path / "pets")
    return Run.open(tmp_path / "pets")


def lost(run: Run) -> list[Finding]:
    return [finding for finding in check(run).findings if finding.lost]


def notes(run: Run) -> list[Finding]:
    found = check(run)
    assert found.whole
    return found.findings


def test_a_whole_run_is_whole(pets):
    found = check(pets)
    assert found.whole and not found.findings
    assert (found.concepts, found.drawings, found.notes, found.parts) == (9, 8, 1, 5 + 5 + 1)
    shutil.rmtree(pets.folder / "notes")
    assert check(pets).whole, "a run without notes is whole"


@pytest.mark.parametrize(("kept", "said"), [(0, "it is empty"), (500, "it is torn: 500 bytes")])
def test_a_torn_part_is_named_with_what_is_lost(pets, kept, said):
    letters = by_letter(pets)
    part = pets.rooms["concepts"].parts()[2]
    part.write_bytes(part.read_bytes()[:kept])
    torn, told = lost(pets)
    assert torn.where == f"concepts/{part.name}" and said in torn.text
    assert "the concepts of that batch are lost" in torn.text
    assert "2 concepts are lost that drawings, notes or children refer to" in told.text
    assert f"Whisker Fin ({letters['e'].id})" in told.text and letters["f"].id in told.text
    assert check(pets).concepts == 7


def test_a_part_that_is_gone_is_missed(pets):
    pets.rooms["concepts"].parts()[3].unlink()
    gone, told = lost(pets)
    assert gone.where == "concepts/000004-….parquet" and "it is gone" in gone.text
    assert "1 concept is lost that" in told.text


@settings(max_examples=40)
@given(data=st.data())
def test_no_byte_changes_unnoticed(whole, tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("changed") / "pets"
    shutil.copytree(whole.folder, folder)
    files = sorted(file for file in folder.rglob("*") if file.suffix in (".parquet", ".png"))
    file = data.draw(st.sampled_from(files))
    content = bytearray(file.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    file.write_bytes(content)
    found = check(Run.open(folder))
    assert not found.whole
    assert any(finding.where == file.relative_to(folder).as_posix() for finding in found.findings)


def test_a_row_with_nan_is_named_and_the_others_are_read(pets):
    part = pets.rooms["concepts"].parts()[-1]
    rows = pq.read_table(part).to_pylist()
    rows[1]["vectors"][0][0] = float("nan")
    part.unlink()
    Room(part.parent, CONCEPTS).append(rows)
    (found,) = lost(pets)
    assert found.text == "row 2 cannot be read: vectors contains NaN or infinity"
    assert check(pets).concepts == 8


def test_pictures_that_are_gone_or_changed_are_named(pets):
    first, second, *_ = pets.drawings()
    first.file.unlink()
    second.file.write_bytes(b"another")
    found = {each.where: each.text for each in lost(pets)}
    assert found == {
        f"drawings/{first.file.name}": "the picture cannot be read: No such file or directory",
        f"drawings/{second.file.name}": "the picture has changed: its digest differs",
    }


def test_what_need_not_be_there_is_told_and_the_run_is_whole(pets):
    a, b = (by_letter(pets)[letter] for letter in "ab")
    picture(99).save(pets.folder / "drawings" / f"{'0' * 24}.png")
    (pets.folder / "drawings" / "holiday.jpg").touch()
    (pets.folder / "concepts" / ".abc.tmp").touch()
    (pets.folder / "sheet.png").touch()
    first = pq.read_table(pets.rooms["concepts"].parts()[0]).to_pylist()
    pets.rooms["concepts"].append(first[:1])
    note = {"concept": b.id, "favourite": False, "comment": "", "hidden": False, "locked": False, "name": a.name}
    pets.rooms["notes"].append([note])
    found = {(each.where, each.text) for each in notes(pets)}
    assert found == {
        ("drawings/holiday.jpg", "it is not a file of a run, and is not read"),
        (f"drawings/{'0' * 24}.png", "no table describes the picture"),
        ("concepts/.abc.tmp", "left over from a write that was stopped: it can be removed"),
        ("", f"the concept {a.id} is in several parts: the first one counts"),
        ("", f"several concepts are called {a.name!r}: name them by their ids"),
    }


def test_strangers_rows_are_named(pets):
    Room(pets.folder / "drawings", DRAWINGS).append([{"concept": "a", "prompt": "a {}", "seed": 1, "file": "../../x"}])
    Room(pets.folder / "notes", NOTES).append(
        [{"concept": "nobody", "favourite": False, "comment": "", "hidden": False, "locked": False}]
    )
    texts = [each.text for each in lost(pets)]
    assert any("its file is '../../x'" in text for text in texts)
    assert any("1 concept is lost" in text and "nobody" in text for text in texts)


def test_a_room_that_is_gone_is_missed(pets):
    shutil.rmtree(pets.folder / "drawings")
    assert [each.where for each in lost(pets)] == ["drawings"]


def test_a_parent_that_is_no_older_is_named(pets):
    a = by_letter(pets)["a"].id
    part = pets.rooms["concepts"].parts()[0]
    rows = pq.read_table(part).to_pylist()
    rows[0]["parents"] = [{"id": a, "run": "", "weight": 1.0, "kind": "mix"}]
    part.unlink()
    Room(part.parent, CONCEPTS).append(rows)
    assert any("row 1 cannot be read: it is of generation 0, and its parent" in each.text for each in lost(pets))


def test_photographs_and_guests_are_not_missed(pets):
    pets.add([concept(20, {"photo-0123456789abcdef": 1.0}, birth="image"), concept(21, {"f" * 16: 1.0}, run="others")])
    assert not check(pets).findings


def test_copies_of_photographs_that_are_gone_or_changed_are_named(pets):
    one, other = (pets.add_photo(f"photo-{digit * 16}", picture(), f"{digit}.jpg") for digit in "ab")
    found = check(pets)
    assert found.whole and not found.findings and found.photos == 2
    one.file.unlink()
    other.file.write_bytes(other.file.read_bytes()[:40])
    (pets.folder / "photos" / f"photo-{'c' * 16}.png").touch()
    (pets.folder / "photos" / "holiday.jpg").touch()
    texts = {each.where: (each.lost, each.text) for each in check(pets).findings}
    assert texts == {
        f"photos/{one.file.name}": (
            True,
            "the copy of 'a.jpg' cannot be read: No such file or directory; using the photograph once more puts it"
            " back",
        ),
        f"photos/{other.file.name}": (
            True,
            "the copy of 'b.jpg' has changed: its digest differs; using the photograph once more puts it back",
        ),
        f"photos/photo-{'c' * 16}.png": (False, "no table has the name of the photograph"),
        "photos/holiday.jpg": (False, "it is not a file of a run, and is not read"),
    }
    (part,) = pets.rooms["photos"].parts()[:1]
    part.write_bytes(b"")
    assert any("the photos of that batch are lost" in each.text for each in lost(pets))


def test_a_record_of_an_import_that_is_torn_is_named(pets):
    (pets.folder / "imports").mkdir()
    (pets.folder / "imports" / "0123456789abcdef.json").write_text('{"conceptree": 1}')
    assert check(pets).whole
    (pets.folder / "imports" / "fedcba9876543210.json").write_text('{"concep')
    (found,) = lost(pets)
    assert found.where == "imports/fedcba9876543210.json" and "where that concept was learned is lost" in found.text


def test_a_check_changes_nothing(pets):
    def content() -> dict[Path, bytes]:
        return {file: file.read_bytes() for file in pets.folder.rglob("*") if file.is_file()}

    before = content()
    check(pets)
    assert content() == before
