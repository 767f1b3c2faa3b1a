"""A published family in a real browser, from the disk: nothing comes from elsewhere, and a phone can show it."""

from __future__ import annotations

from pathlib import Path

import pytest

from evolve import Run
from ui.publish import write_site
from ui.publishing.family import chosen

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("published") / "site"
    write_site(chosen(Run.open(ROOT / "runs" / "example")), folder)
    return folder


def test_the_whole_tree_is_in_sight_on_a_screen(page, site):
    """Issue: it was cut off at the right edge."""
    page.set_viewport_size({"width": 900, "height": 800})
    page.goto(site.joinpath("index.html").as_uri())
    tree = page.locator(".tree")
    full = tree.locator("svg").evaluate("each => each.viewBox.baseVal.width")
    assert tree.evaluate("each => each.scrollWidth") == tree.evaluate("each => each.clientWidth") < full


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_site_works_from_a_disk_in_both_themes_and_on_a_phone(browser, site, theme):
    context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme=theme)
    page = context.new_page()
    asked: list[str] = []
    failed: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("console", lambda message: failed.append(message.text))
    page.goto(site.joinpath("index.html").as_uri())
    links = page.locator(".tree a")
    assert links.count() == 12
    label = links.first.get_attribute("aria-label")
    links.first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/concepts/*.html")
    assert label.startswith(page.locator("h1").inner_text())
    assert page.evaluate("[...document.images].every(each => each.naturalWidth > 0 || each.loading === 'lazy')")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).every(each => each < 60)")
    assert dark == (theme == "dark")
    page.get_by_role("link", name="example").first.click()
    page.wait_for_url("**/index.html")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not failed and all(address.startswith(("file:", "data:,")) for address in asked)
    context.close()
