"""The user study: who was asked what, what was answered, and what follows from it, with how sure one can be."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evolve.store.check import check
from evolve.store.parts import RunError
from evolve.store.ratings import (
    Answer,
    Question,
    Session,
    StudyError,
    answer,
    answers,
    as_csv,
    means,
    new_session,
    open_questions,
    overall,
    sessions,
    shares,
    t_quantile,
    wilson,
)
from evolve.store.run import Run
from tests.families import by_letter, family


@pytest.fixture
def run(tmp_path) -> Run:
    return family(tmp_path / "pets")


def sets(run: Run, letters: str = "abcd") -> dict[str, list[str]]:
    each = by_letter(run)
    return {each[letter].id: [d.file.name for d in run.drawings(each[letter].id)] for letter in letters}


def begin(run: Run, mode: str = "scale", rater: str = "ann", letters: str = "abcd", seed: int = 3) -> Session:
    return new_session(run, rater, mode, sets(run, letters), "How new is it?", seed)


def said(concept: str, value: int, session: str = "s") -> Answer:
    return Answer(session, "ann", "scale", 0, (concept,), value, None)


def test_a_session_comes_back_as_it_was_made(run):
    one, other = begin(run), begin(run, "pairs", "bob", seed=2**62)
    assert sessions(Run.open(run.folder)) == [one, other]


def test_every_concept_is_asked_about_once_with_its_own_drawings(run):
    asked = begin(run).questions()
    assert sorted(each.concepts[0] for each in asked) == sorted(sets(run))
    assert [each.number for each in asked] == [0, 1, 2, 3]
    assert all(list(each.drawings[0]) == sets(run)[each.concepts[0]] for each in asked)


def test_every_pair_is_asked_about_once_on_random_sides(run):
    asked = begin(run, "pairs", letters="abcdefgh").questions()
    pairs = [frozenset(each.concepts) for each in asked]
    assert len(pairs) == len(set(pairs)) == math.comb(8, 2)
    ids = list(sets(run, "abcdefgh"))
    turned = [ids.index(each.concepts[0]) > ids.index(each.concepts[1]) for each in asked]
    assert 0 < sum(turned) < len(turned)
    for each in asked:
        assert [list(files) for files in each.drawings] == [sets(run, "abcdefgh")[id_] for id_ in each.concepts]


def test_the_order_follows_from_the_seed_and_from_nothing_else(run):
    orders = [[each.concepts for each in begin(run, "pairs", seed=seed).questions()] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_a_session_is_gone_on_with_where_it_stopped(run):
    session = begin(run)
    first, second, *_ = session.questions()
    answer(run, session, first, 4)
    again = Run.open(run.folder)
    (kept,) = sessions(again)
    assert [each.number for each in open_questions(kept, answers(again))] == [1, 2, 3]
    answer(again, kept, second, 1)
    assert [(each.number, each.value, each.concepts) for each in answers(again)] == [
        (0, 4, first.concepts),
        (1, 1, second.concepts),
    ]


def test_of_a_question_that_is_answered_again_the_last_answer_counts_and_both_are_kept(run):
    session = begin(run)
    question = session.questions()[0]
    answer(run, session, question, 4)
    answer(run, session, question, 2)
    assert [each.value for each in answers(run)] == [2]
    assert len(run.rooms["ratings"].parts()) == 2


def test_two_people_may_rate_at_once(run):
    ann, bob = begin(run), begin(run, rater="bob")
    for value, session in ((1, ann), (5, bob)):
        for question in session.questions():
            answer(run, session, question, value)
    assert len(answers(run)) == 8 and not open_questions(ann, answers(run))
    assert {(each.n, each.mean) for each in means(answers(run))} == {(2, 3.0)}


@pytest.mark.parametrize(("mode", "value"), [("scale", 0), ("scale", 6), ("pairs", 3), ("scale", True), ("scale", "3")])
def test_an_answer_is_on_the_scale(run, mode, value):
    session = begin(run, mode)
    with pytest.raises(StudyError, match="expected 1 to"):
        answer(run, session, session.questions()[0], value)
    assert not answers(run)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rater": " "}, "say who rates"),
        ({"rater": "x" * 81}, "up to 80"),
        ({"rater": "a\x1b[31m"}, "has a control character"),
        ({"mode": "best"}, "choose scale or pairs"),
        ({"question": ""}, "write one"),
        ({"sets": {}}, "0 concepts are to be rated"),
        ({"sets": {"a": []}}, "drawn in different prompts"),
        ({"sets": {"a": ["0" * 24 + ".png"], "b": []}}, "drawn in different prompts"),
        ({"sets": {"a": ["../../x.png"]}}, "not a drawing's file"),
        ({"sets": {"a": ["0" * 24 + ".png"]}, "mode": "pairs"}, "choose 2 to 100"),
    ],
)
def test_a_session_that_cannot_be_is_refused_in_one_line(run, change, said):
    values = {"rater": "ann", "mode": "scale", "sets": sets(run), "question": "How new?", "seed": 1} | change
    with pytest.raises(StudyError, match=said) as caught:
        new_session(run, **values)
    assert "\n" not in str(caught.value) and not sessions(run)


def test_a_torn_part_costs_what_was_in_it(run):
    session = begin(run)
    for question in session.questions()[:2]:
        answer(run, session, question, 3)
    first, _ = run.rooms["ratings"].parts()
    first.write_bytes(first.read_bytes()[:50])
    again, damage = Run.open(run.folder), []
    assert [each.number for each in answers(again, damage)] == [1] and damage[0].part == first
    with pytest.raises(RunError, match="cannot be read"):
        answers(again, strict=True)
    assert not check(again).whole


def test_rows_of_another_making_are_damage_and_not_results(run):
    session = begin(run)
    (row,) = run.rooms["studies"].read(run.rooms["studies"].parts()[0])
    for change in ({"mode": "best"}, {"drawings": [["x"]] * 4}, {"concepts": ["a"]}, {"seed": -1}, {"rater": None}):
        run.rooms["studies"].append([row | change])
    good = {"session": session.id, "rater": "ann", "mode": "scale", "number": 0, "concepts": ["a"], "drawings": []}
    good |= {"value": 3, "at": session.at}
    for change in ({"value": 6}, {"mode": "pairs"}, {"concepts": []}, {"value": None}):
        run.rooms["ratings"].append([good | change])
    damage = []
    assert sessions(run, damage) == [session] and not answers(run, damage)
    assert len(damage) == 9


def test_a_run_without_a_study_has_none(run):
    assert sessions(run) == answers(run) == [] and check(run).whole
    assert as_csv(run).count("\n") == 1


def test_means_have_intervals_by_students_t():
    values = [5, 4, 4, 3, 3]
    (found,) = means([said("a", value, str(n)) for n, value in enumerate(values)])
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert (found.n, found.mean) == (5, pytest.approx(3.8))
    assert found.deviation == pytest.approx(np.std(values, ddof=1))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_means_stay_on_the_scale_and_of_one_answer_nothing_follows():
    wide, single = means([said("a", 5, "1"), said("a", 1, "2"), said("b", 2)])
    assert (wide.low, wide.high) == (1, 5) and wide.mean == 3
    assert single.mean == 2 and math.isnan(single.low) and math.isnan(single.high)


def test_all_concepts_together_are_rated_as_a_method_is():
    every = overall([said("a", 5, "1"), said("b", 2), said("b", 2, "2")])
    assert (every.n, every.mean, every.deviation) == (3, pytest.approx(3), pytest.approx(np.std([5, 2, 2], ddof=1)))
    assert overall([]) is None


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 29, 299])
def test_the_quantile_is_students(freedom):
    assert t_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-5)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_is_wilsons(pair):
    wins, n = pair
    low, high = wilson(wins, n)
    expected = stats.binomtest(wins, n).proportion_ci(method="wilson")
    assert (low, high) == (pytest.approx(expected.low, abs=1e-9), pytest.approx(expected.high, abs=1e-9))
    assert 0 <= low <= wins / n <= high <= 1


def test_a_pair_is_a_win_for_one_and_a_loss_for_the_other(run):
    session = begin(run, "pairs", letters="abc")
    a, b, c = sets(run, "abc")
    strength = {a: 3, b: 2, c: 1}
    for question in session.questions():
        one, other = question.concepts
        answer(run, session, question, 1 if strength[one] > strength[other] else 2)
    assert [(each.concept, each.wins, each.n) for each in shares(answers(run))] == [(a, 2, 2), (b, 1, 2), (c, 0, 2)]
    assert not means(answers(run))


def test_answers_as_csv_tell_names_and_no_formulas(run):
    each = by_letter(run)["a"]
    run.note(each.id, name="Whisker's first")
    session = new_session(run, "=HYPERLINK(1)", "pairs", sets(run, "ab"), "+better?", 1)
    (question,) = session.questions()
    answer(run, session, question, 1 + question.concepts.index(each.id))
    header, row = csv.reader(io.StringIO(as_csv(run)))
    found = dict(zip(header, row, strict=True))
    assert "Whisker's first" in found["names"] and found["preferred"] == each.id
    assert found["rater"] == "'=HYPERLINK(1)" and found["question"] == "'+better?"


def test_a_question_knows_no_names(run):
    assert set(Question.__dataclass_fields__) == {"number", "concepts", "drawings"}
