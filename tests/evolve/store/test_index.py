"""Lists are the same whether they are made of the parts or of the index, and the index only saves time."""

from __future__ import annotations

import errno
import os
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.files import StorageError
from evolve.store import index
from evolve.store.check import check
from evolve.store.index import span_of
from evolve.store.listing import _by_columns
from evolve.store.names import candidates
from evolve.store.parts import Damage, Room, digest_of
from evolve.store.rows import ENTRY, entry_of
from evolve.store.run import CONCEPTS, DRAWINGS, INDEX, Run
from tests.families import by_letter, concept, family, made_family, picture
from tests.populations import drawn, population


@pytest.fixture
def pets(tmp_path, monkeypatch) -> Run:
    """The family, of whose five parts the first four are in the index."""
    monkeypatch.setattr(index, "SPAN", 2)
    run = made_family(tmp_path / "pets")
    assert len(files(run)) == 6  # two spans, three sets of columns
    return Run.open(run.folder)


def files(run: Run, room: str = "concepts") -> list[Path]:
    return sorted((run.folder / INDEX / room).glob("*.arrow"))


def without_index(run: Run) -> Run:
    shutil.rmtree(run.folder / INDEX)
    return Run.open(run.folder)


def parts_read(run: Run, monkeypatch) -> list[str]:
    """The names of the parts that are read from now on."""
    read: list[str] = []
    table = Room.table

    def watched(self, part: Path, *arguments):
        read.append(part.name)
        return table(self, part, *arguments)

    monkeypatch.setattr(Room, "table", watched)
    return read


def test_the_index_says_what_the_parts_say(pets, monkeypatch):
    other = Run.open(shutil.copytree(pets.folder, pets.folder.parent / "other"))
    plain = without_index(other)
    last = pets.rooms["concepts"].parts()[-1].name
    read = parts_read(pets, monkeypatch)
    entries, embeds, drawings = pets.entries(), pets.image_embeds(), pets.drawings()
    assert set(read) == {last, pets.rooms["drawings"].parts()[-1].name}, "the parts after the last whole span"
    assert [each.id for each in entries] == [each.id for each in plain.entries()] and len(entries) == 9
    assert [(each.name, each.parents, each.scores, each.created_at, each.row) for each in entries] == [
        (each.name, each.parents, each.scores, each.created_at, each.row) for each in plain.entries()
    ]
    assert [(each.concept, each.file.name) for each in drawings] == [
        (each.concept, each.file.name) for each in plain.drawings()
    ]
    concepts = {each.id: each.concept for each in plain.individuals()}
    assert embeds.keys() == concepts.keys()
    assert all(np.array_equal(embed, concepts[id_].image_embed) for id_, embed in embeds.items())


def test_columns_at_once_give_what_rows_give_one_by_one(tmp_path):
    run = population(tmp_path / "run", 150, batch=10)
    for piece in run.rooms["concepts"].pieces(ENTRY):
        plain = [entry_of(*place, row) for place, row in zip(piece.places(), piece.table.to_pylist(), strict=True)]
        assert _by_columns(piece) == plain and plain
    assert len(run.entries()) == 150 and any(p.run for each in run.entries() for p in each.parents)


def test_parts_are_read_once_and_notes_count_at_once(pets, monkeypatch):
    before = pets.entries()
    read = parts_read(pets, monkeypatch)
    pets.note(before[0].id, name="Whisker Fin")
    after = pets.entries()
    assert after[0].name == "Whisker Fin" and after[0].born == before[0].name and after[1:] == before[1:]
    assert not any(name in read for name in (part.name for part in pets.rooms["concepts"].parts()))


def test_a_new_concept_is_compared_with_all_and_opens_the_last_parts_alone(pets, monkeypatch):
    letters = by_letter(pets)
    parts = pets.rooms["concepts"].parts()
    read = parts_read(pets, monkeypatch)
    (child,) = Run.open(pets.folder).add([concept(30, {letters["h"].id: 1.0})])
    assert child.generation == letters["h"].generation + 1
    opened = {name for name in read if name in {part.name for part in parts}}
    assert opened == {parts[-1].name}
    with pytest.raises(Exception, match="is in the run already"):
        Run.open(pets.folder).add([letters["a"].concept])


def test_nobody_gets_a_name_that_is_in_the_index(pets, monkeypatch):
    first, second, third = islice(candidates(concept(100).id), 3)
    rows = pets.rooms["concepts"].read(pets.rooms["concepts"].parts()[0])
    pets.rooms["concepts"].append(
        [rows[0] | {"id": "f" * 16, "name": first}, rows[1] | {"id": "e" * 16, "name": second}]
    )
    (born,) = Run.open(pets.folder).add([concept(100)])
    assert born.name == third
    monkeypatch.setattr("evolve.store.run.TRIED", 0)  # as if all names that are looked up were taken
    again = pets.add([concept(seed) for seed in range(130, 140)])
    assert len({each.name for each in pets.entries()}) == 9 + 3 + 10 and len(again) == 10


@pytest.mark.parametrize("content", [b"", b"x" * 99, None])
def test_a_file_that_is_torn_or_a_strangers_is_as_good_as_none_and_mended_with_the_next_part(pets, content):
    entries = Run.open(pets.folder).entries()
    whole = {file: file.read_bytes() for file in files(pets)}
    for file in whole:
        file.write_bytes(whole[file][:-9] if content is None else content)
    assert pets.entries() == entries and check(pets).whole
    pets.add([concept(30)])
    assert Run.open(pets.folder).entries()[:-1] == entries
    pets.image_embeds()
    pets.add([concept(31)])
    assert all(file.read_bytes() == content for file, content in whole.items())


def test_a_file_that_was_changed_is_as_good_as_none(pets):
    entries = Run.open(pets.folder).entries()
    name = entries[0].name.encode()
    changed = [file for file in files(pets) if name in file.read_bytes()]
    for file in changed:
        file.write_bytes(file.read_bytes().replace(name, b"x" * len(name)))
    assert len(changed) == 2 and pets.entries() == entries and check(pets).whole


def test_a_part_that_is_gone_torn_or_put_back_is_seen(pets):
    part = pets.rooms["concepts"].parts()[0]
    content = part.read_bytes()
    part.write_bytes(content[:99])
    damage: list[Damage] = []
    assert len(pets.entries(damage)) == 7 and [each.part for each in damage] == [part]
    part.unlink()
    assert len(pets.entries()) == 7
    part.write_bytes(content)
    assert len(pets.entries()) == 9
    part.unlink()
    pets.entries()
    pets.add([concept(30)])
    assert len(Run.open(pets.folder).entries()) == 8
    part.write_bytes(content)
    assert len(Run.open(pets.folder).entries()) == 10, "also by a reader with an index that lacks it"


def test_a_concept_that_was_lost_with_its_part_may_be_learned_again(pets):
    a = by_letter(pets)["a"].concept
    part = pets.rooms["concepts"].parts()[0]
    part.write_bytes(part.read_bytes()[:99])
    (again,) = Run.open(pets.folder).add([a])
    assert again.id == a.id and again.id in {each.id for each in pets.entries()}


def test_rows_that_cannot_be_listed_are_named_from_there_as_well(pets):
    part = pets.rooms["concepts"].parts()[0]
    rows = pq.read_table(part).to_pylist()
    rows[1]["parents"] = None
    part.unlink()
    pets = without_index(pets)
    Room(part.parent, CONCEPTS).append(rows)
    pets.add([concept(30)])
    damage: list[Damage] = []
    assert len(files(pets)) == 9 and len(Run.open(pets.folder).entries(damage)) == 9
    assert [str(each).endswith("it has no parents") and each.row for each in damage] == [2]


def test_text_that_is_no_unicode_costs_its_part_alone(pets):
    part = pets.rooms["concepts"].parts()[0]
    name = by_letter(pets)["a"].name.encode()
    table = pq.read_table(part)
    part.unlink()
    pq.write_table(table, part, compression="none", use_dictionary=False)
    part.write_bytes(part.read_bytes().replace(name, b"\xff" * len(name)))
    part = part.rename(part.with_name(f"{part.name[:7]}{digest_of(part.read_bytes())}.parquet"))
    pets = without_index(pets)
    pets.add([concept(30)])
    damage: list[Damage] = []
    assert len(Run.open(pets.folder).entries(damage)) == 8 and [each.part for each in damage] == [part]
    assert len(Run.open(pets.folder).image_embeds()) == 10


def test_check_says_that_it_is_wrong(pets):
    parts = pets.rooms["concepts"].parts()
    tables = [pq.read_table(part) for part in parts[:2]]
    keys = [(part.name, part.stat().st_size) for part in parts[:2]]
    tables[0] = tables[0].set_column(1, tables[0].schema.field(1), [["mine", "yours"]])
    room = pets.rooms["concepts"]
    room.index.write(0, room.kept[ENTRY], dict(zip(keys, (table.select(ENTRY) for table in tables), strict=True)))
    found = check(Run.open(pets.folder))
    assert found.whole and [each.where for each in found.findings] == [".index/concepts"]
    assert "remove it, and it is built again from the parts" in found.findings[0].text


def test_a_full_disk_or_a_folder_that_is_read_only_costs_time_alone(pets, monkeypatch):
    pets = without_index(pets)

    def full(*arguments, **options):
        raise StorageError(os.strerror(errno.ENOSPC))

    monkeypatch.setattr(index, "write_atomically", full)
    pets.add([concept(30)])
    assert len(pets.entries()) == 10 and not files(pets)


def test_an_old_run_gets_its_index_some_spans_at_a_time(pets, monkeypatch):
    pets = without_index(pets)
    monkeypatch.setattr("evolve.store.parts.SPANS_AT_ONCE", 1)
    sizes = []
    for seed in range(30, 34):
        pets.add([concept(seed)])
        sizes.append(len(files(pets)))
    assert sizes == [3, 6, 9, 12] and len(Run.open(pets.folder).entries()) == 13


def test_drawings_that_cannot_be_are_named_and_the_others_found_by_their_concepts(pets):
    d = by_letter(pets)["d"]
    good = {"concept": d.id, "prompt": "a {}", "seed": 1, "file": pets.drawings()[0].file.name}
    for wrong in ({"file": "../x.png"}, {"seed": None}):
        Room(pets.folder / "drawings", DRAWINGS).append([good, good | wrong])
    pets.add_drawings([(d.id, "a {}", 2, picture(3))])
    damage: list[Damage] = []
    assert [each.seed for each in pets.drawings(d.id, damage)] == [1, 1, 1, 2] and len(damage) == 2
    both = pets.drawings([d.id, by_letter(pets)["a"].id], [])
    assert {each.concept for each in both} == {d.id, by_letter(pets)["a"].id}


def test_small_runs_have_none(tmp_path):
    run = family(tmp_path / "pets")
    assert not (run.folder / INDEX).exists() and by_letter(run)


def test_a_made_up_run_is_one_like_any_other(tmp_path, monkeypatch):
    monkeypatch.setattr(index, "SPAN", 4)
    run = population(tmp_path / "run", 60, batch=6)
    drawn(run, 6)
    found = check(Run.open(run.folder))
    assert found.whole and (found.concepts, found.drawings) == (60, 60)
    assert {each.where for each in found.findings} <= {""}, "but for what parents of other runs are not said of"
    again = population(tmp_path / "again", 60, batch=6)
    assert [each.parents for each in again.entries()] == [each.parents for each in run.entries()]
    assert span_of(1) == span_of(4) == 0 and span_of(5) == 1
