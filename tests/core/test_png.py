"""Pictures say what they show: PNG text chunks, and the same as XMP."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from core.png import LONGEST, png_bytes, texts_in, texts_of, xmp_of

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (8, 8, 3), dtype=np.uint8))
TOLD = {"prompt": "a photo of a {}", "seed": 3, "concept": "noël", "parents": ""}


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def test_the_texts_are_read_by_keyword_and_empty_ones_are_left_out():
    found = opened(png_bytes(PICTURE, TOLD))
    assert found.info["prompt"] == "a photo of a {}"
    expected = {"prompt": "a photo of a {}", "seed": "3", "concept": "noël", "Software": "Conceptree"}
    assert texts_of(found) == expected and np.array_equal(np.asarray(found), np.asarray(PICTURE))


def test_the_same_picture_and_texts_are_the_same_bytes():
    assert png_bytes(PICTURE, TOLD) == png_bytes(PICTURE.copy(), dict(TOLD))
    assert png_bytes(opened(png_bytes(PICTURE, TOLD))) == png_bytes(PICTURE), "nothing is carried along unasked"
    assert texts_of(opened(png_bytes(PICTURE))) == {}


def test_texts_of_strangers_cannot_do_harm():
    found = texts_of(opened(png_bytes(PICTURE, {"concept": "a\x1b[31m\ud800\0b", "prompt": "x" * 10**6})))
    assert found["concept"] == "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b"
    assert len(found["prompt"]) == LONGEST


def test_xmp_is_xml_with_a_line_for_each_text():
    (text,) = [
        each.text
        for each in ElementTree.fromstring(xmp_of({"concept": "<noël> & co", "seed": "3"})).iter()
        if each.text
    ]
    assert text == "concept: <noël> & co\nseed: 3"
    assert xmp_of({}) == b""


def test_a_file_that_is_no_picture_says_nothing(tmp_path):
    (tmp_path / "a.png").write_bytes(b"hello")
    assert texts_in(tmp_path / "a.png") == texts_in(tmp_path / "b.png") == {}
