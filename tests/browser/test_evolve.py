"""An evolution by choice: choose parents, learn, wait, choose again."""

from __future__ import annotations

import re

import pytest

from evolve import Run
from evolve.jobs.generations import generations
from evolve.jobs.stored import jobs
from tests.browser.test_story import MINUTES, settled, wait_for

pytestmark = pytest.mark.browser


def number(page, label: str, value: int) -> None:
    field = page.get_by_label(label, exact=True)
    field.fill(str(value))
    field.press("Enter")
    settled(page)


def test_two_generations_by_choice(workbench, page, shot):
    run = Run.open(workbench.runs / "example")
    one, other = (each.name for each in run.entries()[-2:])
    page.goto(f"{workbench.address}/evolve?run=example")
    page.get_by_text("I choose", exact=True).click()
    settled(page)
    number(page, "Generations", 2)
    number(page, "Children", 2)
    page.get_by_text("More", exact=True).click()
    number(page, "Steps", 20)
    page.get_by_role("option", name=re.compile(one)).click()
    page.get_by_role("option", name=re.compile(other)).click(modifiers=["Control"])
    settled(page)
    page.get_by_role("button", name="Evolve", exact=True).click()
    page.get_by_text("Choose the parents of generation 2").wait_for(timeout=3 * MINUTES)  # it draws the children too
    (job,) = [each for each in jobs(run) if each.command == "evolve"]
    (first,) = generations(job)
    assert {run.entry(id_).name for id_ in first.population} == {one, other}
    settled(page)
    shot(page, "evolve")
    for id_ in first.children:
        card = page.get_by_role("option", name=re.compile(run.entry(id_).name)).last
        card.click(modifiers=["Control"])
        settled(page)
    page.get_by_role("button", name="Breed these parents").click()
    wait_for(lambda: len(generations(job)) == 2, 3 * MINUTES / 1000, "second generation")
    assert set(generations(job)[1].population) == set(first.children)
    page.get_by_text("Generation 2 of 2").wait_for(timeout=MINUTES)


def test_in_a_laptops_window_all_selection_methods_are_in_one_line(workbench, page):
    page.goto(f"{workbench.address}/evolve?run=example")
    methods = page.locator(".st-key-evolve-select [role=radio]")
    methods.first.wait_for(timeout=MINUTES)
    settled(page)
    assert methods.count() == 6 and len({round(each.bounding_box()["y"]) for each in methods.all()}) == 1
