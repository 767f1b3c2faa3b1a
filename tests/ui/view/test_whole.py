"""Work that a click starts is finished before the next click stops the page: in callbacks, and after `to_the_end`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.commands import execution_control
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.state import SessionState
from streamlit.runtime.state.safe_session_state import SafeSessionState

from ui.view import command, whole

PLACES = (whole.STOPS, whole.CALLBACKS, whole.OWN_RERUN)


class Stopped(Exception):
    """The next click has come."""


@pytest.fixture
def stops(monkeypatch) -> Iterator[SafeSessionState]:
    """A session in which a click waits all the time, with the functions as `install` leaves them."""

    def stop(_: object) -> None:
        raise Stopped

    monkeypatch.setattr(ScriptRunner, whole.STOPS[1], stop)
    for owner, name in (whole.CALLBACKS, whole.OWN_RERUN):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    whole.install()
    runner = SimpleNamespace()
    yield SafeSessionState(SessionState(), lambda: ScriptRunner._maybe_handle_execution_control_request(runner))
    whole._run.ends = False


@pytest.mark.parametrize(("owner", "name"), PLACES)
def test_streamlit_still_has_what_is_replaced(owner: object, name: str) -> None:
    assert callable(getattr(owner, name, None)), (
        f"Streamlit {st.__version__} calls {name} otherwise: see ui/view/whole.py"
    )


def test_the_server_keeps_a_click_that_waits() -> None:
    assert "--runner.fastReruns=False" in command.command(8501, "localhost", False, [])


def test_a_page_is_stopped_by_the_next_click(stops) -> None:
    with pytest.raises(Stopped):
        stops["count"] = 1
    assert not whole.is_held()


def test_callbacks_end_and_the_page_after_them_is_stopped(stops) -> None:
    class Calls(SessionState):
        def on_script_will_rerun(self, *_: object, **__: object) -> None:
            stops["count"] = 1

    mine = SafeSessionState(Calls(), stops._yield_callback)
    mine.on_script_will_rerun(WidgetStates())
    assert stops._state["count"] == 1 and not whole.is_held()


def test_a_run_that_carries_something_out_goes_to_its_end(stops) -> None:
    whole.to_the_end()
    stops["count"] = 1
    stops.on_script_will_rerun(WidgetStates())  # the next run
    assert not whole.is_held()


def test_its_own_rerun_stops_it(stops, monkeypatch) -> None:
    monkeypatch.setattr(st, "empty", lambda: stops["count"])
    whole.to_the_end()
    with pytest.raises(Stopped):
        execution_control._force_yield_point()


def test_a_callback_can_stop_itself_and_the_next_callback_still_ends(stops, monkeypatch) -> None:
    monkeypatch.setattr(st, "empty", lambda: stops["count"])

    class Calls(SessionState):
        def on_script_will_rerun(self, *_: object, **__: object) -> None:
            with pytest.raises(Stopped):  # Streamlit catches this as well
                execution_control._force_yield_point()
            stops["count"] = 1

    SafeSessionState(Calls(), stops._yield_callback).on_script_will_rerun(WidgetStates())
    assert stops._state["count"] == 1 and not whole.is_held()


def test_other_sessions_are_stopped_all_the_same(stops) -> None:
    """Each session's page runs in its own thread."""
    found: list[bool] = []
    whole.to_the_end()
    other = threading.Thread(target=lambda: found.append(whole.is_held()))
    other.start()
    other.join(10)
    assert found == [False] and whole.is_held()


def test_installing_twice_wraps_once(stops) -> None:
    before = [getattr(*place) for place in PLACES]
    whole.install()
    assert [getattr(*place) for place in PLACES] == before
