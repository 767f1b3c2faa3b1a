"""The keyboard: the tree in at most five keys, folding, and letters beside a field, which start nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from evolve import Run
from evolve.jobs.plans import Breed
from evolve.jobs.stored import jobs
from tests.browser.test_story import MINUTES, settled, wait_for
from tests.browser.test_tree_clicks import CY, Tree

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
VISIBLE = f"() => {CY}._cyreg.cy.nodes(':visible').map(each => each.data('name')).sort()"


@pytest.fixture
def run(workbench) -> Run:
    folder = workbench.runs / "keys"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "runs" / "example", folder, ignore=shutil.ignore_patterns(".l*", "jobs"))
    return Run.open(folder)


@pytest.fixture
def tree(workbench, run, page) -> Tree:
    return Tree(page, f"{workbench.address}/tree?run=keys")


def test_from_a_selected_concept_five_keys_choose_a_partner_and_a_mixture_and_breed(tree, run):
    first = run.entries()[1]
    tree.click(first.name)
    for key in ("Shift+ArrowRight", "p"):
        tree.page.keyboard.press(key)
    wait_for(lambda: tree.page.locator(".surface").evaluate("each => each.matches(':focus')"), 90, "pad")
    for key in ("ArrowLeft", "Enter", "b"):
        tree.page.keyboard.press(key)
    (job,) = wait_for(lambda: jobs(run), 60, "job")
    job.request_stop()
    plan = job.plan
    assert isinstance(plan, Breed) and len(plan.parents) == 2
    assert {parent.id: parent.weight for parent in plan.parents}[first.id] == pytest.approx(0.75, abs=0.01)


def test_two_keys_breed_with_equal_shares(tree, run):
    tree.click(run.entries()[1].name)
    tree.press("Shift+ArrowRight", "b")
    (job,) = wait_for(lambda: jobs(run), 60, "job")
    job.request_stop()
    assert {round(parent.weight, 2) for parent in job.plan.parents} == {0.5}


def test_one_alone_is_told_what_is_missing(tree, run):
    tree.click(run.entries()[1].name)
    tree.press("b")
    tree.page.locator(".family .message").get_by_text("Select two or more concepts").wait_for()


def test_descendants_fold_and_unfold_by_key_and_by_click_and_stay_folded(tree, run, workbench, shot):
    entries = {each.name: each for each in run.entries()}
    graph = run.entries()
    top = graph[0]
    below, found = {top.id}, set()
    for each in graph:
        if any(parent.id in below for parent in each.parents):
            below.add(each.id)
            found.add(each.name)
    assert found and len(found) < len(entries) - 1
    everyone = set(tree.page.evaluate(VISIBLE))
    tree.click(top.name)
    tree.press("f")
    assert set(tree.page.evaluate(VISIBLE)) == everyone - found
    shot(tree.page, "folded")
    again = Tree(tree.page, f"{workbench.address}/tree?run=keys")
    assert set(again.page.evaluate(VISIBLE)) == everyone - found
    zoom = again.page.evaluate(f"() => {CY}._cyreg.cy.zoom()")
    x, y = again.where(top.name)
    again.page.mouse.click(x + 36 * zoom, y + 36 * zoom)
    again.settle()
    assert set(again.page.evaluate(VISIBLE)) == everyone and again.selected == []


def test_a_concept_that_is_searched_for_is_unfolded(tree, run):
    child = next(each for each in run.entries() if each.parents)
    parent = next(each for each in run.entries() if each.id == child.parents[0].id)
    tree.click(parent.name)
    tree.press("f", "/")
    assert child.name not in tree.page.evaluate(VISIBLE)
    tree.page.keyboard.type(child.name)
    tree.press("Enter")
    assert tree.selected == [child.name] and child.name in tree.page.evaluate(VISIBLE)


def test_slash_selects_the_old_search_so_that_a_new_one_replaces_it(tree, run):
    first, second = run.entries()[0].name, run.entries()[3].name
    for name in (first, second):
        tree.page.locator(".family .canvas").focus()
        tree.press("/")
        tree.page.keyboard.type(name)
        tree.press("Enter")
        wait_for(lambda name=name: tree.selected == [name], 30, f"{name} selected")
    assert tree.page.locator(".family .search").input_value() == second


def opened(page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="More like this").wait_for(timeout=MINUTES)
    settled(page)


def test_the_field_of_a_popover_has_the_focus_and_letters_beside_it_start_nothing(workbench, run, page):
    opened(page, f"{workbench.address}/concept?run=keys&concept={run.entries()[0].id}")
    page.get_by_role("button", name="Boards").click()
    field = page.get_by_role("combobox", name="Add to a board")
    wait_for(lambda: field.evaluate("each => each === document.activeElement"), 20, "focus of the field")
    page.keyboard.type("my toys")
    assert field.input_value() == "my toys"
    page.keyboard.press("Enter")
    page.get_by_role("button", name="my toys").wait_for()  # it is on the board
    page.get_by_role("button", name="my toys").focus()
    page.keyboard.type("mmm")
    settled(page)
    assert jobs(run) == []


def test_letters_after_the_help_of_a_field_breed_nothing(run, tree):
    page = tree.page
    for number, each in enumerate(run.entries()[:3]):
        tree.click(each.name, shift=number > 0)
    tree.settle()
    page.get_by_role("button", name="Help for Like these, but …").click()
    page.keyboard.type("blue")
    settled(page)
    assert jobs(run) == []


def test_a_job_that_a_key_has_started_is_stopped_on_the_same_page(workbench, run, page, shot):
    opened(page, f"{workbench.address}/concept?run=keys&concept={run.entries()[0].id}")
    page.keyboard.press("m")
    stop = page.get_by_role("button", name="Stop job")
    stop.wait_for(timeout=MINUTES)
    shot(page, "started-by-key")
    stop.click()
    (job,) = wait_for(lambda: jobs(Run.open(run.folder)), 20, "job")
    wait_for(lambda: job.status().state == "stopped", 60, "stop")
