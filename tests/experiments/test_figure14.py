"""A short course of similarities: at boundaries they equal those of the lab's events."""

from __future__ import annotations

import pytest

from core.errors import ConceptreeError
from core.namers import canned_namer
from core.optimizer import ConceptLab
from core.options import Options
from experiments.conduct import Bench, conduct
from experiments.figure14 import NEVER, SCHEMA, Protocol, cases, figures, summary
from experiments.looking import EYES, drawing_bytes
from tests.protocols import AnyJudge, killed_at

QUICK = {"steps": 8, "segment": 4, "learning_rate": 5e-2, "answers": "first"}
LITTLE = Protocol(categories=("pet", "fruit"), seeds=2, every=2, settings=QUICK)


def named():
    return canned_namer(["cat"], ["apple"], ["dog"], ["pear"])


def bench_in(folder, backbone, tell=lambda _: None):
    return Bench(backbone, AnyJudge(), folder, tell, named())


def conducted(protocol, bench):
    return conduct(cases(protocol, bench), SCHEMA, bench.folder, bench.about("figure14", **protocol.of_each()))


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    # A new namer for each case, so that its answers begin with the first.
    tables = []
    folder = tmp_path_factory.mktemp("figure14")
    for seeds in (1, 2):
        tables.append(conducted(Protocol(**{**vars(LITTLE), "seeds": seeds}), bench_in(folder, backbone)))
    return tables[-1]


def test_all_words_are_measured_all_along_and_drawings_at_boundaries(whole):
    rows = whole.to_pylist()
    for category, negatives in (("pet", {"cat": 0, "dog": 4}), ("fruit", {"apple": 0, "pear": 4})):
        for eyes, steps in zip(EYES, ([0, 2, 4, 6, 8], [0, 4, 8], [0, 4, 8]), strict=True):
            of = [r for r in rows if (r["category"], r["seed"], r["eyes"]) == (category, 0, eyes)]
            assert {r["word"]: r["arrived"] for r in of} == {category: NEVER, **negatives}
            for word in (category, *negatives):
                assert [r["step"] for r in of if r["word"] == word] == steps
            assert [r["step"] for r in of if r["drawing"]] == (steps if eyes == "stack" else [])


def test_what_is_imagined_at_boundaries_is_the_concepts_own_history(whole, backbone, tmp_path):
    (case, _) = cases(LITTLE, bench_in(tmp_path, backbone))
    concepts = ConceptLab(backbone).run(case.requests(), Options(namer=named()))
    of_seed = [r for r in whole.to_pylist() if (r["seed"], r["eyes"]) == (0, "imagined")]
    found = {(r["category"], r["step"], r["word"]): r["similarity"] for r in of_seed}
    for concept in concepts:
        assert len(concept.history) == 2 + 3 + 3  # a negative at the start, one more from the first segment on
        for each in concept.history:
            there = found[concept.request.category, each.step, each.constraint]
            assert there == pytest.approx(each.similarity, abs=1e-5)


def test_drawings_are_those_that_the_question_was_asked_about(whole, backbone, tmp_path):
    (case, _) = cases(LITTLE, bench_in(tmp_path, backbone))
    events = [
        e for report in ConceptLab(backbone).learn(case.requests(), Options(namer=named())) for e in report.events
    ]
    asked = next(event for event in events if (event.request, event.step) == (case.requests()[1], 4))
    rows = [r for r in whole.to_pylist() if r["drawing"] and (r["category"], r["seed"], r["step"]) == ("fruit", 0, 4)]
    (row,) = rows
    assert row["drawing"] == drawing_bytes(asked.images[:1])
    judge = AnyJudge().similarity(asked.images, ["pear"]).item()
    (seen,) = [
        r["similarity"]
        for r in whole.to_pylist()
        if (r["category"], r["seed"], r["step"], r["word"], r["eyes"]) == ("fruit", 0, 4, "pear", "judge")
    ]
    assert seen == pytest.approx(judge, abs=1e-5)


@pytest.mark.parametrize("after", [1, 3])
def test_a_killed_course_goes_on_to_the_same_table(whole, backbone, tmp_path, after):
    with killed_at(after) as kill:
        conducted(LITTLE, bench_in(tmp_path, backbone, kill))
    one = Protocol(**{**vars(LITTLE), "seeds": 1})
    expected = whole.filter([row["seed"] == 0 for row in whole.to_pylist()])
    assert conducted(one, bench_in(tmp_path, backbone)).equals(expected)


def test_measurements_less_than_a_step_apart_are_refused(backbone, tmp_path):
    with pytest.raises(ConceptreeError, match="every = 0: expected a whole number of at least 1"):
        conducted(Protocol(**{**vars(LITTLE), "every": 0}), bench_in(tmp_path, backbone))
    assert not list(tmp_path.iterdir())


def test_boundaries_are_measured_however_far_measurements_are_apart(backbone, tmp_path):
    protocol = Protocol(("pet",), seeds=1, every=3, settings={**QUICK, "steps": 6})
    rows = conducted(protocol, bench_in(tmp_path, backbone)).to_pylist()
    steps = [[row["step"] for row in rows if (row["eyes"], row["word"]) == (eyes, "pet")] for eyes in EYES]
    assert steps == [[0, 3, 4, 6], [0, 4, 6], [0, 4, 6]]


def test_the_summary_tells_what_became_of_new_negatives(whole):
    found = {(r["category"], r["seed"], r["eyes"], r["word"], r["step"]): r["similarity"] for r in whole.to_pylist()}
    arrivals = {(r["category"], r["seed"], r["word"], r["arrived"]) for r in whole.to_pylist() if r["arrived"] >= 0}
    changes = [
        found[category, seed, "imagined", word, at + 4] - found[category, seed, "imagined", word, at]
        for category, seed, word, at in arrivals
    ]
    text = summary(whole)
    assert f"{sum(change < 0 for change in changes)} of {len(changes)} new negatives are less similar" in text
    # Each concept has as many negatives, so that the mean over concepts is that over negatives.
    (line,) = [line for line in text.splitlines() if line.startswith("| imagined |")]
    assert line.split(" | ")[6].startswith(f"{sum(changes) / len(changes):+.3f} (")
    own = [found[category, seed, "imagined", category, 8] for category in ("pet", "fruit") for seed in (0, 1)]
    assert f"to {sum(own) / 4:.3f} at the end" in text


def test_a_figure_for_each_category_has_its_curves_over_its_drawings(whole):
    found = figures(whole)
    assert set(found) == {"arrivals", "pet", "fruit"}
    curves, *strip = found["pet"].axes
    assert [text.get_text() for text in curves.get_legend().get_texts()] == ["pet", "cat, from 0", "dog, from 4"]
    assert [axis.get_xlabel() for axis in strip] == ["0", "4", "8"]
    category = [r for r in whole.to_pylist() if (r["word"], r["seed"], r["eyes"]) == ("pet", 0, "imagined")]
    assert curves.lines[0].get_ydata() == pytest.approx([row["similarity"] for row in category])
