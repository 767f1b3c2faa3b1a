"""A person's decisions about a new negative: the allowed ones, their parsing, and repeated questions."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from core.concept import Negative, Positive, Request
from core.review import MOST_TRIES, Decision, Proposal, ReviewError, ask, checked, steered

STACK = SimpleNamespace(version="tiny-1", knows=lambda word: word != "dragon")
REQUEST = Request("pet", positives=(Positive("Pet"), Positive("friend")), schedule="adaptive")
SO_FAR = (Negative("cat", 0, "vqa"), Negative("Guide Dog", 100, "user"))
EARLIER = {0: (), 100: SO_FAR[:1]}


def proposal(*words, note="nearest of 3 answers"):
    return Proposal(0, 200, REQUEST, words, SO_FAR, (), (), note)


def understood(decision, *words):
    return checked(decision, proposal(*words), EARLIER, STACK)


@pytest.mark.parametrize(
    "given, meant",
    [
        (Decision(("The Horse.",)), Decision(("horse",))),
        (Decision(["an owl", "turtle"]), Decision(("owl", "turtle"))),
        (Decision((), ("CAT", "the cat")), Decision((), ("cat",))),
        (Decision((), ("guide dog",)), Decision((), ("Guide Dog",))),
        (Decision(("cat",), ("cat",)), Decision(("cat",), ("cat",))),
        (Decision(("guide dog",), back_to=100), Decision(("guide dog",), (), 100)),
        (Decision(("A Parrot",)), Decision(("parrot",))),
    ],
)
def test_words_are_read_as_a_namers_answers_are(given, meant):
    assert understood(given, "parrot") == meant


@pytest.mark.parametrize(
    "decision, message",
    [
        (Decision(("dragon",)), "the stack tiny-1 does not know the word 'dragon': choose another"),
        (Decision(("Pet",)), "'pet' is a positive of the concept"),
        (Decision(("a friend",)), "'friend' is a positive of the concept"),
        (Decision(("the cat",)), "'cat' is a negative already"),
        (Decision(("owl", "Owls", "an owl")), "'owl' is given twice"),
        (Decision(("parrot", "the parrot")), "'parrot' is given twice"),
        (Decision(("{}",)), "'{}' says nothing"),
        (Decision((" ",)), "' ' says nothing"),
        (Decision(("yes",)), "'yes' says nothing"),
        (Decision(("\x1b[31mowl",)), "has a control character (U+001B)"),
        (Decision((), ("owl",)), "'owl' is not a negative, so it cannot be dropped: there are cat, Guide Dog"),
        (Decision((), ("cat",), back_to=0), "'cat' is not a negative, so it cannot be dropped: there are none"),
        (Decision(back_to=150), "no checkpoint to go back to at step 150: there are 0, 100"),
        (Decision(back_to=200), "no checkpoint to go back to at step 200"),
        (Decision(back_to="100"), "no checkpoint to go back to at step 100"),
        (Decision("owl"), "words = 'owl': expected a list of words"),
        (Decision(None), "words = None: expected a list of words"),
        (Decision((), (7,)), "drop = (7,): expected a list of words"),
        ("owl", "'owl' is not a decision: give a Decision, or None to agree"),
    ],
)
def test_what_cannot_be_followed_says_why(decision, message):
    with pytest.raises(ReviewError) as error:
        understood(decision, "parrot")
    assert message in str(error.value)


def test_what_is_proposed_may_be_added_whatever_it_is():
    """The presets of the paper propose the category's own name, and the published one repeats."""
    assert understood(Decision(("cat", "pet")), "cat", "pet") == Decision(("cat", "pet"))


def test_it_is_asked_again_with_the_reason_until_it_can_be_followed():
    answers = iter([Decision(("dragon",)), Decision((), ("owl",)), Decision(("owl",))])
    asked = []

    def review(each):
        asked.append(each)
        return next(answers)

    assert ask(review, proposal("parrot"), EARLIER, STACK) == (Decision(("owl",)), "")
    assert [each.problem[:20] for each in asked] == ["", "the stack tiny-1 doe", "'owl' is not a negat"]
    assert {each.words for each in asked} == {("parrot",)} and asked[0].earlier == (0, 100)


def test_to_repeat_the_proposal_is_to_agree():
    assert ask(lambda _: None, proposal("parrot"), EARLIER, STACK) == (None, "")
    assert ask(lambda _: Decision(("the parrot",)), proposal("parrot"), EARLIER, STACK) == (None, "")
    assert ask(lambda _: Decision(), proposal(), EARLIER, STACK) == (None, "")
    assert ask(lambda _: Decision(), proposal("parrot"), EARLIER, STACK) == (Decision(), "")


def test_who_never_makes_sense_agrees_in_the_end():
    decision, told = ask(lambda _: Decision(("dragon",)), proposal("parrot"), EARLIER, STACK)
    assert decision is None and str(MOST_TRIES) in told and "'dragon'" in told


# Decisions from elsewhere, joined to the one on the proposal


def joined(first, *further, words=("parrot",)):
    return steered(first, further, replace(proposal(*words), negatives_then=EARLIER), STACK)


@pytest.mark.parametrize(
    ("first", "further", "together"),
    [
        (None, [], Decision(("parrot",))),
        (None, [Decision(("The Horse.",))], Decision(("parrot", "horse"))),
        (None, [Decision(drop=("cat",))], Decision(("parrot",), ("cat",))),
        (None, [Decision(drop=("a parrot",))], Decision()),
        (None, [Decision(("parrot",))], Decision(("parrot",))),
        (None, [Decision(("owl",)), Decision(drop=("owl",))], Decision(("parrot",))),
        (None, [Decision(("owl",), ("cat",)), Decision(("wolf",))], Decision(("parrot", "owl", "wolf"), ("cat",))),
        (Decision(), [Decision(("owl",))], Decision(("owl",))),
        (Decision(("wolf",)), [Decision(drop=("cat",))], Decision(("wolf",), ("cat",))),
        (None, [Decision(("owl",)), Decision(("wolf",), back_to=100)], Decision(("wolf",), (), 100)),
        (None, [Decision(back_to=100), Decision(("wolf",), ("cat",))], Decision(("wolf",), ("cat",), 100)),
    ],
)
def test_further_decisions_add_to_the_first(first, further, together):
    assert joined(first, *further) == together


def test_one_that_cannot_be_followed_is_left_out_and_the_note_says_why():
    decision = joined(
        None, Decision(("dragon",)), Decision(("owl",)), Decision(drop=("owl", "wolf")), Decision(back_to=7)
    )
    assert decision.words == ("parrot", "owl") and decision.back_to is None
    told = decision.note.split("; ")
    assert len(told) == 3 and all(each.startswith("a decision was left out: ") for each in told)
    assert "does not know the word 'dragon'" in told[0] and "'wolf' is not a negative" in told[1]
    assert "step 7" in told[2]
    with pytest.raises(ReviewError, match="dragon"):
        joined(Decision(("dragon",)), Decision(("owl",)))


def test_a_note_reaches_whoever_agrees_to_the_proposal_too():
    noted = Decision(("parrot",), note="left out")
    assert ask(lambda _: noted, proposal("parrot"), EARLIER, STACK) == (None, "left out")
