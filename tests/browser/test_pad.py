"""The mixing pad and the rows of parents with mouse and keyboard: the browser shows weights at once, Python follows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from evolve import Run
from evolve.jobs.stored import jobs
from tests.browser.test_story import wait_for
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

    @property
    def sliders(self) -> list[str]:
        """Values of the parents' sliders."""
        return [each.input_value() for each in self.root.get_by_role("slider").all()]

    def heard(self, *weights: float) -> None:
        """Wait until Python has these shares, and weights below 0, of the parents: it writes them into the address."""

        def told() -> list[float]:
            (parents,) = parse_qs(self.page.evaluate("location.search.slice(1)")).get("parents", [""])
            found = [float(each.partition(".")[2]) for each in parents.split(",") if each]
            total = sum(weight for weight in found if weight > 0)
            return [round(weight / total, 2) if weight > 0 else weight for weight in found]

        wait_for(lambda: told() == [*weights], 90, f"{weights} in the address")

    def press(self, name: str, key: str, times: int = 1) -> None:
        """Press a key on a slider, as fast as Playwright can."""
        self.root.get_by_role("slider", name=name, exact=True).focus()
        for _ in range(times):
            self.page.keyboard.press(key)

    def button(self, name: str):
        return self.root.get_by_role("button", name=name, exact=True)


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
    assert pad.sliders == ["100", "0"]
    pad.heard(1, 0)
    assert pad.surface.evaluate(AT_ONCE, [0.7, 0.5]) == "25-75"
    assert pad.surface.evaluate(AT_ONCE, [0.61, 0.5]) == "38-62", "halfway between two cells"
    pad.heard(0.38, 0.62)
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
    pad.heard(0, 0, 1)
    assert pad.sliders == ["0", "0", "100"]


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


def test_quick_presses_on_a_slider_all_count_and_the_marker_follows_at_once(tree, run, names, shot):
    """Issue: a press while the page was made again was lost, or undone by an earlier value."""
    pad = Pad(tree, names[:2], cells=5)
    pad.press(names[0], "ArrowRight", 12)
    assert pad.sliders == ["62", "38"] and pad.shown("chosen") == "62-38"
    assert pad.root.locator(".marker").evaluate("each => parseFloat(each.style.left)") == pytest.approx(30.4, abs=0.1)
    pad.press(names[1], "ArrowRight", 5)
    pad.press(names[0], "PageDown")
    pad.press(names[0], "ArrowUp")
    assert pad.sliders == ["48", "52"]
    tree.page.get_by_role("button", name=re.compile(r"^Breed \d+$")).click()
    (job,) = wait_for(lambda: jobs(run), 60, "job")
    job.request_stop()
    assert [round(parent.weight, 2) for parent in job.plan.parents] == [0.48, 0.52]
    pad.heard(0.48, 0.52)
    tree.settle()
    assert pad.sliders == ["48", "52"], "Python agrees"
    Tree(tree.page, tree.page.url)
    pad.drawn(5)
    assert pad.sliders == ["48", "52"], "after a reload too"


def test_a_slider_that_is_dragged_moves_the_others(tree, names):
    pad = Pad(tree, names[:3], cells=15)
    slider = pad.root.get_by_role("slider", name=names[2], exact=True)
    slider.focus()
    box, button = slider.bounding_box(), pad.page.locator(".st-key-breed-start").bounding_box()
    assert box["y"] + box["height"] < button["y"], "the button does not cover what has the focus"
    middle = box["y"] + box["height"] / 2
    pad.page.mouse.move(box["x"] + box["width"] / 3, middle)
    pad.page.mouse.down()
    pad.page.mouse.move(box["x"] + box["width"] / 2, middle, steps=8)
    assert pad.sliders == ["25", "25", "50"], "before Python has heard of it"
    pad.page.mouse.up()
    pad.heard(0.25, 0.25, 0.5)


def test_the_thumb_and_the_cross_of_a_parent_act_at_once_and_the_pad_follows(tree, names, shot):
    pad = Pad(tree, names[:3], cells=15)
    pad.root.get_by_role("button", name=re.compile(f"^Enlarge: {names[1]}")).press("Enter")
    pad.page.get_by_role("dialog", name=names[1]).wait_for()
    pad.page.keyboard.press("Escape")
    pad.button(f"Less like {names[2]}").press("Enter")
    assert pad.sliders == ["51", "49", "0.5"]
    assert pad.button(f"Like {names[2]} again").evaluate("each => each.matches(':focus')"), "the focus stays"
    pad.press(f"Less like {names[2]}", "ArrowRight", 3)
    pad.heard(0.51, 0.49, -0.8)
    pad.root.get_by_text(f"away from {names[2]}. Nothing is learned yet.").wait_for()
    pad.drawn(5)
    shot(pad.page, "pad-away")
    pad.button(f"Remove {names[0]} from the parents").press("Enter")
    assert pad.sliders == ["0.8"], "the only parent to resemble has all"
    wait_for(lambda: tree.selected == sorted(names[1:3]), 60, "selection without it")
    pad.button(f"Like {names[2]} again").click()
    pad.heard(0.5, 0.5)
    pad.drawn(5)
    assert pad.sliders == ["50", "50"]


def test_all_settings_of_breeding_are_above_the_button_which_stays_in_sight(tree, names, shot):
    """Issue: variety and category were below the button, as if they were something else."""
    page = tree.page
    page.set_viewport_size({"width": 1280, "height": 820})
    Pad(tree, names[:2], cells=5)
    panel, button = page.locator(".st-key-tree-panel"), page.locator(".st-key-breed-start")
    assert button.bounding_box()["y"] + button.bounding_box()["height"] < 820
    shot(page, "breed-820")
    panel.evaluate("each => { each.scrollTop = each.scrollHeight }")
    top = button.bounding_box()["y"]
    for key in ("amount", "how"):
        box = page.locator(f".st-key-breed-{key}").bounding_box()
        assert box["y"] + box["height"] <= top
    assert panel.get_by_role("slider", name="Variety").bounding_box()["y"] < top
    panel.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("spinbutton", name="Seed").wait_for()
    shot(page, "breed-more")


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
