"""DEAP's own algorithms and tools work on concepts; a batch is learned at the first evaluation."""

from __future__ import annotations

import copy
import random

import numpy as np
import pytest
from deap import algorithms, tools

from core import Request, Settings
from evolve import Run, develop, populate
from evolve.fitness import OBJECTIVES, evaluate
from evolve.members import Fitness
from evolve.toolbox import Toolbox, seeded

QUICK = Settings(steps=2, segment=1, learning_rate=1e-2, max_cosine=0.5, min_cosine=0.2)
LOOKS = {"images": 2, "keep": 1, "drawn": False}


@pytest.fixture(scope="module")
def pets(backbone):
    return populate("pet", 4, backbone, request={"negatives": ("cat",), "settings": QUICK})


@pytest.fixture
def run(tmp_path, backbone, pets):
    run = Run.create(tmp_path / "run", "pet", backbone)
    run.add(pets)
    return run


def boxed(backbone, run, seed=0, **how):
    box = Toolbox(backbone, run, generator=np.random.default_rng(seed), **how)
    box.register("mate", box.mate, settings=QUICK, **LOOKS)
    return box


@pytest.fixture
def batches(monkeypatch):
    """The sizes of the batches that are learned."""
    sizes = []

    def counted(requests, *arguments, **how):
        sizes.append(len(requests))
        return develop(requests, *arguments, **how)

    monkeypatch.setattr("evolve.toolbox.develop", counted)
    return sizes


def test_mu_plus_lambda_with_deaps_own_tools(backbone, tmp_path, pets, batches):
    def evolved(seed, name):
        run = Run.create(tmp_path / name, "pet", backbone)
        run.add(pets)
        box = boxed(backbone, run, seed)
        population = [box.individual(pet) for pet in pets]
        best, front = tools.HallOfFame(3), tools.ParetoFront()
        statistics = tools.Statistics(lambda each: each.values["belongs"])
        statistics.register("mean", np.mean)
        with seeded(seed):
            population, book = algorithms.eaMuPlusLambda(
                population, box, 4, 3, 0.5, 0.4, 2, stats=statistics, halloffame=best, verbose=False
            )
            again, _ = algorithms.eaMuPlusLambda(population, box, 4, 1, 0.5, 0.4, 1, halloffame=front, verbose=False)
        assert all(run.find(each.id) for each in again), "all that were evaluated are in the run"
        return [each.id for each in again], best, front, book

    before = random.getstate()
    ids, best, front, book = evolved(1, "one")
    assert random.getstate() == before
    assert max(batches) <= 3 and len(batches) == 3, "a generation is one batch, without what DEAP has dropped"
    assert evolved(1, "again")[0] == ids != evolved(2, "other")[0]
    assert len({each.id for each in best}) == len(best) == 3 and len({each.id for each in front}) == len(front)
    assert best[0].values["belongs"] == max(each.values["belongs"] for each in best)
    assert book.select("gen") == [0, 1, 2] and len(book.select("mean")) == 3


def test_simple_evolution_mates_and_then_mutates(backbone, pets, batches):
    box = boxed(backbone, None)
    box.register("select", tools.selTournament, tournsize=2)
    with seeded(3):
        population, _ = algorithms.eaSimple([box.individual(pet) for pet in pets], box, 1.0, 0.5, 1, verbose=False)
    assert len(population) == 4 and all(len(each.fitness.values) == len(OBJECTIVES) for each in population)
    assert batches == [4, len([each for each in population if each.request.parents[0].kind == "mutate"])]


def test_two_parents_have_two_children_by_the_weights_and_turned(backbone, run, pets):
    box = boxed(backbone, run)
    one, other = box.mate(box.individual(pets[0]), box.individual(pets[1]), weights=(0.7, 0.3), seed=5)
    assert [[round(parent.weight, 3) for parent in each.request.parents] for each in (one, other)] == [
        [0.7, 0.3],
        [0.3, 0.7],
    ]
    assert one != other and one.request.seed == 5 and not one.fitness.valid and one.concept is None
    (alone, _) = box.mate(box.individual(pets[0]), box.individual(pets[0]), weights=(0.7, 0.3))
    assert [(parent.id, parent.weight) for parent in alone.request.parents] == [(pets[0].id, 1.0)]
    three = box.mate(*(box.individual(pet) for pet in pets[:3]))
    assert len({child.id for child in three}) == 3


def test_an_individual_waits_for_the_batch_and_copies_follow_it(backbone, run, pets, batches):
    box = boxed(backbone, run)
    waiting = [*box.mate(box.individual(pets[0]), box.individual(pets[1])), *box.mutate(box.individual(pets[2]))]
    twin = copy.deepcopy(waiting[1])
    dropped = box.individual(Request("pet", negatives=("dog",), seed=9, settings=QUICK))
    del dropped
    values = box.evaluate(waiting[0])
    assert batches == [3] and [each.concept.id for each in waiting] == [each.id for each in waiting]
    assert len(run.entries()) == 7 and box.concept_of(twin) == waiting[1].concept and batches == [3]
    plain = evaluate([waiting[0].concept], backbone, [each.concept for each in run.individuals()])[0]
    assert values == pytest.approx(plain, abs=1e-5)


def test_individuals_can_be_selected_by_any_of_deaps_selections(backbone, pets):
    box = boxed(backbone, None, select=tools.selSPEA2)
    population = [box.individual(pet) for pet in pets]
    for each, values in zip(population, box.map(box.evaluate, population), strict=True):
        each.fitness = Fitness(values)
    chosen = box.select(population, 2)
    assert len(set(chosen)) == 2 and set(chosen) <= set(population)
    assert len(box.parents(population, 3, 2)) == 3
