"""The sheet: every picture in its place, and any text at all as text."""

from __future__ import annotations

import pytest
from PIL import Image

from ui.sheet import Card, fitted, save_sheet, sheet

CAPTIONS = ("a photo of a …", "a pencil sketch of a …", "a photo of a … on a blue background")
COLOURS = ("red", "lime", "blue")


def pictures(side: int = 64) -> list[Image.Image]:
    return [Image.new("RGB", (side, side), colour) for colour in COLOURS]


def pixels_of(page: Image.Image, colour: str) -> int:
    wanted = Image.new("RGB", (1, 1), colour).getpixel((0, 0))
    return sum(count for count, each in page.getcolors(page.width * page.height) if each == wanted)


def test_every_picture_is_on_the_sheet_once_and_enlarged():
    page = sheet("pet", CAPTIONS, [Card("moku", ["not: cat"], pictures()), Card("vasi", [], pictures())], tile=100)
    for colour in COLOURS:
        assert pixels_of(page, colour) == 2 * 100 * 100


@pytest.mark.parametrize("count", [0, 1, 2, 5, 8])
def test_cards_stand_in_two_columns(count):
    one = sheet("pet", CAPTIONS, [Card("a", [], pictures())])
    page = sheet("pet", CAPTIONS, [Card(str(i), [], pictures()) for i in range(count)])
    assert (page.width > one.width) == (count > 1)
    rows = (count + 1) // 2
    assert pixels_of(page, "red") == count * 144 * 144
    assert page.height > rows * 144


def test_what_a_card_says_makes_it_taller_and_never_wider():
    short = sheet("pet", CAPTIONS, [Card("moku", [], pictures())])
    long = sheet("pet", CAPTIONS, [Card("moku", ["not: " + ", ".join(["guide dog"] * 99)], pictures())])
    assert long.width == short.width and short.height < long.height < short.height + 100
    assert pixels_of(long, "red") == pixels_of(short, "red")


@pytest.mark.parametrize("text", ["", "x" * 5000, "[red]moku[/red]", "../../etc", "a\nb\tc\x1b[31m\0", "猫 🐈 ‮עברית"])
def test_any_text_is_text(text):
    plain = sheet("pet", CAPTIONS, [Card("moku", ["not: cat"], pictures())])
    page = sheet(text, [text] * 3, [Card(text, [text], pictures())])
    assert page.width == plain.width and pixels_of(page, "blue") == pixels_of(plain, "blue")


def test_a_concept_without_pictures_has_a_card_all_the_same():
    assert sheet("pet", CAPTIONS, [Card("moku")]).size == sheet("pet", CAPTIONS, [Card("moku", [], pictures())]).size


def test_pictures_keep_their_proportions():
    wide = fitted(Image.new("RGB", (512, 128), "red"), 144)
    assert wide.size == (144, 144) and pixels_of(wide, "red") == 144 * 36
    assert fitted(Image.new("RGBA", (1, 300), "red"), 144).size == (144, 144)


def test_a_sheet_is_written_whole(tmp_path):
    page = sheet("pet", CAPTIONS, [Card("moku", [], pictures())])
    path = save_sheet(page, tmp_path / "sheet.png")
    with Image.open(save_sheet(page, path)) as stored:
        assert stored.size == page.size and stored.format == "PNG"
    assert [file.name for file in tmp_path.iterdir()] == ["sheet.png"]
