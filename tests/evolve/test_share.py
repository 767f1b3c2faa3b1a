"""A family as one file: what comes back, bit for bit, and what a stranger's file cannot do."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import evolve.share as share
from evolve.check import check
from evolve.lineage import ancestors, lineage
from evolve.names import check_name
from evolve.parts import RunError
from evolve.run import Run
from evolve.share import FamilyError, adopt, family_file, family_of, packed, read_family
from tests.families import STACK, by_letter, concept, family, new_run, picture


@pytest.fixture
def run(tmp_path) -> Run:
    return family(tmp_path / "pets")


@pytest.fixture
def ids(run) -> dict[str, str]:
    return {letter: each.id for letter, each in by_letter(run).items()}


@pytest.fixture
def file(run, ids) -> bytes:
    run.note(ids["h"], name="Whisker", comment="private", rating=5)
    return family_file(run, [ids["h"]])


def opened(file: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def closed(files: dict[str, bytes], resealed: bool = True) -> bytes:
    """A file of these entries. resealed: its manifest tells their sizes and digests, as a clever stranger's would."""
    if resealed:
        about = json.loads(files["family.json"])
        rest = {name: content for name, content in files.items() if name != "family.json"}
        about["files"] = {
            name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in rest.items()
        }
        files = {**files, "family.json": json.dumps(about).encode()}
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, each in files.items():
            archive.writestr(name, each)
    return content.getvalue()


def rows(files: dict[str, bytes], name: str = "concepts.jsonl") -> list[dict]:
    return [json.loads(line) for line in files[name].splitlines()]


def with_rows(file: bytes, change, name: str = "concepts.jsonl") -> bytes:
    """The file with its lines changed by somebody."""
    files = opened(file)
    found = rows(files, name)
    change(found)
    return closed(files | {name: "".join(f"{json.dumps(row)}\n" for row in found).encode()})


def setting(row: dict, **values) -> None:
    """Change the settings inside a row's request."""
    request = json.loads(row["request"])
    request["settings"] |= values
    row["request"] = json.dumps(request)


def refused(file: bytes, said: str) -> None:
    with pytest.raises(FamilyError, match=said) as caught:
        read_family(file)
    assert "\n" not in str(caught.value) and str(caught.value).isprintable()


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
    before = {(d.concept, d.prompt, d.seed): d.file.name for d in run.drawings()}
    after = {(d.concept, d.prompt, d.seed): d.file.name for d in other.drawings()}
    assert len(after) == len(other.drawings()) == 6
    assert all(before[key] == name for key, name in after.items())  # called by their content


def test_the_same_family_is_the_same_file(run, ids, file, tmp_path):
    other = new_run(tmp_path / "pets2" / "pets")
    adopt(read_family(file), other)
    assert family_file(run, [ids["h"]]) == file
    assert packed(read_family(file)) == file and family_file(other, [ids["h"]]) == file


def test_what_people_say_stays_at_home_but_for_names(run, ids, file, tmp_path):
    assert b"private" not in b"".join(opened(file).values())
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
    with pytest.raises(FamilyError, match="name one"):
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


# Strangers


@pytest.mark.parametrize("part", [0, 1, 22, 100, -1])
def test_a_torn_file(file, part):
    refused(file[:part], "empty" if part == 0 else "torn")


def test_every_flipped_byte_is_noticed_or_harmless(file):
    """What is read is what was written: a flipped byte is found, or it is one that means nothing to the family."""
    whole = packed(read_family(file))
    rng = np.random.default_rng(0)
    for place in rng.integers(0, len(file), 150):
        torn = bytearray(file)
        torn[place] ^= 1 << int(rng.integers(8))
        try:
            assert packed(read_family(bytes(torn))) == whole
        except FamilyError as error:
            assert str(error).isprintable()


@pytest.mark.parametrize("content", [b"x" * 100, b"PK\x05\x06" + bytes(18), b"PK\x03\x04" + bytes(200)])
def test_what_is_no_family(content):
    refused(content, "torn|no family.json")


def test_another_zip_or_a_newer_schema(file):
    files = opened(file)
    refused(closed({"a.txt": b"hello"}, False), "no family.json")
    refused(closed(files | {"family.json": b"[]"}, False), "not Conceptree's")
    about = json.loads(files["family.json"])
    refused(closed(files | {"family.json": json.dumps(about | {"conceptree_family": 2}).encode()}, False), "schema '2'")


def test_an_entry_that_is_not_what_was_written(file):
    files = opened(file)
    changed = files["concepts.jsonl"].replace(b"pet", b"cat", 1)
    refused(closed(files | {"concepts.jsonl": changed}, False), "SHA-256")


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/etc/passwd", "pictures/../../x.png", "C:\\x.png", "pictures/" + "0" * 24 + ".png.exe"]
)
def test_no_name_becomes_a_path(file, tmp_path, name):
    refused(closed(opened(file) | {name: b"x"}), "no part of a family")
    refused(closed(opened(file) | {name: b"x"}, False), "other entries")
    before = sorted(tmp_path.rglob("*"))

    def point(found):
        found[0]["file"] = name

    with pytest.raises(FamilyError):
        adopt(read_family(with_rows(file, point, "drawings.jsonl")), new_run(tmp_path / "theirs"))
    assert sorted(tmp_path.rglob("*")) == before


def test_two_entries_of_one_name(file):
    files, content = opened(file), io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in (*files, "concepts.jsonl"):
            if name in archive.namelist():
                with pytest.warns(UserWarning, match="Duplicate"):
                    archive.writestr(name, files[name])
            else:
                archive.writestr(name, files[name])
    refused(content.getvalue(), "two entries of one name")


def test_a_zip_bomb_is_not_unpacked(file, monkeypatch):
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *rest: pytest.fail("it was unpacked"))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("family.json", bytes(share.LARGEST_UNPACKED + 1))
    assert len(content.getvalue()) < 2**20
    refused(content.getvalue(), "unpacks to")


def test_an_entry_that_lies_about_its_size_is_cut_off_there(file):
    """The directory says 10 bytes where 10 MB unfold: no more than 10 are read, and the checksum is another."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("family.json", b" " * 10_000_000)
    lying = content.getvalue().replace((10_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    refused(lying, "torn")


def test_too_many_entries_and_too_much_of_all(file, monkeypatch):
    monkeypatch.setattr(share, "MOST_ENTRIES", 5)
    refused(file, "entries, and at most 5")
    monkeypatch.undo()
    monkeypatch.setattr(share, "MOST_CONCEPTS", 5)
    refused(file, "6 concepts: 1 to 5")
    monkeypatch.undo()
    monkeypatch.setattr(share, "LARGEST_FILE", 1000)
    refused(file, "at most 1000 are read")
    monkeypatch.undo()
    monkeypatch.setattr(share, "LARGEST_LINE", 1000)
    refused(file, "a line of")


def test_an_encrypted_file(file):
    locked = bytearray(file)
    place = file.index(b"PK\x01\x02")
    locked[place + 8] |= 1
    refused(bytes(locked), "encrypted")


def png(size: tuple[int, int] = (8, 8)) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size).save(content, format="PNG")
    return content.getvalue()


def with_picture(file: bytes, content: bytes) -> bytes:
    """The file with its first drawing's picture replaced."""
    files = opened(file)
    name = f"pictures/{rows(files, 'drawings.jsonl')[0]['file']}"
    return closed(files | {name: content})


def test_a_picture_is_nothing_but_its_pixels(run, file, tmp_path):
    tail = png((9, 9)) + b"<script>alert(1)</script>"
    other = new_run(tmp_path / "theirs")
    adopt(read_family(with_picture(file, tail)), other)
    stored = [path.read_bytes() for path in (other.folder / "drawings").glob("*.png")]
    assert len(stored) == 6 and not any(b"script" in content for content in stored)
    assert check(other).whole


def test_pictures_that_are_none(file, monkeypatch):
    refused(with_picture(file, b"GIF89a" + bytes(50)), "picture in the family cannot be read")
    refused(with_picture(file, png()[:40]), "cannot be read")
    jpeg = io.BytesIO()
    Image.new("RGB", (8, 8)).save(jpeg, format="JPEG")
    refused(with_picture(file, jpeg.getvalue()), "cannot be read")
    monkeypatch.setattr(share, "LARGEST_PICTURE", 100_000)
    refused(with_picture(file, png() + bytes(100_000)), "at most 100000")


def test_a_picture_that_would_unfold_to_gigabytes(file):
    header = (50_000).to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + len(header).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    refused(with_picture(file, bomb + bytes(100)), "pixels|cannot be read")


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("vectors", [[float("nan")] * 4] * 2, "NaN among its numbers"),
        ("vectors", [[1e39] * 4] * 2, "NaN or infinity"),
        ("vectors", [[1.0] * 5] * 2, "widths"),
        ("vectors", "text", "not an array"),
        ("image_embed", [1.0] * 7, "widths"),
        ("image_embed", [], "shape"),
        ("scores", [{"name": "score", "value": "high"}], "could not convert|scores"),
        ("seconds", 1e308 * 10, "Infinity among its numbers"),
        ("kept_step", 2**40, "no concept of this schema"),
        ("kept_step", "x", "no concept of this schema"),
        ("negatives", [{"word": 5, "step": 0, "by": "x", "note": ""}], "no concept of this schema"),
        ("negatives", [{"word": "cat"}], "no concept of this schema"),
        ("negatives", "cat", "no concept of this schema"),
        ("history", [{"step": 0, "constraint": "\ud800", "similarity": 0.5}], "no concept of this schema"),
        ("request", "{}", "no concept of this schema|category"),
        ("request", "[1]", "no concept of this schema|unknown"),
        ("request", "not json", "not JSON"),
        ("fingerprint", "other", "another stack than the family"),
        ("id", "../../../../etc/x", "16 hex digits"),
        ("id", "photo-0123456789", "16 hex digits"),
        ("created_at", "yesterday", "torn, or no family"),
        ("created_at", 5, "created_at"),
        ("created_at", "9999-12-31T23:59:59-23:00", "torn, or no family"),
        ("name", 5, "torn, or no family|schema"),
        ("steps", None, "has no steps"),
        ("negatives", [{"word": None, "step": 0, "by": "x", "note": ""}], "null"),
    ],
)
def test_a_concept_with_something_wrong_in_it(file, tmp_path, key, value, said):
    def change(found):
        found[0][key] = value

    other = new_run(tmp_path / "theirs")
    refused(with_rows(file, change), said)
    assert not other.entries()


def test_settings_that_would_never_end(file):
    refused(with_rows(file, lambda found: setting(found[0], prior_steps=10**6)), "prior_steps")


@pytest.mark.parametrize("key", ["id", "request", "vectors", "called", "created_at"])
def test_a_concept_that_lacks_something(file, key):
    refused(with_rows(file, lambda found: found[0].pop(key)), "torn, or no family|cannot be read")


def test_the_same_concept_twice(file):
    refused(with_rows(file, lambda found: found.append(found[0])), "twice")


def test_nobody_descends_from_itself(run, ids, file):
    def marry(found):
        (a,) = (row for row in found if row["id"] == ids["a"])
        request = json.loads(a["request"])
        embed = a["image_embed"]
        request["parents"] = [{"id": ids["h"], "weight": 1.0, "image_embeds": [embed], "kind": "mix", "run": ""}]
        a["request"] = json.dumps(request)

    refused(with_rows(file, marry), "descends from itself")


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "", "a" * 200, "x\ny", "-rf", "\u202egnp"])
def test_a_name_that_is_none_is_left_out(file, ids, tmp_path, name):
    def change(found):
        for row in found:
            row["name"], row["called"] = name, name if name.isprintable() else ""

    other = new_run(tmp_path / "theirs")
    adopt(read_family(with_rows(file, change)), other)
    for each in other.entries():
        check_name(each.name)
        check_name(each.born)


@pytest.mark.parametrize(
    ("key", "value"),
    [("prompt", "a {0.__class__} {}"), ("prompt", "no concept"), ("prompt", "{}\n"), ("seed", -1), ("concept", "x")],
)
def test_a_drawing_of_nothing(file, key, value):
    def change(found):
        found[0][key] = value

    refused(with_rows(file, change, "drawings.jsonl"), "in the family|the family has a drawing")


def test_deep_json_is_torn_json(file):
    deep = b"[" * 100_000 + b"]" * 100_000
    files = opened(file)
    refused(closed(files | {"concepts.jsonl": deep}), "torn, or no family|cannot be read")
