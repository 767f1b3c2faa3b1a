"""A person at the terminal decides on each new negative: what can be typed, and that no typing loses anything."""

from __future__ import annotations

import builtins
from io import StringIO

import pytest
from rich.console import Console

from core.concept import Negative, Request
from core.namers import canned_namer
from core.review import Decision, Proposal, ReviewError
from core.settings import MOST_AT_ONCE, Settings
from evolve import Run
from evolve.jobs.options import SeedOptions
from tests.plans import a_seed
from ui.learning import seed
from ui.person import Person, typed

PROPOSAL = Proposal(
    id="b",
    step=200,
    request=Request("pet"),
    words=("hamster",),
    negatives=(Negative("cat", 0, "vqa"), Negative("dog", 100, "vqa")),
    images=(),
    answers=(),
    note="nearest of 3 answers (0.41)",
    earlier=(0, 100),
)


def console(**options) -> Console:
    return Console(file=StringIO(), width=300, markup=False, emoji=False, highlight=False, **options)


@pytest.fixture
def types(monkeypatch):
    """Lets a person type lines; after the last one the input ends."""

    def at_the_prompt(*lines):
        left = list(lines)

        def answer(prompt):
            if not left:
                raise EOFError
            line = left.pop(0)
            if isinstance(line, BaseException):
                raise line
            return line

        monkeypatch.setattr(builtins, "input", answer)
        return left

    return at_the_prompt


@pytest.mark.parametrize(
    "text, decision",
    [
        ("", Decision(("hamster",))),
        ("horse", Decision(("horse",))),
        ("horse, guide dog", Decision(("horse", "guide dog"))),
        ("-", Decision()),
        ("-hamster", Decision()),
        ("-cat", Decision(("hamster",), ("cat",))),
        ("-, - cat", Decision((), ("cat",))),
        ("horse, -cat, -dog", Decision(("horse",), ("cat", "dog"))),
        ("<100", Decision((), (), 100)),
        ("< 100 horse", Decision(("horse",), (), 100)),
        ("<0, horse, -cat", Decision(("horse",), ("cat",), 0)),
        (" , ,", Decision(("hamster",))),
    ],
)
def test_what_is_typed_is_a_decision(text, decision):
    assert typed(text, PROPOSAL) == decision


@pytest.mark.parametrize("text", ["<", "<abc", "<-1", "<1e3", "<" + "9" * 5000])
def test_a_step_is_a_number(text):
    with pytest.raises(ReviewError, match="is not a step to go back to: write it as in <0"):
        typed(text, PROPOSAL)


def test_a_person_sees_what_is_proposed_and_what_there_is(types):
    types("horse", "?", "owl")
    out = console()
    person = Person(out, None)
    assert person.asked({"a": "founder 1", "b": "founder 2"}, PROPOSAL) == Decision(("horse",))
    shown = out.file.getvalue()
    assert "step 200  founder 2 is not cat, dog; you can go back to 0, 100" in shown
    assert "proposed as a negative: hamster (nearest of 3 answers (0.41))" in shown
    assert person.asked({"a": "founder 1", "b": "founder 2"}, PROPOSAL) == Decision(("owl",))
    assert out.file.getvalue().count(Person.HOW) == 2, "the first time, and when asked for"


def test_what_cannot_be_followed_or_read_is_asked_again_with_the_reason(types):
    types("<abc", UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "-cat")
    out = console()
    again = Proposal(**{**vars(PROPOSAL), "problem": "the stack tiny-1 does not know the word 'dra\x1b[31mgon'"})
    assert Person(out, None).asked({"a": "one", "b": "two"}, again) == Decision(("hamster",), ("cat",))
    shown = out.file.getvalue()
    assert "does not know the word 'dra�[31mgon'" in shown and "\x1b" not in shown
    assert "'<abc' is not a step to go back to" in shown and "not valid text" in shown
    assert "proposed as a negative" not in shown, "it is listed already"


@pytest.mark.parametrize("lines, said", [(["q"], "No more questions"), ([], "The input has ended")])
def test_who_asks_no_more_agrees_to_the_rest(types, lines, said):
    left = types(*lines)
    out = console()
    person = Person(out, None)
    assert [person.asked({"a": "one", "b": "two"}, PROPOSAL) for _ in range(3)] == [None] * 3 and left == []
    assert out.file.getvalue().count(said) == 1


def test_the_bar_rests_while_a_person_is_asked(types, monkeypatch):
    happened = []
    monkeypatch.setattr(builtins, "input", lambda prompt: happened.append("asked") or "")

    class Bar:
        def __enter__(self):
            happened.append("shown")

        def __exit__(self, *error):
            happened.append("hidden")

    Person(console(force_terminal=True), Bar()).asked({"a": "one", "b": "two"}, PROPOSAL)
    Person(console(), Bar()).asked({"a": "one", "b": "two"}, PROPOSAL)
    assert happened == ["hidden", "asked", "shown", "asked"]


def test_founders_with_a_person_at_the_terminal(stack_folder, tmp_path, monkeypatch, types):
    namer = canned_namer(["dog"], ["cat"], ["turtle"])
    for of in ("planning", "batches"):
        monkeypatch.setattr(f"evolve.jobs.{of}.namer_of", lambda stack: namer)
    types("dragon", "The Horse", "-", "-horse", "", "<0 parrot", "q")
    out = console()
    asked = SeedOptions(category="pet", count=2, wave=1, steps=6, segment=2, ask="terminal")
    seed(asked, None, tmp_path, str(stack_folder), out)
    one, other = (each.concept for each in Run.open(tmp_path / "pet").individuals())
    shown = out.file.getvalue()
    assert shown.startswith("Note: the stack tiny-1 is not calibrated: the published cap")
    assert "does not know the word 'dragon': choose another" in shown
    assert "new negative horse (" in shown and "by you" in shown and "'dog' refused by the user" in shown
    assert [(n.word, n.step, n.by) for n in one.negatives] == [("turtle", 4, "canned")]
    assert "back to step 0" in shown
    assert (other.negatives[0].word, other.negatives[0].step, other.negatives[0].by) == ("parrot", 0, "user")


def test_the_steps_of_a_plan_are_those_of_all_its_batches():
    def steps(count, wave):
        return a_seed(count=count, wave=wave, settings=Settings(steps=10)).steps(MOST_AT_ONCE)

    assert steps(5, 2) == 30 and steps(4, 2) == 20 and steps(3, 100) == 10
    assert steps(2 * MOST_AT_ONCE + 2, MOST_AT_ONCE + 1) == 40
