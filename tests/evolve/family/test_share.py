"""Families between runs: what comes back, bit for bit, and where it does not belong."""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import evolve.family.share as share
from core.png import texts_in
from evolve.family.familyfile import FamilyError, packed, read_family
from evolve.family.lineage import ancestors, lineage
from evolve.family.share import adopt, family_file, family_of
from evolve.store.check import check
from evolve.store.parts import RunError
from evolve.store.run import Note, Run
from tests.families import STACK, concept, new_run, picture

# There and back


def test_a_family_is_a_concept_with_all_its_ancestors(run, ids, file):
    found = read_family(file)
    expected = {ids["h"], *ancestors(lineage(run), [ids["h"]])}
    assert {each.individual.id for each in found.members} == expected and found.of == (ids["h"],)
    seen: set[str] = set()
    for each in found.members:
        assert {p.id for p in each.individual.concept.request.parents} <= seen
        seen.add(each.individual.id)


def test_it_opens_as_a_run_with_the_same_concepts_bit_for_bit(run, ids, file, tmp_path):
    other = new_run(tmp_path / "theirs")
    done = adopt(read_family(file), other)
    assert len(done.added) == 6 and not done.known and not done.renamed
    for id_ in done.added:
        before, after = run.find(id_), other.find(id_)
        assert after.concept == before.concept and after.generation == before.generation
        assert after.concept.vectors.tobytes() == before.concept.vectors.tobytes()
        assert after.created_at == before.created_at and run.entry(id_).born == other.entry(id_).born
    assert other.entry("Whisker").id == ids["h"] and check(other).whole


def test_tags_come_along_and_other_notes_do_not(run, ids, file, tmp_path):
    assert b'"tags"' not in zipfile.ZipFile(io.BytesIO(file)).read("concepts.jsonl")
    run.note_all([ids["h"], ids["a"]], tag=["forest"], rating=2)
    other = new_run(tmp_path / "theirs")
    adopt(read_family(family_file(run, [ids["h"]])), other)
    assert other.notes() == {ids["h"]: Note(name="Whisker", tags=("forest",)), ids["a"]: Note(tags=("forest",))}
    other.note(ids["h"], tags=[])
    adopt(read_family(family_file(run, [ids["h"]])), other)
    assert other.tags() == {"forest": 1}, "concepts that are here already are not changed"


def test_the_lineage_is_the_same(run, ids, file, tmp_path):
    other = new_run(tmp_path / "theirs")
    adopt(read_family(file), other)
    before, after = lineage(run), lineage(other)
    assert dict(after.nodes(data=True)).keys() <= dict(before.nodes(data=True)).keys()
    for edge in after.edges:
        assert after.edges[edge] == before.edges[edge]
    assert all(after.in_degree(id_) == before.in_degree(id_) for id_ in after)


def test_drawings_come_along_pixel_for_pixel_once(run, ids, file, tmp_path):
    other = new_run(tmp_path / "theirs")
    adopt(read_family(file), other)
    adopt(read_family(file), other)
    before = {(d.concept, d.prompt, d.seed): d.file for d in run.drawings()}
    after = {(d.concept, d.prompt, d.seed): d.file for d in other.drawings()}
    assert len(after) == len(other.drawings()) == 6
    for key, drawing in after.items():
        assert np.array_equal(np.asarray(Image.open(before[key])), np.asarray(Image.open(drawing)))
        assert texts_in(drawing)["run"] == "theirs", "they say in which run they are now"


@pytest.mark.parametrize("room", ["notes", "concepts", "drawings"])
def test_adopting_again_after_a_kill_gives_the_same_run(ids, file, tmp_path, monkeypatch, room):
    family, other = read_family(file), new_run(tmp_path / "theirs")
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(other.rooms[room], "append", raises(KeyboardInterrupt))
        adopt(family, other)
    adopt(family, other)
    assert other.entry("Whisker").id == ids["h"] and len(other.drawings()) == 6 and check(other).whole


def raises(error):
    def call(*_):
        raise error

    return call


def test_the_same_family_is_the_same_file(run, ids, file, tmp_path):
    other = new_run(tmp_path / "pets2" / "pets")
    adopt(read_family(file), other)
    assert family_file(run, [ids["h"]]) == file
    assert packed(read_family(file)) == file and family_file(other, [ids["h"]]) == file


def test_what_people_say_stays_at_home_but_for_names(run, ids, file, tmp_path):
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert not any(b"private" in archive.read(name) for name in archive.namelist())
    other = new_run(tmp_path / "theirs")
    adopt(read_family(file), other)
    note = other.entry("Whisker").note
    assert (note.rating, note.comment, note.favourite) == (None, "", False)


def test_taken_in_twice_it_is_there_once(run, file):
    before = sorted(run.folder.rglob("*"))
    done = adopt(read_family(file), run)
    assert len(done.known) == 6 and not done.added
    assert sorted(run.folder.rglob("*")) == before


def test_what_a_run_lacks_of_a_family_is_added(run, ids, file, tmp_path):
    other = new_run(tmp_path / "theirs")
    adopt(read_family(family_file(run, [ids["e"]])), other)
    done = adopt(read_family(file), other)
    assert set(done.known) == {ids["a"], ids["b"], ids["e"]} and set(done.added) == {ids["c"], ids["f"], ids["h"]}
    assert other.entry(ids["h"]).generation == 2


def test_a_name_that_is_taken_gets_a_number(run, ids, file, tmp_path):
    other = new_run(tmp_path / "theirs")
    own, again = concept(50), concept(51)
    other.add([own, again])
    other.note(own.id, name="Whisker")
    other.note(again.id, name=run.entry(ids["a"]).born)
    done = adopt(read_family(file), other)
    assert other.entry(ids["h"]).name == "Whisker 2" and done.renamed[ids["h"]] == ("Whisker", "Whisker 2")
    assert other.entry(ids["a"]).name == f"{run.entry(ids['a']).born} 2"
    assert len({each.name for each in other.entries()}) == len(other.entries())
    assert other.find(ids["a"]).concept == run.find(ids["a"]).concept


def test_a_photograph_comes_along(tmp_path):
    run = new_run(tmp_path / "pets")
    child = concept(1, {"photo-0123456789abcdef": 1.0}, birth="image")
    run.add([child])
    run.add_photo("photo-0123456789abcdef", picture(3), "snail.jpg")
    other = new_run(tmp_path / "theirs")
    adopt(read_family(family_file(run, [child.id])), other)
    photo = other.photos()["photo-0123456789abcdef"]
    assert photo.label == "snail.jpg" and photo.digest == run.photos()["photo-0123456789abcdef"].digest


def test_ancestors_in_runs_beside_it_come_along(tmp_path):
    others, run = new_run(tmp_path / "others"), new_run(tmp_path / "pets")
    grand, guest = concept(1), concept(2, [concept(1)])
    others.add([grand])
    others.add([guest])
    own = concept(3)
    child = concept(4, {guest.id: 1.0}, run="others")
    run.add([own])
    run.add([child])
    found = read_family(family_file(run, [child.id]))
    assert {each.individual.id for each in found.members} == {grand.id, guest.id, child.id}
    theirs = new_run(tmp_path / "elsewhere" / "theirs")
    adopt(found, theirs)
    assert theirs.entry(child.id).generation == 2 and lineage(theirs).has_edge(guest.id, child.id)


@pytest.mark.parametrize("where", ["../pets", "/etc", ".", "none", "a\x00b", ""])
def test_a_parent_whose_run_is_no_run_stays_away(tmp_path, where):
    run = new_run(tmp_path / "pets")
    child = concept(4, {"0123456789abcdef": 1.0}, run=where)
    run.add([child])
    assert [m.individual.id for m in family_of(run, [child.id]).members] == [child.id]


def test_a_picture_that_is_lost_does_not_keep_the_family(run, ids):
    run.drawings(ids["a"])[0].file.unlink()
    run.drawings(ids["b"])[0].file.write_bytes(b"torn")
    found = read_family(family_file(run, [ids["h"]]))
    assert len(found.members) == 6 and len(found.drawings) == 4


def test_who_is_not_there_cannot_be_shared(run):
    with pytest.raises(RunError, match="no concept 'nobody'"):
        family_file(run, ["nobody"])
    with pytest.raises(FamilyError, match="at least one"):
        family_file(run, [])


# Where it does not belong


def test_another_stack_is_told_in_one_line(file, tmp_path):
    from types import SimpleNamespace

    stack = SimpleNamespace(where="emoji", version="tiny-2", fingerprint="0" * 12)
    other = new_run(tmp_path / "theirs", stack)
    with pytest.raises(FamilyError, match=r"on the stack tiny-1 \(f\), and the run 'theirs' on tiny-2"):
        adopt(read_family(file), other)
    assert not other.entries()


def test_styles_do_not_come_into_a_run_of_objects(tmp_path):
    run = Run.create(tmp_path / "styles", "pet", STACK, "style")
    each = concept(1, kind="style")
    run.add([each])
    with pytest.raises(FamilyError, match="is of kind style"):
        adopt(read_family(family_file(run, [each.id])), new_run(tmp_path / "pets"))


def test_vectors_of_another_width_are_refused(file, tmp_path):
    with pytest.raises(FamilyError, match="4 wide, and those of its stack 1280"):
        adopt(read_family(file), new_run(tmp_path / "theirs"), width=1280)


def test_another_concept_of_the_same_id_is_not_replaced(run, ids, file, tmp_path):
    other = new_run(tmp_path / "theirs")
    impostor = replace(concept(60), id=ids["a"])
    other.add([impostor])
    with pytest.raises(FamilyError, match=f"another concept with the id {ids['a']}"):
        adopt(read_family(file), other)
    assert len(other.entries()) == 1 and other.find(ids["a"]).concept == impostor


def test_nothing_of_it_is_stored_where_the_disk_is_full(file, tmp_path, monkeypatch):
    other = new_run(tmp_path / "theirs")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Exception, match="No space left"):
        adopt(read_family(file), other)
    monkeypatch.undo()
    assert not other.entries() and check(other).whole
    assert len(adopt(read_family(file), other).added) == 6


def test_killed_before_the_pictures_it_is_completed_by_taking_it_in_again(file, tmp_path, monkeypatch):
    other = new_run(tmp_path / "theirs")
    monkeypatch.setattr(share, "_keep_pictures", lambda *rest: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        adopt(read_family(file), other)
    monkeypatch.undo()
    assert len(other.entries()) == 6 and not other.drawings()
    assert len(adopt(read_family(file), other).known) == 6 and len(other.drawings()) == 6
