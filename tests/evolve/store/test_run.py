"""A run on disk gives back exactly what was stored, one writer at a time, and damage costs only what is damaged."""

from __future__ import annotations

import errno
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import ConceptreeError
from core.files import write_atomically
from evolve.family.lineage import lineage
from evolve.fitness import of_run
from evolve.jobs.job import Job
from evolve.jobs.stored import unfinished
from evolve.store.check import check
from evolve.store.names import name_for
from evolve.store.parts import Damage, Room, digest_of
from evolve.store.run import CONCEPTS, DRAWINGS, NOTES, PHOTOS, Note, Run, RunError
from tests.families import STACK, by_letter, concept, family, new_run, picture
from tests.populations import SCORES, population

ROOT = Path(__file__).parents[3]
PHOTO = "photo-0123456789abcdef"
ROOMS = {"concepts": CONCEPTS, "drawings": DRAWINGS, "notes": NOTES, "photos": PHOTOS}


@pytest.fixture
def run(tmp_path) -> Run:
    return new_run(tmp_path / "run")


@pytest.fixture
def pets(tmp_path) -> Run:
    return family(tmp_path / "pets")


def parts(run: Run, room: str = "concepts") -> list[Path]:
    return sorted((run.folder / room).glob("*.parquet"))


def refused(call, *arguments, **how) -> str:
    """The one line of the error that a call raises."""
    with pytest.raises(ConceptreeError) as caught:
        call(*arguments, **how)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_stored_comes_back_exactly(run):
    mother, father = concept(1), concept(2)
    child = concept(3, [mother, father])
    first, second = run.add([mother, father]), run.add([child])
    again = Run.open(run.folder)
    assert again.individuals() == first + second
    assert [each.generation for each in again.individuals()] == [0, 0, 1]
    assert again.individuals()[2].concept == child
    assert again.about["stack"]["version"] == "tiny-1"


def test_a_child_and_grandchild_in_one_batch_have_their_generations(run):
    mother = concept(1)
    child = concept(2, [mother])
    assert [each.generation for each in run.add([mother, child, concept(3, [child, mother])])] == [0, 1, 2]


def test_each_batch_is_one_part_that_other_tools_read(run):
    run.add([concept(1), concept(2)])
    run.add([concept(3)])
    parts = sorted((run.folder / "concepts").iterdir())
    assert [part.name[:7] for part in parts] == ["000001-", "000002-"]
    table = pq.read_table(parts[0]).to_pylist()
    assert table[0]["negatives"][1] == {"word": "dog", "step": 5, "by": "vqa", "note": "'boeing' does not push"}
    assert np.shape(table[0]["vectors"]) == (2, 4) and table[0]["preset"] == "default"


def test_names_are_unique_pronounceable_and_not_words_of_the_stack(run):
    concepts = [concept(seed) for seed in range(30)]
    would_be = name_for(concepts[0].id)
    names = [each.name for each in run.add(concepts, taken=[would_be])]
    assert len(set(names)) == 30 and would_be not in names
    assert all(len(name) % 2 == 0 and set(name[1::2]) <= set("aeiou") for name in names)
    assert run.find(names[4]).id == concepts[4].id and run.find(concepts[4].id).name == names[4]
    with pytest.raises(RunError, match="there is no concept 'nobody'"):
        run.find("nobody")


def test_a_name_that_is_nearly_right_is_put_right_and_hostile_ones_stay_harmless(pets):
    name = pets.individuals()[0].name
    assert f"did you mean {name}" in refused(pets.find, name + "x")
    Room(pets.folder / "notes", NOTES).append(
        [
            {
                "concept": each.id,
                "favourite": False,
                "comment": "",
                "hidden": False,
                "locked": False,
                "name": "\x1b[31m",
            }
            for each in pets.individuals()
        ]
    )
    assert "\x1b" not in refused(pets.find, "nobody") and "\x1b" not in refused(pets.find, "x1b[31m")


def test_names_grow_when_the_short_ones_are_taken():
    taken = set()
    for number in range(6000):
        taken.add(name_for(str(number), taken))
    assert len(taken) == 6000 and max(map(len, taken)) <= 8


def test_a_concept_is_stored_once(run):
    one = concept(1)
    run.add([one])
    with pytest.raises(RunError, match="is in the run already"):
        run.add([concept(2), one])
    assert len(run.individuals()) == 1


def test_drawings_are_stored_by_content_with_their_index(run):
    same = picture()
    stored = run.add_drawings([("a", "a photo of a {}", 1, same), ("b", "a photo of a {}", 2**63 - 1, same)])
    assert all(np.array_equal(Image.open(each.file), same) for each in stored)
    assert run.keep_picture(same) == run.keep_picture(same)
    assert run.drawings() == stored and run.drawings("b") == stored[1:]


# Damage


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


@settings(max_examples=60, deadline=None)
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


def test_parts_are_read_in_the_order_of_their_numbers(run):
    run.add([concept(1)])
    (part,) = parts(run)
    part.rename(part.with_name(part.name.replace("000001", "999999")))
    run.add([concept(2)])
    run.add([concept(3)])
    assert [part.name.split("-")[0] for part in run.rooms["concepts"].parts()] == ["999999", "1000000", "1000001"]
    assert [each.id for each in run.entries()] == [concept(number).id for number in (1, 2, 3)]


def test_a_folder_that_cannot_be_read_is_one_line(pets, monkeypatch):
    def forbidden(self):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "scandir", forbidden)
    assert "cannot be read: Permission denied" in refused(pets.individuals, strict=True)
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: forbidden(None))
    assert "cannot be read: Permission denied" in refused(Run.open, pets.folder)


# run.json


def test_folders_that_are_no_runs_say_so(run, tmp_path):
    with pytest.raises(RunError, match="there is no run in"):
        Run.open(tmp_path / "nowhere")
    with pytest.raises(RunError, match="there is a run in"):
        Run.create(run.folder, "pet", STACK)
    (run.folder / "run.json").write_text("{")
    with pytest.raises(RunError, match="cannot be read: it is not JSON"):
        Run.open(run.folder)
    (tmp_path / "file").touch()
    with pytest.raises(ConceptreeError, match="no run can be made in"):
        Run.create(tmp_path / "file" / "run", "pet", STACK)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"schema": 99, "written_by": None}, "has schema 99, this version reads 1: a newer Conceptree wrote it"),
        ({"schema": 2, "written_by": "9.1"}, "this version reads 1: Conceptree '9.1' wrote it, and reads it; this is"),
        ({"schema": 2, "written_by": "\x1b[31m"}, "'\\x1b[31m'"),
        ({"schema": True}, "has schema True"),
        ({"schema": None}, "was it made by Conceptree?"),
    ],
)
def test_another_schema_says_which_version_reads_it(run, about, said):
    (run.folder / "run.json").write_text(json.dumps(run.about | about))
    assert said in refused(Run.open, run.folder)


@pytest.mark.parametrize("key", ["category", "kind", "stack", "created_at", "stack.where", "stack.fingerprint"])
@pytest.mark.parametrize("value", [None, 5])
def test_a_key_that_is_missing_or_wrong_is_named(run, key, value):
    about = json.loads(json.dumps(run.about))
    place, name = (about["stack"], key.removeprefix("stack.")) if "." in key else (about, key)
    place[name] = value
    if value is None:
        del place[name]
    (run.folder / "run.json").write_text(json.dumps(about))
    assert (f"lacks the key {key!r}" if value is None else f"has {key} = 5: expected") in refused(Run.open, run.folder)


@pytest.mark.parametrize("content", ["[]", "null", '"run"', "[" * 100_000, b"\xff\xfe"])
def test_a_run_json_of_something_else_is_one_line(run, content):
    (run.folder / "run.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert "cannot be read" in refused(Run.open, run.folder)


def test_a_stack_is_found_again_from_another_folder(tmp_path, monkeypatch):
    (tmp_path / "stack").mkdir()
    (tmp_path / "emoji").mkdir()
    monkeypatch.chdir(tmp_path)
    for where, stored in (("stack", str(tmp_path / "stack")), ("emoji", "emoji"), ("someone/stack", "someone/stack")):
        stack = SimpleNamespace(where=where, version="1", fingerprint="f")
        assert new_run(Path(where.replace("/", "-") + "-run"), stack).about["stack"]["where"] == stored


# One writer

WRITER = """
import sys
from pathlib import Path
from evolve.store.run import Run
from tests.families import concept, picture
run = Run.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(6):
    seed = int(sys.argv[2]) + number
    (one,) = run.add([concept(seed)])
    run.add_drawings([(one.id, "a photo of a {}", 1, picture(seed))])
    run.note(one.id, rating=1 + number % 5)
"""

HOLDER = """
import sys
from evolve.store.run import Run
with Run.open(sys.argv[1]).writing():
    print("held", flush=True)
    sys.stdin.readline()
"""


def started(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Start another process, and wait until it reports that it is ready."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout and process.stdout.readline()
    return process


def test_two_writers_lose_nothing(run):
    writers = [started(WRITER, run.folder, 100 * number) for number in (1, 2)]
    for writer in writers:
        assert writer.stdin
        writer.stdin.write("go\n")
        writer.stdin.flush()
    counts = []
    while any(writer.poll() is None for writer in writers):
        counts.append(len(run.individuals()))  # a reader never waits, and never sees half
    assert [writer.wait() for writer in writers] == [0, 0] and counts == sorted(counts)
    individuals = run.individuals()
    assert {each.concept.request.seed for each in individuals} == {100 * n + i for n in (1, 2) for i in range(6)}
    assert len({each.name for each in individuals}) == 12
    for room in ("concepts", "drawings", "notes"):
        assert [part.name[:6] for part in parts(run, room)] == [f"{number:06d}" for number in range(1, 13)]
    assert all(drawing.file.is_file() for drawing in run.drawings()) and len(run.notes()) == 12


def test_who_holds_the_run_is_named(run):
    holder = started(HOLDER, run.folder)
    try:
        line = refused(run.writing(wait=0.1).__enter__)
        assert f"is being written by process {holder.pid} on" in line and "after 0.1 s: try again" in line
        assert run.individuals() == [], "readers need no lock"
    finally:
        holder.communicate("\n")
    run.add([concept(1)])


def test_a_writer_that_was_killed_holds_nothing(run):
    holder = started(HOLDER, run.folder)
    holder.kill()
    holder.wait()
    assert (run.folder / ".lock.by").exists()
    with run.writing(wait=1):
        pass


def test_a_writer_may_enter_again_and_another_thread_waits(run):
    errors: list[str] = []

    def other() -> None:
        try:
            with Run.open(run.folder).writing(wait=0.1):
                pass
        except RunError as error:
            errors.append(str(error))

    with run.writing(), Run.open(run.folder).writing():
        run.add([concept(1)])
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(errors) == 1 and f"process {os.getpid()}" in errors[0]


def test_a_run_that_cannot_be_locked_is_one_line(run, monkeypatch):
    def forbidden(*arguments, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("filelock.FileLock.acquire", forbidden)
    assert "cannot be written: Permission denied" in refused(run.add, [concept(1)])


# Drawings of strangers


@pytest.mark.parametrize(
    "file", ["../../x", "../run.json", f"../{'a' * 24}.png", f"{'a' * 24}.png/x", "a.png", "A" * 24 + ".png"]
)
def test_only_our_own_file_names_are_pictures(pets, file):
    Room(pets.folder / "drawings", DRAWINGS).append([{"concept": "a", "prompt": "a {}", "seed": 1, "file": file}])
    line = refused(pets.drawings, strict=True)
    assert f"its file is {file!r}" in line and "row 1 of the part" in line
    damage: list[Damage] = []
    assert len(pets.drawings(damage=damage)) == 8 and len(damage) == 1


# Notes


def test_the_latest_note_counts_and_earlier_ones_stay(pets):
    a = by_letter(pets)["a"].id
    assert pets.notes() == {} and pets.entry(a).note == Note()
    pets.note(a, rating=4, comment="[bold] ../\n猫")
    pets.note(a, favourite=True)
    assert Run.open(pets.folder).notes() == {a: Note(favourite=True, rating=4, comment="[bold] ../\n猫")}
    assert pets.note(a, rating=None, favourite=False, comment="") == pets.entry(a).note == Note()
    table = pa.concat_tables(pq.read_table(part) for part in parts(pets, "notes"))
    assert table.column("rating").to_pylist() == [4, 4, None]


def test_twins_are_one_name(pets):
    """Composed or decomposed accents, and full-width letters."""
    one, other = by_letter(pets)["a"].id, by_letter(pets)["b"].id
    assert pets.note(one, name="cafe\u0301").name == "caf\u00e9"
    assert pets.entry("cafe\u0301").id == pets.entry("\uff43\uff41\uff46\u00e9").id == one
    for twin in ("caf\u00e9", "cafe\u0301", "\uff43\uff41\uff46\u00e9", "CAF\u00c9"):
        assert "is taken" in refused(lambda twin=twin: pets.note(other, name=twin))


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


def test_a_name_can_be_changed_and_the_old_one_still_finds_it(pets):
    a, b = (by_letter(pets)[letter] for letter in "ab")
    pets.note(a.id, name="Whisker Fin")
    assert pets.entry("Whisker Fin").id == pets.entry(a.name).id == pets.find(a.id).id == a.id
    assert pets.individuals()[0].name == pets.find(a.name).name == "Whisker Fin"
    for taken in ("Whisker Fin", "whisker fin", "WHISKER FIN", a.name, a.name.upper(), a.id):
        assert "is taken, by" in refused(lambda name=taken: pets.note(b.id, name=name))
    pets.note(a.id, name="whisker Fin")
    pets.note(a.id, name="Whisker Fin")  # its own, in other capitals
    pets.note(a.id, rating=3)
    assert pets.entry(a.id).name == "Whisker Fin"
    pets.note(a.id, name=None)
    assert pets.entry(a.id).name == a.name


def test_new_concepts_take_neither_newest_nor_first_names(run):
    one = run.add([concept(1)])[0]
    run.note(one.id, name=name_for(concept(2).id))
    (other,) = run.add([concept(2)], taken=[])
    assert other.name not in (one.name, run.entry(one.id).name)


def test_a_strangers_note_that_cannot_be_is_named(pets):
    a = by_letter(pets)["a"].id
    row = {"concept": a, "favourite": True, "rating": 9, "comment": "", "hidden": False, "locked": False}
    Room(pets.folder / "notes", NOTES).append([row, row | {"rating": 5}, row | {"concept": None, "rating": 1}])
    assert "row 1 of the part" in refused(pets.notes, strict=True)
    damage: list[Damage] = []
    assert pets.notes(damage) == {a: Note(favourite=True, rating=5)} and [each.row for each in damage] == [1, 3]


@pytest.mark.parametrize("name", ["Whisker_Fin-2", "d'Artagnan Jr.", "Grüße", "猫 7", "नमस्ते", "٤", "_x", "'x"])
def test_names_are_of_any_script(pets, name):
    a = by_letter(pets)["a"].id
    pets.note(a, name=name)
    assert pets.entry(name).id == a


def test_nobody_is_born_with_the_name_of_the_category_and_a_person_may_give_it(tmp_path):
    one = concept(1)
    run = Run.create(tmp_path / "run", name_for(one.id), STACK)
    (born,) = run.add([one])
    assert born.name != run.about["category"]
    run.note(one.id, name=run.about["category"])
    assert run.entry(run.about["category"]).id == one.id


# Undo


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


# Photographs


def test_a_small_copy_of_a_photograph_is_kept_without_its_metadata(pets):
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 255, (300, 600, 3), dtype=np.uint8))
    photo.info["comment"] = b"at home"
    exif = photo.getexif()
    exif[0x010E] = "at home"
    kept = pets.add_photo(PHOTO, photo, "my dog \ud800.jpg")
    assert kept.file == pets.folder / "photos" / f"{PHOTO}.png" and kept.label == "my dog ?.jpg"
    with Image.open(kept.file) as small:
        assert small.size == (128, 64) and small.format == "PNG" and not small.getexif() and not small.info
    assert Run.open(pets.folder).photos() == {PHOTO: kept}
    assert pets.add_photo(PHOTO, photo, "another name.jpg") == kept and len(parts(pets, "photos")) == 1
    assert pets.names()[PHOTO] == "my dog ?.jpg"


def test_a_photograph_that_was_lost_is_put_back(pets):
    kept = pets.add_photo(PHOTO, picture(1), "dog.jpg")
    content = kept.file.read_bytes()
    kept.file.write_bytes(content[:20])
    assert pets.add_photo(PHOTO, picture(1), "dog.jpg") == kept and kept.file.read_bytes() == content
    assert len(parts(pets, "photos")) == 1


def test_a_run_without_photographs_has_none(pets):
    assert pets.photos() == {} and not (pets.folder / "photos").exists()
    assert "is not a photograph's id" in refused(lambda: pets.add_photo("../../x", picture(), "x.png"))


@pytest.mark.parametrize("id_", [None, "photo-../../x", "photo-" + "A" * 16, "photo-" + "0" * 16 + "/x"])
def test_photographs_of_strangers_open_no_other_file(pets, id_):
    pets.add_photo(PHOTO, picture(1), "dog.jpg")
    Room(pets.folder / "photos", PHOTOS).append([{"id": id_, "label": "x", "digest": "y"}])
    assert "row 1 of the part" in refused(pets.photos, strict=True)
    damage: list[Damage] = []
    assert list(pets.photos(damage)) == [PHOTO] and len(damage) == 1


# Runs of the first version

FIRST = Path(__file__).parents[2] / "data" / "run-of-schema-1"  # written by the first version, and never again


def test_a_run_of_the_first_version_is_read_to_the_last_note():
    run = Run.open(FIRST)
    damage: list[Damage] = []
    a, b, c, d = run.individuals(damage)
    assert [each.concept for each in (a, b)] == [concept(1), concept(2)]
    assert c.concept == concept(3, {a.id: 3.0, b.id: 1.0}) and (c.generation, d.generation) == (1, 1)
    assert [(parent.id, parent.kind) for parent in run.entry(d.id).parents] == [(a.id, "image"), (PHOTO, "image")]
    assert run.notes(damage) == {
        a.id: Note(favourite=True, rating=4, name="Whisker [Fin]", comment="like a 猫"),
        b.id: Note(hidden=True),
    }
    assert [list(change.changed) for change in run.changes(damage)] == [
        ["rating", "name"],
        ["favourite", "comment"],
        ["hidden"],
    ]
    for drawing, seed in zip(run.drawings(damage=damage), (1, 2), strict=True):
        assert np.array_equal(Image.open(drawing.file), picture(seed))
    assert run.photos(damage) == {} and not damage and unfinished(run) == []
    graph = lineage(run)
    assert graph.nodes[PHOTO]["name"] == PHOTO[:14] and graph.edges[a.id, c.id]["weight"] == 0.75
    found = check(run)
    assert found.whole and not found.findings and (found.concepts, found.notes) == (4, 2)
    assert {value["differs"] for value in of_run(run).values()} == {None}
    assert all(value["novel"] for value in of_run(run).values())


def test_a_run_of_the_first_version_is_written_as_any_other(tmp_path):
    shutil.copytree(FIRST, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    a, b, *_ = run.individuals()
    assert run.undo(b.id) == Note() and run.undo(a.id) == Note(rating=4, name="Whisker [Fin]")
    run.note(b.id, name="Tail Fin")
    assert run.undo(b.id) == Note(), "what was taken back before undo was known stays so"
    run.add_photo(PHOTO, picture(), "dog.jpg")
    run.add([concept(9)])
    assert check(run).whole and len(Run.open(run.folder).entries()) == 5


# The document


def section() -> str:
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    return text.split("## The run on disk\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(("room", "schema"), ROOMS.items())
def test_the_document_has_every_column_with_its_type(room, schema):
    table = section().split(f"### {room}/")[1].split("\n### ")[0]
    found = dict(re.findall(r"^\| `(\w+)` +\| `([^`]+)` +\|", table, re.MULTILINE))
    assert found == {field.name: written(field.type) for field in schema}


def written(kind: pa.DataType) -> str:
    """A type as the document has it: `list<{word: string, weight: double}>`"""
    if pa.types.is_list(kind):
        return f"list<{written(kind.value_type)}>"
    if pa.types.is_struct(kind):
        return "{" + ", ".join(f"{field.name}: {written(field.type)}" for field in kind) + "}"
    return str(kind)


@pytest.mark.parametrize("library", ["duckdb", "pandas", "pyarrow"])
def test_the_documents_examples_run(tmp_path, monkeypatch, library):
    pytest.importorskip(library)
    pets = family(tmp_path / "runs" / "pets")
    a, b, *_ = (each.id for each in pets.individuals())
    pets.note(a, favourite=True, rating=4)
    pets.note(b, rating=3)
    pets.note(b, rating=None)
    monkeypatch.chdir(tmp_path)
    examples = [
        code for code in re.findall(r"```python\n(.+?)```", section(), re.DOTALL) if f"import {library}" in code
    ]
    assert examples
    for code in examples:
        found: dict = {}
        exec(code, found)
        assert len(found["weights"]) == 9
        ratings = dict(found["ratings"])
        assert ratings.keys() == {a, b} and ratings[a] == 4 and ratings[b] != 3
        assert np.shape(found["vectors"]) == (9, 2, 4)


def test_the_documents_query_names_existing_columns_and_agrees_with_pyarrow(tmp_path, monkeypatch):
    (query,) = re.findall(r"```sql\n(.+?)```", section(), re.DOTALL)
    structs = {"parent": CONCEPTS.field("parents").type.value_type, "score": CONCEPTS.field("scores").type.value_type}
    asked = re.findall(r"\b(?:child|elder)\.(\w+)", query)
    assert {"name", "id", "parents", "scores"} == set(asked) <= set(CONCEPTS.names)
    fields = re.findall(r"\b(parent|score)\.(\w+)", query)
    assert fields and all(structs[struct].get_field_index(name) >= 0 for struct, name in fields)
    (place,) = set(re.findall(r"'(.+?/concepts/\*\.parquet)'", query))
    (score,) = re.findall(r"score\.name = '(\w+)'", query)
    assert (ROOT / place).parent.is_dir() and score in SCORES

    run = population(tmp_path / "runs" / "example", 60, batch=6)
    monkeypatch.chdir(tmp_path)
    concepts = pyarrow.dataset.dataset(sorted(str(file) for file in Path().glob(place))).to_table().to_pylist()
    names = {row["id"]: row["name"] for row in concepts}
    values: dict[str, list[float]] = {}
    for row in concepts:
        (value,) = (each["value"] for each in row["scores"] if each["name"] == score)
        for parent in row["parents"]:
            if parent["id"] in names:
                values.setdefault(names[parent["id"]], []).append(value)
    expected = {name: (len(each), round(sum(each) / len(each), 2)) for name, each in values.items()}
    children = Counter(parent.id for each in run.entries() for parent in each.parents if not parent.run)
    assert {name: count for name, (count, _) in expected.items()} == {names[id_]: n for id_, n in children.items()}
    with suppress(ImportError):  # which is no dependency of ours
        import duckdb

        found = {name: (count, mean) for name, count, mean in duckdb.sql(query).fetchall()}
        assert found.keys() == expected.keys()
        assert all(found[name] == (count, pytest.approx(mean, abs=0.011)) for name, (count, mean) in expected.items())


# Small things


def test_nothing_here_touches_the_global_random_state(run):
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()
    run.add([concept(1)])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


def test_files_are_replaced_as_a_whole(tmp_path):
    path = tmp_path / "new" / "file"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two" and os.listdir(path.parent) == ["file"]
    assert path.stat().st_mode & 0o777 == 0o644
