"""What the browser's tab asks: the running jobs."""

from __future__ import annotations

import pytest

from evolve import Run
from evolve.jobs.job import Status
from evolve.jobs.steering import Question
from evolve.jobs.stored import new_job
from tests.families import family
from tests.plans import a_seed
from ui.view import processes, working


@pytest.fixture
def job(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    run: Run = family(tmp_path / "pets")
    return new_job(run, a_seed())


def at(monkeypatch, state: str, step: int = 0, steps: int = 0) -> None:
    monkeypatch.setattr(processes, "status", lambda job: Status(state, step=step, steps=steps))


def test_a_running_job_has_its_part_and_words(job, monkeypatch):
    at(monkeypatch, "working", 4, 10)
    (told,) = working.told([])
    assert (told["job"], told["run"], told["name"]) == (f"pets/{job.name}", "pets", job.name)
    assert (told["percent"], told["works"], told["asks"]) == (40, True, False)
    assert told["what"].startswith("pets: ") and "40 %" in told["state"]


def test_before_it_learns_there_is_no_part(job, monkeypatch):
    at(monkeypatch, "starting")
    assert working.told([])[0]["percent"] is None


def test_a_job_that_asks_waits_for_the_person(job, monkeypatch):
    at(monkeypatch, "working", 4, 10)
    monkeypatch.setattr(type(job), "question", lambda self: object.__new__(Question))
    (told,) = working.told([])
    assert told["asks"] and told["state"] == "waits for you"


def test_the_end_is_told_to_whoever_asks_for_the_job(job, monkeypatch):
    at(monkeypatch, "stopped", 4, 10)
    assert working.told([]) == []
    (told,) = working.told([f"pets/{job.name}"])
    assert not told["works"] and not told["asks"] and told["percent"] is None and "stopped" in told["state"]


@pytest.mark.parametrize("asked", ["pets/0099-seed", "others/0001-seed", "../pets/0001-seed", "", "pets", "\0/x"])
def test_unknown_jobs_are_left_out(job, monkeypatch, asked):
    at(monkeypatch, "stopped")
    assert working.told([asked]) == []
