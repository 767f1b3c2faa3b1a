"""Questions of a job and decisions about it: nothing pressed is lost, and the page shows what is asked now."""

from __future__ import annotations

import re

import pytest

from evolve import Run
from evolve.jobs.job import Job
from evolve.jobs.stored import jobs
from tests.browser.test_story import MINUTES, fill, settled, wait_for

pytestmark = pytest.mark.browser


def begin(page, workbench, name: str, asks: bool, founders: int = 1, steps: int = 60) -> Job:
    """Start a new run on its page."""
    page.goto(f"{workbench.address}/seed")
    page.get_by_text("More", exact=True).first.click()
    fill(page, "textbox", "Name of the run", name)
    fill(page, "spinbutton", "Steps", str(steps))
    fill(page, "spinbutton", "Steps per segment", "20")
    fill(page, "spinbutton", "Founders", str(founders))
    if asks:
        page.get_by_text("Ask me about each new negative").click()
        settled(page)
    page.get_by_text(f"{steps:,} steps each").wait_for()
    page.get_by_role("button", name="Start").click()
    page.wait_for_url(re.compile("/jobs"), timeout=MINUTES)
    run = wait_for(lambda: (workbench.runs / name / "run.json").is_file() and workbench.runs / name, 60, "run")
    (job,) = jobs(Run.open(run))
    return job


def proposed(page, step: int) -> str:
    """The words that are proposed at a step, once the page shows that question."""
    page.get_by_text(f"Founder 1 waits for you at step {step}", exact=True).wait_for(timeout=MINUTES)
    words = page.get_by_text(re.compile("Proposed negatives: ")).locator("strong").inner_text()
    settled(page)
    return words


def test_a_person_goes_back_and_the_page_asks_that_step_again(workbench, page, shot):
    """Issue: the page said that the job goes on, while the job asked again; the earlier negative was lost."""
    job = begin(page, workbench, "asked", asks=True, steps=40)
    question = page.locator(".st-key-progress-question")
    first = proposed(page, 0)
    question.get_by_role("button", name="Continue").click()
    second = proposed(page, 20)
    strip = [image.get_attribute("src") for image in page.get_by_alt_text("Founder 1 at step 0").all()]
    shot(page, "question")
    question.get_by_role("button", name="Go back").click()
    assert proposed(page, 0) == first
    assert job.status().step == 0
    question.get_by_role("button", name="Continue").click()
    assert proposed(page, 20) == second
    page.get_by_text(re.compile("step (19|20) of 40")).wait_for()
    assert [image.get_attribute("src") for image in page.get_by_alt_text("Founder 1 at step 0").all()] == strip
    question.get_by_role("button", name="Continue").click()
    wait_for(lambda: job.status().state == "finished", 120, "end of the job")
    (founder,) = Run.open(workbench.runs / "asked").individuals()
    assert [(negative.word, negative.step) for negative in founder.concept.negatives] == [(first, 0), (second, 20)]


def test_the_panel_keeps_its_entries_while_the_job_goes_on_and_a_pause_stops_it(workbench, page, shot):
    """Issue: the popover closed when its founder went on, and its entries were lost."""
    job = begin(page, workbench, "paused", asks=False, founders=2, steps=6000)
    page.get_by_role("button", name="Steer").first.click(timeout=MINUTES)
    panel = page.locator(".st-key-progress-panel")
    entry = panel.get_by_role("combobox", name="Negatives to add")
    entry.fill("banana")
    entry.press("Enter")
    entry.press("Escape")  # an open list hides the rest of the page from screen readers
    panel.get_by_text("banana").wait_for()
    seen = len(job.looks())
    wait_for(lambda: len(job.looks()) >= seen + 4, 120, "two more checkpoints")
    page.wait_for_timeout(3000)  # the page has updated itself
    assert panel.get_by_text("banana").is_visible()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").wait_for(timeout=MINUTES)
    wait_for(lambda: job.status().doing == "paused", 20, "pause")
    step = job.status().step
    page.wait_for_timeout(3000)
    assert job.status().step == step and job.status().state == "working"
    shot(page, "steer")
    panel.get_by_role("button", name="Apply at next checkpoint").click()
    panel.get_by_text("At the next checkpoint of Founder 1: add banana.").wait_for(timeout=MINUTES)
    page.get_by_role("button", name="Resume").click()
    wait_for(
        lambda: (
            "banana" in job.looks()[-1].all_negatives or any("banana" in look.all_negatives for look in job.looks())
        ),
        60,
        "new negative",
    )
    page.get_by_role("button", name="Stop", exact=True).click()
    wait_for(lambda: job.status().state == "stopped", 60, "stop")
    page.get_by_text("stopped").first.wait_for()
    assert panel.get_by_role("button", name="Apply at next checkpoint").is_visible()
