"""Selection: who has children and who stays, for populations of any size and by every method."""

from __future__ import annotations

import copy
import pickle
import random

import numpy as np
import pytest
from deap import tools
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from evolve.fitness import OBJECTIVES
from evolve.members import UNRATED, Fitness, Member, front, mean_ranks, members
from evolve.selection import METHODS, SelectionError, parents, register, survivors
from evolve.toolbox import seeded

SOME = st.integers(1, 13)
METHOD = st.sampled_from([*METHODS, "selSPEA2", "selNSGA3", "selLexicase", "selTournament", "selRandom"])


def population(*values, ratings=()):
    """Members called a, b, c … with these values of all objectives, or of each."""
    named = dict(zip("abcdefghijklmnopqrstuvwxyz", values, strict=False))
    rows = {id_: value if isinstance(value, tuple) else (value,) * len(OBJECTIVES) for id_, value in named.items()}
    return members({id_: dict(zip(OBJECTIVES, row, strict=True)) for id_, row in rows.items()}, dict(ratings))


def made_up(count, seed):
    return population(*map(tuple, np.random.default_rng(seed).random((count, len(OBJECTIVES)))))


def ids(found):
    return "".join(each.id for each in found)


@given(METHOD, SOME, st.integers(1, 9), st.integers(1, 5), st.integers(0, 99))
def test_a_family_is_of_different_members_as_many_as_asked_or_as_there_are(method, count, families, size, seed):
    everybody = made_up(count, seed)
    with seeded(seed, 0, "parents"):
        found = parents(method, everybody, families, size)
    assert len(found) == families
    for family in found:
        assert len({each.id for each in family}) == len(family) == min(size, count)


@given(METHOD, SOME, st.integers(0, 15), st.sets(st.integers(0, 12)), st.integers(0, 99))
def test_as_many_stay_as_asked_and_the_kept_in_any_case(method, count, wanted, kept, seed):
    everybody = made_up(count, seed)
    certain = {everybody[place].id for place in kept if place < count}
    with seeded(seed, 0, "survivors"):
        stay = survivors(method, everybody, wanted, certain)
    assert len({each.id for each in stay}) == len(stay) == max(len(certain), min(wanted, count))
    assert certain <= {each.id for each in stay}


def test_nsga2_keeps_who_is_better_in_all_respects_and_then_who_is_alone():
    everybody = population((0.9, 0.1, 0.5, 0.5), (0.1, 0.9, 0.5, 0.5), (0.52, 0.5, 0.5, 0.5), (0.5, 0.5, 0.4, 0.4), 0.0)
    assert ids(front(everybody)) == "abc"
    assert set(ids(survivors("nsga2", everybody, 3))) == set("abc")
    assert set(ids(survivors("nsga2", everybody, 2))) == set("ab")  # the ends of the front, not its middle


def test_a_tournament_is_won_by_the_mean_rank():
    everybody = population((0.9, 0.9, 0.0, 0.9), (0.5, 0.5, 0.9, 0.5), 0.1)
    assert ids(survivors("tournament", everybody, 2)) == "ab"
    with seeded(1, 0, "parents"):
        chosen = [family[0].id for family in parents("tournament", made_up(9, 3), 60, 1)]
    best = max(made_up(9, 3), key=lambda each: each.overall)
    assert chosen.count(best.id) == max(map(chosen.count, chosen))


def test_novelty_chooses_the_unlike_but_none_that_hardly_belongs():
    # In order: belongs, differs, novel, consistent. d is the most novel, and belongs least.
    everybody = population((0.5, 0, 0.2, 0), (0.5, 0, 0.7, 0), (0.5, 0, 0.4, 0), (0.1, 0, 0.9, 0))
    assert ids(survivors("novelty", everybody, 2)) == "bc"
    with seeded(1, 0, "parents"):
        assert "d" not in {each.id for family in parents("novelty", everybody, 20, 2) for each in family}


def test_random_chooses_everybody_at_some_time():
    with seeded(0, 0, "any"):
        found = [ids(survivors("random", made_up(6, 1), 2)) for _ in range(60)]
    assert set("".join(found)) == set("abcdef")


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=2, max_size=9))
def test_mean_ranks_are_scipys(values):
    ranks = np.stack([rankdata(column) for column in zip(*values, strict=True)])
    assert mean_ranks(values) == pytest.approx(((ranks - 1) / (len(values) - 1)).mean(0).tolist())


def test_ratings_are_one_more_objective_if_a_member_is_rated():
    assert "rated" not in population(0.1, 0.2)[0].values
    rated = population(0.1, 0.2, 0.3, ratings={"b": 5, "c": None}.items())
    assert [each.values["rated"] for each in rated] == [UNRATED, 5, UNRATED]
    assert set(ids(front(rated))) == {"b", "c"}


def test_deap_draws_by_the_seed_and_leaves_pythons_generator_alone():
    random.seed(5)
    before = random.getstate()
    with seeded(1, 2, "parents"):
        first = parents("random", made_up(8, 0), 4, 2)
    assert random.getstate() == before
    with seeded(1, 2, "parents"):
        again = parents("random", made_up(8, 0), 4, 2)
    with seeded(1, 3, "parents"):
        other = parents("random", made_up(8, 0), 4, 2)
    assert [ids(family) for family in first] == [ids(family) for family in again] != [ids(family) for family in other]


def test_a_registered_method_selects_by_its_name(monkeypatch):
    everybody = population(0.1, 0.2, 0.3, 0.4, 0.5)
    register("belongs", lambda individuals, k: sorted(individuals, key=lambda each: -each.values["belongs"])[:k])
    try:
        assert ids(survivors("belongs", everybody, 2)) == "ed"
        chosen = {each.id for family in parents("belongs", everybody, 9, 2) for each in family}
        assert chosen == set("cde"), "parents are the better half"
        with pytest.raises(SelectionError, match="'belongs' is registered already"):
            register("belongs", tools.selBest)
    finally:
        del METHODS["belongs"]
    for unknown in ("belongs", "selNothing", "Logbook"):
        with pytest.raises(SelectionError, match=f"select = '{unknown}': choose nsga2, tournament, novelty, random or"):
            survivors(unknown, everybody, 2)


def test_members_are_equal_by_id_and_copies_share_all_but_their_fitness():
    one, other = Member("a", Fitness((0.1, 0.2, 0.3, 0.4, 5.0))), Member("a", Fitness())
    assert one == other and len({one, other}) == 1 and one != Member("b", one.fitness)
    twin = copy.deepcopy(one)
    del twin.fitness.values
    assert twin == one and one.values["rated"] == 5.0 and not twin.fitness.valid
    twin.fitness.values = (1.0, 2.0, 3.0, 4.0)
    assert copy.deepcopy(twin).fitness.values == pickle.loads(pickle.dumps(twin)).fitness.values == (1, 2, 3, 4)
