"""Pictures say what they show: PNG text chunks, and the same as XMP."""

from __future__ import annotations

import io
import struct
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from core.png import LONGEST, MOST_TEXTS, png_bytes, strangers_texts, texts_in, texts_of, xmp_of

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


def test_a_file_with_a_broken_chunk_says_nothing(tmp_path):
    content = png_bytes(PICTURE, TOLD)
    length = content.index(b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(content[:length] + b"\0\0\0\1" + content[length + 4 :])
    assert texts_in(tmp_path / "a.png") == {}


# Pictures of strangers


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(kind + content))


def with_chunks(*chunks: bytes) -> bytes:
    """A PNG with these chunks behind its first one."""
    content = png_bytes(PICTURE)
    return content[:33] + b"".join(chunks) + content[33:]


def test_a_strangers_texts_are_those_that_pillow_reads():
    told = TOLD | {"conceptree": '{"id": "ü"}', "two": "a\nb"}
    content = png_bytes(PICTURE, told)
    assert strangers_texts(content) == texts_of(opened(content))


def test_texts_behind_the_pixels_are_found_too():
    content = png_bytes(PICTURE)
    assert strangers_texts(content[:-12] + chunk(b"tEXt", b"id\0here") + content[-12:]) == {"id": "here"}


def test_a_strangers_texts_are_few_short_and_without_control_characters():
    long = chunk(b"tEXt", b"long\0" + b"x" * 10**6)
    many = [chunk(b"tEXt", b"k%d\0v" % number) for number in range(10**4)]
    found = strangers_texts(with_chunks(long, chunk(b"tEXt", b"id\0a\x1b[31m"), *many))
    assert len(found) == MOST_TEXTS and "long" not in found and found["id"] == "a\N{REPLACEMENT CHARACTER}[31m"
    assert len(strangers_texts(with_chunks(chunk(b"tEXt", b"id\0" + b"x" * 4 * LONGEST)))["id"]) == LONGEST


def test_the_first_text_of_a_keyword_counts():
    assert strangers_texts(with_chunks(chunk(b"tEXt", b"id\0one"), chunk(b"tEXt", b"id\0two"))) == {"id": "one"}


def test_a_compressed_text_is_not_unpacked():
    chunks = PngInfo()
    chunks.add_itxt("bomb", "x" * 10**7, zip=True)
    chunks.add_text("bomb2", "x" * 10**7, zip=True)
    content = io.BytesIO()
    PICTURE.save(content, format="PNG", pnginfo=chunks)
    assert strangers_texts(content.getvalue()) == {}


@pytest.mark.parametrize("length", [0, 7, 30, 45, 60])
def test_a_torn_picture_gives_the_texts_before_the_damage(length):
    whole = strangers_texts(png_bytes(PICTURE, TOLD))
    found = strangers_texts(png_bytes(PICTURE, TOLD)[:length])
    assert set(found) <= set(whole)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(content):
    strangers_texts(content)
    strangers_texts(b"\x89PNG\r\n\x1a\n" + content)
