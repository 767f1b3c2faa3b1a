"""From a fresh start: type a category, press Enter, and watch founders being born."""

from __future__ import annotations

import re

import pytest

from evolve import Run
from evolve.jobs.stored import jobs
from tests.browser.test_story import MINUTES, wait_for

pytestmark = pytest.mark.browser
GHOSTS = """() => {
  const all = [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')];
  const canvas = all.map((each) => each.shadowRoot.querySelector('.family .canvas')).find(Boolean);
  return canvas ? canvas._cyreg.cy.nodes("[birth = 'ghost']").map((each) => each.data('picture')) : [];
}"""


def test_a_word_and_enter_are_enough(workbench, page, shot):
    page.goto(workbench.address)
    page.locator(".family[data-drawn]").wait_for(timeout=MINUTES)
    wait_for(lambda: page.evaluate("document.activeElement.getAttribute('aria-label')") == "Category", 20, "focus")
    shot(page, "start")
    page.keyboard.type("pet")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/tree.*run=pet"), timeout=MINUTES)
    wait_for(lambda: len(page.evaluate(GHOSTS)) == 6, 60, "six founders to come")
    (job,) = jobs(Run.open(workbench.runs / "pet"))
    try:
        wait_for(lambda: any(page.evaluate(GHOSTS)), 240, "first draft")
        shot(page, "start-born")
    finally:
        job.request_stop()
