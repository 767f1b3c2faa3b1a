"""The palette and the list of shortcuts, from the keyboard alone."""

from __future__ import annotations

import re
import shutil

import pytest

from evolve import Run
from tests.browser.test_pages import title
from tests.browser.test_story import MINUTES, settled, wait_for

pytestmark = pytest.mark.browser


def opened(page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Find").wait_for(timeout=MINUTES)
    settled(page)


def find(page, text: str, expected: str) -> None:
    """Open the palette and type until the expected option is the chosen one."""
    page.keyboard.press("Control+k")
    box = page.get_by_role("combobox", name="Find")
    box.wait_for()
    page.keyboard.type(text)
    chosen = page.locator("li[role=option][aria-selected=true]")  # not the cards of the page
    wait_for(lambda: chosen.count() == 1 and expected in chosen.inner_text(), 20, f"{expected!r} for {text!r}")
    assert box.get_attribute("aria-activedescendant") == chosen.get_attribute("id")


def test_pages_concepts_and_actions_are_found_by_some_of_their_letters(workbench, page, shot):
    one = Run.open(workbench.runs / "example").entries()[-1]
    opened(page, f"{workbench.address}/tree?run=example")
    find(page, "glry", "Gallery")
    shot(page, "palette")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/gallery"))
    settled(page)
    find(page, one.name, one.name)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(f"/concept.*{one.id}"))
    wait_for(lambda: title(page) == one.name, 30, "concept")
    settled(page)
    find(page, "another prompt", f"Draw {one.name} in another prompt")
    page.keyboard.press("Enter")
    prompt = page.locator(".st-key-concept-prompt input")
    wait_for(lambda: prompt.evaluate("each => each === document.activeElement"), 20, "focus of the prompt")


def test_what_the_page_offers_is_offered_too(workbench, page):
    opened(page, f"{workbench.address}/gallery?run=example")
    page.get_by_role("option").first.wait_for()
    find(page, "chang", "Changes")


def test_concepts_of_other_runs_come_after_those_of_this_one(workbench, page):
    names = [each.name for each in Run.open(workbench.runs / "example").entries()]
    folder = workbench.runs / "zebras"
    shutil.copytree(workbench.runs / "example", folder, ignore=shutil.ignore_patterns(".l*", "jobs"))
    opened(page, f"{workbench.address}/tree?run=example")
    find(page, names[0], names[0])
    options = page.locator("li[role=option]").filter(has_text=names[0])
    wait_for(lambda: options.count() == 2, 20, "concept of the other run")
    assert [each.split("\n")[-1] for each in options.all_inner_texts()] == ["concept", "concept of zebras"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/concept.*run=zebras|/concept.*zebras"))


def test_the_files_of_a_run_are_checked(workbench, page):
    opened(page, f"{workbench.address}/compare?run=example")
    find(page, "check", "Check the files of this run")
    page.keyboard.press("Enter")
    page.get_by_text("The run is whole.").wait_for()


def test_the_theme_changes(workbench, page):
    opened(page, f"{workbench.address}/runs")
    ground = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    before = page.evaluate(ground)
    find(page, "dark", "Theme: dark")
    page.keyboard.press("Enter")
    wait_for(lambda: page.get_by_role("button", name="Find").count() and page.evaluate(ground) != before, 30, "dark")
    page.goto(f"{workbench.address}/seed")
    page.get_by_role("button", name="Find").wait_for()
    assert page.evaluate(ground) != before


def test_question_mark_lists_the_shortcuts_on_every_page_and_is_a_character_in_fields(workbench, page):
    for place in ("gallery?run=example", "runs", "rate?run=example"):
        opened(page, f"{workbench.address}/{place}")
        keys = page.get_by_role("dialog", name="Keyboard shortcuts")
        page.keyboard.press("?")
        keys.get_by_role("heading", name="Family tree").wait_for()
        page.keyboard.press("Escape")
        keys.wait_for(state="hidden")
    opened(page, f"{workbench.address}/gallery?run=example")
    page.get_by_role("textbox", name="Search").fill("why?")
    assert not keys.is_visible()
