"""Every flipped bit of a part is noticed before a vector leaves the run."""

from __future__ import annotations

import os
import random
import shutil
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from core.errors import ConceptreeError
from core.files import OLD, StorageError, _remove_old, write_atomically
from evolve.family.share import family_file, family_of
from evolve.portraits import _digest, _stored
from evolve.store.check import check
from evolve.store.index import SPAN
from evolve.store.parts import Damage, digest_of
from evolve.store.rows import EMBED, ENTRY
from evolve.store.run import NOTES, Run
from tests.families import by_letter, concept, family, new_run, picture

FLIPS = 80


def flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def bits(content: bytes, many: int = FLIPS) -> list[int]:
    return random.Random(19).sample(range(8 * len(content)), many)


def without_checksums(part: Path) -> Path:
    """The part as earlier versions wrote it."""
    table = pq.read_table(part)
    part.unlink()
    pq.write_table(table, part)
    return part.rename(part.with_name(f"{part.name[:7]}{digest_of(part.read_bytes())}.parquet"))


@pytest.mark.parametrize("old", [False, True], ids=["checksums", "old"])
def test_no_flipped_bit_gives_another_vector(tmp_path, old):
    run = family(tmp_path / "pets")
    part = run.rooms["concepts"].parts()[2]  # e and f
    part = without_checksums(part) if old else part
    content, letters = part.read_bytes(), by_letter(run)
    there = {each.id: each for each in letters.values()}
    embeds = run.image_embeds()
    for bit in bits(content):
        part.write_bytes(flipped(content, bit))
        again, damage = Run.open(run.folder), list[Damage]()
        for each in again.individuals(damage):
            assert each == there[each.id], bit
        assert any(each.part == part for each in damage), bit
        assert all(np.array_equal(embed, embeds[id_]) for id_, embed in again.image_embeds().items()), bit
        assert not {letters["e"].id, letters["f"].id} & again.image_embeds().keys()
        listed = letters["e"].id in {each.id for each in again.entries()}
        for use in (again.find, lambda id_, again=again: family_file(again, [id_])):  # of all commands; of share
            for letter in "eh" if listed and use != again.find else "e":
                with pytest.raises(ConceptreeError, match=r"move it away to go on|it may be in a damaged part"):
                    use(letters[letter].id)
    part.write_bytes(content)
    assert run.find(letters["e"].id) == letters["e"] and family_file(run, [letters["h"].id])


def test_a_flipped_bit_in_a_page_is_noticed_in_notes_and_lists(tmp_path):
    run = family(tmp_path / "pets")
    run.note(by_letter(run)["a"].id, rating=3, comment="a comment that is long enough to be found")
    for room, columns in (("notes", NOTES.names), ("concepts", ENTRY)):
        part = run.rooms[room].parts()[0]
        content, expected = part.read_bytes(), run.rooms[room].table(part, columns)
        first, end = pages(part)
        for bit in random.Random(5).sample(range(8 * first, 8 * end), 200):
            part.write_bytes(flipped(content, bit))
            with suppress(ConceptreeError):
                assert run.rooms[room].table(part, columns).equals(expected), (room, bit)
        part.write_bytes(content)


def pages(part: Path) -> tuple[int, int]:
    """First byte of a part's pages, and the one after their last; its own description follows."""
    about = pq.read_metadata(part)
    return 4, part.stat().st_size - 8 - about.serialized_size


def test_the_index_holds_nothing_of_a_changed_part(tmp_path):
    run = new_run(tmp_path / "pets")
    for seed in range(SPAN - 2):
        run.add([concept(seed)])
    part = without_checksums(run.rooms["concepts"].parts()[0])
    embed = np.asarray(run.find(concept(0).id).concept.image_embed).tobytes()
    content = part.read_bytes()
    part.write_bytes(flipped(content, 8 * (content.find(embed) + 2) if embed in content else 8 * 200))
    for seed in range(SPAN - 2, SPAN + 2):
        run.add([concept(seed)])
    room = Run.open(run.folder).rooms["concepts"]
    kept = room.index.read(0, room.kept[EMBED])
    assert kept and part.name not in {name for name, _ in kept.rows} and len(kept.rows) == SPAN - 1
    part.write_bytes(content)
    assert len(Run.open(run.folder).image_embeds()) == SPAN + 2


def test_pictures_that_changed_are_named_and_not_shared(tmp_path):
    run = family(tmp_path / "pets")
    a = by_letter(run)["a"].id
    (drawing,) = run.drawings(a)
    left_out: list[Path] = []
    whole = family_file(run, [a])
    other = run.drawings(by_letter(run)["b"].id)[0]
    drawing.file.write_bytes(other.file.read_bytes())  # a whole picture, but another one
    assert not family_of(run, [a], left_out).drawings and left_out == [drawing.file]
    assert family_file(run, [a]) != whole


def test_parents_are_drawn_again_when_their_portraits_changed(tmp_path):
    file, embeds = tmp_path / "a.safetensors", np.ones((2, 4), np.float32)
    save_file({"image_embeds": embeds}, file, {"key": "k", "sha256": _digest(embeds)})
    assert np.array_equal(_stored(file, "k", (2, 4)), embeds)
    content = file.read_bytes()
    assert load_file(file)["image_embeds"].nbytes == 32
    for bit in range(8 * (len(content) - 32), 8 * len(content)):
        file.write_bytes(flipped(content, bit))
        assert _stored(file, "k", (2, 4)) is None
    save_file({"image_embeds": embeds}, file, {"key": "k"})
    assert np.array_equal(_stored(file, "k", (2, 4)), embeds), "earlier versions kept no digest"


WRITES = {
    "concepts": lambda run: run.add([concept(30)]),
    "notes": lambda run: run.note(concept(0).id, rating=5),
    "drawings": lambda run: run.add_drawings([(concept(0).id, "a {}", 2, picture(99))]),
    "photographs": lambda run: run.add_photo("photo-0123456789abcdef", picture(), "dog.jpg"),
    "undo": lambda run: run.undo_last(),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
@pytest.mark.parametrize("done", ["renamed", "deleted", "replaced"])
def test_a_run_that_is_gone_is_not_made_again_by_a_write(tmp_path, write, done):
    run = family(tmp_path / "pets")
    run.folder.rename(tmp_path / "other")
    if done == "deleted":
        shutil.rmtree(tmp_path / "other")
    if done == "replaced":
        new_run(run.folder).add([concept(0)])
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(StorageError, match="it was renamed, moved or deleted meanwhile"):
        write(run)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before
    assert run.folder.exists() == (done == "replaced")


def test_temporary_files_of_killed_writers_are_listed_and_removed_once_old(tmp_path):
    run = family(tmp_path / "pets")
    places = [run.folder, run.folder / "concepts", run.folder / "jobs" / "0001-seed" / "looks"]
    places[-1].mkdir(parents=True)
    old, new, earlier = (
        [folder / name for folder in places] for name in (".conceptree-a.tmp", ".conceptree-b.tmp", ".k2_x8q0a.tmp")
    )
    for file in (*old, *new, *earlier):
        file.write_bytes(b"half")
    for file in (*old, *earlier):
        os.utime(file, (time.time() - 2 * OLD,) * 2)
    listed = {each.where for each in check(run).findings}
    assert listed == {file.relative_to(run.folder).as_posix() for file in (*old, *new, *earlier)} and check(run).whole
    _remove_old.cache_clear()
    for folder in places:
        write_atomically(folder / "file", b"whole")
    assert not any(file.exists() for file in old) and all(file.exists() for file in (*new, *earlier))
