"""Lists are the same whether they are made of the parts or of what is kept of them, and that file only saves time."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.files import StorageError
from evolve import listing
from evolve.check import check
from evolve.parts import Damage, Room
from evolve.run import CONCEPTS, Run
from tests.families import by_letter, concept, family


@pytest.fixture
def pets(tmp_path, monkeypatch) -> Run:
    """The family, of whose five parts what lists need is kept in one file."""
    monkeypatch.setattr(listing, "MOST_APART", 2)
    run = family(tmp_path / "pets")
    assert run.listing.file.is_file()
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


def test_what_is_kept_says_what_the_parts_say(pets, monkeypatch):
    plain = Run.open(pets.folder)
    pets.listing.file.rename(pets.folder / "away")
    entries, embeds = plain.entries(), plain.image_embeds()
    (pets.folder / "away").rename(pets.listing.file)
    read = parts_read(pets, monkeypatch)
    assert pets.entries() == entries and len(entries) == 9
    again = pets.image_embeds()
    assert again.keys() == embeds.keys() and all(np.array_equal(again[id_], embeds[id_]) for id_ in embeds)
    concepts = {each.id: each.concept for each in plain.individuals()}
    assert all(np.array_equal(embed, concepts[id_].image_embed) for id_, embed in embeds.items())
    assert set(read[:2]) <= {part.name for part in pets.rooms["concepts"].parts()[3:]}, "those that came after it"


def test_parts_are_read_once_and_notes_count_at_once(pets, monkeypatch):
    before = pets.entries()
    read = parts_read(pets, monkeypatch)
    pets.note(before[0].id, name="Whisker Fin")
    after = pets.entries()
    assert after[0].name == "Whisker Fin" and after[0].born == before[0].name and after[1:] == before[1:]
    assert not any(name in read for name in (part.name for part in pets.rooms["concepts"].parts()))


@pytest.mark.parametrize("content", [b"", b"x" * 99, None])
def test_a_file_that_is_torn_or_a_strangers_is_as_good_as_none(pets, content):
    entries = Run.open(pets.folder).entries()
    file = pets.listing.file
    file.write_bytes(file.read_bytes()[:-9] if content is None else content)
    assert pets.entries() == entries and check(pets).whole
    pets.add([concept(30)])
    assert Run.open(pets.folder).entries()[:-1] == entries


def test_a_file_that_was_changed_is_as_good_as_none(pets):
    entries = Run.open(pets.folder).entries()
    file = pets.listing.file
    name = entries[0].name.encode()
    content = file.read_bytes()
    assert name in content
    file.write_bytes(content.replace(name, b"x" * len(name)))
    assert pets.entries() == entries and check(pets).whole


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


def test_rows_that_cannot_be_listed_are_named_from_there_as_well(pets):
    part = pets.rooms["concepts"].parts()[0]
    rows = pq.read_table(part).to_pylist()
    rows[1]["parents"] = None
    part.unlink()
    Room(part.parent, CONCEPTS).append(rows)
    pets.listing.file.unlink()
    pets.listing.keep()
    damage: list[Damage] = []
    assert len(Run.open(pets.folder).entries(damage)) == 8 and [each.row for each in damage] == [2]
    assert str(damage[0]).endswith("it has no parents")


def test_check_says_that_it_is_wrong(pets, monkeypatch):
    part = pets.rooms["concepts"].parts()[0]
    content, table = part.read_bytes(), pq.read_table(part)
    monkeypatch.setattr(listing, "_size", lambda part: 1)
    pq.write_table(table.set_column(1, table.schema.field(1), [["mine", "yours"]]), part)
    pets.listing.file.unlink()
    pets.listing.keep()
    part.write_bytes(content)
    found = check(Run.open(pets.folder))
    assert found.whole and [each.where for each in found.findings] == [".listed"]
    assert "remove it, and lists are made of the parts again" in found.findings[0].text


def test_a_full_disk_or_a_folder_that_is_read_only_costs_time_alone(pets, monkeypatch):
    pets.listing.file.unlink()

    def full(*arguments, **options):
        raise StorageError(os.strerror(errno.ENOSPC))

    monkeypatch.setattr(listing, "write_atomically", full)
    pets.add([concept(30)])
    assert len(pets.entries()) == 10 and not pets.listing.file.exists()


def test_small_runs_have_none(tmp_path):
    run = family(tmp_path / "pets")
    assert not run.listing.file.exists() and by_letter(run)
