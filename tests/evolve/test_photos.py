"""A photograph becomes a parent; what is no photograph is one clear line."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from core.concept import Parent
from evolve import photos
from evolve.photos import PhotoError, photo_parent, read_photo
from tests.families import new_run


def picture(size=(30, 20), mode="RGB", colour="red"):
    return Image.new(mode, size, colour)


@pytest.fixture
def photo(tmp_path):
    file = tmp_path / "my dog.jpg"
    generator = np.random.default_rng(0)
    Image.fromarray(generator.integers(0, 255, (40, 60, 3), dtype=np.uint8)).save(file)
    return file


def test_it_is_a_parent_by_what_the_encoder_sees(photo, backbone):
    parent = photo_parent(photo, 0.4, backbone)
    assert isinstance(parent, Parent) and parent.kind == "image" and parent.weight == 0.4
    middle = Image.open(photo).convert("RGB").crop((10, 0, 50, 40))
    assert torch.allclose(torch.tensor(parent.image_embeds[:1]), backbone.encode_images([middle]), atol=1e-5)
    assert parent.image_embeds.shape == (2, backbone.width)


def test_the_same_content_is_the_same_parent(photo, tmp_path, backbone):
    copy = tmp_path / "copy.png"
    copy.write_bytes(photo.read_bytes())
    assert photo_parent(copy, 1.0, backbone) == photo_parent(photo, 1.0, backbone)


def test_what_is_transparent_is_white_and_what_is_turned_stands_upright():
    content = io.BytesIO()
    picture(mode="RGBA", colour=(255, 0, 0, 0)).save(content, "PNG")
    assert photos.opened(content.getvalue(), "it").getpixel((3, 3)) == (255, 255, 255)
    turned = Image.new("RGB", (40, 40), "red")
    turned.paste("blue", (0, 0, 40, 20))
    exif = turned.getexif()
    exif[0x0112] = 3  # upside down
    content = io.BytesIO()
    turned.save(content, "PNG", exif=exif)
    assert photos.opened(content.getvalue(), "it").getpixel((20, 35)) == (0, 0, 255)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + b"0" * 40], ids=["empty", "text", "torn"])
def test_what_is_no_picture_is_named(tmp_path, backbone, content):
    file = tmp_path / "it.png"
    file.write_bytes(content)
    with pytest.raises(PhotoError, match=r"it.png' is not a picture that can be read: give a PNG"):
        photo_parent(file, 1.0, backbone)


def test_a_cut_picture_is_named(photo, backbone):
    photo.write_bytes(photo.read_bytes()[:300])
    with pytest.raises(PhotoError, match="not a picture"):
        photo_parent(photo, 1.0, backbone)


def test_missing_and_folders_are_named(tmp_path, backbone):
    with pytest.raises(PhotoError, match="cannot be read: No such file"):
        photo_parent(tmp_path / "nothing.png", 1.0, backbone)
    with pytest.raises(PhotoError, match="cannot be read: Is a directory"):
        photo_parent(tmp_path, 1.0, backbone)


@pytest.mark.parametrize("colour", [(255, 255, 255, 0), (0, 0, 0, 0), (12, 34, 56, 255)])
def test_what_shows_nothing_is_refused(tmp_path, backbone, colour):
    file = tmp_path / "it.png"
    picture(mode="RGBA", colour=colour).save(file)
    with pytest.raises(PhotoError, match=r"it.png' is of one colour all over: choose one that shows something"):
        photo_parent(file, 1.0, backbone)


def test_noise_of_a_camera_shows_nothing_and_a_drawing_in_pencil_does(tmp_path):
    file = tmp_path / "it.png"
    noise = np.random.default_rng(0).normal(128, 1, (64, 64, 3)).round().astype(np.uint8)
    Image.fromarray(noise).save(file)
    with pytest.raises(PhotoError, match="of one colour"):
        read_photo(file)
    page = Image.new("RGB", (200, 200), "white")
    ImageDraw.Draw(page).line((20, 20, 180, 180), fill="grey")
    page.save(file)
    assert read_photo(file).label == "it.png"


def test_a_copy_is_kept_in_the_run(photo, tmp_path, backbone):
    run = new_run(tmp_path / "run")
    seen = read_photo(photo)
    kept = run.add_photo(seen.id, seen.picture, seen.label)
    assert kept.id == photo_parent(seen, 1.0, backbone).id and kept.label == "my dog.jpg"
    assert photo_parent(seen, 1.0, backbone) == photo_parent(photo, 1.0, backbone) and run.photos() == {kept.id: kept}
    with Image.open(kept.file) as small:
        assert small.size == (40, 40)


def test_pictures_that_are_too_large_are_refused_before_they_unfold(tmp_path, backbone, monkeypatch):
    file = tmp_path / "wide.png"
    picture((2000, 10)).save(file)
    monkeypatch.setattr(photos, "LARGEST_MEGAPIXELS", 0.01)
    with pytest.raises(PhotoError, match="has 2000 × 10 pixels"):
        photo_parent(file, 1.0, backbone)
    monkeypatch.setattr(photos, "LARGEST_MB", 0.00001)
    with pytest.raises(PhotoError, match="at most 1e-05 are read"):
        photo_parent(file, 1.0, backbone)
