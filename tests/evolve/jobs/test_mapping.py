"""Maps: the same plan gives the same family, a kill changes nothing, and the archive follows from the run."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import replace
from itertools import pairwise

import pytest

from core import ConceptLab, Settings
from core.streams import stream_seed
from evolve import Run
from evolve.jobs.generations import Generation, generations
from evolve.jobs.job import Stopped
from evolve.jobs.mapping import check_installed
from evolve.jobs.options import SeedOptions
from evolve.jobs.planning import plan_map
from evolve.jobs.plans import EvolutionError, Map, plan_from_json
from evolve.jobs.stored import job_named, new_job
from evolve.jobs.work import Began, Learned, Reported, evolve, work
from evolve.maps.archive import archive_of, elites
from evolve.maps.chart import MapError, placed
from evolve.maps.emitters import EMITTERS, USUAL, Emitter
from evolve.maps.phrases import chart_of
from evolve.maps.recipes import AIM, Recipe

QUICK = Settings(steps=2, segment=1, learning_rate=1e-2, max_cosine=0.5, min_cosine=0.2)


@pytest.fixture(scope="module")
def asked(backbone) -> Map:
    chart = chart_of(backbone, "pet", ["red:blue", "small:style"], (3, 3))
    options = SeedOptions(category="pet", count=3, negatives="none", steps=2)
    shares = {"between": 0.4, "towards": 0.4, "founders": 0.2}
    plan = plan_map(backbone, chart, options, children=5, steps=2, generations=3, emitters=shares)
    return replace(plan, seed=7)


def mapped(folder, backbone, asked):
    run = Run.create(folder, "pet", backbone)
    job = new_job(run, asked)
    return run, job, list(evolve(asked, run, backbone, job))


@pytest.fixture(scope="module")
def whole(tmp_path_factory, backbone, asked):
    return mapped(tmp_path_factory.mktemp("runs") / "whole", backbone, asked)


def test_a_plan_is_written_as_json_and_read_again(asked):
    for plan in (asked, replace(asked, aim=(2, 1), first=0)):
        assert plan_from_json("map", json.loads(json.dumps(plan.to_json()))) == plan
    assert [asked.size(number) for number in (1, 2, 3)] == [3, 5, 5]


def test_founders_come_first_and_then_children_of_elites(whole, asked):
    run, job, done = whole
    assert [each.number for each in done] == [1, 2, 3] and generations(job) == done
    assert [len(each.children) for each in done] == [3, 5, 5]
    entries = {each.id: each for each in run.entries()}
    births = [[entries[id_].birth for id_ in each.children] for each in done]
    assert births[0] == ["founder"] * 3
    assert births[1].count("mix") >= 3 and births[1].count("founder") <= 2
    for before, generation in pairwise(done):
        parents = {parent.id for id_ in generation.children for parent in entries[id_].parents}
        assert parents <= set(generation.population) and set(before.children) <= set(generation.population)


def test_the_archive_follows_from_the_run_and_the_plan(whole, asked):
    run, _, done = whole
    found = placed(Run.open(run.folder), asked.chart)
    archive = archive_of(asked.chart, found)
    assert tuple(each.id for each in elites(archive, found).values()) == done[-1].survivors
    record = done[-1].record
    assert record["filled"] == len(archive) and record["coverage"] == pytest.approx(len(archive) / 9, abs=1e-4)
    assert record["qd"] == pytest.approx(float(archive.stats.qd_score), abs=1e-3)
    filled = [each.record["filled"] for each in done]
    assert filled == sorted(filled) and filled[0] == done[0].record["new"]


def test_equal_plans_give_equal_families_and_other_seeds_do_not(tmp_path, backbone, asked, whole):
    _, _, again = mapped(tmp_path / "again", backbone, asked)
    assert [each.children for each in again] == [each.children for each in whole[2]]
    _, _, other = mapped(tmp_path / "other", backbone, replace(asked, seed=8, generations=1))
    assert other[0].children != again[0].children


@pytest.mark.parametrize(("generation", "step"), [(1, 1), (2, 0), (2, 1), (3, 1)])
def test_a_killed_map_goes_on_to_the_family_it_would_have_had(tmp_path, backbone, asked, whole, generation, step):
    run = Run.create(tmp_path / "run", "pet", backbone)
    job, learner, number = new_job(run, asked), ConceptLab(backbone), 0
    with closing(work(job, run, learner, candidates=1)) as course:
        for happened in course:
            number += isinstance(happened, Began)
            if number == generation and isinstance(happened, Reported) and happened.report.step >= step:
                break
    run = Run.open(run.folder)
    again = job_named(run, job.name)
    assert len(generations(again)) == generation - 1 and not again.finished
    rest = list(work(again, run, learner, candidates=1))
    assert [each.number for each in rest if isinstance(each, Generation)] == list(range(generation, 4))
    assert [each.children for each in generations(again)] == [each.children for each in whole[2]]
    assert again.finished and all(run.drawings(each.id) for each in run.entries())


def test_a_stop_is_obeyed_and_progress_is_told(tmp_path, backbone, asked, monkeypatch):
    monkeypatch.setattr("evolve.jobs.job.BETWEEN", 0)
    run = Run.create(tmp_path / "run", "pet", backbone)
    job = new_job(run, asked)
    with pytest.raises(Stopped):
        for happened in work(job, run, ConceptLab(backbone), candidates=1):
            if isinstance(happened, Learned):
                job.request_stop()
    status = job.status()
    assert status.state == "stopped" and 0 < status.step <= status.steps == 3 * asked.steps_each


def test_hidden_concepts_have_no_children_and_leave_their_cell(tmp_path, backbone, asked):
    run, _, done = mapped(tmp_path / "run", backbone, replace(asked, generations=1))
    gone = done[0].survivors[0]
    run.note(gone, hidden=True)
    more = replace(asked, first=0, generations=1, seed=9)
    (next_one,) = evolve(more, run, backbone)
    assert gone not in next_one.population and gone not in next_one.survivors


def test_an_aim_is_the_cell_of_all_children(whole, backbone, asked, tmp_path):
    plan = replace(asked, first=0, generations=1, aim=(2, 2), emitters={"towards": 1.0}, children=2, seed=1)
    run = Run.create(tmp_path / "run", "pet", backbone)
    run.add([each.concept for each in whole[0].individuals()])
    (done,) = evolve(plan, run, backbone)
    parents = [run.find(id_).concept.request.parents for id_ in done.children]
    assert all(len(each) == 1 and each[0].kind == "mix" for each in parents) and parents[0][0].id != parents[1][0].id


class Pairs(Emitter):
    """Children of the first two concepts for different cells."""

    def recipes(self):
        return [Recipe(AIM, 0, 1, 0.35, cell) for cell in range(self.count)]


@pytest.mark.parametrize(("emitters", "parents"), [(USUAL, {1, 2}), ({"pairs": 1.0}, {2})])
def test_aimed_children_learn_a_picture_alone_and_are_made_again_after_a_stop(
    whole, backbone, asked, tmp_path, monkeypatch, emitters, parents
):
    monkeypatch.setitem(EMITTERS, "pairs", Pairs)
    plan = replace(asked, first=0, generations=2, emitters=emitters, children=4, seed=1)
    families = []
    for name, stops in (("whole", False), ("stopped", True)):
        run = Run.create(tmp_path / name, "pet", backbone)
        run.add([each.concept for each in whole[0].individuals()])
        job = new_job(run, plan)
        if stops:
            with closing(evolve(plan, run, backbone, job)) as course:
                next(course)
        families.append([each.children for each in (*generations(job), *evolve(plan, run, backbone, job))])
        requests = [run.find(id_).concept.request for id_ in families[-1][0]]
        bred = [each for each in requests if each.parents]
        assert len(bred) >= 3 and all(not each.positives and not each.negatives for each in bred)
        assert {len(each.parents) for each in bred} <= parents
    assert families[0] == families[1] and len(families[0]) == 2


def test_a_run_that_has_concepts_needs_no_founders(whole, backbone, asked):
    options = SeedOptions(category="pet", count=3, negatives="none")
    plan = plan_map(backbone, asked.chart, options, whole[0], generations=1, emitters={"between": 1})
    assert plan.first == 0 and plan.seed == len(whole[0].entries()), "another seed than the job before"
    assert plan.settings.steps == 2 * plan.settings.segment < Settings.for_stack(backbone, mixing=True).steps


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"generations": 0}, "generations = 0"),
        ({"children": 0}, "children = 0"),
        ({"emitters": {}}, "emitters = {}"),
        ({"emitters": {"between": 0.0}}, "expected shares above 0"),
        ({"aim": (3, 0)}, "aim = .*: expected a column below 3"),
    ],
)
def test_plans_that_cannot_be_are_refused(asked, values, said):
    with pytest.raises(EvolutionError, match=said):
        replace(asked, **values)


def test_without_pyribs_it_says_how_to_install_it(monkeypatch):
    check_installed()
    monkeypatch.setitem(sys.modules, "ribs", None)
    with pytest.raises(MapError, match=r"pip install 'conceptree\[map\]'"):
        check_installed()


def test_founders_of_a_map_are_those_of_seed(whole, asked):
    run, _, done = whole
    seeds = [run.find(id_).concept.request.seed for id_ in done[0].children]
    assert seeds == [stream_seed(7, number, "founder") % 10**9 for number in range(3)]
