"""Rounds of taste: what was shown and liked is kept, the last answer counts, and damage is named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from evolve import Run
from evolve.store.check import check
from evolve.store.likes import add_round, rounds
from evolve.store.parts import Damage, RunError
from evolve.taste import LIKED, PASSED, judgements
from tests.families import concept, new_run


@pytest.fixture
def run(tmp_path) -> Run:
    made = new_run(tmp_path / "pets")
    made.add([concept(seed) for seed in range(4)])
    return made


def ids(run: Run) -> list[str]:
    return [each.id for each in run.entries()]


def test_a_round_is_kept_and_the_last_answer_counts(run):
    first, second, third, _ = ids(run)
    one = add_round(run, [first, second, first], [second])
    two = add_round(run, [third], [])
    assert rounds(Run.open(run.folder)) == [one, two]
    assert (one.shown, one.liked, two.liked) == ((first, second), (second,), ())
    again = add_round(run, one.shown, [first], one.id)
    assert [each.liked for each in rounds(run)] == [(first,), ()] and rounds(run)[0] == again
    assert check(run).whole


def test_a_round_is_evidence_of_the_taste(run):
    first, second, third, _ = ids(run)
    add_round(run, [first, second, third], [second])
    told = judgements(run)
    assert dict(told.ratings) == {first: PASSED, second: LIKED, third: PASSED} and not told.preferred


def test_what_was_not_shown_cannot_be_liked(run):
    first, second, *_ = ids(run)
    with pytest.raises(RunError, match=f"{second} was not among those shown"):
        add_round(run, [first], [second])
    with pytest.raises(RunError, match="0 concepts were shown"):
        add_round(run, [], [])
    assert rounds(run) == []


@pytest.mark.parametrize(
    "wrong",
    [{"shown": []}, {"liked": ["ghost"]}, {"round": ""}, {"shown": None}, {"at": None}, {"shown": [None]}],
    ids=str,
)
def test_a_row_that_is_no_round_is_damage_and_the_rest_counts(run, wrong):
    kept = add_round(run, ids(run)[:2], [])
    row = {"round": "0123", "shown": ["a"], "liked": [], "at": datetime.now(UTC)} | wrong
    run.rooms["likes"].append([row])
    damage: list[Damage] = []
    assert rounds(run, damage) == [kept] and len(damage) == 1
    assert not check(run).whole
    with pytest.raises(RunError):
        rounds(run, strict=True)
