"""The grid of cards: its data and its selection."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ui.view import cards
from ui.view.cards import Card, choose

HERE = Path(cards.__file__).parent


def told(app: AppTest) -> dict:
    (component,) = app.get("bidi_component")
    return json.loads(component.proto.json)


@pytest.fixture
def app() -> AppTest:
    def script() -> None:
        import streamlit as st

        from ui.view.cards import Card, cards, choose

        letters = st.session_state.get("letters", "abc")
        items = [
            Card(each, each.upper(), "", f"picture of {each}", rating=5 if each == "a" else None) for each in letters
        ]
        st.button("all", key="all", on_click=choose, args=("grid", list(letters)))
        chosen = cards(items, ["b"], key="grid", label="Letters", height=300)
        st.caption(f"{','.join(chosen.selected)} {chosen.opened}")

    return AppTest.from_function(script, default_timeout=30).run()


def said(app: AppTest) -> str:
    assert not app.exception
    return app.caption[0].value


def test_what_is_selected_at_first(app):
    assert said(app) == "b None"
    assert told(app)["selected"] == ["b"] and told(app)["label"] == "Letters"


def test_what_a_person_selects_comes_back_in_the_order_of_the_cards(app):
    app.session_state["grid"] = {"selected": ["c", "a"]}
    assert said(app.run()) == "a,c None"


def test_what_the_browser_is_told_does_not_change_with_what_is_selected_in_it(app):
    """Else the answer to one click would undo the next."""
    before = told(app)
    app.session_state["grid"] = {"selected": ["c"]}
    assert told(app.run()) == before


def test_a_button_can_select(app):
    app.session_state["grid"] = {"selected": ["c"]}
    app.run()
    number = told(app)["asked"]
    app.button(key="all").click().run()
    assert said(app) == "a,b,c None"
    assert told(app)["selected"] == ["a", "b", "c"] and told(app)["asked"] == number + 1


def test_what_is_not_there_is_not_selected(app):
    app.session_state["grid"] = {"selected": ["a", "z"]}
    app.session_state["letters"] = "bca"
    assert said(app.run()) == "a None"
    app.session_state["letters"] = "bc"
    assert said(app.run()) == "None"


def test_a_card_tells_only_what_is_said_of_it(app):
    assert told(app)["items"][0] == {"id": "a", "title": "A", "alt": "picture of a", "rating": 5}
    assert told(app)["items"][1] == {"id": "b", "title": "B", "alt": "picture of b"}


def test_generation_nought_is_a_generation():
    assert cards._filled(Card("a", "A", "", "", generation=0)) == {"id": "a", "title": "A", "generation": 0}


def test_texts_of_people_are_never_html():
    code = (HERE / "cards.js").read_text(encoding="utf-8")
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in code
    assert "textContent" in code


def test_choosing_before_the_grid_was_shown(monkeypatch):
    import streamlit as st

    state: dict = {}
    monkeypatch.setattr(st, "session_state", state)
    choose("grid", ["a"])
    choose("grid", ["b"])
    assert state == {"grid.asked": {"selected": ["b"], "number": 2}}
