"""A family's file: what a stranger's cannot do."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
import zlib
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import evolve.family.familyfile as familyfile
from core.archives import entries_up_to
from evolve.family.familyfile import FamilyError, packed, read_family
from evolve.family.share import adopt
from evolve.store.check import check
from evolve.store.names import check_name
from tests.families import new_run


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
    """The file with changed lines."""
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


@pytest.mark.parametrize("part", [0, 1, 22, 100, -1])
def test_a_torn_file(file, part):
    refused(file[:part], "empty" if part == 0 else "damaged")


def test_every_flipped_byte_is_noticed_or_harmless(file):
    """A flipped byte is found, unless it does not matter for the family."""
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
    refused(content, "damaged|no family.json")


def test_another_zip_or_a_newer_schema(file):
    files = opened(file)
    refused(closed({"a.txt": b"hello"}, False), "no family.json")
    refused(closed(files | {"family.json": b"[]"}, False), "not Conceptree's")
    about = json.loads(files["family.json"])
    refused(closed(files | {"family.json": json.dumps(about | {"conceptree_family": 2}).encode()}, False), "schema '2'")


def test_a_family_of_another_kind_or_of_nobody(file):
    files = opened(file)
    about = json.loads(files["family.json"])
    refused(closed(files | {"family.json": json.dumps(about | {"kind": "sound"}).encode()}, False), "has kind 'sound'")
    refused(closed(files | {"concepts.jsonl": b""}), "has 0 concepts")


def test_an_entry_that_is_not_what_was_written(file):
    files = opened(file)
    changed = files["concepts.jsonl"].replace(b"pet", b"cat", 1)
    refused(closed(files | {"concepts.jsonl": changed}, False), "SHA-256")


@pytest.mark.parametrize(
    "name", ["../../evil.png", "/etc/passwd", "pictures/../../x.png", "C:\\x.png", "pictures/" + "0" * 24 + ".png.exe"]
)
def test_no_name_becomes_a_path(file, tmp_path, name):
    refused(closed(opened(file) | {name: b"x"}), "not a part of a family")
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
        archive.writestr("family.json", bytes(familyfile.LARGEST_UNPACKED + 1))
    assert len(content.getvalue()) < 2**20
    refused(content.getvalue(), "unpacks to")


def test_an_entry_that_lies_about_its_size_is_cut_off_there(file):
    """The directory says 10 bytes where 10 MB unfold: no more than 10 are read, and the checksum is another."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("family.json", b" " * 10_000_000)
    lying = content.getvalue().replace((10_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    refused(lying, "damaged")


def test_too_many_entries_and_too_much_of_all(file, monkeypatch):
    monkeypatch.setattr(familyfile, "MOST_ENTRIES", 5)
    refused(file, "more than 5 entries")
    monkeypatch.undo()
    monkeypatch.setattr(familyfile, "MOST_CONCEPTS", 5)
    refused(file, "6 concepts: at most 5")
    monkeypatch.undo()
    monkeypatch.setattr(familyfile, "LARGEST_FILE", 1000)
    refused(file, "at most 1000 are read")
    monkeypatch.undo()
    monkeypatch.setattr(familyfile, "LARGEST_LINE", 1000)
    refused(file, "a line of")


def test_a_million_entries_are_refused_before_they_are_listed(file, monkeypatch):
    """Also where the end of the file says that there is one: `zipfile` itself reads on to the end of the directory."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a", b"")
    one, place = content.getvalue(), content.getvalue().index(b"PK\x01\x02")
    entry = one[place : one.index(b"PK\x05\x06")]
    directory = entry * 10**6
    many = one[:place] + directory + b"PK\x05\x06" + struct.pack("<4H2IH", 0, 0, 1, 1, len(directory), place, 0)
    assert entries_up_to(one, 9) == 1 and entries_up_to(file, 99) == len(opened(file))
    monkeypatch.setattr(zipfile, "ZipFile", lambda *given: pytest.fail("it was listed"))
    refused(many, "more than 20000 entries")
    refused(many + b"tail", "more than 20000 entries|damaged")


def test_one_picture_in_many_rows_is_decoded_once_and_counted_for_each(file, monkeypatch):
    files = opened(file)
    drawn = rows(files, "drawings.jsonl")[0]
    kept = f"pictures/{drawn['file']}"
    files = {name: each for name, each in files.items() if not name.startswith("pictures/")} | {kept: png((4096, 4096))}

    def repeated(times: int) -> bytes:
        lines = "".join(f"{json.dumps(drawn | {'seed': seed})}\n" for seed in range(times))
        return closed(files | {"drawings.jsonl": lines.encode()})

    decodings = []
    monkeypatch.setattr(familyfile, "written_again", lambda content: decodings.append(content) or content)
    assert len(read_family(repeated(16)).drawings) == 16 and len(decodings) == 1
    refused(repeated(200), "3355 million pixels: at most 268 million")
    assert len(decodings) == 1, "none is decoded before all are counted"
    with pytest.raises(FamilyError, match="million pixels"):
        packed(replace(read_family(repeated(16)), drawings=read_family(repeated(16)).drawings * 2))


@pytest.mark.parametrize(
    ("name", "said"), [("concepts", "concepts: at most"), ("drawings", "drawings: at most"), ("photos", "photographs:")]
)
def test_rows_are_counted_before_they_are_split(file, name, said):
    refused(closed(opened(file) | {f"{name}.jsonl": b"\n" * 10**6}), said)


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
    monkeypatch.setattr(familyfile, "LARGEST_PICTURE", 100_000)
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
        ("kept_step", 2**40, "not a concept of this schema"),
        ("kept_step", "x", "not a concept of this schema"),
        ("negatives", [{"word": 5, "step": 0, "by": "x", "note": ""}], "not a concept of this schema"),
        ("negatives", [{"word": "cat"}], "not a concept of this schema"),
        ("negatives", "cat", "not a concept of this schema"),
        ("history", [{"step": 0, "constraint": "\ud800", "similarity": 0.5}], "not a concept of this schema"),
        ("request", "{}", "not a concept of this schema|category"),
        ("request", "[1]", "not a concept of this schema|unknown"),
        ("request", "not json", "not JSON"),
        ("fingerprint", "other", "another stack than the family"),
        ("id", "../../../../etc/x", "16 hex digits"),
        ("id", "photo-0123456789", "16 hex digits"),
        ("created_at", "yesterday", "damaged or not a family"),
        ("created_at", 5, "created_at"),
        ("created_at", "9999-12-31T23:59:59-23:00", "damaged or not a family"),
        ("name", 5, "damaged or not a family|schema"),
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
    refused(with_rows(file, lambda found: found[0].pop(key)), "damaged or not a family|cannot be read")


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
    ("tags", "said"),
    [
        ([str(n) for n in range(10_000)], "has 10,000 tags: at most 50 are stored"),
        (["a\x1b[31m"], "has a control character"),
        (["\u202egnp"], "changes the direction of text"),
        (["x" * 41], "give 1 to 40 characters"),
        ([1], "expected a list of texts"),
        ("forest", "expected a list of texts"),
        (None, "expected a list of texts"),
        ({"a": 1}, "expected a list of texts"),
    ],
)
def test_a_strangers_tags_that_cannot_be(file, tags, said):
    refused(with_rows(file, lambda found: found[-1].update(tags=tags)), said)


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
    refused(closed(files | {"concepts.jsonl": deep}), "damaged or not a family|cannot be read")
