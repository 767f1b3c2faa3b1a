"""Pages update by themselves while a job runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.segments import Event
from evolve import Run
from evolve.jobs.stored import new_job
from evolve.store.looks import add_looks
from tests.families import concept, picture
from tests.plans import a_seed

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(workbench) -> Run:
    """A copy of the example run for one test."""
    folder = workbench.runs / "busy"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "runs" / "example", folder, ignore=shutil.ignore_patterns(".l*", "jobs"))
    return Run.open(folder)


def test_a_card_moves_while_its_job_works(workbench, run, page, shot):
    job, request = new_job(run, a_seed()), run.individuals()[0].concept.request
    with job.working():
        job.tell(0, 200)
        page.goto(f"{workbench.address}/runs")
        card = page.locator(".st-key-home-card-busy")
        card.get_by_text("2 founders: learning").wait_for()
        assert card.get_by_alt_text("a founder in progress").count() == 0
        job._told = 0.0
        job.tell(100, 200)
        add_looks(job.folder, [(0, Event(0, 50, request, {}, (picture(40),), (), (), ()))])
        card.get_by_text("2 founders: learning, 50 %").wait_for()
        card.get_by_alt_text("a founder in progress").wait_for()
        run.add([concept(60)])
        card.get_by_text("13 concepts").wait_for()
        shot(page, "runs-at-work")
        job.finish()
    card.get_by_text("2 founders").wait_for(state="detached")
