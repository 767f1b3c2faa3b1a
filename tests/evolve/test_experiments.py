"""The experiment on evolution, in little: it can be stopped anywhere, and its table says what was measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import bootstrap

from core.errors import ConceptreeError
from evolve import Run
from evolve.experiments.evolution import ARMS, MEASURES, SCHEMA, Case, Protocol, conduct, curves, summary
from evolve.experiments.judging import PROMPTS, diversity, judged
from evolve.experiments.statistics import by_unit, interval, signed

QUICK = {"steps": 2, "segment": 1, "learning_rate": 1e-2}
LITTLE = Protocol(categories=("pet",), seeds=2, generations=3, population=3, settings=QUICK)


class TinyJudge:
    """Sees the mean colour of a picture; its words are three colours."""

    def __init__(self):
        self.categories = {"pet": ["cat", "dog"]}
        self.words = {"pet": (1.0, 0.0, 0.0), "cat": (0.0, 1.0, 0.0), "dog": (0.0, 0.0, 1.0)}

    def embed(self, images):
        colours = [np.asarray(image.convert("RGB"), dtype=np.float32).mean((0, 1)) + 1 for image in images]
        return torch.nn.functional.normalize(torch.tensor(np.stack(colours)), dim=1)

    def similarity(self, images, words):
        return self.embed(images) @ torch.tensor([self.words[word] for word in words]).T


class Killed(BaseException):
    """As a signal would."""


@pytest.fixture(scope="module")
def whole(backbone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return conduct(LITTLE, folder, backbone, TinyJudge(), lambda _: None), folder


def test_each_generation_of_each_arm_has_its_population(whole):
    table, folder = whole
    assert table.schema == SCHEMA
    rows = table.to_pylist()
    for seed in range(LITTLE.seeds):
        for arm in ARMS:
            for generation in range(LITTLE.generations):
                found = [r for r in rows if (r["seed"], r["arm"], r["generation"]) == (seed, arm, generation)]
                assert len({row["concept"] for row in found}) == len(found) == LITTLE.population
                assert all(np.isfinite(row[measure]) for row in found for measure in MEASURES)
    first = {(r["seed"], r["concept"]) for r in rows if r["generation"] == 0}
    assert len(first) == LITTLE.seeds * LITTLE.population  # all arms begin with the same
    assert len(list(folder.glob("pet-*.parquet"))) == LITTLE.seeds * len(ARMS)


def test_founders_alone_may_take_as_many_steps_as_breeding(whole):
    rows = whole[0].to_pylist()
    steps = {(r["seed"], r["arm"], r["generation"]): r["steps"] for r in rows}
    for seed in range(LITTLE.seeds):
        for generation in range(1, LITTLE.generations):
            # A variation takes half the steps of a founder, a child at most as many.
            most = 2 * LITTLE.population * (generation + 1)
            assert 2 * LITTLE.population < steps[seed, "nsga2", generation] <= most
            assert steps[seed, "founders", generation] <= steps[seed, "nsga2", generation]
    run = Run.open(whole[1] / "runs" / "pet-0-founders")
    assert {each.birth for each in run.entries()} == {"founder"} and len(run.entries()) > LITTLE.population


@pytest.mark.parametrize("after", [1, 4, 9, 14])
def test_a_killed_experiment_goes_on_to_the_same_table(whole, backbone, tmp_path, after):
    protocol = Protocol(**{**vars(LITTLE), "seeds": 1})
    told = []

    def kill(text):
        told.append(text)
        if len(told) == after:
            raise Killed

    with pytest.raises(Killed):
        conduct(protocol, tmp_path, backbone, TinyJudge(), kill)
    table = conduct(protocol, tmp_path, backbone, TinyJudge(), told.append)
    assert table.equals(whole[0].filter([row["seed"] == 0 for row in whole[0].to_pylist()]))


def test_what_is_there_is_not_learned_again(whole, backbone, monkeypatch):
    monkeypatch.setattr(Case, "learn", lambda _: pytest.fail("learned again"))
    assert conduct(LITTLE, whole[1], backbone, TinyJudge(), print).equals(whole[0])


def test_a_category_that_the_judge_does_not_know_is_said_at_once(backbone, tmp_path):
    with pytest.raises(ConceptreeError, match="the judge does not know the category 'sofa'"):
        conduct(Protocol(categories=("sofa",)), tmp_path, backbone, TinyJudge(), print)
    assert not list(tmp_path.iterdir())


def test_the_judge_looks_at_drawings(whole, backbone):
    concept = Run.open(whole[1] / "runs" / "pet-0-nsga2").individuals()[0].concept
    found, mean = judged(concept, backbone, TinyJudge())
    again, _ = judged(concept, backbone, TinyJudge())
    assert found == again and set(found) == {"belongs", "differs", "consistent"}
    assert np.linalg.norm(mean) == pytest.approx(1, abs=1e-5) and len(PROMPTS) > 1
    assert found["differs"] < found["belongs"] <= 1 and -1 <= found["consistent"] <= 1


def test_diversity_of_opposites_and_of_the_same():
    one = np.array([1.0, 0.0], dtype=np.float32)
    assert diversity([one, one]) == pytest.approx(0)
    assert diversity([one, -one]) == pytest.approx(2)
    assert np.isnan(diversity([one]))


def test_intervals_are_scipys_and_of_one_unit_there_is_none():
    values = np.array([0.1, 0.4, 0.2, 0.6])
    mean, low, high = interval(values)
    assert mean == pytest.approx(0.325) and low < mean < high
    said = bootstrap((values,), np.mean, n_resamples=4000, rng=np.random.default_rng(0)).confidence_interval
    assert (low, high) == pytest.approx((said.low, said.high))
    assert interval(np.array([0.5])) == (0.5, 0.5, 0.5)
    assert signed(np.array([0.5])) == "+0.500"
    assert signed(np.array([-0.1, -0.1])) == "-0.100 (-0.100 … -0.100)"


def test_units_stand_in_one_order_in_all_arms(whole):
    found = by_unit(whole[0], "belongs")
    assert {key: len(values) for key, values in found.items()} == {
        (arm, generation): LITTLE.seeds for arm in ARMS for generation in range(LITTLE.generations)
    }
    assert np.array_equal(found["nsga2", 0], found["random", 0])
    rows = [r for r in whole[0].to_pylist() if (r["arm"], r["generation"], r["seed"]) == ("random", 2, 1)]
    assert found["random", 2][1] == pytest.approx(np.mean([row["belongs"] for row in rows]))


def test_summary_and_curves_show_every_measure(whole):
    text = summary(whole[0])
    for measure in MEASURES:
        assert f"| {measure} |" in text
    figure = curves(whole[0])
    assert [axis.get_title() for axis in figure.axes] == list(MEASURES)
    line = figure.axes[0].lines[0]
    assert line.get_ydata() == pytest.approx([by_unit(whole[0], "belongs")["nsga2", g].mean() for g in range(3)])
