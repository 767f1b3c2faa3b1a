"""The rows of parents and the rules of their weights, without Streamlit: the component alone in a page."""

from __future__ import annotations

import io
import random
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from ui.view.pad import OWN, points_of
from ui.view.parents import whole

pytestmark = pytest.mark.browser

PAD = Path(__file__).parents[2] / "ui" / "view" / "pad"
HOST = "http://pad.test/"
SHOWN = """data => mount({
  parentElement: document.querySelector("#host"),
  data,
  setStateValue: (_, value) => (globalThis.told ??= []).push(value),
})"""


@pytest.fixture
def module(page):
    """An empty page that has the functions of the component."""
    page.route("**/*", lambda route: route.fulfill(body='<div id="host" style="width: 400px"></div>'))
    page.goto(HOST)
    page.add_style_tag(path=PAD / "pad.css")
    own = "\n".join((PAD / name).read_text(encoding="utf-8") for name in OWN)
    page.add_script_tag(content=own.replace("export default function", "function mount"))
    return page


class Rows:
    """The component in an empty page. The test answers for Python and for the server."""

    def __init__(self, page) -> None:
        self.page = page
        self.heard = page.locator(".heard")

    def show(self, weights: dict[str, float], heard: float = 0, *, address: str = "", **more: str) -> None:
        """Send weights by names of parents. heard: the last change that Python knows. more: of each parent."""
        parents = [{"id": name, "name": name, "picture": "", "alt": name, "weight": w} for name, w in weights.items()]
        points = [vars(each) for each in points_of(len(parents))] if address else []
        self.page.evaluate(
            SHOWN,
            {
                "address": address,
                "caption": "",
                "quick": True,
                "points": points,
                "heard": heard,
                "parents": [each | more for each in parents],
            },
        )

    @property
    def told(self) -> list[dict]:
        """What Python was told."""
        return self.page.evaluate("globalThis.told ?? []")

    @property
    def shares(self) -> list[int]:
        return [int(each.input_value()) for each in self.page.get_by_role("slider").all()]

    def slider(self, name: str):
        return self.page.get_by_role("slider", name=name, exact=True)

    def button(self, name: str):
        return self.page.get_by_role("button", name=name, exact=True)

    def drag(self, name: str, *shares: int) -> None:
        """Drag a slider to these shares, one after the other, and hold it there."""
        box, thumb = self.slider(name).bounding_box(), 15
        places = [box["x"] + thumb / 2 + (box["width"] - thumb) * share / 100 for share in (self.share(name), *shares)]
        middle = box["y"] + box["height"] / 2
        self.page.mouse.move(places[0], middle)
        self.page.mouse.down()
        for place in places[1:]:
            self.page.mouse.move(place, middle, steps=40)

    def share(self, name: str) -> int:
        return int(self.slider(name).input_value())


@pytest.fixture
def rows(module) -> Rows:
    return Rows(module)


@pytest.fixture
def rules(module):
    """Call a function of the component."""

    def call(function: str, cases: list[list[object]]) -> list:
        return module.evaluate(f"cases => cases.map(each => {function}(...each))", cases)

    return call


def test_a_slider_that_is_dragged_there_and_back_leaves_the_others_as_they_were(rows):
    """Issue: each step started from rounded shares, and 20, 50 and 30 became 20, 78 and 2."""
    rows.show({"a": 20, "b": 50, "c": 30})
    rows.drag("a", 95)
    assert rows.shares == [95, 3, 2]
    rows.page.mouse.up()
    rows.show({"a": 95, "b": 3, "c": 2}, rows.told[-1]["at"])
    rows.drag("a", 20)
    assert rows.shares == [20, 50, 30]


def test_repeated_presses_keep_the_proportions_of_the_others(rows):
    rows.show({"a": 50, "b": 30, "c": 20})
    rows.slider("a").focus()
    for _ in range(20):
        rows.page.keyboard.press("ArrowRight")
    assert rows.shares == [70, 18, 12]
    assert len(rows.told) == 20 and rows.told[-1]["weights"] == {"a": 70, "b": 18, "c": 12}
    rows.slider("b").press("ArrowRight")
    assert rows.shares == [69, 19, 12], "another slider starts from the shares that are shown"


def _python(rows: Rows) -> None:
    rows.show({"a": 40, "b": 10, "c": 50}, rows.told[-1]["at"])


def _less_like(rows: Rows) -> None:
    for name in ("Less like b", "Like b again"):
        rows.button(name).click()


def _choose_b(rows: Rows) -> None:
    rows.page.locator(".surface").focus()
    for key in ("2", "Enter"):
        rows.page.keyboard.press(key)


@pytest.mark.parametrize(
    ("other", "after"), [(_python, [50, 8, 42]), (_less_like, [58, 27, 15]), (_choose_b, [10, 90, 0])]
)
def test_a_slider_starts_anew_after_another_change(rows, other, after):
    rows.show({"a": 50, "b": 30, "c": 20}, address=f"{HOST}mix")
    rows.slider("a").press("ArrowRight")
    other(rows)
    rows.slider("a").press("PageUp")
    assert rows.shares == after


def test_an_answer_leaves_a_slider_alone_that_is_being_dragged(rows):
    """Issue: it went back to Python's share, and Python was told that one at the end."""
    rows.show({"a": 20, "b": 50, "c": 30})
    rows.drag("a", 60)
    rows.show({"a": 20, "b": 50, "c": 30})
    assert rows.shares == [60, 25, 15] and not rows.told
    rows.page.mouse.up()
    assert [each["weights"] for each in rows.told] == [{"a": 60, "b": 25, "c": 15}]
    rows.show({"a": 10, "b": 60, "c": 30}, rows.told[-1]["at"])
    assert rows.shares == [10, 60, 30], "from now on Python's weights count"


def test_a_drag_that_ends_where_it_began_is_told_once_too(rows):
    """A browser may send no `change` then."""
    rows.show({"a": 20, "b": 50, "c": 30})
    rows.drag("a", 60, 20)
    rows.show({"a": 33, "b": 33, "c": 34})
    rows.page.mouse.up()
    assert [each["weights"] for each in rows.told] == [{"a": 20, "b": 50, "c": 30}]


def test_a_parent_that_comes_during_a_drag_is_taken_over(rows):
    rows.show({"a": 20, "b": 80})
    rows.drag("a", 60)
    rows.show({"a": 17, "b": 33, "c": 50})
    assert rows.shares == [40, 27, 33] and rows.told[-1]["weights"] == {"a": 40, "b": 27, "c": 33}
    rows.page.mouse.up()
    assert sum(rows.shares) == 100


def test_a_parent_that_goes_while_its_slider_is_dragged_ends_the_drag(rows):
    rows.show({"a": 20, "b": 50, "c": 30})
    rows.drag("a", 60)
    rows.show({"b": 62, "c": 38})
    rows.show({"b": 10, "c": 90}, rows.told[-1]["at"])
    assert rows.shares == [10, 90]
    rows.page.mouse.up()


def test_mixtures_of_a_drag_are_drawn_at_its_end(rows):
    page, waiting = rows.page, []
    page.route("**/mix/**", lambda route: waiting.append(route))

    def answer() -> str:
        """Answer the request that waits, and return what it asked for."""
        while not waiting:
            page.wait_for_timeout(20)
        (route,) = waiting
        waiting.clear()
        wanted, drawn = route.request.url.partition("/mix/")[2], io.BytesIO()
        Image.new("RGB", (8 * (wanted.count("_") + 1), 8)).save(drawn, "WEBP")
        route.fulfill(body=drawn.getvalue(), content_type="image/webp")
        return wanted

    rows.show({"a": 50, "b": 50}, address=f"{HOST}mix")
    rows.drag("a", 70)
    assert answer() == "50-50.webp?fine=1"
    assert "fine" not in answer()
    page.locator(".pad[data-drawn='5']").wait_for()
    assert not waiting and page.locator(".note").text_content() == ""
    page.mouse.up()
    assert answer() == "70-30.webp?fine=1"


def test_a_picture_that_comes_later_and_a_new_name_are_shown(rows):
    rows.show({"a": 50, "b": 50})
    assert not rows.page.locator(".thumb > *").count()
    rows.show({"a": 50}, picture=f"{HOST}a.webp")
    assert rows.button("Enlarge: a").locator("img").get_attribute("src") == f"{HOST}a.webp"
    rows.show({"a": 50}, picture=f"{HOST}a.webp", alt="anna", name="anna")
    assert rows.button("Enlarge: anna").locator("img").get_attribute("alt") == "anna"
    assert rows.page.locator(".thumb > *").count() == 1


def test_the_focus_goes_to_the_next_row_when_a_parent_is_removed(rows):
    rows.show({"a": 50, "c": 50})
    rows.show({"a": 34, "b": 33, "c": 33})
    for removed, focused in (("a", "b"), ("c", "b")):
        rows.button(f"Remove {removed} from the parents").press("Enter")
        assert rows.button(f"Remove {focused} from the parents").evaluate("each => each === document.activeElement")
        assert rows.heard.text_content() == f"{removed}, removed from the parents"


def test_less_like_is_explained_and_announced(rows):
    rows.show({"a": 34, "b": 33, "c": 33})
    help_ = rows.page.locator(".help")
    assert "moves away from this parent" in help_.text_content() and not help_.is_visible()
    of_help, button = help_.get_attribute("id"), rows.button("Less like b")
    assert button.get_attribute("aria-describedby") == of_help and help_.text_content() in button.get_attribute("title")
    assert rows.slider("b").get_attribute("aria-describedby") is None
    button.press("Enter")
    assert rows.slider("Less like b").get_attribute("aria-describedby") == of_help
    assert rows.heard.text_content() == "Less like b, 50 percent"
    rows.button("Like b again").press("Enter")
    assert rows.heard.text_content() == "b, 33 percent"


def test_shares_are_whole_by_the_same_rule_as_in_python(rules):
    drawn = random.Random(1)
    cases = [[drawn.randrange(101) for _ in range(drawn.randrange(1, 7))] for _ in range(500)]
    cases += [[0, 0, 0], [1, 1, 1], [100], [0.5, 0.25, 0.25], [33, 33, 33]]
    expected = [[*whole({str(n): weight for n, weight in enumerate(each)}).values()] for each in cases]
    assert rules("whole", [[each] for each in cases]) == expected
    assert rules("whole", [[[]]]) == [[]]


def test_moving_one_share_moves_the_others_in_proportion(rules):
    drawn = random.Random(2)
    shares = [[drawn.randrange(1, 101) for _ in range(drawn.randrange(2, 7))] for _ in range(500)]
    before = [[*whole({str(n): weight for n, weight in enumerate(each)}).values()] for each in shares]
    cases = [[each, drawn.randrange(len(each)), drawn.randrange(101)] for each in before]
    for (was, place, share), after in zip(cases, rules("moved", cases), strict=True):
        assert sum(after) == 100 and after[place] == share and min(after) >= 0
        others = sorted((old, new) for n, (old, new) in enumerate(zip(was, after, strict=True)) if n != place)
        assert all(one[1] <= other[1] for one, other in pairwise(others) if one[0] < other[0])
    assert rules("moved", [[[100, 0, 0], 0, 40], [[50, 50], 0, 100], [[100], 0, 40]]) == [[40, 30, 30], [100, 0], [100]]


@pytest.mark.parametrize(
    ("shown", "own", "theirs", "heard", "held", "after", "differs"),
    [
        ("ab", {"a": 62, "b": 38}, {"a": 55, "b": 45}, 1, False, {"a": 62, "b": 38}, False),
        ("ab", {"a": 62, "b": 38}, {"a": 55, "b": 45}, 2, False, {"a": 55, "b": 45}, False),
        ("ab", {"a": 62, "b": 38}, {"a": 55, "b": 45}, 2, True, {"a": 62, "b": 38}, False),
        ("ab", {"a": 60, "b": 40}, {"a": 34, "b": 33, "c": 33}, 2, True, {"a": 45, "b": 30, "c": 25}, True),
        ("ab", {"a": 60, "b": 40}, {"a": 34, "b": 33, "c": 33}, 1, False, {"a": 45, "b": 30, "c": 25}, True),
        ("abc", {"a": 60, "b": 20, "c": 20}, {"a": 50, "b": 50}, 1, False, {"a": 75, "b": 25}, True),
        ("abc", {"a": 60, "b": 40}, {"a": 34, "b": 33, "c": 33}, 1, False, {"a": 60, "b": 40}, False),
        (
            "abc",
            {"a": 60, "b": 40, "c": -0.8},
            {"a": 34, "b": 33, "c": 33},
            1,
            False,
            {"a": 60, "b": 40, "c": -0.8},
            False,
        ),
    ],
)
def test_pythons_weights_count_once_it_has_heard_the_last_change_and_no_slider_is_held(
    module, shown, own, theirs, heard, held, after, differs
):
    """Parents that came or went are taken over before; then Python is told the result."""
    found = module.evaluate(
        """([shown, own, theirs, heard, held]) => {
            const data = { parents: shown.map(id => ({ id })) };
            const pad = { told: 2, held, weights: new Map(Object.entries(own)), data };
            const parents = Object.entries(theirs).map(([id, weight]) => ({ id, weight }));
            const differs = adopt(pad, { parents, heard });
            return [Object.fromEntries(pad.weights), differs];
        }""",
        [[*shown], own, theirs, heard, held],
    )
    assert found == [after, differs]


@pytest.mark.parametrize("parents", [2, 3, 4])
def test_the_weights_of_a_point_are_at_its_place(rules, parents):
    points = points_of(parents)
    for point, (x, y, exact) in zip(points, rules("placeOf", [[[*each.weights]] for each in points]), strict=True):
        assert (x, y) == pytest.approx((point.x, point.y), abs=0.05) and exact


def test_four_parents_have_mixtures_that_are_not_on_the_pad(rules):
    mixtures = [[50, 0, 0, 50], [25, 25, 25, 25], [40, 40, 10, 10], [100, 0, 0, 0]]
    found = rules("placeOf", [[each] for each in mixtures])
    assert found[:2] == [[2, 2, False], [2, 2, True]] and found[2] == pytest.approx([2, 0.8, True])
    assert found[3] == [0, 0, True]
