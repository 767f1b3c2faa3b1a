"""Damage costs only what is damaged, and a full disk loses nothing."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import ConceptreeError
from core.files import write_atomically
from evolve.jobs.job import Job
from evolve.store.check import check
from evolve.store.parts import Damage, Room, digest_of
from evolve.store.run import CONCEPTS, Note, Run
from tests.evolve.store.run.seen import PHOTO, parts, refused
from tests.families import by_letter, concept, new_run, picture


def test_files_are_replaced_as_a_whole(tmp_path):
    path = tmp_path / "new" / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two" and os.listdir(path.parent) == ["file"]
    assert path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("step", ["tempfile.mkstemp", "os.fsync", "os.replace", "os.fdopen"])
def test_a_full_disk_is_one_line_and_nothing_is_lost(pets, monkeypatch, step):
    before = {file: file.read_bytes() for file in pets.folder.rglob("*") if file.is_file()}
    individuals, notes = pets.individuals(), pets.notes()

    def full(*arguments, **options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(step, full)
        for call in (
            lambda: pets.add([concept(20)]),
            lambda: pets.note(individuals[0].id, rating=5),
            lambda: pets.add_drawings([(individuals[0].id, "a {}", 2, picture(99))]),
            lambda: pets.add_photo(PHOTO, picture(), "dog.jpg"),
            lambda: Job(pets.folder / "jobs" / "0001-seed", "seed", {}).keep(b"snapshot", "0" * 16),
        ):
            said = "No space left on device; earlier data is intact: make room and try again"
            assert said in refused(call)
    after = {file: file.read_bytes() for file in pets.folder.rglob("*") if file.is_file()}
    assert {file: content for file, content in after.items() if file.suffix != ".tmp"} == before
    assert pets.individuals() == individuals and pets.notes() == notes
    assert len(pets.add([concept(20)])) == 1, "the lock was given back"


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 64 kB, where one may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True, capture_output=True)


def test_a_disk_that_really_is_full_keeps_what_was_stored(tiny_disk):
    run = new_run(tiny_disk / "run")
    (one,) = run.add([concept(1)])
    run.note(one.id, rating=4)
    said, added = "", 1
    while not said:
        try:
            added += len(run.add([concept(100 + added)]))
        except ConceptreeError as error:
            said = str(error)
    assert "No space left on device; earlier data is intact: make room" in said
    filler = tiny_disk / "filler"
    with pytest.raises(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))
    for call in (
        lambda: run.note(one.id, comment="x" * 5000),
        lambda: run.add_drawings([(one.id, "a {}", 1, picture().resize((80, 80)))]),
        lambda: Job(run.folder / "jobs" / "0001-seed", "seed", {}).keep(bytes(9000), "0" * 16),
    ):
        assert "earlier data is intact" in refused(call) or "cannot be written" in refused(call)
    again = Run.open(run.folder)
    assert len(again.individuals()) == added > 1 and again.notes() == {one.id: Note(rating=4)}
    assert check(again).whole and not list(run.folder.rglob("*.tmp"))
    filler.unlink()
    assert again.note(one.id, rating=5).rating == 5


def test_unfinished_files_are_not_read(run):
    run.add([concept(1)])
    (run.folder / "concepts" / ".000002-x.parquet.tmp").write_bytes(b"half")
    (run.folder / "concepts" / "000002-01234567 (copy).parquet").write_bytes(b"half")
    assert len(run.individuals()) == 1


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (0, "it is empty (0 bytes)"),
        (100, "it is torn: 100 bytes, and its end is missing"),
        (None, "it is not a Parquet file"),
    ],
)
def test_a_torn_part_is_named_and_the_others_stay(pets, kept, said):
    letters = by_letter(pets)
    part = parts(pets)[2]  # e and f
    part.write_bytes(b"something else" if kept is None else part.read_bytes()[:kept])
    line = refused(pets.individuals, strict=True)
    assert part.name in line and said in line and "move it away to go on without it" in line
    assert said in refused(pets.entries, strict=True) and part.name in refused(pets.entries, strict=True)

    damage: list[Damage] = []
    assert [each.id for each in pets.individuals(damage)] == [letters[c].id for c in "abcdghi"]
    assert [(each.part, each.row) for each in damage] == [(part, None)]
    assert [each.id for each in pets.entries()] == [letters[c].id for c in "abcdghi"]
    assert pets.find(letters["h"].name) == letters["h"]
    assert "it may be in a damaged part" in refused(pets.find, letters["e"].name)
    assert pets.add([concept(20)])[0].name, "what is learned can still be stored"
    assert len(parts(pets)) == 6


@settings(max_examples=60)
@given(st.data())
def test_whatever_happens_to_a_part_a_reader_gets_rows_or_a_line(data):
    content = part_of_two()
    if data.draw(st.booleans(), label="cut"):
        content = content[: data.draw(st.integers(0, len(content)), label="at")]
    else:
        place = data.draw(st.integers(0, len(content) - 1), label="place")
        content = content[:place] + bytes([content[place] ^ data.draw(st.integers(1, 255))]) + content[place + 1 :]
    with tempfile.TemporaryDirectory() as folder:
        run = new_run(Path(folder) / "run")
        run.add([concept(9)])
        # Named as a stranger would, so that more than the digest stands between it and the reader.
        (run.folder / "concepts" / f"000002-{digest_of(content)}.parquet").write_bytes(content)
        for read in (run.individuals, run.entries):
            damage: list[Damage] = []
            assert read(damage)[0].id == concept(9).id
            assert all("\n" not in str(each) for each in damage)


@cache
def part_of_two() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        run = new_run(Path(folder) / "run")
        run.add([concept(1), concept(2)])
        return parts(run)[0].read_bytes()


def changed_row(run: Run, number: int, **values) -> None:
    """Store a run's first part again with other values in one row, as a stranger could."""
    (part, *_) = parts(run)
    rows = pq.read_table(part).to_pylist()
    rows[number - 1] |= values
    part.unlink()
    Room(part.parent, CONCEPTS).append(rows)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"vectors": [[0.0, float("nan")], [1.0, 1.0]]}, "vectors contains NaN or infinity"),
        ({"image_embed": [float("inf")]}, "image_embed contains NaN or infinity"),
        ({"vectors": None}, "vectors"),
        ({"name": None}, "it has no name"),
        ({"request": "{"}, "is not JSON"),
        ({"request": "[]"}, "not a concept of this schema"),
        ({"request": '{"category": "pet", "more": 1}'}, "made by a newer version"),
    ],
)
def test_what_is_wrong_in_a_row_is_named_and_the_other_rows_stay(run, values, said):
    run.add([concept(1), concept(2), concept(3)])
    changed_row(run, 2, **values)
    line = refused(run.individuals, strict=True)
    assert "row 2 of the part" in line and parts(run)[0].name in line and said in line
    damage: list[Damage] = []
    assert [each.id for each in run.individuals(damage)] == [concept(1).id, concept(3).id]
    assert [each.row for each in damage] == [2]
    assert said in refused(run.find, concept(2).id)
    assert run.find(concept(3).id).concept.request.seed == 3


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"id": None}, "it has no id"),
        ({"parents": None}, "it has no parents"),
        ({"parents": [None]}, "not a concept of this schema"),
        ({"parents": [{"id": "a", "run": "", "weight": float("nan"), "kind": "mix"}]}, "has the weight nan"),
        ({"parents": [{"id": "a", "run": "", "weight": 0.0, "kind": "mix"}]}, "has the weight 0"),
        ({"parents": [{"id": "a", "run": "", "weight": 1.0, "kind": "clone"}]}, "of kind 'clone'"),
        ({"scores": [{"name": "belongs", "value": None}]}, "not a concept of this schema"),
    ],
)
def test_rows_that_cannot_be_listed_are_named(run, values, said):
    run.add([concept(1), concept(2)])
    changed_row(run, 2, **values)
    assert said in refused(run.entries, strict=True)
    assert [each.id for each in run.entries()] == [concept(1).id]


def test_a_part_without_a_column_is_named(run):
    run.add([concept(1)])
    (part,) = parts(run)
    pq.write_table(pq.read_table(part).drop_columns(["name"]), part)
    assert "it has no column 'name'" in refused(run.entries, strict=True)


def test_a_folder_that_cannot_be_read_is_one_line(pets, monkeypatch):
    def forbidden(self):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "scandir", forbidden)
    assert "cannot be read: Permission denied" in refused(pets.individuals, strict=True)
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: forbidden(None))
    assert "cannot be read: Permission denied" in refused(Run.open, pets.folder)
