"""A job stores its plan and progress, and resumes from there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from core import Request, Settings
from core.errors import ConceptreeError
from core.files import StorageError
from core.options import Options
from evolve import Run, develop
from evolve.jobs.job import Conduct, Job, Status, Stopped
from evolve.jobs.pace import Pace, Work
from evolve.jobs.stored import job_named, jobs, unfinished, write_job
from evolve.jobs.work import learned
from evolve.store.parts import RunError

SETTINGS = Settings(steps=6, segment=2, learning_rate=1e-2, max_cosine=0.9, min_cosine=-0.9)
REQUESTS = [Request("pet", seed=seed, settings=SETTINGS) for seed in (1, 2)]


class Killed(BaseException):
    """Stop like a signal."""


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
    job = write_job(run, "seed", {"category": "pet"})
    with pytest.raises(Killed):
        learned(job, REQUESTS, run, backbone, on_report=killed_at(step))
    assert run.individuals() == []
    (again,) = unfinished(run)
    assert (again.command, again.told) == ("seed", {"category": "pet"})
    steps = []
    concepts = learned(again, REQUESTS, run, backbone, on_report=lambda report: steps.append(report.step))
    assert [replace(c, seconds=0.0) for c in concepts] == [replace(c, seconds=0.0) for c in undisturbed]
    assert steps[0] == (step // 2 * 2 + 1)
    again.finish()
    assert unfinished(run) == [] and again.kept() == []


def test_what_a_person_decided_is_not_asked_again(run, backbone):
    from core.review import Decision

    job = write_job(run, "seed", {})
    decide = lambda proposal: Decision(("parrot",)) if proposal.step == 0 else None  # noqa: E731
    first = learned(job, REQUESTS, run, backbone, Options(review=decide))
    (same_job,) = unfinished(run)
    assert learned(same_job, REQUESTS, run, backbone, Options(review=lambda _: pytest.fail("asked again"))) == first


def test_whoever_goes_on_with_a_job_cuts_the_batches_that_it_was_begun_with(run, backbone):
    requests = [replace(REQUESTS[0], seed=seed) for seed in range(4)]
    undisturbed = [replace(concept, seconds=0.0) for concept in develop(requests, backbone, options=Options(at_once=3))]
    job = write_job(run, "seed", {})
    with pytest.raises(Killed):
        learned(job, requests, run, backbone, Options(at_once=3), on_report=killed_at(8))
    (again,) = unfinished(run)
    assert again.conduct(2, 5) == Conduct(3) and len(run.individuals()) == 3 and len(again.kept()) == 1
    assert [replace(c, seconds=0.0) for c in learned(again, requests, run, backbone, Options(at_once=2))] == undisturbed
    assert again.kept() == []


def test_a_job_that_an_earlier_version_began_is_cut_as_that_did(run, backbone):
    undisturbed = [replace(concept, seconds=0.0) for concept in develop(REQUESTS, backbone)]
    job = write_job(run, "seed", {})
    with pytest.raises(Killed):
        learned(job, REQUESTS, run, backbone, on_report=killed_at(3))
    (file,) = job.folder.glob("snapshot-*.safetensors")
    file.rename(job.folder / "snapshot.safetensors")
    (job.folder / "batches.json").unlink()
    steps = []
    concepts = learned(
        job, REQUESTS, run, backbone, Options(at_once=1), on_report=lambda report: steps.append(report.step)
    )
    assert [replace(c, seconds=0.0) for c in concepts] == undisturbed and steps[0] == 3
    job.finish()
    assert job.kept() == [] and job.conduct() == Conduct(32)


def test_jobs_are_numbered_and_read_back_in_order(run):
    for number in range(3):
        write_job(run, "breed", {"n": number})
    assert [(job.name, job.told["n"]) for job in unfinished(run)] == [
        ("0001-breed", 0), ("0002-breed", 1), ("0003-breed", 2),
    ]  # fmt: skip
    unfinished(run)[1].finish()
    assert [job.name for job in unfinished(run)] == ["0001-breed", "0003-breed"]


def test_one_process_learns_a_job_at_a_time(run):
    job = write_job(run, "seed", {})
    again = Job(job.folder, job.command, job.told)
    with job.working(), pytest.raises(RunError, match="is being learned by another process"), again.working():
        pass
    with job.working():
        pass


def test_progress_is_written_now_and_then_and_at_the_end(run):
    job = write_job(run, "seed", {})
    for step in range(5):
        job.tell(step, 5)
    assert json.loads((job.folder / "progress.json").read_text())["step"] == 0
    job.tell(5, 5)
    assert json.loads((job.folder / "progress.json").read_text())["step"] == 5


@pytest.mark.parametrize("content", ["", "[]", '{"schema": 1}', "[" * 100_000])
def test_a_torn_job_is_named(run, content):
    job = write_job(run, "seed", {})
    (job.folder / "job.json").write_text(content)
    with pytest.raises(ConceptreeError, match="cannot be read: remove that folder to go on without it"):
        unfinished(run)


def test_a_job_of_a_newer_version_is_named(run):
    job = write_job(run, "seed", {})
    (job.folder / "job.json").write_text('{"schema": 9, "command": "seed", "plan": {}}')
    with pytest.raises(RunError, match="has schema 9, this version reads 1"):
        unfinished(run)


# How it is, as others see it

HOLD = """
import sys, time
from pathlib import Path
from evolve.jobs.work import learned
from evolve.jobs.job import Job
with Job(Path(sys.argv[1]), "seed", {}).working():
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def held(job):
    """The job in the hands of another process; killed in the end."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(job.folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()


def test_another_process_at_work_is_seen_and_not_disturbed_and_a_killed_one_is_known(run):
    job = write_job(run, "seed", {})
    assert job.status() == Status("waiting")
    with held(job):
        for _ in range(20):
            assert job.status().state == "working"
        with pytest.raises(RunError, match="is being learned by another process"), job.working():
            pass
        assert job.status().state == "working"
    assert job.status().state == "killed" and not (job.folder / "exit.json").exists()
    with job.working():
        assert job.status().state == "working"


def test_who_only_looks_does_not_keep_others_from_the_job(run):
    job, done = write_job(run, "seed", {}), threading.Event()

    def look():
        while not done.is_set():
            job_again.status()

    job_again = Job(job.folder, job.command, job.told)
    threads = [threading.Thread(target=look) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(20):
            with job.working():
                pass
    finally:
        done.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize(
    ("error", "state", "code", "problem"),
    [
        (RunError("first line\nsecond"), "failed", 2, "first line second"),
        (ValueError("a mistake of ours"), "failed", 1, "ValueError: a mistake of ours"),
        (KeyboardInterrupt(), "stopped", 130, ""),
        (Stopped(), "stopped", 130, ""),
    ],
)
def test_how_it_ended_is_written_down_and_forgotten_when_it_goes_on(run, error, state, code, problem):
    job = write_job(run, "seed", {})
    with pytest.raises(type(error)), job.working():
        raise error
    told = json.loads((job.folder / "exit.json").read_text())
    assert (told["code"], told["problem"]) == (code, problem)
    status = job.status()
    assert (status.state, status.problem) == (state, problem) and status.at is not None
    with job.working():
        assert not (job.folder / "exit.json").exists()
        job.finish()
    assert job.status().state == "finished"


def test_it_stops_at_the_next_step_and_goes_on_to_the_same_result(run, backbone):
    job = write_job(run, "seed", {})
    with pytest.raises(Stopped), job.working():
        learned(job, REQUESTS, run, backbone, on_report=lambda report: report.step == 3 and job.request_stop())
    assert job.status().state == "stopped" and not (job.folder / "stop").exists()
    with job.working():
        steps = []
        concepts = learned(job, REQUESTS, run, backbone, on_report=lambda report: steps.append(report.step))
        job.finish()
    assert steps[0] == 3
    assert [replace(c, seconds=0.0) for c in concepts] == [replace(c, seconds=0.0) for c in develop(REQUESTS, backbone)]


def test_a_request_to_stop_from_before_this_process_is_forgotten_and_a_later_one_obeyed(run):
    job = write_job(run, "seed", {})
    job.request_stop()
    with job.working(since=time.time() + 1):
        job.obey()
    began = time.time() - 1
    job.request_stop()
    with pytest.raises(Stopped), job.working(since=began):
        job.obey()


def test_the_time_left_follows_from_the_course_of_this_process(run, monkeypatch):
    job, clock = write_job(run, "seed", {}), [100.0]
    monkeypatch.setattr("evolve.jobs.job.time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    for step, seconds in ((40, 0.0), (45, 10.0)):  # it goes on from step 40: 2 s for each step
        clock[0] += seconds
        job.tell(step, 100)
    with held(job):
        status = Job(job.folder, "seed", {}).status()
    assert (status.step, status.steps, status.left) == (45, 100, None), "the speed of the next process is unknown"
    told = json.loads((job.folder / "progress.json").read_text())
    assert told["step"] == 45
    job.wait()
    clock[0] += 50.0
    job.tell(46, 100)
    job.tell(47, 100)
    clock[0] += 3.0
    job.tell(48, 100)
    left = json.loads((job.folder / "progress.json").read_text())["left"]
    assert left == pytest.approx(97, abs=1.5), "3 s for the last 2 steps, 2 s for each before, and none for the wait"


def test_work_that_the_time_left_does_not_count_does_not_use_it_up(run, monkeypatch):
    """Issue: after its parents had been drawn, a child was about 1 s from its end until it was."""
    job, clock = write_job(run, "breed", {}), [100.0]
    monkeypatch.setattr("evolve.jobs.job.time", SimpleNamespace(monotonic=lambda: clock[0], time=time.time))
    monkeypatch.setattr("evolve.jobs.job.latest_pace", lambda *given: Pace(step=0.1, look=1.0, picture=1.0))
    job.expects(Work(steps=50.0, pictures=8), "the stack")
    assert job.left == pytest.approx(13.0)
    job.does("drawing the parents")
    clock[0] += 12.0
    assert job.left == pytest.approx(1.0)
    job.begins()
    job.tell(0, 50)
    assert job.left == pytest.approx(13.0)


def test_jobs_that_cannot_be_read_are_left_out_and_noted(run):
    for number in range(3):
        write_job(run, "breed", {"n": number})
    torn = run.folder / "jobs" / "0002-breed" / "job.json"
    torn.write_text("[")
    damage = []
    assert [job.name for job in jobs(run)] == [job.name for job in jobs(run, damage)] == ["0001-breed", "0003-breed"]
    assert [each.part for each in damage] == [torn]
    assert job_named(run, "0003-breed").told == {"n": 2} and job_named(run, "0001-breed").created_at is not None
    with pytest.raises(RunError, match=r"there is no job '../x'.*there are 0001-breed, 0002-breed, 0003-breed"):
        job_named(run, "../x")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"step": "x", "at": 3, "left": []}', "[" * 100_000])
def test_small_files_that_are_torn_do_not_hide_a_job(run, content):
    job = write_job(run, "seed", {})
    for name in ("progress.json", "exit.json", "decided.json", "question.json"):
        (job.folder / name).write_text(content)
    assert job.status().state in ("killed", "failed", "waiting")
    assert job.decided() == {} and job.question() is None
    with job.working():
        assert job.status().state == "working"


def test_what_was_kept_of_its_course_and_cannot_be_read_is_learned_again_and_said(run, backbone):
    job = write_job(run, "seed", {})
    with pytest.raises(Killed):
        learned(job, REQUESTS, run, backbone, on_report=killed_at(3))
    (whole,) = job.kept()
    (file,) = job.folder.glob("snapshot-*.safetensors")
    undisturbed = [replace(c, seconds=0.0) for c in develop(REQUESTS, backbone)]
    for torn in (whole[: len(whole) // 2], b"", whole[:50], b"\x00" * 100):
        file.write_bytes(torn)
        with pytest.raises(Killed):
            learned(job, REQUESTS, run, backbone, on_report=killed_at(1))
        first = job.looks()[0]
        assert ("cannot be read, so it starts again" in first.note) == bool(torn)
    concepts = learned(job, REQUESTS, run, backbone)
    assert [replace(c, seconds=0.0) for c in concepts] == undisturbed


def test_requests_of_a_job_are_its_plans_or_what_was_kept_of_them(run):
    job = write_job(run, "breed", {"children": 2})
    assert job.requests() is None
    job.keep_requests(REQUESTS)
    assert job_named(run, job.name).requests() == REQUESTS
    assert write_job(run, "breed", {"requests": [REQUESTS[0].to_json()]}).requests() == REQUESTS[:1]
    (job.folder / "requests.json").write_text('{"requests": ["{}"]}')
    with pytest.raises(RunError, match=r"the requests of the job .* cannot be read"):
        job.requests()


@pytest.mark.skipif(os.geteuid() == 0, reason="to the administrator no folder is read-only")
def test_a_folder_that_cannot_be_written_is_one_line(run):
    job = write_job(run, "seed", {})
    job.folder.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="cannot be written"), job.working():
            pass
    finally:
        job.folder.chmod(0o700)


def test_a_folder_that_is_gone_is_one_line(run):
    job = write_job(run, "seed", {})
    (job.folder / ".lock").mkdir()
    with pytest.raises(StorageError, match="cannot be written"), job.working():
        pass


@pytest.mark.parametrize("done", ["renamed", "deleted", "replaced"])
@pytest.mark.parametrize("step", [0, 1, 2, 3, 5, 6])
def test_a_run_that_goes_away_meanwhile_is_not_made_again(run, backbone, tmp_path, step, done):
    job = write_job(run, "seed", {"category": "pet"})
    before: dict[Path, bytes] = {}

    def away(report):
        if report.step != step or before:
            return
        run.folder.rename(tmp_path / "other")
        if done == "deleted":
            shutil.rmtree(tmp_path / "other")
        if done == "replaced":
            write_job(Run.create(run.folder, "pet", backbone), "seed", {"category": "pet"})
        before.update(files(tmp_path))
        before[tmp_path] = b""  # so that it is never empty

    with pytest.raises(StorageError, match="it was renamed, moved or deleted meanwhile"), job.working():
        learned(job, REQUESTS, run, backbone, on_report=away)
    assert files(tmp_path) | {tmp_path: b""} == before
    if done == "renamed":
        assert not run.folder.exists()
        (again,) = unfinished(Run.open(tmp_path / "other"))
        learned(again, REQUESTS, Run.open(tmp_path / "other"), backbone)
        assert len(Run.open(tmp_path / "other").individuals()) == len(REQUESTS)


def files(folder: Path) -> dict[Path, bytes]:
    """Contents of all files but locks."""
    found = (file for file in folder.rglob("*") if file.is_file() and not file.name.startswith(".lock"))
    return {file: file.read_bytes() for file in found}


def test_a_job_of_a_run_that_is_gone_does_not_begin(run, tmp_path):
    job = write_job(run, "seed", {})
    run.folder.rename(tmp_path / "other")
    with pytest.raises(StorageError, match="it was renamed, moved or deleted meanwhile"), job.working():
        pass
    assert not run.folder.exists()
