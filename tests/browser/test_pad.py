"""The mixing pad with mouse and keyboard: pictures by weights, choices that the browser shows at once."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from evolve import Run
from tests.browser.test_story import settled, wait_for
from tests.browser.test_tree_clicks import Tree

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
MINUTES = 180_000
# What the pad shows right after a click, before Python can have heard of it.
AT_ONCE = """(surface, [x, y]) => {
  const box = surface.getBoundingClientRect(), pad = surface.closest('.pad');
  const where = { clientX: box.x + x * box.width, clientY: box.y + y * box.height, bubbles: true };
  surface.dispatchEvent(new PointerEvent('pointermove', where));
  surface.dispatchEvent(new MouseEvent('click', where));
  return pad.dataset.chosen;
}"""


class Pad:
    """The mixing pad of some parents, selected in the tree."""

    def __init__(self, tree: Tree, names: list[str], cells: int) -> None:
        self.page, self.tree = tree.page, tree
        for number, name in enumerate(names):
            tree.click(name, shift=number > 0)
        self.root = self.page.locator(".pad")
        self.surface = self.root.locator(".surface")
        self.drawn(cells)

    def drawn(self, cells: int) -> None:
        self.page.locator(f".pad[data-drawn='{cells}']").wait_for(timeout=MINUTES)

    def shown(self, name: str) -> str:
        return self.root.get_attribute(f"data-{name}")

    def sliders(self, *values: str) -> None:
        """Wait until the sliders of the parents have these values."""
        sliders = self.page.locator(".st-key-tree-panel").get_by_role("slider")
        wait_for(lambda: [each.input_value() for each in sliders.all()[: len(values)]] == [*values], 60, str(values))


@pytest.fixture
def run(workbench) -> Run:
    """A copy of the example run for one test."""
    folder = workbench.runs / "mixed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "runs" / "example", folder, ignore=shutil.ignore_patterns(".l*", "jobs"))
    return Run.open(folder)


@pytest.fixture
def names(run) -> list[str]:
    return [each.name for each in run.entries()]


@pytest.fixture
def tree(workbench, run, page) -> Tree:
    return Tree(page, f"{workbench.address}/tree?run=mixed")


def test_a_click_is_shown_at_once_and_the_sliders_follow(tree, names, shot):
    pad = Pad(tree, names[:2], cells=5)
    assert pad.shown("chosen") == "50-50"
    assert pad.surface.evaluate(AT_ONCE, [0.1, 0.5]) == "100-0"
    pad.sliders("100", "0")
    assert pad.surface.evaluate(AT_ONCE, [0.7, 0.5]) == "25-75"
    assert pad.surface.evaluate(AT_ONCE, [0.61, 0.5]) == "38-62", "halfway between two cells"
    pad.sliders("38", "62")
    tree.settle()
    assert pad.shown("chosen") == "38-62"
    shot(tree.page, "pad-two")


def test_the_keyboard_moves_chooses_and_goes_back(tree, names):
    pad = Pad(tree, names[:3], cells=15)
    assert pad.shown("chosen") == "34-33-33"
    pad.surface.focus()
    for key, at in (
        ("1", "100-0-0"),
        ("ArrowDown", "75-25-0"),
        ("ArrowRight", "75-0-25"),
        ("Shift+ArrowDown", "63-12-25"),
    ):
        pad.page.keyboard.press(key)
        assert pad.shown("at") == at
    pad.page.keyboard.press("Escape")
    assert (pad.shown("at"), pad.shown("chosen")) == ("", "34-33-33")
    pad.page.keyboard.press("3")
    pad.page.keyboard.press("Enter")
    assert pad.shown("chosen") == "0-0-100"
    pad.root.locator(".heard", has_text=f"100 percent {names[2]}, chosen").wait_for(state="attached")
    pad.sliders("0", "0", "100")


def test_a_mixture_under_the_pointer_is_blended_at_once_and_drawn_after(tree, names, shot):
    pad = Pad(tree, [names[place] for place in (0, 1, 2, 5)], cells=25)
    box = pad.surface.bounding_box()
    with pad.page.expect_response(lambda response: "/39-24-23-14.webp?fine=1" in response.url) as answer:
        pad.page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.4 * box["height"])
        assert pad.shown("at") == "39-24-23-14" and pad.root.locator(".lens").is_visible()
    assert answer.value.headers["content-type"] == "image/webp"
    pad.root.locator(".note", has_text=re.compile("^$")).wait_for(state="attached")
    shot(pad.page, "pad-four")
    pad.page.mouse.move(5, 5)
    assert pad.shown("at") == "" and not pad.root.locator(".lens").is_visible()


def test_a_slider_moves_the_marker(tree, names):
    pad = Pad(tree, names[:2], cells=5)
    settled(pad.page)
    slider = pad.page.locator(".st-key-tree-panel").get_by_role("slider").first
    slider.focus()
    for _ in range(30):  # on a busy machine a press may come while the page is made again
        if slider.input_value() == "60":
            break
        pad.page.keyboard.press("ArrowRight")
        pad.page.wait_for_timeout(100)
    pad.page.locator(".pad[data-chosen='60-40']").wait_for()
    assert pad.root.locator(".marker").evaluate("each => parseFloat(each.style.left)") == pytest.approx(32, abs=0.1)


def test_an_aspect_is_taken_and_given_back_by_keyboard_in_a_narrow_window(tree, names, shot):
    page, giver = tree.page, names[2]
    page.set_viewport_size({"width": 820, "height": 900})
    pad = Pad(tree, names[:2], cells=5)
    panel, said = page.locator(".st-key-tree-panel"), page.get_by_text(f"with colour of {giver}")
    page.get_by_role("combobox", name="of", exact=True).focus()
    page.keyboard.type(giver)
    page.keyboard.press("Enter")
    said.wait_for()
    pad.drawn(5)
    assert panel.evaluate("each => each.scrollWidth <= each.clientWidth"), "nothing is cut off"
    shot(page, "taken-narrow")
    page.get_by_role("button", name=f"Do not take the colour of {giver}").focus()
    page.keyboard.press("Enter")
    said.wait_for(state="detached")
