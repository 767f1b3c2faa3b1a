"""The experiment on taste: what is asked next, and that answers are counted until one of the best comes up."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import taste
from experiments.taste import ASKERS, CHANCE, FIRST, FITNESS, NEIGHBOUR, TASTE, Case, Pool, Protocol, summary


@pytest.fixture(scope="module")
def pool() -> Pool:
    """What the judge sees follows from the embeddings, mostly."""
    random = np.random.default_rng(0)
    places = random.normal(size=(60, 3))
    embeds = (places @ random.normal(size=(3, 8)) + 2).astype(np.float32)
    embeds /= np.linalg.norm(embeds, axis=1, keepdims=True)
    return Pool(embeds, random.random(60), ("round", "green", "cute"), places + 0.1 * random.normal(size=(60, 3)))


@pytest.fixture
def case(pool, monkeypatch) -> Case:
    monkeypatch.setattr(Case, "pool", lambda self: pool)
    return Case(Protocol(people=3, pool=60), None, "pet", 0)  # type: ignore[arg-type]


def test_each_person_is_asked_in_every_way(case, pool):
    rows = case.rows()
    assert [(row["person"], row["asker"]) for row in rows] == [(person, each) for person in range(3) for each in ASKERS]
    assert all(1 <= row["answers"] <= 60 for row in rows)
    assert rows == case.rows()
    assert "3 simulated people" in summary(taste.pa.Table.from_pylist(rows, taste.SCHEMA))


def test_answers_are_counted_until_one_of_the_best(case, pool):
    likes, utility = case.utility(pool, 0)
    assert utility.mean() == pytest.approx(0) and utility.std() == pytest.approx(1)
    assert all(word in likes for word in pool.words)
    best = set(np.argsort(-utility)[:3].tolist())
    for asker in ASKERS:
        order = case.asked(pool, utility, 0, asker)
        assert len(order) == len(set(order))
        (row,) = [each for each in case.rows() if each["person"] == 0 and each["asker"] == asker]
        assert order[int(row["answers"]) - 1] in best and not best & set(order[: int(row["answers"]) - 1])


def test_who_learns_begins_as_chance_does_and_fitness_never_listens(case, pool):
    _, utility = case.utility(pool, 1)
    order = {asker: case.asked(pool, utility, 1, asker) for asker in ASKERS}
    assert order[TASTE][:FIRST] == order[NEIGHBOUR][:FIRST] == order[CHANCE][:FIRST]
    assert order[FITNESS] == case.asked(pool, -utility, 1, FITNESS) == np.argsort(-pool.fitness).tolist()


def test_the_neighbour_is_the_one_most_like_the_best_rated(pool):
    likeness = pool.embeds @ pool.embeds[7]
    likeness[[7, 8]] = -1
    assert taste._neighbour(pool, [7, 8], [5, 4]) == int(likeness.argmax())
