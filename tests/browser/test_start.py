"""From a fresh start: type a category, press Enter, watch founders being born, and hear of the end elsewhere."""

from __future__ import annotations

import re

import pytest

from evolve import Run
from evolve.jobs.stored import jobs
from tests.browser.test_story import MINUTES, wait_for

pytestmark = pytest.mark.browser
GHOSTS = """() => {
  const all = [...document.querySelectorAll('[data-testid=stBidiComponentIsolated]')];
  const canvas = all.map((each) => each.shadowRoot?.querySelector('.family .canvas')).find(Boolean);
  return canvas ? canvas._cyreg.cy.nodes("[birth = 'ghost']").map((each) => each.data('picture')) : [];
}"""
# A browser that allows notifications when it is asked, and keeps them.
NOTES = """
  window.asked = 0; window.notes = [];
  window.Notification = class {
    static permission = "default";
    static async requestPermission() { window.asked++; return (Notification.permission = "granted"); }
    constructor(title, { body }) { window.notes.push(`${title} / ${body}`); }
    close() {}
  };
  document.hasFocus = () => false;
"""


def test_a_word_and_enter_are_enough(workbench, page, shot):
    page.add_init_script(NOTES)
    page.goto(workbench.address)
    page.locator(".family[data-drawn]").wait_for(timeout=MINUTES)
    wait_for(lambda: page.evaluate("document.activeElement.getAttribute('aria-label')") == "Category", 20, "focus")
    shot(page, "start")
    assert page.title() == "Conceptree" and page.evaluate("window.asked") == 0
    bell = page.get_by_role("button", name="Notify me when a job ends or asks")
    assert bell.get_attribute("aria-pressed") == "false"
    bell.click()
    wait_for(lambda: bell.get_attribute("aria-pressed") == "true", 10, "permission")
    page.get_by_role("textbox", name="Category").focus()
    page.keyboard.type("pet")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/tree.*run=pet"), timeout=MINUTES)
    wait_for(lambda: len(page.evaluate(GHOSTS)) == 18, 60, "founders to come, of which six stay")
    (job,) = jobs(Run.open(workbench.runs / "pet"))
    try:
        wait_for(lambda: any(page.evaluate(GHOSTS)), 240, "first draft")
        wait_for(lambda: re.fullmatch(r"▸ \d+ % · Conceptree", page.title()), 60, "progress in the title")
        shot(page, "start-born")
    finally:
        job.request_stop()
    wait_for(lambda: page.title() == "Conceptree", 60, "title without a job")
    assert page.evaluate("window.asked") == 1
    (note,) = page.evaluate("window.notes")
    assert note.startswith("pet: the best 6 of 18 founders / stopped")
