"""What do you like? Taps on cards, a click to go on, and the answer is kept."""

from __future__ import annotations

import pytest

from evolve import Run
from evolve.store.likes import rounds

pytestmark = pytest.mark.browser


def test_taps_choose_and_the_answer_is_kept(workbench, page):
    run = Run.open(workbench.runs / "example")
    page.goto(f"{workbench.address}/rate?run=example&kind=taste")
    cards = page.get_by_role("option")
    cards.nth(5).wait_for()
    names = [cards.nth(place).inner_text() for place in range(6)]
    cards.nth(0).click()
    cards.nth(2).click()
    cards.nth(0).click()  # taps again: not liked after all
    page.get_by_role("button", name="I like 1 of these").click()
    page.get_by_role("button", name="None of these").wait_for()
    (answered,) = rounds(run)
    assert len(answered.shown) == 6 and answered.liked == (answered.shown[2],)
    assert [cards.nth(place).inner_text() for place in range(6)] != names
    page.get_by_role("button", name="Previous round").click()
    page.get_by_role("button", name="I like 1 of these").wait_for()
