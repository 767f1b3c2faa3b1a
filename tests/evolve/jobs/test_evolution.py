"""Generations: the same seed gives the same family, a kill changes nothing, and what people mark is respected."""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import replace

import pytest
from deap import tools

from core import Request, Settings
from evolve import Run, develop, mutate
from evolve.jobs.generations import (
    NoParentChosenError,
    answer_round,
    awaits_choice,
    choose,
    generations,
    logbook,
    show_in,
    shown_in,
    write_down,
)
from evolve.jobs.job import Stopped
from evolve.jobs.plans import EvolutionError, Evolve
from evolve.jobs.stored import job_named, jobs, new_job
from evolve.jobs.work import evolve
from evolve.store.parts import RunError
from evolve.toolbox import Toolbox

QUICK = Settings(steps=2, segment=1, learning_rate=1e-2, max_cosine=0.5, min_cosine=0.2)
SMALL = Evolve(generations=2, population=4, children=3, settings=QUICK, images=1, keep=1, drawn=False, mutation=0.4)


class Killed(BaseException):
    """Stop like a signal."""


@pytest.fixture(scope="module")
def founders(backbone, tmp_path_factory):
    """A run of five founders, for copies."""
    run = Run.create(tmp_path_factory.mktemp("founders") / "run", "pet", backbone)
    develop([Request("pet", negatives=("cat",), seed=seed, settings=QUICK) for seed in range(5)], backbone, run)
    return run


def copied(run, folder):
    shutil.copytree(run.folder, folder)
    return Run.open(folder)


@pytest.fixture
def run(founders, tmp_path):
    return copied(founders, tmp_path / "run")


@pytest.fixture(scope="module")
def undisturbed(founders, backbone, tmp_path_factory):
    """(run, its job, generations) of an undisturbed evolution."""
    run = copied(founders, tmp_path_factory.mktemp("undisturbed") / "run")
    return run, *evolved(run, backbone)


def evolved(run, backbone, asked=SMALL, **how):
    job = new_job(run, asked)
    return job, list(evolve(asked, run, backbone, job, **how))


def like(asked, **values):
    return Evolve.from_json({**asked.to_json(), **values})


def test_generations_follow_on_each_other(undisturbed):
    run, job, done = undisturbed
    assert [each.number for each in done] == [1, 2]
    assert done[1].population == done[0].survivors
    everybody = [each.id for each in run.entries()]
    for generation in done:
        assert len(generation.children) == SMALL.children and len(generation.survivors) == SMALL.population
        assert set(generation.survivors) <= {*generation.population, *generation.children} <= set(everybody)
    parents = {parent.id for each in run.entries() if each.id in done[1].children for parent in each.parents}
    assert parents and parents <= set(done[1].population)
    assert generations(job) == done


def test_equal_seeds_give_equal_families_and_others_do_not(undisturbed, founders, tmp_path, backbone):
    _, again = evolved(copied(founders, tmp_path / "again"), backbone)
    _, (other, *_) = evolved(copied(founders, tmp_path / "other"), backbone, like(SMALL, seed=2, generations=1))
    assert again == undisturbed[-1] and other.children != again[0].children


@pytest.mark.parametrize(("generation", "step"), [(1, 0), (1, 1), (2, 1), (2, 2)])
def test_a_killed_evolution_goes_on_to_the_family_it_would_have_had(undisturbed, run, backbone, generation, step):
    job = new_job(run, SMALL)

    def kill(number, report):
        if (number, report.step) == (generation, step):
            raise Killed

    with pytest.raises(Killed):
        list(evolve(SMALL, run, backbone, job, on_report=kill))
    run.note(run.entries()[0].id, favourite=True)  # comes too late for the generation that has begun
    again = job_named(run, job.name)
    rest = list(evolve(SMALL, run, backbone, again))
    first = generations(again)[generation - 1]
    assert first.children == undisturbed[-1][generation - 1].children
    assert [each.number for each in rest] == list(range(generation, 3))


def own_operators(run, backbone):
    """Another selection of DEAP and a mutation of one's own, which draws from Python's generator."""
    box = Toolbox(backbone, run)
    box.register("select", tools.selSPEA2)
    box.register("mutate", lambda parent: [box.individual(mutate(parent.concept, random.randrange(99), jitter=0.9))])
    return box


def test_with_operators_of_ones_own_it_keeps_favourites_and_resumes(founders, tmp_path, backbone):
    found, asked = [], like(SMALL, mutation=1.0, population=2)
    for name, stop in (("whole", None), ("run", 1)):
        run = copied(founders, tmp_path / name)
        run.note(run.entries()[0].id, favourite=True)
        job, toolbox = new_job(run, asked), own_operators(run, backbone)
        course = evolve(asked, run, backbone, job, toolbox=toolbox)
        for _ in zip(range(1 if stop else 2), course, strict=False):
            pass
        if stop:
            list(evolve(asked, run, backbone, job, toolbox=own_operators(run, backbone)))
        done = generations(job)
        assert all(run.entries()[0].id in each.survivors for each in done) and len(logbook(done)) == 2
        parents = [run.find(id_).concept.request for each in done for id_ in each.children]
        assert {request.parents[0].kind for request in parents} == {"mutate"} and {r.seed < 99 for r in parents} == {
            True
        }
        found.append([generation.children for generation in done])
    assert found[0] == found[1]


def test_without_a_job_it_makes_one_and_finishes_it(run, backbone):
    course = evolve(SMALL, run, backbone)
    next(course)
    (job,) = jobs(run)
    assert job.status().state == "working" and job.plan == SMALL
    course.close()
    assert job.status().state == "paused"
    assert [each.number for each in evolve(SMALL, run, backbone, job)] == [2] and job.status().state == "finished"


@pytest.mark.parametrize("select", ["selSPEA2", "selNSGA3", "selLexicase"])
def test_any_selection_of_deap_is_asked_for_by_its_name(run, backbone, select):
    job, (done,) = evolved(run, backbone, like(SMALL, generations=1, select=select))
    assert len(done.survivors) == SMALL.population == len(set(done.survivors))
    assert job.plan.select == select


def test_a_stop_is_obeyed_between_generations(run, backbone):
    job = new_job(run, SMALL)
    with pytest.raises(Stopped):
        for _ in evolve(SMALL, run, backbone, job):
            job.request_stop()
    assert len(generations(job)) == 1


def test_favourites_and_locked_stay_and_hidden_are_retired(run, backbone):
    a, b, c, *_ = (each.id for each in run.entries())
    run.note(a, favourite=True)
    run.note(b, locked=True)
    run.note(c, hidden=True)
    _, done = evolved(run, backbone, like(SMALL, population=2))
    for generation in done:
        assert {a, b} == set(generation.survivors) and c not in generation.population
    born = [each for each in run.entries() if each.id in done[-1].children]
    assert c not in {parent.id for each in born for parent in each.parents}


def test_one_that_is_marked_later_comes_back(run, backbone):
    job = new_job(run, SMALL)
    course = evolve(SMALL, run, backbone, job)
    first = next(course)
    gone = next(each.id for each in run.entries() if each.id not in first.survivors)
    run.note(gone, favourite=True)
    second = next(course)
    assert gone in second.population and gone in second.survivors


def test_ratings_count_from_the_first(run, backbone):
    ids = [each.id for each in run.entries()]
    run.note_all(ids[:2], rating=5)
    _, (first, *_) = evolved(run, backbone, like(SMALL, generations=1))
    assert set(ids[:2]) & set(first.front)  # one of them may be better than the other in all respects
    assert first.record["rated"]["best"] == 5


def test_mutation_and_weights_are_as_asked(run, backbone):
    _, done = evolved(run, backbone, like(SMALL, generations=1, mutation=1.0))
    born = [each for each in run.entries() if each.id in done[0].children]
    assert {each.birth for each in born} == {"mutate"}
    _, done = evolved(run, backbone, like(SMALL, generations=1, mutation=0.0, weights=(0.9, 0.1), spread=0.0, seed=4))
    born = [each for each in run.entries() if each.id in done[0].children]
    assert all(sorted(parent.weight for parent in each.parents) == [0.1, 0.9] for each in born)


def test_where_a_person_selects_it_waits_after_each_generation(run, backbone):
    ids = [each.id for each in run.entries()]
    asked = like(SMALL, select="user", chosen=ids[:2])
    job, done = evolved(run, backbone, asked)
    assert len(done) == 1 and set(done[0].population) == set(ids[:2])
    assert awaits_choice(job, asked) == 2
    with pytest.raises(NoParentChosenError, match="no parent is chosen"):
        list(evolve(asked, run, backbone, job))
    choose(job, 2, ids[3:])
    assert awaits_choice(job, asked) == 0
    (second,) = evolve(asked, run, backbone, job)
    assert set(second.population) == set(ids[3:])
    assert list(evolve(asked, run, backbone, job)) == []


def test_a_person_may_mark_instead_of_naming(run, backbone):
    ids = [each.id for each in run.entries()]
    run.note(ids[0], favourite=True)
    run.note(ids[1], rating=4)
    run.note(ids[2], rating=3)
    _, (first,) = evolved(run, backbone, like(SMALL, select="user"))
    assert set(first.population) == set(ids[:2])


def test_one_chosen_alone_has_variations(run, backbone):
    (only, *_) = (each.id for each in run.entries())
    _, (first,) = evolved(run, backbone, like(SMALL, select="user", chosen=[only], mutation=0.0))
    born = [each for each in run.entries() if each.id in first.children]
    assert {(each.birth, each.parents[0].id) for each in born} == {("mutate", only)}


def test_the_logbook_tells_mean_and_best_of_those_that_stay(undisturbed):
    run, _, done = undisturbed
    book = logbook(done)
    assert book.select("generation") == [1, 2]
    scores = {each.id: each.scores["category"] for each in run.entries()}
    for generation, mean, best in zip(done, *book.chapters["belongs"].select("mean", "best"), strict=True):
        values = [scores[id_] for id_ in generation.survivors]
        assert mean == pytest.approx(sum(values) / len(values), abs=1e-4) and best == pytest.approx(
            max(values), abs=1e-4
        )
    assert "belongs" in str(book)


@pytest.mark.parametrize("content", ["", "[]", '{"number": 1, "colour": 2}', "[" * 100_000])
def test_a_torn_generation_is_named(run, backbone, content):
    job, _ = evolved(run, backbone, like(SMALL, generations=1))
    (job.folder / "generations" / "0001.json").write_text(content)
    with pytest.raises(RunError, match=r"0001\.json' cannot be read .*: remove it to learn it again"):
        generations(job)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"generations": 0}, "generations = 0: expected a whole number from 1"),
        ({"population": 1}, "population = 1: expected a whole number from 2"),
        ({"children": True}, "children = True"),
        ({"select": "best"}, "select = 'best': choose nsga2, tournament, novelty, random, user"),
        ({"mutation": float("nan")}, "mutation = nan"),
        ({"strength": float("nan")}, "strength = nan: expected a number above 0, up to 1"),
        ({"weights": (1.0,)}, "weights = 1: expected 2 numbers above 0"),
        ({"weights": (1.0, float("inf"))}, "weights = 1, inf: expected 2 numbers"),
    ],
)
def test_what_cannot_be_asked(values, said):
    with pytest.raises(EvolutionError, match=said):
        Evolve(**values)


def test_nobody_left_is_an_error(run, backbone):
    run.note_all([each.id for each in run.entries()], hidden=True)
    with pytest.raises(EvolutionError, match="no concept of 'run' can be a parent"):
        evolved(run, backbone)


def test_a_generation_of_whom_nobody_is_left_is_done_all_the_same(run, backbone):
    job = new_job(run, SMALL)
    alone = like(SMALL, children=1, mutation=1.0)
    generation = next(evolve(alone, run, backbone, job))
    run.note_all([each.id for each in run.entries()], hidden=True)
    write_down(job, replace(generation, survivors=(), front=()))
    assert [each.children for each in generations(job)] == [generation.children]
    with pytest.raises(EvolutionError, match="no concept of 'run' can be a parent"):
        list(evolve(alone, run, backbone, job))
    assert len(run.entries()) == 6


def test_variations_take_no_more_steps_than_mixed_children(run, backbone):
    quick = replace(QUICK, steps=1)
    _, done = evolved(run, backbone, like(SMALL, generations=1, mutation=1.0, settings=quick.to_dict(), strength=1.0))
    steps = {run.find(id_).concept.request.chosen.steps for id_ in done[0].children}
    assert steps == {1} and QUICK.steps == 2


def test_a_plan_comes_back_as_it_was():
    asked = Evolve(weights=(0.7, 0.3), words=("blue",), chosen=("a",), settings=QUICK)
    assert Evolve.from_json(json.loads(json.dumps(asked.to_json()))) == asked
    before = {name: value for name, value in asked.to_json().items() if name != "inherit"}
    assert asked.inherit and not Evolve.from_json(before).inherit  # what was asked for before there was this


def test_children_are_drawn_while_they_are_learned(run, backbone):
    job, _ = evolved(run, backbone, like(SMALL, generations=1, drafts=True, mutation=0.0))
    assert {look.number for look in job.looks() if look.image} == {0, 1, 2}


def test_taste_waits_before_each_generation_and_breeds_what_is_liked(run, backbone):
    ids = [each.id for each in run.entries()]
    asked = like(SMALL, select="taste", mutation=0.0, spread=0.0)
    job = new_job(run, asked)
    assert awaits_choice(job, asked) == 1 and list(evolve(asked, run, backbone, job)) == []
    assert not job.finished and awaits_choice(job, asked) == 1
    show_in(job, 1, ids)
    assert shown_in(job, 1) == ids and shown_in(job, 2) == []
    answered = answer_round(job, run, 1, ids, ids[:2])
    assert answered and answered.liked == tuple(ids[:2]) and awaits_choice(job, asked) == 0
    (first,) = evolve(asked, run, backbone, job)
    parents = {parent.id for each in run.entries() if each.id in first.children for parent in each.parents}
    assert parents <= set(first.population) and set(ids[:2]) <= set(first.population)
    assert "rated" in first.record and awaits_choice(job, asked) == 2
    assert answer_round(job, run, 2, (), ()) is None, "nothing is left to show"
    (second,) = evolve(asked, run, backbone, job)
    assert second.number == 2 and job.finished and awaits_choice(job, asked) == 0


def test_damaged_rounds_are_asked_again(run, backbone):
    asked = like(SMALL, select="taste")
    job = new_job(run, asked)
    for content in ("", "[]", '{"number": 1, "shown": 3}', "{"):
        (job.folder / "round.json").write_text(content)
        (job.folder / "choice.json").write_text(content.replace("1", "7"))
        assert shown_in(job, 1) == [] and awaits_choice(job, asked) == 1


def test_objectives_can_be_chosen_and_taste_is_one_of_them(run, backbone):
    for each, rating in zip(run.entries(), (5, 1, 3), strict=False):
        run.note(each.id, rating=rating)
    _, done = evolved(run, backbone, like(SMALL, objectives=["taste", "novel"], generations=1))
    assert {name for name, value in done[0].record.items() if isinstance(value, dict)} == {"rated", "novel"}
    alone = like(SMALL, objectives=["taste"], generations=1, population=2, spread=0.0, seed=3)
    _, done = evolved(run, backbone, alone)
    assert run.entries()[0].id in done[0].survivors, "rated 5"


def test_a_plan_without_objectives_is_stored_as_before():
    assert "objectives" not in SMALL.to_json() and Evolve.from_json(SMALL.to_json()) == SMALL
    chosen = like(SMALL, objectives=["taste"])
    assert chosen.to_json()["objectives"] == ["taste"] and Evolve.from_json(chosen.to_json()) == chosen
    with pytest.raises(EvolutionError, match="objective = 'beauty': choose belongs, differs, novel, consistent, taste"):
        like(SMALL, objectives=["beauty"])
    with pytest.raises(EvolutionError, match="needs the objectives belongs and novel"):
        like(SMALL, select="novelty", objectives=["taste"])


def test_what_is_liked_returns_though_it_had_dropped_out(run, backbone):
    ids = [each.id for each in run.entries()]
    asked = like(SMALL, select="taste", population=2, mutation=0.0)
    job = new_job(run, asked)
    answer_round(job, run, 1, ids, ids[:2])
    (first,) = evolve(asked, run, backbone, job)
    out = next(id_ for id_ in ids if id_ not in first.survivors)
    answer_round(job, run, 2, [out, *first.survivors], [out])
    run.note(out, rating=5)
    (second,) = evolve(asked, run, backbone, job)
    assert out in second.population and len(second.population) == 2
