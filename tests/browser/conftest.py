"""A server on a folder of its own, and a browser."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from evolve import Run
from evolve.jobs.stored import unfinished

ROOT = Path(__file__).parents[2]
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
SCREENSHOTS = Path(os.environ.get("CONCEPTREE_SCREENSHOTS", ROOT / ".cache" / "screenshots"))


class Workbench:
    """`conceptree view` on a folder of runs, which can be killed and started again at the same address."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = runs.parent / "view.log"
        self.start()

    @property
    def address(self) -> str:
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "ui.cli", "view", "--runs", str(self.runs), "--port", str(self.port)]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*command, "--no-browser"], cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )
        for _ in range(600):
            if self.process.poll() is not None:
                raise RuntimeError(f"the workbench ended: {self.log.read_text()}")
            try:
                urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=2).read()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise RuntimeError(f"the workbench does not answer: {self.log.read_text()}")

    def kill(self) -> None:
        """Kill the server; jobs have sessions of their own and go on."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def workbench(tmp_path_factory) -> Iterator[Workbench]:
    """On a copy of the example run."""
    runs = tmp_path_factory.mktemp("workbench") / "runs"
    shutil.copytree(ROOT / "runs" / "example", runs / "example", ignore=shutil.ignore_patterns(".lock*"))
    served = Workbench(runs)
    yield served
    for job in (job for folder in runs.iterdir() if folder.is_dir() for job in unfinished(Run.open(folder))):
        job.request_stop()  # a job does not end with the server
    served.kill()


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="make test-browser installs playwright")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not chromium:
        pytest.skip("there is no Chromium: apt install chromium")
    with sync_api.sync_playwright() as play:
        found = play.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield found
        found.close()


@pytest.fixture
def page(browser, request):
    """A new page of a laptop's size; an error in its console fails the test. A failed test leaves a screenshot."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(90_000)
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    if getattr(request.node, "failed", False):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        opened.screenshot(path=SCREENSHOTS / f"failed-{request.node.name}.png")
    context.close()
    assert not errors


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.failed = report.failed
    return report


@pytest.fixture
def shot():
    """Write a screenshot."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)

    def take(page, name: str) -> Path:
        file = SCREENSHOTS / f"{re.sub(r'[^a-z0-9-]+', '-', name)}.png"
        page.screenshot(path=file)
        return file

    return take
