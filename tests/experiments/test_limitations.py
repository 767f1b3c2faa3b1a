"""Short "long runs": the checkpoint kept after each segment, and the ratings of answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.concept import Negative, Request
from core.errors import ConceptreeError
from core.namers import canned_namer, from_function
from core.optimizer import ConceptLab
from core.options import Options
from core.segments import Event
from experiments.conduct import Bench, conduct
from experiments.limitations import ANSWERS, KEEPS, SCHEMA, WORTH, Protocol, _words, cases, figures, summary
from experiments.looking import EYES, drawing_of
from tests.protocols import AnyJudge, killed_at

QUICK = {"steps": 2, "segment": 1, "learning_rate": 0.5}
LITTLE = Protocol(categories=("pet", "fruit"), seeds=1, longer=3, settings=QUICK)


@from_function
def named(images, question):
    """Something else for each drawing, and the same for the same one."""
    words = ["dog", "cat", "apple", "pear", "rabbit"]
    return [[(words[sum(image.convert("L").tobytes()) % len(words)], 1.0)] for image in images]


def bench_in(folder, backbone, tell=lambda _: None, namer=named):
    return Bench(backbone, AnyJudge(), folder, tell, namer)


def conducted(protocol, bench):
    return conduct(cases(protocol, bench), SCHEMA, bench.folder, bench.about("limitations", **protocol.of_each()))


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    return conducted(LITTLE, bench_in(tmp_path_factory.mktemp("limitations"), backbone))


def test_after_each_segment_both_ways_to_keep_are_seen(whole):
    rows = whole.to_pylist()
    assert len(rows) == 2 * len(ANSWERS) * 7 * len(KEEPS) * len(EYES) and {row["usual"] for row in rows} == {2}
    assert all(row["kept"] == row["segment"] for row in rows if row["keep"] == "last")
    assert all(row["kept"] <= row["segment"] for row in rows)
    seen = {(r["category"], r["answers"], r["eyes"], r["segment"]): r for r in rows if r["keep"] == "last"}
    for row in rows:  # a kept checkpoint has the figures of its own segment
        then = seen[row["category"], row["answers"], row["eyes"], row["kept"]]
        assert (row["belongs"], row["margin"], row["drawing"]) == (then["belongs"], then["margin"], then["drawing"])


@pytest.mark.parametrize("answers", ANSWERS)
@pytest.mark.parametrize("segments", [2, 5, 6])
def test_what_is_kept_is_what_a_lab_keeps_that_ends_there(whole, backbone, tmp_path, answers, segments):
    case = next(each for each in cases(LITTLE, bench_in(tmp_path, backbone)) if each.answers == answers)
    requests = [replace(each, settings=replace(each.settings, steps=segments)) for each in case.requests()]
    for concept in ConceptLab(backbone).run(requests, Options(namer=named)):
        (row,) = [
            row
            for row in whole.to_pylist()
            if (row["category"], row["answers"], row["segment"]) == (concept.request.category, answers, segments)
            and (row["keep"], row["eyes"]) == ("best", "imagined")
        ]
        assert row["kept"] == concept.kept_step
        assert row["belongs"] == pytest.approx(concept.scores["category"], abs=1e-5)


def test_some_courses_are_better_before_their_end(whole):
    assert any(row["kept"] < row["segment"] for row in whole.to_pylist())


def test_a_concept_that_ends_is_judged_without_the_negative_it_would_get_next():
    cat, dog = Negative("cat", 0, "x"), Negative("dog", 2, "x")
    event = Event(0, 2, Request("pet"), {}, negatives=(dog,), all_negatives=(cat, dog))
    assert _words(event) == ["cat"]


def test_what_answers_are_worth(backbone, tmp_path):
    answers = [["a pet"], ["cat"], ["cats"], ["a zeppelin"], ["yes"]]
    protocol = Protocol(categories=("pet",), seeds=1, longer=3, settings=QUICK)
    bench = bench_in(tmp_path, backbone, namer=canned_namer(*answers))
    case = next(each for each in cases(protocol, bench) if each.answers == "first")
    rows = [row for row in case.rows() if (row["keep"], row["eyes"]) == ("last", "imagined")]
    worth = [row["worth"] for row in rows]
    assert worth[0] == "category" and worth[1] in ("pushes", "too specific")
    assert worth[2:] == ["repeat", "unknown", "nothing", "nothing", ""]
    assert [row["answer"] for row in rows] == ["pet", "cat", "cats", "zeppelin", "yes", "yes", ""]
    assert rows[1]["added"] == "cat" and rows[1]["pushes"] == (worth[1] == "pushes") and not rows[1]["replaced"]
    assert rows[5]["added"] == "" and rows[5]["pushes"] is None


def test_an_answer_below_the_floor_does_not_push_and_is_replaced(backbone, tmp_path):
    for floor, worth in ((-1.0, "pushes"), (0.99, "too specific")):
        protocol = Protocol(categories=("pet",), seeds=1, longer=2, settings={**QUICK, "min_cosine": floor})
        bench = bench_in(tmp_path, backbone, namer=canned_namer(["cat"]))
        case = next(each for each in cases(protocol, bench) if each.answers == "ranked")
        assert case.rows()[0]["worth"] == worth


def test_whoever_asks_nobody_says_so(backbone, tmp_path):
    table = conducted(LITTLE, bench_in(tmp_path, backbone, namer=None))
    assert {row["answer"] for row in table.to_pylist()} == {""} and not any(table.column("replaced").to_pylist())
    assert "Nobody was asked" in summary(table)


@pytest.mark.parametrize("after", [3, 8])
def test_a_killed_one_goes_on_to_the_same_table(whole, backbone, tmp_path, after):
    with killed_at(after) as kill:
        conducted(LITTLE, bench_in(tmp_path, backbone, kill))
    assert conducted(LITTLE, bench_in(tmp_path, backbone)).equals(whole)


def test_nothing_longer_than_usual_is_refused(backbone, tmp_path):
    with pytest.raises(ConceptreeError, match="longer = 1: expected a whole number of at least 2"):
        conducted(replace(LITTLE, longer=1), bench_in(tmp_path, backbone))


def test_summary_and_figures_tell_of_both_guards_and_all_answers(whole):
    text = summary(whole)
    rows = whole.to_pylist()
    asked = [r for r in rows if (r["keep"], r["eyes"], r["answers"]) == ("last", "imagined", "ranked") and r["worth"]]
    counts = [sum(row["worth"] == worth for row in asked) for worth in WORTH]
    added = [row for row in asked if row["added"]]
    counts = [len(asked), *counts, len(added), sum(r["pushes"] for r in added), sum(r["replaced"] for r in added)]
    assert len(asked) == 2 * 6 and f"| ranked | all | {' | '.join(map(str, counts))} |" in text
    best, last = (
        sum(
            r["belongs"] for r in rows if (r["answers"], r["keep"], r["eyes"], r["segment"]) == ("first", k, "judge", 6)
        )
        / 2
        for k in KEEPS
    )
    kept = [r for r in rows if (r["keep"], r["eyes"]) == ("best", "judge") and r["segment"]]
    assert f"After {sum(r['kept'] < r['segment'] for r in kept)} of {len(kept)} segments the best was another" in text
    assert "| first | best | judge |" in text and f" {best:.3f} (" in text and f" {last:.3f} (" in text
    found = figures(whole)
    assert [axis.get_title() for axis in found["segments"].axes[:3]] == list(EYES)
    shown = next(r["drawing"] for r in rows if r["drawing"])
    assert drawing_of(shown).size == (16, 16) and len(found["drawings"].axes) == 2 * 2 * 2 * 7
