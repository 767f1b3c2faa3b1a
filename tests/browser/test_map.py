"""The page of a map: one stop of the Tab key, arrow keys from cell to cell, axes that a reload keeps."""

from __future__ import annotations

import pytest

from tests.browser.test_story import MINUTES, settled

pytestmark = pytest.mark.browser


def test_cells_are_one_stop_and_a_reload_keeps_the_axes(workbench, page, shot):
    page.goto(f"{workbench.address}/map?run=example&across=bird:mammal")
    up = page.get_by_label("Up", exact=True)
    up.wait_for(timeout=MINUTES)
    up.fill("black:white")
    up.press("Enter")
    cells = page.locator(".board .cell")
    cells.first.wait_for(timeout=MINUTES)
    settled(page)
    assert page.get_by_text("breed", exact=False).filter(visible=True).count() == 1, "the words are there once"
    empty = page.locator(".board .cell.empty")
    assert {each.inner_text() for each in empty.all()} == {"+"} and empty.count() > 40
    stops = page.locator('.board .cell[tabindex="0"]')
    assert stops.count() == 1
    stops.focus()
    before = stops.get_attribute("data-at")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    assert stops.count() == 1 and stops.get_attribute("data-at") != before
    assert stops.evaluate("each => each.getRootNode().activeElement === each")
    shot(page, "map-cells")
    page.reload()
    cells.first.wait_for(timeout=MINUTES)
    assert page.get_by_label("Up", exact=True).input_value() == "black:white" and "up=black" in page.url
