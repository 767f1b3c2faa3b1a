"""Accessibility: axe-core finds no serious or critical violation on any page, in both themes."""

from __future__ import annotations

from importlib import resources

import pytest

from evolve import Run
from tests.browser.test_story import MINUTES, settled

pytestmark = pytest.mark.browser

# Streamlit's own markup, which no option and no style of ours can change: rule, part of the selector, reason.
EXCLUDED: tuple[tuple[str, str, str], ...] = ()
FOUND = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .filter((each) => ["serious", "critical"].includes(each.impact))
  .flatMap((each) => each.nodes.map((node) => [each.id, node.target.flat().join(" >>> "), node.html.slice(0, 200)]))"""


def violations(page) -> list[str]:
    """Serious and critical violations, without those of `EXCLUDED`."""
    axe = pytest.importorskip("axe_playwright_python", reason="make test-browser installs axe-playwright-python")
    page.evaluate((resources.files(axe) / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate(FOUND)
    return [
        f"{rule}: {where}: {html}"
        for rule, where, html in found
        if not any(rule == one and part in where + html for one, part, _ in EXCLUDED)
    ]


@pytest.fixture(params=["light", "dark"])
def themed(browser, request):
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme=request.param)
    page = context.new_page()
    page.set_default_timeout(MINUTES)
    yield page
    context.close()


def test_every_page_can_be_used_by_everybody(workbench, themed):
    one, other = (each.id for each in Run.open(workbench.runs / "example").entries()[:2])
    found = {}
    for place in (
        *("", "runs", "seed", "tree?run=example", "evolve?run=example", "gallery?run=example"),
        *("rate?run=example", "jobs?run=example", "map?run=example"),
        f"compare?run=example&concepts={one},{other}",
        f"concept?run=example&concept={one}",
    ):
        themed.goto(f"{workbench.address}/{place}")
        themed.get_by_role("button", name="Find").wait_for()
        settled(themed)
        themed.wait_for_timeout(1500)
        found[place] = violations(themed)
    assert not any(found.values()), "\n".join(
        f"/{place}\n  " + "\n  ".join(each) for place, each in found.items() if each
    )


def test_the_breed_panel_and_the_palette_too(workbench, themed):
    themed.goto(f"{workbench.address}/tree?run=example")
    themed.locator(".family[data-drawn]").wait_for()
    settled(themed)
    themed.locator(".family .canvas").focus()
    for key in ("ArrowRight", "Space", "Shift+ArrowRight"):
        themed.keyboard.press(key)
    themed.locator(".st-key-breed-start button").wait_for()
    settled(themed)
    assert violations(themed) == []
    themed.keyboard.press("Control+k")
    themed.locator("[role=option]").first.wait_for()
    assert violations(themed) == []
    themed.keyboard.press("Escape")
    themed.get_by_role("combobox", name="Find").wait_for(state="hidden")
    themed.keyboard.press("?")
    themed.get_by_role("dialog", name="Keyboard shortcuts").wait_for()
    assert violations(themed) == []
