"""Buttons whose clicks count even if another click interrupts the page.

Streamlit stops a page that is still running when the next click arrives. A plain `if st.button(...)` that was not
reached by then would never be true. Here the click is noted first, in a callback, and kept until the page reaches the
button's code, in this run or the next; that run is then not stopped any more. A click whose button is gone by then is
refused with a message.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from ui.view import whole
from ui.view.text import plain

_CLICKS = "clicks.waiting"  # key in the session: the clicks of buttons by their keys
_DONE = "clicks.done"  # key in the session: when the click of a button was carried out
TWICE = 0.8  # seconds after a button has started something in which another click is part of a double click


@dataclass(frozen=True)
class Click:
    """Clicks of a button that wait to be carried out. of: see `button`. at: time of the last. again: one was."""

    label: str
    of: str
    number: int
    at: float
    again: bool = False


def button(
    label: str, *, key: str, of: str = "", once: bool = False, make: Callable[..., bool] = st.button, **how: Any
) -> bool:
    """A button; whether it was clicked and nothing has been done about it yet. how: as for `st.button`.

    of: what it acts on; a click that was meant for something else has no effect. once: it starts something, so the
    second click of a double click is left out. make: `st.form_submit_button` in a form.
    """
    make(label, key=key, on_click=_note, args=(key, label, of), **how)
    click = _waiting().get(key)
    if click is None or click.of != of:
        return False
    whole.to_the_end()
    _waiting().pop(key)
    if click.number > 1 and not once:
        _waiting()[key] = replace(click, number=click.number - 1, again=True)
    done: dict[str, float] = st.session_state.setdefault(_DONE, {})
    if once and click.at - done.get(key, -math.inf) < TWICE:
        st.toast(plain(f"The second click on “{label}” was left out."), icon=":material/block:")
        return False
    done[key] = time.monotonic()
    return True


def refuse_left() -> None:
    """At the end of a page: run it again for second clicks; tell which clicks had no effect, since their buttons are
    no longer there.
    """
    for key, click in list(_waiting().items()):
        if not click.again:
            del _waiting()[key]
            text = f"“{click.label}” had no effect: the page changed first. Press it again."
            st.toast(plain(text), icon=":material/block:")
    if _waiting():
        st.session_state[_CLICKS] = {key: replace(click, again=False) for key, click in _waiting().items()}
        st.rerun()


def _note(key: str, label: str, of: str) -> None:
    before = _waiting().get(key)
    number = before.number if before and before.of == of else 0
    _waiting()[key] = Click(label, of, number + 1, time.monotonic())


def _waiting() -> dict[str, Click]:
    found: dict[str, Click] = st.session_state.setdefault(_CLICKS, {})
    return found
