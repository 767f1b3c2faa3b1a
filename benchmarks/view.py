"""Time until the family tree of a run is visible in a real browser: `python -m benchmarks.view`.

The runs are made up (`tests.populations`), with drawings. Each has a new server, started as by `conceptree view`, and a
new Chromium.

    first       from the request to the first picture of the tree, by a server that has not read the run
    drawings    until all drawings in view are loaded
    again       the first picture after a reload; the median of three
    frames/s    while the mouse drags the tree
    shown       concepts and folded branches in the tree

Then twelve usual clicks on the example run (`benchmarks.clicks`): median and 95th percentile of the time until the
browser answers by itself, and until Python does.

With `--sessions 1,10,50`: that many designers at one server at once, without a browser (`benchmarks.sessions`).

    first       from a designer's first connection to the end of the first page: median and maximum
    click       a click on another page
    health      the answer to /_stcore/health meanwhile
    dropped     connections lost, and pages that failed
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks.clicks import measure as measure_clicks
from benchmarks.sessions import visited
from tests.populations import drawn, population

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
EXAMPLE = Path(__file__).parents[1] / "runs" / "example"
PATIENCE = 120_000  # milliseconds
# Asked inside the page: frames while the mouse is held down and moved.
FRAMES = "new Promise(done => { let n = 0, began = performance.now(); const next = now => now - began > 2000 ?"
FRAMES += " done(n / (now - began) * 1000) : (n++, requestAnimationFrame(next)); requestAnimationFrame(next); })"
# When the last drawing came, in milliseconds after the page was asked for.
LAST_PICTURE = "Math.max(0, ...performance.getEntriesByType('resource')"
LAST_PICTURE += ".filter(each => each.name.includes('/pictures/')).map(each => each.responseEnd))"


@contextmanager
def served(runs: Path) -> Iterator[str]:
    """A workbench on a folder of runs, at an address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "ui.cli", "view", "--runs", str(runs), "--port", str(port), "--no-browser"]
    with open(runs / "view.log", "wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        address = f"http://localhost:{port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=2).read()
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def seen(page: Any, address: str) -> tuple[float, float]:
    """(seconds to the first picture of the tree, seconds until all drawings in view are there)"""
    page.goto(address)
    page.wait_for_selector(".family[data-drawn]", timeout=PATIENCE)
    first = float(page.locator(".family").get_attribute("data-drawn"))
    last, drawings = -1.0, 0.0
    while drawings != last:  # until half a second brings no more
        page.wait_for_timeout(500)
        last, drawings = drawings, page.evaluate(LAST_PICTURE)
    return first / 1000, max(first, drawings) / 1000


def fluid(page: Any) -> float:
    """Frames a second while the tree is dragged about."""
    box = page.locator(".family .canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.evaluate(f"void (window.frames_seen = {FRAMES})")
    page.mouse.move(x, y)
    page.mouse.down()
    began = time.perf_counter()
    while (passed := time.perf_counter() - began) < 2:
        page.mouse.move(x + 200 * np.sin(3 * passed), y + 100 * np.sin(2 * passed))
    page.mouse.up()
    return page.evaluate("window.frames_seen")


def measure(browser: Any, size: int) -> None:
    """Print one line of the table."""
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        drawn(population(runs / "run", size))
        with served(runs) as address:
            address += "/tree?run=run"
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            first, whole = seen(page, address)
            frames = fluid(page)
            shown = page.locator(".family").get_attribute("data-nodes")
            page.close()
            times = []
            for _ in range(3):
                page = browser.new_page(viewport={"width": 1280, "height": 800})
                times.append(seen(page, address)[0])
                page.close()
    print(f"{size:>8} {first:>9.2f} s {whole:>9.2f} s {median(times):>9.2f} s {frames:>9.0f} {shown:>9}", flush=True)


def clicked(browser: Any, rounds: int) -> None:
    """Print how long clicks take, on a copy of the example run."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "example"
        shutil.copytree(EXAMPLE, run, ignore=shutil.ignore_patterns(".lock*"))
        with served(Path(folder)) as address:
            measure_clicks(browser, address, run, rounds)


def crowds(sizes: Sequence[int]) -> None:
    """Print a line for each number of designers, all of them at one server with a run of 100 concepts."""
    print("seconds, median and maximum, without a browser")
    print(f"{'designers':>9} {'first':>15} {'click':>14} {'health':>14} {'dropped':>8}")
    with tempfile.TemporaryDirectory() as folder:
        drawn(population(Path(folder) / "run", 100))
        with served(Path(folder)) as address:
            visited(address, "run", 1)  # the server has imported its pages
            for size in sizes:
                seen = visited(address, "run", size)
                print(f"{size:>9} {seen}", *sorted(set(seen.dropped))[:3], sep="\n  ", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.view", description=__doc__)
    parser.add_argument("--sizes", default="100,1000,10000", help="concepts in a run; '' leaves them out")
    parser.add_argument("--rounds", type=int, default=10, help="of the clicks; 0 leaves them out")
    parser.add_argument("--sessions", help="instead: designers at one server at once, such as 1,10,50")
    options = parser.parse_args(arguments)
    if options.sessions:
        crowds([int(each) for each in options.sessions.split(",")])
        return
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        parser.exit(1, "playwright is not installed: make bench-view installs it\n")
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if not chromium:
        parser.exit(1, "there is no Chromium: sudo apt install chromium\n")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=SWITCHES)
        if sizes := [int(size) for size in options.sizes.split(",") if size]:
            print("until the tree is seen, in Chromium without a graphics card")
            print(f"{'concepts':>8} {'first':>11} {'drawings':>11} {'again':>11} {'frames/s':>9} {'shown':>9}")
        for size in sizes:
            measure(browser, size)
        if options.rounds:
            clicked(browser, options.rounds)
        browser.close()


if __name__ == "__main__":
    main()
