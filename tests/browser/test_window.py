"""Heights follow the window, and the main button is always in sight."""

from __future__ import annotations

import pytest

from evolve import Run
from tests.browser.test_story import MINUTES, settled

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
    breed = page.get_by_role("button", name="Breed", exact=True)
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
    for width, height in ((1280, 820), (1920, 1080)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(1500)
        shot(page, f"gallery-{width}")
        assert height - 120 < bottom(page.locator(".st-key-gallery-grid")) <= height
