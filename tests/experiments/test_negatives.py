"""A short experiment on adaptive negatives: its rows by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from core.errors import ConceptreeError
from core.streams import stream_seed
from evolve import Run
from experiments import mixing, negatives, prompts
from experiments.conduct import Bench, conduct
from experiments.drawing import draw_concepts
from experiments.judging import StackEyes
from experiments.negatives import ARMS, SCHEMA, Protocol, cases, distinct_members, figures, summary
from tests.protocols import TinyJudge, killed_at, rows_of
from tests.stacks import CATEGORIES

QUICK = {"steps": 2, "segment": 1, "learning_rate": 1e-2}
LITTLE = Protocol(categories=("pet",), seeds=2, founders=2, wave=1, pictures=2, settings=QUICK)


def conducted(protocol, backbone, folder, tell=lambda _: None):
    bench = Bench(backbone, TinyJudge(), folder, tell)
    return conduct(cases(protocol, bench), SCHEMA, folder, bench.about("negatives", **protocol.of_each()))


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("negatives")
    return conducted(LITTLE, backbone, folder), folder


def concept_of(folder, row):
    return Run.open(folder / "runs" / f"pet-{row['seed']}").find(row["concept"]).concept


def test_every_arm_has_its_founders_as_both_see_them(whole):
    table, _ = whole
    assert table.schema == SCHEMA and table.num_rows == 2 * len(ARMS) * 2 * 2
    for arm in ARMS:
        for eyes in ("stack", "judge"):
            found = rows_of(table, arm=arm, eyes=eyes, seed=1)
            assert [row["founder"] for row in found] == [0, 1] and found[0]["diversity"] == found[1]["diversity"]


def test_arms_learn_what_their_names_say(whole):
    table, folder = whole
    for row in rows_of(table, eyes="judge"):
        request = concept_of(folder, row).request
        beside = row["arm"] in ("sides", "waves and sides")
        assert bool(request.initializer) == beside
        assert not beside or set(request.initializer.split()) < set(CATEGORIES["pet"]), "between two members"
        assert len(request.avoid) == (row["founder"] if "waves" in row["arm"] else 0)
        assert request.schedule == {"none": "none", "list": "list"}.get(row["arm"], "adaptive")
        if row["arm"] == "list":
            assert len(request.negatives) == 2 and set(request.negatives) <= set(CATEGORIES["pet"])
    lists = [tuple(row["negatives"]) for row in rows_of(table, arm="list", eyes="judge")]
    assert len(set(lists)) > 1, "by chance, another for each founder"


@pytest.mark.parametrize("eyes", ["stack", "judge"])
def test_a_row_can_be_measured_again(whole, backbone, eyes):
    table, folder = whole
    of = [concept_of(folder, row) for arm in ARMS for row in rows_of(table, arm=arm, eyes=eyes, seed=0)]
    seeds = [[stream_seed(each.request.seed, number, "judged") for number in (0, 1)] for each in of]
    drawn = draw_concepts(backbone, of, ["a photo of a {}"] * 2, seeds)
    row, place = rows_of(table, arm="adaptive", eyes=eyes, seed=0)[1], 2 * ARMS.index("adaptive") + 1
    sees = TinyJudge() if eyes == "judge" else StackEyes(backbone)
    known = ["cat", "dog"] if eyes == "judge" else CATEGORIES["pet"]
    similar = sees.similarity(drawn[place], ["pet", *known]).numpy()
    assert row["known"] == len(known) and row["belongs"] == pytest.approx(similar[:, 0].mean(), abs=1e-3)
    assert row["nearest_known"] == pytest.approx(similar[:, 1:].max(1).mean(), abs=1e-3)
    assert row["nearest_word"] == known[int(similar[:, 1:].mean(0).argmax())]
    means = [sees.embed(drawn[i]).numpy().mean(0) for i in (place - 1, place)]
    alike = np.dot(*means) / np.prod([np.linalg.norm(mean) for mean in means])
    assert row["diversity"] == pytest.approx(1 - alike, abs=1e-3)
    own = [word for word in row["negatives"] if word in known]
    if own:
        assert row["nearest_own"] == pytest.approx(sees.similarity(drawn[place], own).numpy().max(1).mean(), abs=1e-3)
    else:
        assert np.isnan(row["nearest_own"])


def test_all_arms_are_compared_with_what_the_adaptive_one_found(whole):
    table, _ = whole
    for row in rows_of(table, arm="adaptive", eyes="stack"):
        assert row["negatives"] and row["nearest_found"] == row["nearest_own"] and row["named"] == len(row["negatives"])
    for row in rows_of(table, arm="none", eyes="stack"):
        assert row["negatives"] == [] and row["named"] == row["named_by_all"] == 0
        assert np.isnan(row["nearest_own"]) and np.isfinite(row["nearest_found"])


def test_members_are_counted_once():
    assert distinct_members(["cats", "deer", "Cat", "dog"], ["cat", "dog"]) == ["cats", "dog"]
    assert distinct_members([], ["cat"]) == []


@pytest.mark.parametrize("after", [1, 6])
def test_a_killed_experiment_goes_on_to_the_same_table(whole, backbone, tmp_path, after):
    protocol = replace(LITTLE, seeds=1)
    with killed_at(after) as kill:
        conducted(protocol, backbone, tmp_path, kill)
    table = conducted(protocol, backbone, tmp_path)
    assert repr(table.to_pylist()) == repr(rows_of(whole[0], seed=0))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"categories": ("sofa",)}, "the judge does not know the category 'sofa'"),
        ({"wave": 2}, "2 founders in waves of 2: give at least 2, in waves of fewer"),
        ({"founders": 1}, "1 founders in waves of 1"),
    ],
)
def test_what_cannot_be_compared_is_said_at_once(backbone, tmp_path, wrong, said):
    with pytest.raises(ConceptreeError, match=said):
        conducted(replace(LITTLE, **wrong), backbone, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_category_without_members_cannot_have_a_list(backbone, tmp_path):
    judge = TinyJudge()
    judge.categories["dragon"] = ["cat"]
    with pytest.raises(ConceptreeError, match="the stack lists no members of 'dragon'"):
        cases(replace(LITTLE, categories=("dragon",)), Bench(backbone, judge, tmp_path, print))


@pytest.mark.parametrize("experiment", [negatives, mixing, prompts])
def test_a_stack_that_cannot_draw_is_said_before_anything_is_learned(experiment, tmp_path):
    stack = SimpleNamespace(draws=False, version="tiny", knows=lambda words: True)
    with pytest.raises(ConceptreeError, match="the stack tiny has no decoder, but this experiment compares drawings"):
        experiment.cases(experiment.Protocol(categories=("pet",)), Bench(stack, TinyJudge(), tmp_path, print))


def test_summary_and_figure_have_every_arm(whole):
    table, _ = whole
    text = summary(table)
    assert len({row["seed"] for row in table.to_pylist()}) > 1 and "Means over 1 category, of drawings" in text
    for arm in ARMS:
        assert text.count(f"| {arm} |") == 2
    found = rows_of(table, eyes="judge", arm="adaptive")
    assert f"An adaptive founder names {np.mean([row['named'] for row in found]):.1f} members" in text
    figure = figures(table)["arms"]
    assert [axis.get_title() for axis in figure.axes] == ["seen by the stack"] * 2 + ["seen by the judge"] * 2
    point = figure.axes[2].lines[2]
    seen = rows_of(table, eyes="judge", arm="none")
    assert point.get_xdata()[0] == pytest.approx(np.mean([row["belongs"] for row in seen]))
    margin = np.mean([row["belongs"] - row["nearest_known"] for row in seen])
    assert point.get_ydata()[0] == pytest.approx(margin)
