"""Tags, boards and more like this, with real clicks and keys."""

from __future__ import annotations

import pytest

from evolve import Run
from evolve.jobs.stored import jobs
from evolve.store.boards import boards
from tests.browser.test_story import MINUTES, settled, wait_for

pytestmark = pytest.mark.browser


def gallery(page, workbench, **query: str):
    more = "".join(f"&{key}={value}" for key, value in query.items())
    page.goto(f"{workbench.address}/gallery?run=example{more}")
    cards = page.locator(".st-key-gallery-grid [role=option]")
    cards.first.wait_for(timeout=MINUTES)
    settled(page)
    return cards


def typed(page, button: str, field: str, text: str) -> None:
    """Open a popover, type a new label, and close it."""
    page.locator(f"{button} button").first.click()
    box = page.locator(f"[class*={field}] input")
    box.click()
    box.type(text)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Undo").first.wait_for(timeout=MINUTES)
    settled(page)
    page.keyboard.press("Escape")


def test_tags_and_boards_stay_with_the_selection_that_they_were_given_to(workbench, page):
    run = Run.open(workbench.runs / "example")
    cards = gallery(page, workbench)
    cards.nth(0).click()
    cards.nth(1).click(modifiers=["Control"])
    page.get_by_text("2 concepts selected").wait_for(timeout=MINUTES)
    typed(page, ".st-key-gallery-tagging", "st-key-gallery-tag-", "forest")
    typed(page, ".st-key-gallery-boarding", "st-key-gallery-pin-", "Bedroom")
    cards.nth(2).click(modifiers=["Control"])
    page.get_by_text("3 concepts selected").wait_for(timeout=MINUTES)
    settled(page)
    assert run.tags() == {"forest": 2} and [len(each.pins) for each in boards(workbench.runs)] == [2]
    page.locator(".st-key-gallery-tagging button").first.click()
    page.get_by_role("button", name="forest, 2 of 3").click()
    page.get_by_text("3 concepts: tagged forest").wait_for(timeout=MINUTES)
    assert run.tags() == {"forest": 3}
    cards = gallery(page, workbench, board="Bedroom")
    assert cards.count() == 2


def second_selected(page, workbench):
    """(run, cards of the gallery, id of the second one's concept), which is selected."""
    cards = gallery(page, workbench)
    cards.nth(1).click()
    page.get_by_text("1 concept selected").wait_for(timeout=MINUTES)
    settled(page)
    return Run.open(workbench.runs / "example"), cards, cards.nth(1).get_attribute("data-id").partition("/")[2]


def test_hide_and_a_quick_favourite_both_count_and_two_keys_take_both_back(workbench, page, shot):
    """Issue: the concept was gone before the second click, which was lost without a word."""
    run, cards, one = second_selected(page, workbench)
    for key in ("hide", "favourite"):
        page.locator(f".st-key-gallery-{key} button:visible").click()
        page.wait_for_timeout(60)
    wait_for(lambda: run.entry(one).note.hidden and run.entry(one).note.favourite, 30, "both notes")
    page.get_by_role("button", name="Show again").wait_for(timeout=MINUTES)
    settled(page)
    shot(page, "gallery-hidden")
    assert cards.nth(1).get_attribute("data-id").endswith(one), "nothing has moved"
    page.locator(".st-key-gallery-text input").focus()
    page.keyboard.press("Control+z")
    page.wait_for_timeout(1000)
    assert run.entry(one).note.favourite, "keys in a field belong to the field"
    cards.nth(1).focus()
    page.keyboard.press("Control+z")
    page.get_by_text("Undone:").wait_for(timeout=MINUTES)
    page.keyboard.press("Control+z")
    wait_for(lambda: not run.entry(one).note.hidden and not run.entry(one).note.favourite, 30, "two undos")
    settled(page)
    page.keyboard.press("Control+Shift+Z")
    wait_for(lambda: run.entry(one).note.hidden, 30, "redo")
    settled(page)
    page.keyboard.press("Control+z")
    wait_for(lambda: not run.entry(one).note.hidden, 30, "undo")


def test_a_key_right_after_a_click_takes_that_click_back_even_if_the_server_is_slow(workbench, page):
    run, cards, one = second_selected(page, workbench)
    page.evaluate(
        """() => {
          const send = WebSocket.prototype.send;
          WebSocket.prototype.send = function (data) { setTimeout(() => send.call(this, data), 600); };
        }"""
    )
    page.locator(".st-key-gallery-hide button:visible").click()
    cards.nth(1).focus()
    page.keyboard.press("Control+z")
    page.get_by_text("Undone:").wait_for(timeout=MINUTES)
    assert not run.entry(one).note.hidden


def test_m_learns_more_like_the_selected_concept_and_not_while_typing(workbench, page):
    run = Run.open(workbench.runs / "example")
    before = len(jobs(run))
    cards = gallery(page, workbench)
    cards.nth(0).click()
    page.get_by_text("1 concept selected").wait_for(timeout=MINUTES)
    settled(page)
    search = page.locator(".st-key-gallery-text input")
    search.type("m")
    page.wait_for_timeout(1500)
    assert len(jobs(run)) == before
    search.fill("")  # the search would hide the selected concept
    cards.nth(0).focus()
    page.keyboard.press("m")
    page.get_by_text("4 variations of").first.wait_for(timeout=MINUTES)
    assert len(jobs(run)) == before + 1 and jobs(run)[-1].told["children"] == 4


def test_in_a_laptops_window_the_gallery_shows_two_whole_rows(workbench, page):
    """Issue: the second row was cut through its names, as if by mistake."""
    page.goto(f"{workbench.address}/gallery?run=example")
    page.locator(".card").first.wait_for(timeout=MINUTES)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    frame = page.locator(".frame").bounding_box()
    tops = sorted({round(each.bounding_box()["y"]) for each in page.locator(".card").all()})
    last = [each.bounding_box() for each in page.locator(".card").all() if round(each.bounding_box()["y"]) == tops[1]]
    assert all(box["y"] + box["height"] <= frame["y"] + frame["height"] for box in last)
    assert "more" not in page.locator(".frame").get_attribute("class").split(), "nothing is below"
    page.set_viewport_size({"width": 1280, "height": 640})
    page.locator(".frame.more").wait_for()
