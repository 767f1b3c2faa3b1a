"""A command that was killed at any moment resumes to the result of an undisturbed one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from core.review import Decision
from evolve import Run
from evolve.jobs import work
from evolve.jobs.choices import chosen_settings
from evolve.jobs.options import SeedOptions
from evolve.jobs.planning import plan_founders
from evolve.jobs.stored import jobs, new_job, unfinished
from tests.plans import a_seed
from tests.typed import good, one_line
from ui.cli import main
from ui.stack import open_stack

SEED = ("seed", "pet", "--founders", "3", "--wave", "2", "--steps", "60", "--segment", "6", "--run", "pets")
BREED = ("breed", "pets", "--children", "2", "--images", "4", "--steps", "40", "--seed", "5")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-c", "from ui.cli import main; main()", *map(str, arguments)]


def killed(seconds: float, folder: Path, *arguments: object) -> None:
    """Start a command and kill it so long after its job has begun."""
    before = len(list(folder.glob("pets/jobs/*/job.json")))
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        limit = time.monotonic() + 120
        while process.poll() is None and len(list(folder.glob("pets/jobs/*/job.json"))) == before:
            if "resume" in arguments or time.monotonic() > limit:
                break
            time.sleep(0.01)
        time.sleep(seconds)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def concepts(runs: Path) -> list:
    return [replace(each.concept, seconds=0.0) for each in Run.open(runs / "pets").individuals()]


@pytest.fixture(scope="module")
def undisturbed(stack_folder, tmp_path_factory):
    """An undisturbed run: three founders, two children."""
    runs = tmp_path_factory.mktemp("undisturbed")
    good(*SEED, "--runs", runs, "--model", stack_folder)
    names = [each.name for each in Run.open(runs / "pets").individuals()]
    parents = ("--parent", f"{names[0]}:0.7", "--parent", f"{names[2]}:0.3")
    good(*BREED, *parents, "--runs", runs)
    return runs, parents


def test_killed_at_random_moments_and_gone_on_with(stack_folder, undisturbed, tmp_path):
    whole, parents = undisturbed
    moments = random.Random(1)
    where = ("--runs", tmp_path)
    killed(moments.uniform(0.0, 1.5), tmp_path, *SEED, *where, "--model", stack_folder)
    killed(5 + moments.uniform(0.0, 2.0), tmp_path, "resume", "pets", *where)  # importing takes some seconds
    good("resume", "pets", *where)
    assert unfinished(Run.open(tmp_path / "pets")) == []
    assert concepts(tmp_path) == concepts(whole)[:3]
    killed(moments.uniform(0.0, 1.0), tmp_path, *BREED, *parents, *where)
    assert "resembles them" in good("resume", "pets", *where) or len(concepts(tmp_path)) == 5
    for one, other in zip(concepts(tmp_path), concepts(whole), strict=True):
        assert one == other
        assert one.vectors.tobytes() == other.vectors.tobytes()
        assert (one.negatives, one.history) == (other.negatives, other.history)
    assert "all jobs are finished" in good("resume", "pets", *where)


def test_interrupted_by_a_person_it_says_how_to_go_on(stack_folder, undisturbed, tmp_path, monkeypatch):
    developing, calls = work.developing, []

    def stopped(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return developing(*arguments, **options)

    monkeypatch.setattr(work, "developing", stopped)
    arguments = [*SEED, "--runs", str(tmp_path), "--model", str(stack_folder)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 130
    assert f"resume pets --runs {tmp_path}" in result.output
    monkeypatch.undo()
    good("resume", "pets", "--runs", tmp_path)
    assert concepts(tmp_path) == concepts(undisturbed[0])[:3]


def test_a_job_that_another_process_learns_is_left_to_it(stack_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(work, "developing", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    CliRunner().invoke(main, [*SEED, "--runs", str(tmp_path), "--model", str(stack_folder)])
    (job,) = unfinished(Run.open(tmp_path / "pets"))
    with job.working():
        result = CliRunner().invoke(main, ["resume", "pets", "--runs", str(tmp_path)])
    assert result.exit_code == 2 and "is being learned by another process" in result.output


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"command": "dream"}, "is of a newer version"),
        ({"plan": {}}, "cannot be read: remove that folder to go on without it"),
        ({"plan": {**a_seed().to_json(), "settings": {"steps": -1}}}, "steps = -1"),
    ],
)
def test_a_strangers_job_is_one_line(stack_folder, tmp_path, monkeypatch, change, told):
    monkeypatch.setattr(work, "developing", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    CliRunner().invoke(main, [*SEED, "--runs", str(tmp_path), "--model", str(stack_folder)])
    (file,) = tmp_path.glob("pets/jobs/*/job.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    result = CliRunner().invoke(main, ["resume", "pets", "--runs", str(tmp_path)])
    assert result.exit_code == 2 and told in result.output and result.exception.__class__ is SystemExit


def going_on(runs: Path, *options: object) -> subprocess.Popen:
    return subprocess.Popen(
        command("resume", "pets", *options, "--runs", runs),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def until(true, seconds: float = 120.0) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit, "it takes too long"
        time.sleep(0.01)


def steered_founders(runs: Path, stack_folder: Path, steps: int = 80) -> Run:
    """A run with a job of two founders that is not begun, and a decision about each."""
    backbone = open_stack(str(stack_folder))
    run = Run.create(runs / "pets", "pet", backbone)
    settings = chosen_settings(backbone, category="pet", steps=steps, segment=8)
    plan = plan_founders(
        backbone, SeedOptions(category="pet", count=2, wave=1, negatives="cat,dog", drafts=True), settings
    )
    job = new_job(run, plan)
    job.steer(0, Decision(("horse",), ("cat",)))
    job.steer(1, Decision(("turtle",)))
    return run


@pytest.mark.slow
def test_a_steered_job_that_is_killed_again_and_again_gives_what_it_would_have_given(stack_folder, tmp_path):
    """Neither a decision nor a look is lost or there twice."""
    whole = steered_founders(tmp_path / "whole", stack_folder)
    good("resume", "pets", "--job", "0001-seed", "--runs", tmp_path / "whole")
    run, moments = steered_founders(tmp_path / "killed", stack_folder), random.Random(7)
    (job,) = jobs(run)
    for _ in range(2):
        before = len(job.looks())
        process = going_on(tmp_path / "killed", "--job", job.name)
        try:
            until(lambda before=before: len(job.looks()) > before or job.finished)
            time.sleep(moments.uniform(0.0, 0.4))
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        assert job.status().state in ("killed", "finished")
    good("resume", "pets", "--job", job.name, "--runs", tmp_path / "killed")
    assert job.status().state == "finished" and job.pending() == []
    assert concepts(tmp_path / "killed") == concepts(tmp_path / "whole")
    assert [negative.word for negative in concepts(tmp_path / "killed")[0].negatives] == ["dog", "horse"]
    seen, expected = ([replace(look, image=look.image.name) for look in jobs(each)[0].looks()] for each in (run, whole))
    assert seen == expected
    assert len({(look.number, look.step) for look in seen}) == len(seen) == 2 * 11


@pytest.mark.slow
def test_a_stop_from_elsewhere_is_obeyed_within_a_step_and_the_rest_goes_on(stack_folder, tmp_path):
    run = steered_founders(tmp_path, stack_folder, steps=300)  # it must outlast another process's start
    (job,) = jobs(run)
    process = going_on(tmp_path, "--job", job.name)
    until(lambda: job.status().step > 0)
    other = going_on(tmp_path, "--job", job.name)
    assert "is being learned by another process" in other.communicate()[1]
    assert job.status().state == "working", "the second one changes nothing"
    assert "Asked 1 job to stop" in good("stop", "pets", "--runs", tmp_path)
    assert process.wait(60) == 130
    process.communicate()
    status = job.status()
    assert status.state == "stopped" and 0 < status.step < status.steps
    good("resume", "pets", "--job", job.name, "--runs", tmp_path)
    assert job.status().state == "finished" and len(concepts(tmp_path)) == 2


def test_a_run_that_was_killed_before_it_was_asked_for_anything_is_taken_over(stack_folder, tmp_path):
    backbone = open_stack(str(stack_folder))
    run = Run.create(tmp_path / "pets", "pet", backbone)
    assert "has no jobs and no concepts" in good("resume", "pets", "--runs", tmp_path)
    assert "The run is empty, without a job" in good("check", "pets", "--runs", tmp_path)
    new = ("seed", "pet", "--run", "pets", "--founders", 1, "--steps", 2, "--negatives", "none")
    where = ("--runs", tmp_path, "--model", stack_folder)
    assert "there is a run 'pets'" in one_line(*new, *where), "another process may be about to ask"
    os.utime(run.folder / "run.json", (0, 0))
    good(*new, *where)
    assert len(Run.open(run.folder).entries()) == 1
