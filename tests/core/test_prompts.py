"""Templates from a file: text from outside, one a line."""

from __future__ import annotations

import pytest

from core.concept import Request, RequestError, concept_id
from core.errors import PromptError
from core.prompts import LONGEST_TEMPLATE, MOST_TEMPLATES, TEMPLATES, fill, read_templates


def written(tmp_path, text):
    file = tmp_path / "templates.txt"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_each_line_is_a_template_and_empty_lines_are_none(tmp_path):
    file = written(tmp_path, b"\xef\xbb\xbfA photo of my {}\r\n\n  a   painting\tof a {}  \nA photo of my {}")
    assert read_templates(file) == ("A photo of my {}", "a painting of a {}", "A photo of my {}")
    assert read_templates(written(tmp_path, "un cafe\u0301 {}")) == ("un caf\u00e9 {}",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a {}\na photo\n", "line 2: 'a photo' has {} 0 times: write it once"),
        ("a {} and a {}", "line 1: .* has {} 2 times"),
        ("a photo of {a} {}", "has one of the signs"),
        ("a <concept> {}", "has one of the signs"),
        ("a {} {", "has one of the signs"),
        ("a\x07 {}", r"has a control character \(U\+0007\)"),
        (f"{'a' * LONGEST_TEMPLATE} {{}}", f"at most {LONGEST_TEMPLATE} are read"),
        ("\n \n", "has 0 templates: expected 1 to"),
        ("a {}\n" * (MOST_TEMPLATES + 1), f"has {MOST_TEMPLATES + 1} templates"),
        (b"a \xff {}", "is not text in UTF-8"),
        (b"a {}\n" * 2**18, "is 1.2 MB|has more than|is larger|bytes"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, text, said):
    with pytest.raises(PromptError, match=said) as error:
        read_templates(written(tmp_path, text))
    assert "\n" not in str(error.value) and "templates.txt" in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(PromptError, match=r"missing\.txt' does not exist"):
        read_templates(tmp_path / "missing.txt")


def test_a_request_with_templates_is_another_one_and_one_without_stays_as_it_was():
    plain, own = Request("pet", seed=1), Request("pet", seed=1, templates=["a {}", "my {}"])
    assert "templates" not in plain.to_json() and plain.prompts == TEMPLATES["object"]
    assert Request.from_json(own.to_json()) == own and own.prompts == ("a {}", "my {}")
    assert len({concept_id(each, "") for each in (plain, own, Request("pet", seed=1, templates=("my {}",)))}) == 3


@pytest.mark.parametrize("wrong", ["a {}", ("a photo",), ("{} {}",), (1,), ("a {}",) * (MOST_TEMPLATES + 1)])
def test_a_request_with_wrong_templates_says_so(wrong):
    with pytest.raises(RequestError, match="template"):
        Request("pet", templates=wrong)


def test_a_style_without_its_phrase_leaves_its_place_empty():
    assert fill("a {} painting", "").split() == ["a", "painting"]
