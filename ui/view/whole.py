"""Work that a click starts is finished before the next click stops the page.

Streamlit stops a running page for the next click at nearly every `st.` call and at every access to the session. It does
so in callbacks too, and even before the first callback: a click whose work is stopped there is lost without a message.
Here callbacks always end, and `to_the_end` protects the rest of a run that carries something out. Meanwhile the next
click waits; Streamlit keeps it only if the option runner.fastReruns is off, see `command.command`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from streamlit.commands import execution_control
from streamlit.runtime.scriptrunner.script_runner import ScriptRunner
from streamlit.runtime.state.safe_session_state import SafeSessionState

# Streamlit has no public way to do this. `tests/ui/view/test_whole.py` fails with a version that lacks one of these.
STOPS = (ScriptRunner, "_maybe_handle_execution_control_request")
CALLBACKS = (SafeSessionState, "on_script_will_rerun")
OWN_RERUN = (execution_control, "_force_yield_point")  # in `st.rerun`, `st.switch_page` and `st.stop`


class _Run(threading.local):
    """State of the page's run in this thread; each session runs its page in a thread of its own."""

    calls_back = False
    ends = False


_run = _Run()


def to_the_end() -> None:
    """Keep the next click from stopping this run; its own `st.rerun`, `st.switch_page` and `st.stop` still do."""
    _run.ends = True


def is_held() -> bool:
    """Whether a click has to wait for this run."""
    return _run.calls_back or _run.ends


def install() -> None:
    """Replace the three functions of Streamlit, for the process. A second call changes nothing."""
    _around(STOPS, lambda original, *given: None if is_held() else original(*given))
    _around(CALLBACKS, _call_back)
    _around(OWN_RERUN, _rerun)


def _call_back(original: Callable[..., object], *given: object, **named: object) -> object:
    """Run the callbacks of a new run without a stop."""
    _run.ends, _run.calls_back = False, True
    try:
        return original(*given, **named)
    finally:
        _run.calls_back = False


def _rerun(original: Callable[..., object], *given: object) -> object:
    """Let the page stop itself, in a callback too; the callbacks after that one still end."""
    calls_back, _run.calls_back, _run.ends = _run.calls_back, False, False
    try:
        return original(*given)
    finally:
        _run.calls_back = calls_back


def _around(place: tuple[object, str], wrapper: Callable[..., object]) -> None:
    """Replace a function of Streamlit by `wrapper(the function, …)`; leave it if it is wrapped or no longer there."""
    owner, name = place
    original = getattr(owner, name, None)
    if original is None or hasattr(original, "within"):
        return

    def wrapped(*given: object, **named: object) -> object:
        return wrapper(original, *given, **named)

    wrapped.within = original  # type: ignore[attr-defined]
    setattr(owner, name, wrapped)
