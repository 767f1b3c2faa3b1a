"""A click counts even if another one interrupts the page, and only for what it was meant."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from ui.view import clicks


def script() -> None:
    """A page that another click interrupts before its button, as often as the session says."""
    import streamlit as st

    from ui.view import clicks

    state = st.session_state
    if state.get("interrupted"):
        state["interrupted"] -= 1
        st.stop()
    state.setdefault("done", [])
    if state.get("there", True) and clicks.button(
        "Breed", key="breed", of=state.get("of", ""), once=state.get("once", False)
    ):
        state["done"].append(state.get("of", ""))
    clicks.refuse_left()


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(script).run()


def done(app: AppTest) -> list[str]:
    assert not app.exception
    return app.session_state["done"]


def toasts(app: AppTest) -> list[str]:
    return [each.value for each in app.toast]


def press(app: AppTest, interrupted: int = 0) -> AppTest:
    app.session_state["interrupted"] = interrupted
    return app.button(key="breed").click().run()


def test_a_click_is_carried_out_once(app):
    press(app)
    assert done(app.run()) == [""]


def test_a_click_that_is_interrupted_waits_for_the_next_run(app):
    press(app, interrupted=1)
    assert done(app) == []
    assert done(app.run()) == [""] and done(app.run()) == [""] and not toasts(app)


def test_two_clicks_are_two(app):
    press(app, interrupted=1)
    waiting = app.session_state["clicks.waiting"]
    app.session_state["clicks.waiting"] = {key: replace(click, number=2) for key, click in waiting.items()}
    assert done(app.run()) == ["", ""] and done(app.run()) == ["", ""] and not toasts(app)


def test_a_double_click_on_a_button_that_starts_something_starts_it_once(app, monkeypatch):
    monkeypatch.setattr(clicks, "TWICE", 60.0)
    app.session_state["once"] = True
    press(press(app))
    assert done(app) == [""] and "second click on “Breed” was left out" in toasts(app)[0]


@pytest.mark.parametrize("change", [{"there": False}, {"of": "another concept"}])
def test_a_click_whose_button_is_gone_or_means_another_thing_is_refused_visibly(app, change):
    press(app, interrupted=1)
    for name, value in change.items():
        app.session_state[name] = value
    app.run()
    assert done(app) == [] and toasts(app) == ["“Breed” had no effect\\: the page changed first\\. Press it again\\."]
    assert not toasts(app.run())
