"""Turns: who computes, who waits, and for how long."""

from __future__ import annotations

import threading
import time

import pytest

from ui.view.turns import Turns


def crowd(turns: Turns, pages: int, seconds: float) -> list[int]:
    """How many pages computed at the beginning of each, of `pages` that come at the same moment."""
    inside, most, lock = [0], [], threading.Lock()

    def page() -> None:
        with turns.turn():
            with lock:
                inside[0] += 1
                most.append(inside[0])
            time.sleep(seconds)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=page) for _ in range(pages)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    return most


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_compute_at_once(at_once: int) -> None:
    seen = crowd(Turns(at_once, long=60), pages=12, seconds=0.005)
    assert len(seen) == 12 and max(seen) <= at_once


def test_a_long_page_keeps_nobody_waiting() -> None:
    turns, drawn = Turns(1, long=0.05), threading.Event()

    def draws() -> None:
        with turns.turn():
            drawn.wait(60)

    thread = threading.Thread(target=draws)
    thread.start()
    while not turns.held:
        time.sleep(0.001)
    with turns.turn():  # while the first one still computes
        assert thread.is_alive() and not drawn.is_set()
    drawn.set()
    thread.join(60)
    assert not turns.held


def test_a_page_that_fails_gives_its_turn_back() -> None:
    turns = Turns(1, long=60)
    with pytest.raises(RuntimeError), turns.turn():
        raise RuntimeError
    with turns.turn():
        assert turns.held == 1
    assert turns.held == 0
