"""--workers and --address, as a person types them; what they learn is tested in tests/evolve/workers/test_pool.py."""

from __future__ import annotations

import pytest
import torch
from rich.console import Console

from core import ConceptLab
from evolve import Run
from evolve.jobs.stored import write_job
from evolve.workers.pool import WorkerError
from tests.typed import one_line
from ui.workers import checked_workers, learner_for


def seeded(stack_folder, tmp_path, *more):
    where = ["--model", stack_folder, "--runs", tmp_path, "--founders", 2, "--steps", 2, "--negatives", "cat"]
    return one_line("seed", "pet", *where, *more)


@pytest.mark.parametrize("given", ["two", "ray:0", "ray:", "dask:2", "ray:-1"])
def test_what_cannot_be_understood_is_one_line(stack_folder, tmp_path, given):
    line = seeded(stack_folder, tmp_path, "--workers", given)
    assert line == f"conceptree: --workers {given!r}: write ray, or ray:4 for four of them"


def test_without_ray_one_line_says_how_to_install_it(stack_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("evolve.workers.cluster.importlib.util.find_spec", lambda name: None)
    line = seeded(stack_folder, tmp_path, "--workers", "ray")
    assert line == "conceptree: workers need Ray, which is not installed: pip install 'conceptree[ray]'"


def test_an_address_needs_a_token(stack_folder, tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    line = seeded(stack_folder, tmp_path, "--address", "10.0.0.5:6379")
    assert line.startswith("conceptree: --address needs token authentication: set RAY_AUTH_MODE=token")


def test_how_many_there_shall_be():
    assert checked_workers("ray") is None and checked_workers("ray:12") == 12
    with pytest.raises(WorkerError):
        checked_workers("ray:123456")


def test_a_job_that_workers_began_goes_on_without_them_with_their_threads(tmp_path, backbone):
    job, before = write_job(Run.create(tmp_path / "run", "pet", backbone), "seed", {}), torch.get_num_threads()
    try:
        job.conduct(8, 1)
        torch.set_num_threads(2)
        with learner_for(job, backbone, Console(quiet=True)) as learner:
            assert isinstance(learner, ConceptLab) and torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
