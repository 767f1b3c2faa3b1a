"""Values that are made in threads."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from core.errors import ConceptreeError
from ui.view.making import Making


def made(making: Making[int], key: str, make) -> None:
    making.begin(key, make)
    making.wait(key, 60)


def test_a_value_is_made_once_and_the_newest_stay():
    calls, ready, making = [], threading.Event(), Making[int](2)

    def slow() -> int:
        calls.append(1)
        assert ready.wait(60)
        return 7

    making.begin("a", slow)
    making.begin("a", slow)
    making.wait("a", 0.0)
    assert not making.is_done("a") and making.get("a") is None and "a" not in making
    ready.set()
    making.wait("a", 60)
    made(making, "a", slow)
    assert making.is_done("a") and making.get("a") == 7 and calls == [1]
    made(making, "b", lambda: 8)
    made(making, "c", lambda: 9)
    assert [each in making for each in "abc"] == [False, True, True]


def test_an_error_is_raised_once_and_then_another_try_is_possible():
    making = Making[int](2)

    def fails() -> int:
        raise ConceptreeError("the stack does not know a phrase")

    made(making, "a", fails)
    with pytest.raises(ConceptreeError, match="phrase"):
        making.get("a")
    made(making, "a", lambda: 7)
    assert making.get("a") == 7


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_unforeseen_error_leaves_no_thread_that_a_page_would_wait_for():
    making = Making[int](2)
    made(making, "a", lambda: 1 // 0)
    assert making.is_done("a") and "a" in making and making.get("a") is None


def test_a_process_that_ends_waits_for_the_thread():
    """PyTorch aborts a process that ends within one of its operations."""
    lines = ["import time", "from ui.view.making import Making", "made = Making(1)"]
    lines += ["made.begin('a', lambda: time.sleep(0.3) or print('made', flush=True))"]
    told = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stdout) == (0, "made\n")
