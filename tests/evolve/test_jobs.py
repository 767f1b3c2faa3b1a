"""A job remembers what was asked and how far it is; asking again goes on from there."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from core import Request, Settings
from core.errors import ConceptreeError
from evolve import Run, develop
from evolve.jobs import Job, new_job, unfinished
from evolve.parts import RunError

SETTINGS = Settings(steps=6, segment=2, learning_rate=1e-2, max_cosine=0.9, min_cosine=-0.9)
REQUESTS = [Request("pet", seed=seed, settings=SETTINGS) for seed in (1, 2)]


class Killed(BaseException):
    """As a signal would."""


@pytest.fixture
def run(tmp_path, backbone):
    return Run.create(tmp_path / "run", "pet", backbone)


def killed_at(step):
    def watch(report):
        if report.step >= step:
            raise Killed

    return watch


@pytest.mark.parametrize("step", [0, 1, 2, 3, 5])
def test_a_killed_job_goes_on_to_the_result_it_would_have_had(run, backbone, step):
    undisturbed = develop(REQUESTS, backbone)
    job = new_job(run, "seed", {"category": "pet"})
    with pytest.raises(Killed):
        develop(REQUESTS, backbone, run, job=job, on_report=killed_at(step))
    assert run.individuals() == []
    (again,) = unfinished(run)
    assert (again.command, again.plan) == ("seed", {"category": "pet"})
    steps = []
    concepts = develop(REQUESTS, backbone, run, job=again, on_report=lambda report: steps.append(report.step))
    assert [replace(c, seconds=0.0) for c in concepts] == [replace(c, seconds=0.0) for c in undisturbed]
    assert steps[0] == (step // 2 * 2 + 1)
    again.finish()
    assert unfinished(run) == [] and not (again.folder / "snapshot.safetensors").exists()


def test_what_a_person_decided_is_not_asked_again(run, backbone):
    from core.review import Decision

    job = new_job(run, "seed", {})
    decide = lambda proposal: Decision(("parrot",)) if proposal.step == 0 else None  # noqa: E731
    first = develop(REQUESTS, backbone, run, job=job, review=decide)
    (same_job,) = unfinished(run)
    assert develop(REQUESTS, backbone, run, job=same_job, review=lambda _: pytest.fail("asked again")) == first


def test_jobs_are_numbered_and_read_back_in_order(run):
    for number in range(3):
        new_job(run, "breed", {"n": number})
    assert [(job.name, job.plan["n"]) for job in unfinished(run)] == [
        ("0001-breed", 0), ("0002-breed", 1), ("0003-breed", 2),
    ]  # fmt: skip
    unfinished(run)[1].finish()
    assert [job.name for job in unfinished(run)] == ["0001-breed", "0003-breed"]


def test_one_process_learns_a_job_at_a_time(run):
    job = new_job(run, "seed", {})
    again = Job(job.folder, job.command, job.plan)
    with job.working(), pytest.raises(RunError, match="is being learned by another process"), again.working():
        pass
    with job.working():
        pass


def test_progress_is_written_now_and_then_and_at_the_end(run):
    job = new_job(run, "seed", {})
    for step in range(5):
        job.tell(step, 5)
    assert json.loads((job.folder / "progress.json").read_text())["step"] == 0
    job.tell(5, 5)
    assert json.loads((job.folder / "progress.json").read_text())["step"] == 5


@pytest.mark.parametrize("content", ["", "[]", '{"schema": 1}', "[" * 100_000])
def test_a_torn_job_is_named(run, content):
    job = new_job(run, "seed", {})
    (job.folder / "job.json").write_text(content)
    with pytest.raises(ConceptreeError, match="cannot be read: remove that folder to go on without it"):
        unfinished(run)


def test_a_job_of_a_newer_version_is_named(run):
    job = new_job(run, "seed", {})
    (job.folder / "job.json").write_text('{"schema": 9, "command": "seed", "plan": {}}')
    with pytest.raises(RunError, match="has schema 9, this version reads 1"):
        unfinished(run)
