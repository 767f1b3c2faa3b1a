"""How long twelve usual clicks take in a real browser, on a copy of the example run.

A click is timed inside the page, from the key or the mouse button going down to the first picture with the answer. Many
clicks have two: what the browser shows by itself, and what Python shows afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evolve import Run

LIMITS = 0.3, 1.0  # seconds for the browser, and for Python
PATIENCE = 30_000  # milliseconds
# Resolves with the times, in milliseconds, at which the value of each expression had changed.
WATCH = """([browser, python]) => {
  const roots = () => [document, ...[...document.querySelectorAll("*")].map((each) => each.shadowRoot).filter(Boolean)];
  const all = (selector) => roots().flatMap((root) => [...root.querySelectorAll(selector)]);
  const text = (selector) => all(selector).map((each) => each.innerText).join();
  const asked = Object.entries({ browser, python }).filter(([, each]) => each);
  const value = Object.fromEntries(asked.map(([name, each]) => {
    const now = new Function("all", "text", `return JSON.stringify(${each})`);
    return [name, () => now(all, text)];
  }));
  const before = Object.fromEntries(Object.entries(value).map(([name, now]) => [name, now()]));
  window.answered = new Promise((done) => {
    const times = {};
    let began = 0;
    const begin = (event) => event.key !== "Shift" && (began ||= performance.now());
    for (const kind of ["pointerdown", "keydown"]) window.addEventListener(kind, begin, { capture: true });
    const look = () => {
      for (const [name, now] of began ? Object.entries(value) : []) {
        if (!(name in times) && now() !== before[name]) times[name] = performance.now() - began;
      }
      if (Object.keys(times).length === Object.keys(value).length) done(times);
      else requestAnimationFrame(look);
    };
    look();
  });
}"""
WHERE = """(canvas, id) => {
  const { x, y } = canvas._cyreg.cy.getElementById(id).renderedPosition(), box = canvas.getBoundingClientRect();
  return [box.x + x, box.y + y];
}"""
SELECTED, PANEL = "all('.family').map(each => each.dataset.selected)", "text('.st-key-tree-panel')"
SHOWN = "all('.family .canvas').map(each => each._cyreg?.cy.nodes(':visible').length)"
NEXT = ":is(.st-key-concept-before, .st-key-concept-after) button:enabled"
TITLE = "document.querySelector('h1')?.innerText"


@dataclass(frozen=True)
class Click:
    """A click, and expressions of JavaScript whose values change with its answers; "" for none."""

    name: str
    do: Callable[[Any, int], None]
    browser: str = ""
    python: str = ""


def clicks(run: Run) -> list[Click]:
    """The clicks in the order of a session; `do` takes the page and the number of the round."""
    entries = run.entries()
    parents = {parent.id for each in entries for parent in each.parents}
    ids = [each.id for each in entries if each.id in parents]  # a branch can be folded at each

    def at(page: Any, number: int) -> tuple[float, float]:
        return tuple(page.locator(".family .canvas").evaluate(WHERE, ids[number % len(ids)]))

    def second(page: Any, number: int) -> None:
        page.keyboard.down("Shift")
        page.mouse.click(*at(page, number + 1))
        page.keyboard.up("Shift")

    def mixture(page: Any, number: int) -> None:
        box = page.locator(".surface").bounding_box()
        page.mouse.click(box["x"] + box["width"] * 0.1, box["y"] + box["height"] / 2)

    def fold(page: Any, number: int) -> None:
        page.locator(".family .canvas").press("f")

    def to(name: str) -> Callable[[Any, int], None]:
        return lambda page, number: page.get_by_role("link", name=name, exact=True).first.click()

    def card(page: Any, number: int) -> Any:
        return page.get_by_role("option").nth(number % len(ids))

    return [
        Click("select a concept", lambda page, n: page.mouse.click(*at(page, n)), SELECTED, PANEL),
        Click(
            "make it a favourite",
            _press(".st-key-tree-icon-favourite button"),
            python="all('.st-key-tree-filled').length",
        ),
        Click("select a second one", second, SELECTED, "all('.st-key-breed-start').length"),
        Click("choose a mixture", mixture, "text('.heard')", "text('[data-testid=stSliderThumbValue]')"),
        Click("fold a branch", fold, SHOWN),
        Click("open the palette", _key("Control+k"), "all('dialog').some(each => each.open)"),
        Click("open the gallery", to("Gallery"), python="all('.grid .card').length > 0"),
        Click(
            "select a card",
            lambda page, n: card(page, n).click(),
            "all('.card[aria-selected=true]').map(each => each.dataset.id)",
            "text('.st-key-gallery-actions')",
        ),
        Click("open a concept", lambda page, n: card(page, n).press("Enter"), python=TITLE),
        Click("next concept", _press(NEXT), python=TITLE),
        Click(
            "rate it",
            lambda page, n: page.get_by_role("radio", name=f"{1 + n % 5} out of 5 stars").click(),
            "all('.st-key-concept-rating [role=radio]').map(each => each.ariaChecked)",
            "text('.st-key-undo-bar')",
        ),
        Click("open the family tree", to("Family tree"), python="all('.family[data-drawn]').length"),
    ]


def _press(selector: str) -> Callable[[Any, int], None]:
    return lambda page, number: page.locator(selector).first.click()


def _key(keys: str) -> Callable[[Any, int], None]:
    return lambda page, number: page.keyboard.press(keys)


def timed(page: Any, click: Click, number: int) -> dict[str, float]:
    """Seconds until the browser and Python have answered."""
    page.evaluate(WATCH, [click.browser, click.python])
    click.do(page, number)
    page.wait_for_function("() => window.answered", timeout=PATIENCE)
    times = {name: time / 1000 for name, time in page.evaluate("window.answered").items()}
    if click.name == "open the palette":
        page.keyboard.press("Escape")
    if click.name == "fold a branch":
        page.locator(".family .canvas").press("f")
    page.wait_for_timeout(500)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=PATIENCE)
    return times


def measure(browser: Any, address: str, folder: Path, rounds: int) -> None:
    """Print a line for each click, and one for all. folder: of the run."""
    steps = clicks(Run.open(folder))
    found: dict[str, dict[str, list[float]]] = {each.name: {"browser": [], "python": []} for each in steps}
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(f"{address}/tree?run={folder.name}")
    page.wait_for_selector(".family[data-drawn]", timeout=PATIENCE)
    page.wait_for_timeout(4000)  # the stack is loaded
    for number in range(rounds + 1):
        for click in steps:
            for who, seconds in timed(page, click, number).items():
                if number:  # the first round imports pages and loads models
                    found[click.name][who].append(seconds)
    page.close()
    print(f"seconds of {rounds} rounds: median and 95th percentile; at most {LIMITS[0]} and {LIMITS[1]:g} are wanted")
    print(f"{'click':<22} {'browser':>15} {'Python':>15}")
    for name, times in found.items():
        print(f"{name:<22} {_told(times['browser'])} {_told(times['python'])}", flush=True)
    every = {who: [each for times in found.values() for each in times[who]] for who in ("browser", "python")}
    print(f"{'all':<22} {_told(every['browser'])} {_told(every['python'])}", flush=True)


def _told(times: list[float]) -> str:
    return f"{np.median(times):>8.2f} {np.percentile(times, 95):>6.2f}" if times else f"{'–':>8} {'–':>6}"
