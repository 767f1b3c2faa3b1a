"""A short Table 1: blind questions, an empty table without ratings, and figures from ratings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from core.errors import ConceptreeError
from core.streams import stream_seed
from evolve import Run, check
from evolve.store.ratings import StudyError, answer, sessions
from experiments.agreement import krippendorff
from experiments.conduct import Bench, conduct
from experiments.figure11 import DECODER, OURS, PRIOR
from experiments.userstudy import SCHEMA, Protocol, cases, figures, invite, question, rated, summary
from tests.protocols import TinyJudge, killed_at

QUICK = {"steps": 2, "segment": 1, "learning_rate": 1e-2}
LITTLE = Protocol(categories=("pet",), pairs={"pet": ["cat", "dog"]}, sets=2, pictures=2, settings=QUICK)
METHODS = (OURS, PRIOR, DECODER)


def bench_at(folder, backbone, tell=lambda _: None):
    return Bench(backbone, TinyJudge(), folder, tell)


def conducted(protocol, bench):
    return conduct(cases(protocol, bench), SCHEMA, bench.folder, bench.about("userstudy", **protocol.of_each()))


@pytest.fixture
def study(backbone, tmp_path):
    bench = bench_at(tmp_path, backbone)
    return conducted(LITTLE, bench), bench


def rate(session, run, values):
    """values: the ratings of each concept."""
    for each in session.questions():
        answer(run, session, each, values[each.concepts[0]])


def test_each_method_has_its_sets_of_drawings_in_the_run(study):
    table, bench = study
    rows = table.to_pylist()
    assert [(row["set"], row["method"]) for row in rows] == [(n, method) for n in range(2) for method in METHODS]
    assert len({row["concept"] for row in rows}) == 6 and all(row["value"] is None for row in rows)
    run = Run.open(bench.folder / "runs" / "pet")
    for row in rows:
        images = [Image.open(run.folder / "drawings" / name) for name in row["files"]]
        assert len(images) == 2
        found = TinyJudge().similarity(images, ["pet", "cat", "dog"])
        assert row["margin_judge"] == pytest.approx(float((found[:, 0] - found[:, 1:].amax(1)).mean()), abs=1e-6)
        if row["method"] == OURS:
            request = run.find(row["concept"]).concept.request
            assert request.negatives == ("cat", "dog") and request.schedule == "list"


def test_the_table_is_empty_until_somebody_has_rated(study):
    table, bench = study
    invite(table, bench, ["ann"])
    found = rated(table, bench)
    assert found.to_pylist() == table.to_pylist()
    text = summary(found)
    assert text.startswith("No ratings yet: the table is empty.")
    for method in METHODS:
        assert f"| {method} | 0 | – | – | – |" in text
    assert "α" not in text and set(figures(found)) == {"sets"}


def test_a_session_for_each_rater_in_an_order_that_follows_from_the_name(study):
    table, bench = study
    ann, ben = invite(table, bench, ["ann", " ben "])
    assert (ann.rater, ben.rater, ann.mode) == ("ann", "ben", "scale")
    assert ann.seed == stream_seed(0, 0, "table 1/pet/ann") != ben.seed
    assert ann.question == question("pet", ["cat", "dog"])
    orders = [[each.concepts[0] for each in session.questions()] for session in (ann, ben)]
    assert orders[0] != orders[1] and set(orders[0]) == set(table.column("concept").to_pylist())
    assert invite(table, bench, ["ann", "ben", "cleo"])[:2] == [ann, ben]
    run = Run.open(bench.folder / "runs" / "pet")
    assert len(sessions(run)) == 3
    assert check(run).findings == []
    (run.folder / "drawings" / ann.drawings[1][0]).unlink()
    (finding,) = check(run).findings
    assert finding.lost and ann.drawings[1][0] in finding.where


def test_the_question_names_what_it_shall_not_be():
    assert question("pet", ["cat"]) == "How well do these show a kind of pet that is not cat?"
    assert question("pet", ["cat", "dog"]) == "How well do these show a kind of pet that is neither cat nor dog?"


def test_means_spread_differences_and_agreement_are_those_of_the_ratings(study):
    table, bench = study
    run = Run.open(bench.folder / "runs" / "pet")
    ids = {(row["method"], row["set"]): row["concept"] for row in table.to_pylist()}
    given = {
        "ann": {(OURS, 0): 5, (OURS, 1): 4, (PRIOR, 0): 2, (PRIOR, 1): 1, (DECODER, 0): 3, (DECODER, 1): 3},
        "ben": {(OURS, 0): 4, (OURS, 1): 4, (PRIOR, 0): 1, (PRIOR, 1): 1, (DECODER, 0): 3, (DECODER, 1): 1},
    }
    for session in invite(table, bench, list(given)):
        said = given[session.rater]
        rate(session, run, {ids[key]: 1 for key in said})  # and thought better of it: the last answer counts
        rate(session, run, {ids[key]: value for key, value in said.items()})
    found = rated(table, bench)
    rows = found.to_pylist()
    assert {(row["rater"], row["method"], row["set"]): row["value"] for row in rows} == {
        (rater, *key): value for rater, said in given.items() for key, value in said.items()
    }
    text = summary(found)
    ours = [5, 4, 4, 4]
    assert f"| {OURS} | 4 | {np.mean(ours):.2f} ± {np.std(ours, ddof=1):.2f} |" in text
    assert "People rate ours +3.000 (+3.000 … +3.000) above prior negation" in text  # 4.5 − 1.5 and 4 − 1
    assert "+1.750 (+1.500 … +2.000) above decoder negation" in text
    alpha = krippendorff([[said[key] for said in given.values()] for key in ids])
    assert f"α for interval data: {alpha:.2f}." in text
    bars = figures(found)["ratings"].axes[0].containers
    assert [bar.get_height() for bar in bars[0]] == [0, 0, 0, 3, 1]


def test_a_killed_study_goes_on_to_the_same_sets(study, backbone, tmp_path):
    folder = tmp_path / "again"
    with killed_at(3) as kill:
        conducted(LITTLE, bench_at(folder, backbone, kill))
    assert conducted(LITTLE, bench_at(folder, backbone)).to_pylist() == study[0].to_pylist()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"categories": ("sofa",)}, "the category 'sofa' has no negatives"),
        ({"pairs": {"pet": ["cat", "zeppelin"]}}, "does not know the word 'zeppelin'"),
        ({"sets": 0}, "sets = 0: give at least 1"),
        ({"pictures": 0}, "pictures = 0: give at least 1"),
    ],
)
def test_what_cannot_be_asked_is_said_at_once(backbone, tmp_path, wrong, said):
    with pytest.raises(ConceptreeError, match=said):
        conducted(replace(LITTLE, **wrong), bench_at(tmp_path, backbone))
    assert not list(tmp_path.iterdir())


def test_a_rater_needs_a_label(study):
    with pytest.raises(StudyError, match="say who rates"):
        invite(*study, [" "])
