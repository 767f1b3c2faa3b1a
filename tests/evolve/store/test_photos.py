"""A photograph becomes a parent; what is no photograph is one clear line."""

from __future__ import annotations

import io
import logging
import os
import socket
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from core.concept import Parent
from evolve.store import photos
from evolve.store.photos import PhotoError, photo_parent, read_photo
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
    with pytest.raises(PhotoError, match="does not exist: check the path"):
        photo_parent(tmp_path / "nothing.png", 1.0, backbone)
    with pytest.raises(PhotoError, match="is a folder: name a file in it"):
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
    with pytest.raises(PhotoError, match="but at most 10 are read"):
        photo_parent(file, 1.0, backbone)


def saved(file, picture, **how):
    picture.save(file, **how)
    return file


def on_paper(colour=(190, 200, 210), size=(300, 200), noise=6, thing="red"):
    """A red ring in the upper left of a sheet, as a camera sees it."""
    page = Image.new("RGB", size, colour)
    draw = ImageDraw.Draw(page)
    draw.ellipse((30, 20, 110, 100), fill=thing)
    draw.ellipse((55, 45, 85, 75), fill=colour)  # the hole shows the sheet, and is not connected with the edge
    grain = np.random.default_rng(0).normal(0, noise, (size[1], size[0], 3))
    return Image.fromarray((np.asarray(page) + grain).clip(0, 255).astype(np.uint8))


def test_a_plain_background_goes_and_the_thing_stands_in_the_middle(tmp_path):
    kept = read_photo(saved(tmp_path / "ring.png", on_paper()), cutout=True).picture
    assert kept.size[0] == kept.size[1] == pytest.approx(81 * 1.16, abs=4)
    middle, edge = kept.size[0] // 2, kept.size[0] - 1
    corners = [kept.getpixel(at) for at in ((0, 0), (edge, 0), (0, edge), (edge, edge), (8, 8))]
    assert corners == [(255, 255, 255)] * 5
    assert sum(abs(a - b) for a, b in zip(kept.getpixel((middle, middle)), (190, 200, 210), strict=True)) < 60, "a hole"
    assert kept.getpixel((middle, middle // 3))[0] > 220 > kept.getpixel((middle, middle // 3))[1]


def test_the_same_thing_on_another_sheet_is_cut_out_the_same(tmp_path, backbone):
    """The purpose of a cutout: the encoder sees the thing, not the sheet."""
    solid = [Image.new("RGB", (300, 200), sheet) for sheet in ("navy", "khaki")]
    for page in solid:
        ImageDraw.Draw(page).ellipse((30, 20, 110, 100), fill="red")
    files = [saved(tmp_path / f"{number}.png", page) for number, page in enumerate(solid)]
    one, other = (photo_parent(read_photo(file, cutout=True), 1.0, backbone).image_embeds for file in files)
    assert np.allclose(one, other, atol=1e-4)
    seen = [photo_parent(file, 1.0, backbone).image_embeds for file in files]
    assert not np.allclose(*seen, atol=1e-4)


def test_a_cutout_is_another_parent_than_the_whole_photograph_and_its_small_copy_shows_what_is_kept(tmp_path, backbone):
    file = saved(tmp_path / "ring.png", on_paper())
    whole, cut = read_photo(file), read_photo(file, cutout=True)
    assert whole.id != cut.id == read_photo(file, cutout=True).id
    run = new_run(tmp_path / "run")
    with Image.open(run.add_photo(cut.id, cut.picture, cut.label).file) as small:
        assert small.getpixel((0, 0)) == (255, 255, 255)


def test_transparent_parts_are_the_background_whatever_colour_they_have(tmp_path):
    page = Image.new("RGBA", (100, 60), (0, 200, 0, 0))
    ImageDraw.Draw(page).rectangle((60, 10, 89, 39), fill=(0, 0, 255, 255))
    kept = read_photo(saved(tmp_path / "it.png", page), cutout=True).picture
    assert kept.size == (35, 35) and kept.getpixel((17, 17)) == (0, 0, 255) and kept.getpixel((0, 0)) == (255, 255, 255)


def test_a_background_that_cannot_be_told_is_named(tmp_path):
    generator = np.random.default_rng(0)
    busy = Image.fromarray(generator.integers(0, 255, (60, 80, 3), dtype=np.uint8))
    with pytest.raises(PhotoError, match=r"busy.png' has no plain background: its edge has many colours"):
        read_photo(saved(tmp_path / "busy.png", busy), cutout=True)
    with pytest.raises(PhotoError, match="without its background shows nothing"):
        read_photo(saved(tmp_path / "it.png", on_paper(thing=(190, 200, 210))), cutout=True)
    near = Image.new("RGBA", (50, 50), (9, 9, 9, 255))
    near.putpixel((0, 0), (0, 0, 0, 0))
    with pytest.raises(PhotoError, match="shows everything"):
        read_photo(saved(tmp_path / "it.png", near), cutout=True)


def half(mode, left, right):
    page = Image.new(mode, (64, 64), left)
    page.paste(right, (32, 0, 64, 64))
    return page


def test_pictures_of_printers_scanners_and_animations_are_seen_as_they_look(tmp_path):
    """CMYK, greys of 16 bits (bright where they are bright, not from 255 on), and the first picture of an animation."""
    printed = read_photo(
        saved(tmp_path / "it.jpg", half("CMYK", (0, 255, 255, 0), (255, 255, 0, 0)), quality=95)
    ).picture
    assert printed.getpixel((10, 32))[0] > 200 > 80 > printed.getpixel((10, 32))[2]
    grey = np.full((64, 64), 5000, dtype=np.uint16)
    grey[:, 32:] = 50000
    for suffix in ("png", "tiff"):
        scanned = read_photo(saved(tmp_path / f"it.{suffix}", Image.fromarray(grey))).picture
        assert scanned.getpixel((10, 32)) == (19,) * 3 and scanned.getpixel((50, 32)) == (194,) * 3
    first, second = half("RGB", "red", "blue"), half("RGB", "white", "green")
    for suffix in ("gif", "webp", "png"):
        file = saved(tmp_path / f"moves.{suffix}", first, save_all=True, append_images=[second])
        assert (
            read_photo(file).picture.getpixel((10, 32))[0] > 200 > 60 > read_photo(file).picture.getpixel((10, 32))[1]
        )


def test_a_picture_of_two_thousand_million_pixels_is_refused_by_its_header(tmp_path):
    """A few bytes that say they are 50,000 × 40,000 pixels."""
    header = struct.pack(">IIBBBBB", 50_000, 40_000, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(header)) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    file = tmp_path / "bomb.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 4) + b"IDAT" + b"0000" * 2)
    for cutout in (False, True):
        with pytest.raises(PhotoError, match="has too many pixels: at most 100 million are read; make it smaller"):
            read_photo(file, cutout)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif"])
def test_a_torn_file_is_named_with_and_without_its_background(tmp_path, suffix):
    file = saved(tmp_path / f"it.{suffix}", on_paper())
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    for cutout in (False, True):
        with pytest.raises(PhotoError, match="is not a picture that can be read"):
            read_photo(file, cutout)


def test_a_photograph_that_lies_on_its_side_is_cut_out_upright(tmp_path):
    page = Image.new("RGB", (200, 120), "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((40, 40, 79, 59), fill="red")
    draw.rectangle((80, 40, 119, 59), fill="blue")
    exif = page.getexif()
    exif[0x0112] = 6  # to be turned by a quarter to the right: red, on the left, comes to the top
    kept = read_photo(saved(tmp_path / "it.png", page, exif=exif), cutout=True).picture
    middle, side = kept.width // 2, kept.height
    assert kept.getpixel((middle, side // 4)) == (255, 0, 0) and kept.getpixel((middle, 3 * side // 4)) == (0, 0, 255)


def test_pipes_devices_and_sockets_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.png"))
        for file in (tmp_path / "pipe.png", tmp_path / "socket.png", "/dev/zero", "/dev/tty"):
            with pytest.raises(PhotoError, match="is not an ordinary file"):
                read_photo(file)


@pytest.mark.parametrize(("suffix", "mode"), [("jpg", "RGB"), ("png", "RGBA"), ("png", "I;16"), ("gif", "P")])
def test_a_large_picture_is_reduced_while_it_is_read(tmp_path, monkeypatch, suffix, mode):
    """It shows the same, upright; smaller ones are not touched."""
    smooth = Image.radial_gradient("L").resize((400, 300))
    page = Image.fromarray(np.asarray(smooth).astype(np.uint16) * 257) if mode == "I;16" else smooth.convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    file = saved(tmp_path / f"it.{suffix}", page, exif=exif)
    whole = read_photo(file).picture
    monkeypatch.setattr(photos, "LARGEST_WHOLE", 400 * 300 // 4)
    small = read_photo(file).picture
    assert whole.size == (300, 300) and small.size == (150, 150)
    assert np.abs(np.asarray(whole.resize((150, 150)), dtype=int) - np.asarray(small)).max() <= 6


def test_pictures_in_a_format_that_runs_a_program_are_refused(tmp_path):
    with pytest.raises(PhotoError, match="is not a picture that can be read"):
        read_photo(saved(tmp_path / "it.eps", on_paper()))


def test_words_of_pillow_about_a_broken_file_reach_no_person(tmp_path, monkeypatch, capsys):
    """Without a handler, logging prints its errors."""
    file = saved(tmp_path / "broken.tiff", Image.new("RGB", (24, 16)))
    content = bytearray(file.read_bytes())
    place = content.index(struct.pack("<HH", 277, 3)) + 8  # samples per pixel
    content[place : place + 2] = struct.pack("<H", 1027)
    file.write_bytes(content)
    monkeypatch.setattr(logging.root, "handlers", [])
    with pytest.raises(PhotoError, match="is not a picture"):
        read_photo(file)
    assert capsys.readouterr().err == ""
