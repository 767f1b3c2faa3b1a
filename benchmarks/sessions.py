"""Designers at one workbench, as clients without a browser: each opens a page and clicks through the others.

A client speaks Streamlit's protocol over a WebSocket, as the page's own code does: it asks for a page and reads until
the page's script has ended. So these are the server's times, without those of a browser.
"""

from __future__ import annotations

import asyncio
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

PAGES = ("tree", "gallery", "compare", "tree")
THINKS = 1.0  # seconds
PATIENCE = 120.0  # seconds until a client gives up
AGAIN = ForwardMsg.FINISHED_EARLY_FOR_RERUN


class PageError(Exception):
    """A page that shows a traceback."""


@dataclass
class Seen:
    """What clients saw. Times in seconds. dropped: why clients lost the server, or a page failed."""

    first: list[float] = field(default_factory=list)
    click: list[float] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return (
            "".join(
                f"{median(times):>8.2f} {max(times):>6.2f}" if times else f"{'–':>8} {'–':>6}"
                for times in (self.first, self.click, self.health)
            )
            + f"{len(self.dropped):>9}"
        )


def visited(address: str, run: str, designers: int, thinks: float = THINKS) -> Seen:
    """What `designers` saw, who came to the server at the same moment. thinks: seconds between two clicks of one."""
    seen = Seen()
    with _asked_for_health(address, seen):
        asyncio.run(_visit(address, run, designers, thinks, seen))
    return seen


async def _visit(address: str, run: str, designers: int, thinks: float, seen: Seen) -> None:
    await asyncio.gather(*(_design(address, run, thinks, seen) for _ in range(designers)))


async def _design(address: str, run: str, thinks: float, seen: Seen) -> None:
    """One designer: the first page, then a click on each further one."""
    where = f"ws{address.removeprefix('http')}/_stcore/stream"
    known: dict[str, str] = {}  # the pages' hashes, by their names in the address
    began = time.perf_counter()
    try:
        async with connect(
            where, subprotocols=["streamlit"], origin=address, max_size=None, open_timeout=PATIENCE
        ) as to:
            await _open(to, run, None, known)
            seen.first.append(time.perf_counter() - began)
            for page in PAGES[1:]:
                await asyncio.sleep(thinks)
                began = time.perf_counter()
                await _open(to, run, page, known)
                seen.click.append(time.perf_counter() - began)
    except (OSError, WebSocketException, TimeoutError, PageError) as error:
        seen.dropped.append(f"{type(error).__name__}: {error}")


async def _open(to: ClientConnection, run: str, page: str | None, known: dict[str, str]) -> None:
    """Ask for a page (None for the first one) and read until its script has ended."""
    ask = BackMsg()
    ask.rerun_script.query_string = f"run={run}"
    if page:
        ask.rerun_script.page_script_hash = known[page]
    else:
        ask.rerun_script.page_name = PAGES[0]
    await to.send(ask.SerializeToString())
    while True:
        told = ForwardMsg.FromString(await asyncio.wait_for(to.recv(decode=False), PATIENCE))
        kind = told.WhichOneof("type")
        if kind == "navigation":
            known |= {each.url_pathname: each.page_script_hash for each in told.navigation.app_pages}
        elif kind == "delta" and told.delta.new_element.WhichOneof("type") == "exception":
            raise PageError(told.delta.new_element.exception.message)
        elif kind == "script_finished" and told.script_finished != AGAIN:
            return


@contextmanager
def _asked_for_health(address: str, seen: Seen) -> Iterator[None]:
    """Ask the server ten times a second whether it is there, from a thread."""
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.1):
            began = time.perf_counter()
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=PATIENCE).read()
            except OSError as error:
                seen.dropped.append(f"health: {error}")
            seen.health.append(time.perf_counter() - began)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
