"""Text from outside."""

from __future__ import annotations

import pytest

from core.concept import Request, RequestError
from core.errors import PromptError
from core.prompts import checked_prompt
from core.texts import TextError, checked_label, checked_text, fault, folded, one_name

NFC, NFD = "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"
HOSTILE = {
    "a\x07b": "a control character (U+0007)",
    "a\x1b[31m": "a control character (U+001B)",
    "a\nb": "a control character (U+000A)",
    "a\u2028b": "a line break (U+2028)",
    "a\u202eb": "a character that changes the direction of text (U+202E)",
    "a\u2066b": "a character that changes the direction of text (U+2066)",
    "a\u200bb": "an invisible character (U+200B)",
    "a\ufeffb": "an invisible character (U+FEFF)",
    "a\udc80b": "half of a character (U+DC80)",
}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_refused_with_the_character_that_is_wrong(text):
    assert fault(text) == HOSTILE[text]
    with pytest.raises(TextError, match=r"comment = .* has .*: remove it"):
        checked_text(text, "comment")


@pytest.mark.parametrize("text", ["noël", "猫", "क्षि", "a 👩‍👩‍👧 b", "می‌خواهم"])
def test_words_of_all_scripts_and_joined_emoji_are_kept(text):
    assert checked_text(text, "comment") == text


def test_text_becomes_nfc_with_plain_spaces():
    assert checked_text(f"{NFD}\N{NO-BREAK SPACE}x", "comment") == f"{NFC} x"
    assert checked_text("one\n\ttwo", "comment", lines=True) == "one\n\ttwo"


def test_a_label_is_one_short_line():
    assert checked_label(f" {NFD}\N{NO-BREAK SPACE}  x ", "tag", 6) == f"{NFC} x"
    for text in ("", "  ", "seven ch"):
        with pytest.raises(TextError, match=r"tag = .*: give 1 to 6 characters"):
            checked_label(text, "tag", 6)
    with pytest.raises(TextError, match="has a control character"):
        checked_label("a\tb", "tag", 6)


def test_texts_that_differ_only_in_case_are_one_when_folded():
    assert folded("Stra\u00dfe") == folded("STRASSE") and folded(NFC.upper()) == folded(NFD)
    assert folded("a b") != folded("ab")


def test_twins_are_one_name():
    assert one_name(NFC) == one_name(NFD)
    assert one_name("ｐｅｔｓ\N{IDEOGRAPHIC SPACE}２") == "pets 2"
    assert one_name("pets") != one_name("Pets")


@pytest.mark.parametrize("prompt", ["a {} and a {}", "{}"])
def test_a_prompt_may_name_its_concept_more_than_once(prompt):
    assert checked_prompt(prompt) == prompt


@pytest.mark.parametrize("prompt", ["a {0}", "a {", "}{", "{} {x}", "a photo", "{{}}", "{} \udc80", "{}\u202e"])
def test_a_prompt_with_odd_braces_or_hostile_text_is_refused(prompt):
    with pytest.raises(PromptError, match="prompt = "):
        checked_prompt(prompt)


def test_a_request_has_no_lone_surrogates():
    with pytest.raises(RequestError, match="half of a character"):
        Request("pet\udc80")


def test_stored_words_keep_their_form():
    """Ids are hashes of requests, so reading must not normalise."""
    assert Request(NFD).category == NFD
