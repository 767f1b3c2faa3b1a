"""The experiment on maps: three arms from the same founders, by the stack and by the judge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch

from core.errors import ConceptreeError
from experiments import map as experiment
from experiments.conduct import Bench
from experiments.map import ARMS, FOUNDERS, MAP, RANDOM, SCHEMA, Protocol, cases, summary

AXES = {"pet": (("dog:cat", "horse:turtle"), ("parrot:rabbit", "dog:turtle"))}
SHORT = Protocol(
    ("pet",), seeds=1, pairs=1, axes=AXES, cells=3, founders=2, generations=1, children=3, negatives="none",
    settings={"steps": 2},
)  # fmt: skip


class Judge:
    """Sees the mean colour of pictures, and knows every word."""

    version = "colours"
    categories = {"pet": ("dog", "cat", "rabbit"), "fruit": ("apple", "pear")}  # noqa: RUF012

    def similarity(self, images, words):
        colours = torch.from_numpy(
            np.stack([np.asarray(each.resize((1, 1)), dtype=float).ravel()[:3] for each in images])
        )
        return colours @ torch.stack([torch.sin(torch.arange(3) + len(word)).double() for word in words]).T


@pytest.fixture(scope="module")
def rows(backbone, tmp_path_factory):
    bench = Bench(backbone, Judge(), tmp_path_factory.mktemp("map"), lambda _: None)
    (case,) = cases(SHORT, bench)
    assert case.name == "pet-0-dog-cat-horse-turtle"
    return case, case.rows()


def test_all_arms_have_as_many_concepts_and_the_same_founders(rows, tmp_path):
    case, told = rows
    assert [(row["arm"], row["by"]) for row in told] == [(arm, by) for arm in ARMS for by in ("stack", "judge")]
    assert {row["concepts"] for row in told} == {5} and {row["steps"] for row in told} == {3 * 2}
    assert all(1 / 9 <= row["coverage"] <= 5 / 9 and 0 <= row["qd"] <= 5 and row["seconds"] > 0 for row in told)
    chart = experiment.chart_of(case.bench.backbone, "pet", case.axes, (3, 3))
    runs, _ = case._arms(chart, tmp_path)
    first = [[each.id for each in run.individuals()[:2]] for run in runs.values()]
    assert first[0] == first[1] == first[2]
    births = {arm: [each.birth for each in run.entries()[2:]] for arm, run in runs.items()}
    assert births == {MAP: ["mix"] * 3, RANDOM: ["mix"] * 3, FOUNDERS: ["founder"] * 3}
    parents = [len(each.parents) for each in runs[RANDOM].entries()[2:]]
    assert parents == [2, 2, 2]


def test_the_judges_places_are_on_its_own_scale(rows, tmp_path):
    case, _ = rows
    chart = experiment.chart_of(case.bench.backbone, "pet", case.axes, (3, 3))
    runs, _ = case._arms(chart, tmp_path)
    eye = case._eye(runs[MAP])
    assert eye.knots.shape == (experiment.KNOTS, 2) and np.all(np.diff(eye.knots, axis=0) >= 0)
    seen = case._seen(runs[MAP], eye)
    assert len(seen) == 5 and seen.places.min() >= 0 and seen.places.max() <= 1 and seen.quality.max() <= 1


def test_the_summary_compares_the_map_with_both(rows):
    told = summary(pa.Table.from_pylist(rows[1], SCHEMA))
    assert "By the stack, a map has" in told and "times the coverage of founders" in told
    stacks = {row["arm"]: row for row in rows[1] if row["by"] == "stack"}
    gain = stacks[MAP]["coverage"] / stacks[FOUNDERS]["coverage"]
    assert f"| stack | pet | 1 | {gain:.2f} |" in told
    assert "over 1 map" in told and "Each arm has 5 concepts." in told
    assert all(f"| {by} | {arm} |" in told for by in ("stack", "judge") for arm in ARMS)


def test_a_category_without_axes_is_refused(backbone, tmp_path):
    bench = Bench(backbone, Judge(), tmp_path, lambda _: None)
    with pytest.raises(ConceptreeError, match="no axes for 'fruit': this experiment has them for pet"):
        cases(replace(SHORT, categories=("fruit",)), bench)
