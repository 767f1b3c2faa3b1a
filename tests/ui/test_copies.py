"""draw --cutout and --upscale: copies of drawings with their origin inside."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from core.png import png_bytes, strangers_texts, texts_in
from evolve import Run
from tests.families import family
from tests.typed import good, one_line
from ui.copies import CopyError, copy_of
from ui.drawn import origin_in


def thing(paper: str = "white") -> Image.Image:
    """A brown body with a white belly on paper."""
    drawn = Image.new("RGB", (64, 64), paper)
    pen = ImageDraw.Draw(drawn)
    pen.ellipse((12, 16, 52, 56), fill=(160, 90, 40))
    pen.ellipse((26, 30, 38, 42), fill="white")
    return drawn


def opened(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


@pytest.mark.parametrize(("upscale", "side"), [(1, 64), (2, 128), (4, 256)])
@pytest.mark.parametrize("paper", ["white", "#4080e0"])
def test_a_cutout_keeps_the_thing_and_what_is_inside_it(tmp_path, paper, upscale, side):
    file = tmp_path / "drawing.png"
    file.write_bytes(png_bytes(thing(paper), {"concept": "moku", "seed": 3}))
    pixels = opened(copy_of(file, cutout=True, upscale=upscale))
    assert pixels.shape == (side, side, 4)
    assert (pixels[0, 0, 3], pixels[side // 2, side // 2, 3]) == (0, 255)
    assert pixels[36 * side // 64, 32 * side // 64, :3].min() > 240, "the belly is white and not transparent"
    half = pixels[(pixels[..., 3] > 60) & (pixels[..., 3] < 200)]
    # The colour at the edge is the body's, not mixed with the paper.
    assert (np.abs(half[:, :3].astype(int) - (160, 90, 40)).max(1) < 40).all()


def test_the_texts_of_the_drawing_stay_and_say_what_was_done(tmp_path):
    file = tmp_path / "drawing.png"
    file.write_bytes(png_bytes(thing(), {"concept": "moku", "seed": 3}))
    told = strangers_texts(copy_of(file, cutout=True, upscale=2))
    expected = {"concept": "moku", "seed": "3", "upscaled": "2", "background": "removed", "Software": "Conceptree"}
    assert told == expected
    assert copy_of(file, True, 2) == copy_of(file, True, 2)


def test_a_busy_background_or_an_empty_picture_is_refused(tmp_path):
    file = tmp_path / "drawing.png"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for picture, told in ((Image.fromarray(noise), "no plain background"), (Image.new("RGB", (64, 64)), "nothing")):
        file.write_bytes(png_bytes(picture))
        with pytest.raises(CopyError, match=told):
            copy_of(file, cutout=True)


@pytest.fixture
def pets(tmp_path) -> Run:
    return family(tmp_path / "runs" / "pets")


def test_the_command_refuses_what_does_not_fit_together(pets, tmp_path):
    name = pets.entries()[0].name
    where = ("--runs", tmp_path / "runs")
    for words, told in (
        ((name, "--to", "x.png"), "--to needs --morph NAME NAME, --cutout or --upscale"),
        ((name, "--cutout", "--to", "x.webp"), "'x.webp': a copy of a drawing is written as .png"),
        (("--morph", name, name, "--cutout"), "are not for a morph"),
        ((name, "--decoder", "sdxl", "--upscale", "2"), "leave out --decoder"),
    ):
        assert told in one_line("draw", "pets", *words, *where)


def test_a_copy_of_a_stored_drawing_finds_its_concept(pets, tmp_path):
    drawing = pets.drawings()[0]
    content = copy_of(drawing.file, upscale=2)
    found = origin_in(content, "x.png", tmp_path / "runs")
    assert (found.entry.id, found.prompt, found.seed) == (drawing.concept, drawing.prompt, drawing.seed)
    assert texts_in(drawing.file)["parameters"] == strangers_texts(content)["parameters"]


def test_the_command_writes_copies_with_numbers_where_there_are_several(backbone, tmp_path):
    from core import Settings
    from evolve import populate

    made = Run.create(tmp_path / "runs" / "pets", "pet", backbone)
    quick = {"settings": Settings(steps=2, segment=1, learning_rate=1e-2), "negatives": ("cat",)}
    made.add(populate("pet", 1, backbone, request=quick))
    (each,) = made.entries()
    shown = good("draw", "pets", each.name, "--images", 2, "--upscale", 2, "--runs", tmp_path / "runs")
    files = [made.folder / f"{each.name}-x2-{number}.png" for number in (1, 2)]
    assert all(file.name in shown for file in files)
    first = made.drawings(each.id)[0]
    with Image.open(files[0]) as copy, Image.open(first.file) as stored:
        assert copy.size == tuple(2 * side for side in stored.size)
    to = tmp_path / "one.png"
    good("draw", "pets", each.name, "--upscale", 4, "--to", to, "--runs", tmp_path / "runs")
    assert texts_in(to)["id"] == each.id
