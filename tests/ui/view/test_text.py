"""Text of users stays text, with any content."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ui.view.text import JOINER, left, on_one_line, plain, shortened

# What Streamlit looks for in text once Markdown has been read.
LATE = [
    r":[\w+-]+:",
    r":material_(\w+):",
    r":streamlit:",
    r":[a-z][a-z0-9-]*\[",
    r"(https?:\/\/|www(?=\.))([-.\w]+)",
    r"([-.\w+]+)@([-\w]+(?:\.[-\w]+)+)",
    r"(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)",
]
NASTIES = [
    "<img src=x onerror=alert(1)>",
    "**b** _i_ ~~s~~ `code`",
    ":red[x] :material/pets: :material_pets: :smile: :streamlit:",
    "$x$ $$y$$ 5 $ and 6 $",
    "[a](javascript:alert(1)) ![b](//x/y.png) <https://x.y>",
    "https://x.y www.x.y me@x.y ftp://x",
    "a -> b <- c <-> d -- e >= f <= g ~= h",
    "line\nbreak\n\n# heading\n- list\n1. first\n    code\n> quote\n---\n| a | b |\n|---|---|",
    "&amp; &lt; &#60; \\* \\\\ \\",
    "\u202egnp.exe\x00\x1b[31m",
    "  leading, trailing\t",
    "",
]
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def shown(markdown: str) -> str:
    """The text that Markdown shows; fails if it is not one paragraph of text."""
    tokens = MARKDOWN.parse(markdown)
    assert [token.type for token in tokens] in ([], ["paragraph_open", "inline", "paragraph_close"])
    children = [child for token in tokens for child in token.children or ()]
    assert {child.type for child in children} <= {"text"}
    return "".join(child.content for child in children)


def check(text: str) -> None:
    found = shown(plain(text))
    assert found.replace(JOINER, "") == on_one_line(text)
    assert not [pattern for pattern in LATE if re.search(pattern, found, re.IGNORECASE)]


@pytest.mark.parametrize("text", NASTIES)
def test_nothing_that_is_typed_is_markdown(text):
    check(text)


@given(st.text())
def test_nor_is_any_other_text(text):
    check(text)


@given(st.lists(st.sampled_from([*"<>:[]()*_`$~-=!#|&;@./\\ \n\t", "a", "www", "http", "material", "red", "1."])))
def test_nor_what_consists_of_marks(pieces):
    check("".join(pieces))


def test_what_cannot_be_seen_is_marked_and_joined_emoji_stay():
    assert on_one_line("a\x1b[2Jb \n c") == "a\N{REPLACEMENT CHARACTER}[2Jb c"
    assert on_one_line("👩\u200d🌾") == "👩\u200d🌾"


def test_long_text_is_cut():
    assert shortened("a dog  in\nthe rain", 8) == "a dog i…" and shortened("a dog", 8) == "a dog"


def test_times_are_said_as_people_say_them():
    said = [left(seconds) for seconds in (None, 2, 12, 44, 58, 170, 3600, 7500)]
    assert said == [
        "",
        "a few seconds left",
        "about 10 s left",
        "about 40 s left",
        "about 1 min left",
        "about 3 min left",
        "about 1 h 00 min left",
        "about 2 h 05 min left",
    ]
