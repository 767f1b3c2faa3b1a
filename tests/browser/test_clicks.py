"""Clicks that follow each other quickly: each one counts."""

from __future__ import annotations

import re

import pytest

from evolve import Run
from evolve.jobs.stored import jobs
from tests.browser.test_pages import title
from tests.browser.test_story import MINUTES, settled, wait_for

pytestmark = pytest.mark.browser


def test_two_clicks_within_a_second_both_count(workbench, page):
    """Issue: the first of two clicks was lost, because the second one interrupted the page."""
    one = Run.open(workbench.runs / "example").entries()[3]

    def favourite() -> bool:
        return Run.open(workbench.runs / "example").entry(one.id).note.favourite

    page.goto(f"{workbench.address}/concept?run=example&concept={one.id}")
    page.get_by_label("Comment").wait_for()
    settled(page)
    was, label, other = favourite(), "Add to the parents", "Remove from the parents"
    for pause in (0, 60, 150, 300, 600, 900):  # milliseconds
        page.get_by_role("button", name=label, exact=True).click()
        page.wait_for_timeout(pause)
        page.get_by_text("Favourite", exact=True).click()
        label, other, was = other, label, not was
        page.get_by_role("button", name=label, exact=True).wait_for(timeout=20_000)
        wait_for(lambda was=was: favourite() is was, 20, f"favourite after a pause of {pause} ms")
        settled(page)


def test_next_twice_goes_two_on(workbench, page):
    names = [each.name for each in Run.open(workbench.runs / "example").entries()]
    first = Run.open(workbench.runs / "example").entries()[0]
    page.goto(f"{workbench.address}/concept?run=example&concept={first.id}")
    wait_for(lambda: title(page) == names[0], 30, "first concept")
    settled(page)
    following = page.get_by_role("button", name="Next", exact=True)
    following.click()
    page.wait_for_timeout(120)
    following.click()
    wait_for(lambda: title(page) == names[2], 30, "concept after the next")


def test_a_double_click_breeds_once(workbench, page):
    one = Run.open(workbench.runs / "example").entries()[0]
    before = len(jobs(Run.open(workbench.runs / "example")))
    page.goto(f"{workbench.address}/tree?run=example&concept={one.id}")
    page.locator(".family[data-drawn]").wait_for()
    page.locator(".family .canvas").focus()
    page.keyboard.press("/")
    page.keyboard.type(one.name)
    page.keyboard.press("Enter")
    page.get_by_text("Variations", exact=True).click(timeout=MINUTES)
    button = page.get_by_role("button", name="Make 2 variations")
    button.wait_for(timeout=MINUTES)
    settled(page)
    button.dblclick()
    page.get_by_text(re.compile("1 variation|2 variations")).first.wait_for(timeout=MINUTES)
    settled(page)
    page.wait_for_timeout(2000)
    assert len(jobs(Run.open(workbench.runs / "example"))) == before + 1
