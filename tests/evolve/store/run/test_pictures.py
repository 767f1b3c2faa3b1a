"""Drawings and photographs are kept by content, and no row opens a file elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from evolve.store.parts import Damage, Room
from evolve.store.run import DRAWINGS, PHOTOS, Run
from tests.evolve.store.run.seen import PHOTO, parts, refused
from tests.families import picture


def test_drawings_are_stored_by_content_with_their_index(run):
    same = picture()
    stored = run.add_drawings([("a", "a photo of a {}", 1, same), ("b", "a photo of a {}", 2**63 - 1, same)])
    assert all(np.array_equal(Image.open(each.file), same) for each in stored)
    assert run.keep_picture(same) == run.keep_picture(same)
    assert run.drawings() == stored and run.drawings("b") == stored[1:]


@pytest.mark.parametrize(
    "file", ["../../x", "../run.json", f"../{'a' * 24}.png", f"{'a' * 24}.png/x", "a.png", "A" * 24 + ".png"]
)
def test_only_our_own_file_names_are_pictures(pets, file):
    Room(pets.folder / "drawings", DRAWINGS).append([{"concept": "a", "prompt": "a {}", "seed": 1, "file": file}])
    line = refused(pets.drawings, strict=True)
    assert f"its file is {file!r}" in line and "row 1 of the part" in line
    damage: list[Damage] = []
    assert len(pets.drawings(damage=damage)) == 8 and len(damage) == 1


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
