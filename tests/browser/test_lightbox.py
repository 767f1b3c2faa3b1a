"""The lightbox in a browser: opened from every kind of picture, with keys, and its marks stored."""

from __future__ import annotations

import base64
import io

import pytest
from PIL import Image

from core.png import strangers_texts
from evolve import Run
from tests.browser.test_story import settled, wait_for

pytestmark = pytest.mark.browser


def opened(page):
    return page.get_by_role("dialog")


def entry_named(workbench, name: str):
    return next(each for each in Run.open(workbench.runs / "example").entries() if each.name == name)


def test_a_card_opens_large_with_its_neighbours_marks_and_file(workbench, page):
    page.goto(f"{workbench.address}/gallery?run=example")
    cards = page.locator(".card")
    cards.nth(3).wait_for()
    settled(page)
    names = page.locator(".card .title").all_inner_texts()
    assert not opened(page).is_visible()
    cards.nth(1).hover()
    cards.nth(1).locator(".larger").click()
    box = opened(page)
    assert page.get_by_role("dialog", name=names[1]).is_visible()
    page.keyboard.press("ArrowRight")
    page.get_by_role("dialog", name=names[2]).wait_for(timeout=3000)
    heart = box.get_by_role("button", name="Favourite")
    assert heart.inner_text() == "♡"
    for key in ("4", "f", "h"):  # quickly, without waiting for the page below
        page.keyboard.press(key)
    assert box.get_by_role("button", name="Rate 4 of 5").get_attribute("aria-pressed") == "true"
    assert (heart.get_attribute("aria-pressed"), heart.inner_text()) == ("true", "♥")

    def note():
        return entry_named(workbench, names[2]).note

    wait_for(lambda: (note().rating, note().favourite, note().hidden) == (4, True, True), 30, "marks")
    page.keyboard.press("h")
    wait_for(lambda: not note().hidden, 30, "shown again")
    assert box.is_visible()  # the page below has run meanwhile
    with page.expect_download() as saving:
        page.keyboard.press("d")
    content = saving.value.path().read_bytes()
    assert strangers_texts(content)["concept"] == names[2] and saving.value.suggested_filename.startswith(names[2])
    page.keyboard.press("Escape")
    box.wait_for(state="hidden")
    focused = "document.activeElement.shadowRoot.activeElement.querySelector('.title').textContent"
    assert page.evaluate(focused) == names[1]


def test_zoom_and_the_focus_that_stays_inside(workbench, page):
    page.goto(f"{workbench.address}/gallery?run=example")
    page.locator(".card").first.wait_for()
    settled(page)
    page.locator(".card").first.click()
    page.keyboard.press("z")
    box = opened(page)
    box.wait_for()
    zoom = box.get_by_label("Zoom")
    page.wait_for_timeout(500)
    before = zoom.inner_text()
    page.keyboard.press("+")
    assert zoom.inner_text() != before
    page.keyboard.press("0")
    assert zoom.inner_text() == before
    page.mouse.move(640, 300)
    page.mouse.wheel(0, -300)
    wait_for(lambda: zoom.inner_text() != before, 5, "zoom by the wheel")
    page.keyboard.press("p")
    assert box.get_by_role("button", name="Pixels").get_attribute("aria-pressed") == "true"
    inside = "[document.body, document.querySelector('.st-key-lightbox [data-testid=stBidiComponentIsolated]')]"
    inside = f"{inside}.includes(document.activeElement)"  # the body stands for the browser's own bar
    for _ in range(24):
        page.keyboard.press("Tab")
        assert page.evaluate(inside)
    page.keyboard.press("Escape")
    box.wait_for(state="hidden")


def test_pictures_of_a_page_open_by_click_and_by_enter(workbench, page):
    one, other = Run.open(workbench.runs / "example").entries()[:2]
    page.goto(f"{workbench.address}/compare?run=example&concepts={one.id},{other.id}")
    pictures = page.locator('[data-testid="stImage"] img')
    pictures.nth(3).wait_for()
    settled(page)
    pictures.nth(1).hover()
    assert not page.locator('[data-testid="stElementToolbar"]:visible').count()  # one way to enlarge
    pictures.nth(1).click()
    page.get_by_role("dialog", name=other.name).wait_for(timeout=3000)
    page.keyboard.press("ArrowLeft")
    page.get_by_role("dialog", name=one.name).wait_for(timeout=3000)
    page.keyboard.press("Escape")
    opened(page).wait_for(state="hidden")
    pictures.nth(2).focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name=one.name).wait_for(timeout=3000)
    page.keyboard.press("Escape")
    opened(page).wait_for(state="hidden")
    assert pictures.nth(2).evaluate("each => each === document.activeElement")


def test_a_preview_shows_after_a_rest_and_never_with_reduced_motion(workbench, page):
    page.goto(f"{workbench.address}/gallery?run=example")
    page.locator(".card img").nth(1).wait_for()
    settled(page)
    preview = page.locator(".preview")
    page.locator(".card img").nth(1).hover()
    preview.wait_for(timeout=3000)
    page.mouse.move(2, 2)
    preview.wait_for(state="hidden")
    page.emulate_media(reduced_motion="reduce")
    page.locator(".card img").nth(1).hover()
    page.wait_for_timeout(900)
    assert not preview.is_visible()


def test_a_cutout_is_saved_and_sharp_edges_are_shown(workbench, page):
    page.goto(f"{workbench.address}/gallery?run=example")
    page.locator(".card img").first.wait_for()
    settled(page)
    page.locator(".card").nth(1).hover()
    page.locator(".card").nth(1).locator(".larger").click()
    box = opened(page)
    with page.expect_download() as saving:
        box.get_by_role("button", name="Cut-out", exact=True).click()
    assert saving.value.suggested_filename.endswith("-cutout.png")
    with Image.open(saving.value.path()) as cut:
        assert cut.mode == "RGBA" and cut.getchannel("A").getextrema() == (0, 255)
    page.keyboard.press("s")
    wide = "each => each.naturalWidth"
    wait_for(lambda: box.locator(".large").evaluate(wide) == 4 * cut.width, 20, "the larger copy")
    page.keyboard.press("s")
    wait_for(lambda: box.locator(".large").evaluate(wide) == cut.width, 20, "the drawing itself")


def test_pictures_play_one_after_the_other(workbench, page):
    page.goto(f"{workbench.address}/gallery?run=example")
    page.locator(".card img").first.wait_for()
    settled(page)
    names = page.locator(".card .title").all_inner_texts()
    page.locator(".card").last.click()
    page.keyboard.press("z")
    page.get_by_role("dialog", name=names[-1]).wait_for(timeout=5000)
    page.evaluate(NAMED)
    page.keyboard.press(" ")

    def played() -> list[str]:
        return [each for each in page.evaluate("named") if each in names[:-1]]

    wait_for(lambda: played()[:3] == names[:3], 20, "the first ones after the last")
    page.keyboard.press("Escape")
    opened(page).wait_for(state="hidden")
    page.wait_for_timeout(1200)
    assert not opened(page).is_visible()


def test_the_size_of_the_pictures_is_remembered(workbench, page):
    def side() -> float:
        return page.locator(".card").first.bounding_box()["width"]

    page.goto(f"{workbench.address}/gallery?run=example")
    page.locator(".card img").first.wait_for()
    settled(page)
    medium = side()
    page.get_by_role("button", name="Large pictures").click()
    wait_for(lambda: side() > 1.3 * medium, 5, "large pictures")
    page.reload()
    page.locator(".card img").first.wait_for()
    settled(page)
    assert side() > 1.3 * medium
    page.get_by_role("button", name="Small pictures").click()
    wait_for(lambda: side() < medium, 5, "small pictures")


# All names that the lightbox shows from now on.
NAMED = """() => {
  const box = document.querySelector(".st-key-lightbox [data-testid=stBidiComponentIsolated]").shadowRoot;
  const name = box.querySelector("#name");
  window.named = [];
  const note = () => named.at(-1) !== name.textContent && named.push(name.textContent);
  new MutationObserver(note).observe(name, { childList: true });
}"""

DROP = """([name, content]) => {
  const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0)), transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/png" }));
  const root = document.querySelector(".st-key-tree-canvas [data-testid=stBidiComponentIsolated]").shadowRoot;
  const how = { dataTransfer: transfer, bubbles: true, cancelable: true };
  const canvas = root.querySelector(".canvas");
  for (const kind of ["dragenter", "dragover", "drop"]) canvas.dispatchEvent(new DragEvent(kind, how));
}"""


def test_a_dropped_drawing_selects_its_concept_and_a_photograph_becomes_a_parent(workbench, page):
    run = Run.open(workbench.runs / "example")
    one = run.entries()[2]
    page.goto(f"{workbench.address}/tree?run=example")
    page.locator(".family[data-drawn]").wait_for()
    settled(page)

    def drop(name: str, content: bytes) -> None:
        page.evaluate(DROP, [name, base64.b64encode(content).decode()])

    drop("x.png", run.drawings(one.id)[0].file.read_bytes())
    page.locator(f'.family[data-selected="{one.id}"]').wait_for(timeout=30_000)
    content = io.BytesIO()
    Image.effect_mandelbrot((64, 64), (-2, -1, 1, 1), 20).save(content, "PNG")
    drop("snail.png", content.getvalue())
    page.get_by_text("snail.png is a parent now.").wait_for(timeout=30_000)
    page.locator(".st-key-tree-panel").get_by_text("Breed", exact=True).first.wait_for(timeout=60_000)
    drop("notes.txt", b"hello")
    page.get_by_text("is not a picture that can be read").wait_for(timeout=30_000)


def test_a_hidden_concept_has_a_badge_and_its_facts_are_one_line(workbench, page):
    run = Run.open(workbench.runs / "example")
    one = run.entries()[0]
    run.note(one.id, hidden=True)
    try:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(f"{workbench.address}/concept?run=example&concept={one.id}")
        page.locator('[data-testid="stImage"] img').first.click()
        box = opened(page)
        box.locator(".marked").wait_for()
        assert box.locator("h2").inner_text().split() == [one.name, "hidden"]
        facts = box.locator("#facts span")
        assert facts.count() > 1 and "hidden" not in box.locator("#facts").inner_text()
        assert len({round(each.bounding_box()["y"]) for each in facts.all()}) == 1
    finally:
        run.note(one.id, hidden=False)
