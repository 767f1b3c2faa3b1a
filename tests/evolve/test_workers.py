"""Workers: what they learn depends on the requests alone, whoever learns it, how many there are, and who dies."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from core import Request, Settings
from evolve import Run, develop
from evolve.workers import Workers

SETTINGS = Settings(steps=6, segment=2, learning_rate=1e-2, max_cosine=0.9, min_cosine=-0.9)
REQUESTS = [Request("pet", seed=seed, settings=SETTINGS) for seed in range(6)]


@pytest.fixture(scope="module")
def workers(backbone):
    """Two workers, one thread each."""
    with Workers(backbone, 2, at_once=2) as workers:
        yield workers


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def run(tmp_path, backbone):
    return Run.create(tmp_path / "run", "pet", backbone)


def timeless(concepts):
    return [replace(concept, seconds=0.0) for concept in concepts]


@pytest.fixture(scope="module")
def undisturbed(backbone, one_thread):
    return timeless(develop(REQUESTS, backbone, at_once=2))


def test_one_worker_and_two_learn_what_one_process_does_to_the_bit(backbone, workers, run, undisturbed, monkeypatch):
    reports = []
    two = develop(REQUESTS, backbone, run, workers=workers, on_report=reports.append)
    assert timeless(two) == undisturbed and {each.id for each in run.individuals()} == {each.id for each in two}
    assert len(list((run.folder / "concepts").glob("*.parquet"))) == 3, "a batch is a part"
    monkeypatch.setattr(workers, "count", 1)
    assert timeless(develop(REQUESTS, backbone, workers=workers)) == undisturbed
    steps = [report.step for report in reports]
    assert steps == sorted(steps) and (steps[-1], reports[-1].steps) == (18, 18)
