"""Jobs are worked on from wherever they are: half-done ones of earlier versions, killed ones, stopped ones."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core import Backbone, ConceptLab, Settings
from evolve import Run
from evolve.jobs.generations import Generation, generations
from evolve.jobs.job import Conduct, Stopped
from evolve.jobs.options import SeedOptions
from evolve.jobs.planning import plan_founders
from evolve.jobs.plans import UnreadablePlanError, plan_from_json
from evolve.jobs.stored import new_job, unfinished
from evolve.jobs.work import Began, Drawing, Learned, Reported, work
from tests.plans import a_seed

OLD = Path(__file__).parent.parent.parent / "data" / "jobs-of-schema-1"


@pytest.fixture
def stack_of_old(stack_folder):
    """The tests' stack as it was then: other versions of the libraries may save other bytes of the same weights."""
    told = json.loads((OLD / "seed" / "expected.json").read_text())
    stack = Backbone.load(stack_folder, device="cpu")
    vars(stack).update(fingerprint=told["fingerprint"], drawing_fingerprint=told["drawing"])
    return stack


@pytest.mark.parametrize("command", ["seed", "breed", "vary", "evolve"])
def test_a_half_done_job_of_the_version_before_goes_on_to_the_same_concepts(stack_of_old, tmp_path, command):
    run = Run.open(shutil.copytree(OLD / command, tmp_path / "run"))
    if command != "seed":
        shutil.copytree(OLD / "founders", run.folder / "concepts", dirs_exist_ok=True)
    expected = json.loads((run.folder / "expected.json").read_text())["concepts"]
    before = {each.id for each in run.entries()}
    (job,) = unfinished(run)
    list(work(job, run, ConceptLab(stack_of_old)))
    new = {each.id: each.concept for each in run.individuals() if each.id not in before}
    assert job.finished and new.keys() == expected.keys()
    for id_, told in expected.items():
        assert np.allclose(new[id_].vectors, told["vectors"], atol=1e-6)
        assert [negative.word for negative in new[id_].negatives] == told["negatives"]


@pytest.mark.parametrize("command", ["seed", "breed", "vary", "evolve"])
def test_a_plan_is_written_as_the_version_before_wrote_it(command):
    (file,) = (OLD / command).glob("jobs/*/job.json")
    told = json.loads(file.read_text())["plan"]
    since = {"drafts": False, "spread": 0.0} if command == "evolve" else {}  # fields that came later
    assert json.loads(json.dumps(plan_from_json(command, told).to_json())) == since | told


@pytest.fixture
def pets(backbone, tmp_path):
    """A run with a job for two founders, which learn at once."""
    run = Run.create(tmp_path / "pets", "pet", backbone)
    settings = Settings(steps=4, segment=2, learning_rate=1e-2)
    return run, new_job(
        run,
        plan_founders(backbone, SeedOptions(category="pet", count=2, wave=2, negatives="cat,dog"), settings),
        Conduct(2, 1, 1),
    )


def test_how_a_job_is_carried_out_is_on_disk_before_anything_is_learned(pets):
    run, job = pets
    (again,) = unfinished(run)
    assert again.plan == job.plan and again.conducted() == Conduct(2, 1, 1)
    assert [file.name for file in job.folder.iterdir()] == ["job.json"], "one file, which is there as a whole or not"
    assert again.conduct(8, 4) == Conduct(2, 1, 1), "a resumed job keeps its conduct"


def test_a_job_is_finished_only_when_its_drawings_are_there(pets, backbone, monkeypatch):
    run, job = pets
    learner = ConceptLab(backbone)
    with closing(work(job, run, learner)) as course:
        assert any(isinstance(happened, Drawing) and happened.number == 2 for happened in course)
    assert len(run.entries()) == 2 and not job.finished
    told = json.loads((job.folder / "progress.json").read_text())
    assert 0.3 < told["part"] < 1 and told["left"] > 0, "a drawing is left"
    assert told["pace"]["stack"] == backbone.fingerprint and all(told["pace"][each] > 0 for each in ("step", "picture"))
    said: list[str] = []
    monkeypatch.setattr(job, "does", said.append)
    happened = list(work(job, run, learner))
    assert [each.number for each in happened if isinstance(each, Drawing)] == [1], "what is missing, and no more"
    assert said == ["drawing"], "one alone has no number"
    assert job.finished and not any(isinstance(each, Reported) for each in happened)
    assert all(len(run.drawings(each.id)) == 3 for each in run.entries())


def test_what_comes_before_the_first_step_is_told(pets, backbone, monkeypatch):
    run, given = pets
    job, said = new_job(run, replace(given.plan, drafts=True)), []
    monkeypatch.setattr(job, "does", said.append)
    with closing(work(job, run, ConceptLab(backbone))) as course:
        next(happened for happened in course if isinstance(happened, Reported))
    assert said == ["drawing the first drafts"]


def test_an_evolution_is_finished_only_when_all_its_drawings_are_there(backbone, tmp_path, stack_of_old):
    run = Run.open(shutil.copytree(OLD / "evolve", tmp_path / "run"))
    shutil.copytree(OLD / "founders", run.folder / "concepts", dirs_exist_ok=True)
    (job,) = unfinished(run)
    done = list(work(job, run, ConceptLab(stack_of_old)))
    children = [id_ for generation in generations(job) for id_ in generation.children]
    assert len(children) == 4 and all(len(run.drawings(id_)) == 3 for id_ in children), "also of the first generation"
    assert [each.number for each in done if isinstance(each, Generation)] == [2] and job.finished


def test_a_stop_between_drawings_is_obeyed_and_the_rest_is_drawn_later(pets, backbone):
    run, job = pets
    with pytest.raises(Stopped):
        for happened in work(job, run, ConceptLab(backbone)):
            if isinstance(happened, Drawing):
                job.request_stop()
    assert job.status().state == "stopped" and len(run.entries()) == 2
    list(work(job, run, ConceptLab(backbone)))
    assert job.finished and all(len(run.drawings(each.id)) == 3 for each in run.entries())


def test_events_say_the_steps_of_the_whole_job(pets, backbone):
    run, job = pets
    happened = list(work(job, run, ConceptLab(backbone)))
    steps = [(each.step, each.steps) for each in happened if isinstance(each, Reported)]
    assert steps[-1] == (4, 4) and steps == sorted(steps)
    began, learned = happened[0], next(each for each in happened if isinstance(each, Learned))
    assert isinstance(began, Began) and list(began.numbers.values()) == [0, 1]
    assert [each.id for each in learned.individuals] == list(began.numbers) and not learned.known


@pytest.mark.parametrize("wrong", [{}, {"category": 3}, {"count": "2"}, {"settings": {}, "request": []}])
def test_what_is_no_plan_is_one_line(wrong):
    told = {**a_seed().to_json(), **wrong} if wrong else {}
    with pytest.raises(UnreadablePlanError, match="the plan of a seed job cannot be read"):
        plan_from_json("seed", told)
