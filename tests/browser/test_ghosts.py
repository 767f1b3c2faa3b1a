"""Ghosts in the tree while a job learns: their drafts, and its questions answered where they stand."""

from __future__ import annotations

import pytest

from tests.browser.test_steering import begin
from tests.browser.test_story import MINUTES, wait_for
from tests.browser.test_tree_clicks import CY, Tree

pytestmark = pytest.mark.browser

GHOSTS = f"() => {CY}._cyreg.cy.nodes('[birth = \"ghost\"]').map(each => each.data())"


def test_questions_are_answered_on_the_ghosts_and_concepts_take_their_places(workbench, page, shot):
    job = begin(page, workbench, "haunted", asks=True, founders=2)
    tree = Tree(page, f"{workbench.address}/tree?run=haunted")
    assert [each["name"] for each in page.evaluate(GHOSTS)] == ["Founder 1", "Founder 2"]
    places = [tree.where("Founder 1"), tree.where("Founder 2")]
    asked = page.locator(".family .ask")
    asked.first.wait_for(timeout=MINUTES)
    shot(page, "ghosts")
    question = job.question()
    x, y = places[question.number]
    box = asked.first.bounding_box()
    assert box["x"] < x < box["x"] + box["width"] and box["y"] > y
    asked.first.get_by_role("button", name="Refuse").click()
    asked.get_by_text("Answer sent").wait_for()
    wait_for(lambda: (now := job.question()) is None or now.token != question.token, 60, "answer")
    answers = 0
    while not job.finished:
        if asked.count() and (accept := asked.first.get_by_role("button", name="Accept")).count():
            accept.click()
            answers += 1
        page.wait_for_timeout(500)
        assert answers < 30
    wait_for(lambda: not page.evaluate(GHOSTS), 60, "end of the ghosts")
    tree.settle()
    founders = {look.number: look for look in job.looks()}
    for number, place in enumerate(places):
        assert tree.where(founders[number].name) == pytest.approx(place, abs=2)
        assert bool(founders[number].all_negatives)
    assert question.words[0] not in [
        word for look in job.looks() if look.step == 0 and look.number == question.number for word in look.all_negatives
    ]
