"""Heights follow the window, and the main button is always in sight."""

from __future__ import annotations

import re
import shutil

import pytest

from evolve import Run
from evolve.jobs.stored import new_job
from tests.browser.conftest import ROOT
from tests.browser.test_story import MINUTES, settled
from tests.browser.test_tree_clicks import CY
from tests.plans import a_seed

pytestmark = pytest.mark.browser


def bottom(locator) -> float:
    box = locator.bounding_box()
    return box["y"] + box["height"]


def test_the_tree_fills_the_window_and_breed_is_in_sight(workbench, page, shot):
    """Issue: at 820 pixels Breed was below the fold of the panel; at 1920 the tree stayed 600 pixels high."""
    name = Run.open(workbench.runs / "example").entries()[0].name
    page.goto(f"{workbench.address}/tree?run=example")
    page.locator(".family[data-drawn]").wait_for()
    page.locator(".family .canvas").focus()
    page.keyboard.press("/")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Add to the parents").click(timeout=MINUTES)
    breed = page.get_by_role("button", name=re.compile(r"^Breed \d+$"))
    breed.wait_for(timeout=MINUTES)
    settled(page)
    for width, height in ((1280, 820), (820, 900), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(1500)
        assert height - 120 < bottom(page.locator(".family .canvas")) <= height
        assert bottom(page.locator(".st-key-tree-panel")) <= height
        assert bottom(breed) <= height
        shot(page, f"window-{width}")


def test_the_gallery_fills_the_window(workbench, page, shot):
    page.goto(f"{workbench.address}/gallery?run=example")
    page.get_by_role("option").first.wait_for(timeout=MINUTES)
    settled(page)
    for width, height in ((820, 900), (1280, 820), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(1500)
        shot(page, f"gallery-{width}")
        assert height - 120 < bottom(page.locator(".st-key-gallery-grid")) <= height
        assert bottom(page.locator(".st-key-gallery-grid .frame")) <= height, "the grid scrolls, the page does not"


NAMES = f"""() => {CY}._cyreg.cy.nodes().map((each) => {{
  const style = each.renderedStyle("font-size"), least = parseFloat(each.style("min-zoomed-font-size"));
  return [each.data("name"), parseFloat(style), parseFloat(style) >= least];
}})"""


def test_names_in_the_tree_are_legible_or_come_with_the_focus(workbench, page, shot):
    """Issue: at 820 pixels names were 8 pixels high."""
    page.set_viewport_size({"width": 820, "height": 900})
    page.goto(f"{workbench.address}/tree?run=example")
    page.locator(".family[data-drawn]").wait_for()
    settled(page)
    assert all(size >= 11 and shows for _, size, shows in page.evaluate(NAMES))
    shot(page, "names-820")
    page.locator(".family .canvas").focus()
    for _ in range(6):
        page.keyboard.press("-")
    page.keyboard.press("ArrowUp")
    found = page.evaluate(NAMES)
    (focused,) = [name for name, _, shows in found if shows]
    assert all(size >= 11 for name, size, _ in found if name == focused) and len(found) > 6


def with_a_job(workbench, name):
    """(folder of a copy of the example run with a new job, the job)"""
    folder = workbench.runs / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "runs" / "example", folder, ignore=shutil.ignore_patterns(".l*", "jobs"))
    return folder, new_job(Run.open(folder), a_seed())


def test_the_line_of_a_job_is_whole_in_a_narrow_window(workbench, page, shot):
    folder, job = with_a_job(workbench, "instruments-with-a-long-name")
    with job.working():
        job.tell(48, 100)
        for width in (820, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(f"{workbench.address}/gallery?run=example")
            line = page.locator(".st-key-header").get_by_text("2 founders: learning")
            line.wait_for(timeout=MINUTES)
            settled(page)
            shot(page, f"job-line-{width}")
            whole = (
                "each => each.parentElement.parentElement.scrollWidth <= each.parentElement.parentElement.clientWidth"
            )
            assert line.evaluate(whole) and page.locator(".st-key-header").bounding_box()["height"] < 60
        job.finish()
    shutil.rmtree(folder)


def test_the_line_of_a_job_that_waits_is_whole_on_the_card_of_its_run(workbench, page, shot):
    """Issue: at 820 pixels the card said “stoppe”."""
    folder, job = with_a_job(workbench, "halted")
    with job.working():
        job.tell(48, 100)
    page.set_viewport_size({"width": 820, "height": 900})
    page.goto(f"{workbench.address}/runs")
    line = page.locator("[class*=st-key-home-card-halted]").get_by_text("2 founders: waits for your choice")
    line.wait_for(timeout=MINUTES)
    settled(page)
    shot(page, "stopped-820")
    assert line.evaluate("""each => {
      const link = each.closest("[data-testid=stPageLink]"), parts = [link, ...link.querySelectorAll("*")];
      return parts.every((part) => !part.clientWidth || part.scrollWidth <= part.clientWidth + 1);
    }""")
    shutil.rmtree(folder)
