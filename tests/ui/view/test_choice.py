"""The selection and the chosen parents in the address: a reload brings them back."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from evolve import Run
from tests.families import three_founders
from tests.pages import addressed, components, page
from ui.view import sittings
from ui.view.parents import add_photo, uploaded


@pytest.fixture
def run(tmp_path, monkeypatch, backbone) -> Run:
    """Three founders on the tiny stack."""
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    monkeypatch.setattr(sittings, "prepare", lambda *_: None)
    return three_founders(tmp_path / "pets", backbone)


@pytest.fixture
def ids(run) -> list[str]:
    return [each.id for each in run.entries()]


def reloaded(app: AppTest, name: str = "tree", place: str = "tree") -> AppTest:
    """The page in a new session, with the address that a script made."""
    assert not app.exception
    told = {each: value for each, value in addressed(app, place).items() if value}
    again = page(name, run="pets", **told).run()
    assert not again.exception
    return again


def test_a_reload_brings_back_the_selection_and_the_parents_with_their_shares(run, ids):
    app = page("tree", run="pets").run()
    app.session_state["tree.family.pets"] = {"selected": {"ids": ids[:2], "at": 1}}
    app.run()
    app.session_state["parents"]["pets"] |= {ids[0]: 0.8, ids[1]: 0.2}
    app.run()
    assert addressed(app, "parents") == addressed(app, "tree"), "a fragment writes for itself"
    again = reloaded(app)
    assert again.session_state["parents"]["pets"] == {ids[0]: 0.8, ids[1]: 0.2}
    (tree,) = (json.loads(each) for each in components(again) if "nodes" in json.loads(each))
    assert tree["selected"] == ids[:2] and tree["turn"] > 0, "the browser selects them"
    again.session_state["tree.family.pets"] = {"selected": {"ids": ids[:1], "at": 2}}
    again.run()
    assert not again.session_state["parents"]["pets"], "parents follow the selection, as before the reload"


def test_a_reload_brings_back_what_is_less_alike_taken_and_typed(run, ids):
    app = page("tree", run="pets")
    app.session_state["parents"] = {"pets": {ids[0]: 0.5, ids[1]: 0.5}}
    app.session_state["breed.away"] = {"pets": {ids[1]: 0.7}}
    app.session_state["breed.takes"] = {"pets": {"red,blue": ids[2]}}
    app.session_state["breed.word.pets"] = "</script>cat"
    app.run()
    state = reloaded(app).session_state
    assert state["parents"]["pets"].keys() == set(ids[:2])
    assert state["breed.away"]["pets"] == {ids[1]: 0.7}
    assert state["breed.takes"]["pets"] == {"red,blue": ids[2]}
    assert state["breed.word.pets"] == "</script>cat"


def test_a_reload_brings_back_a_photograph_as_long_as_the_server_runs(run, ids, monkeypatch):
    content = io.BytesIO()
    Image.effect_noise((30, 20), 90).convert("RGB").save(content, format="PNG")
    photo = uploaded("cat.png", content.getvalue())
    monkeypatch.setattr("ui.view.parents.st.session_state", {})
    add_photo("pets", photo)
    monkeypatch.undo()
    monkeypatch.setenv("CONCEPTREE_RUNS", str(run.folder.parent))
    again = page("tree", run="pets", parents=f"{photo.id}.0.5,{ids[0]}.0.5").run()
    assert not again.exception
    assert [*again.session_state["breed.photos"]["pets"]] == [photo.id]
    assert [*again.session_state["parents"]["pets"]] == [ids[0]]


def test_a_reload_of_the_gallery_brings_back_its_selection(run, ids):
    app = page("gallery", run="pets").run()
    app.session_state["gallery.cards.pets"] = {"selected": [f"pets/{ids[1]}"]}
    app.run()
    again = reloaded(app, "gallery", "cards")
    (grid,) = (json.loads(each) for each in components(again))
    assert grid["selected"] == [f"pets/{ids[1]}"]
    assert not again.button(key="gallery.hide").disabled


@pytest.mark.parametrize(
    "query",
    [
        {"selected": "nobody,0123456789abcdef"},
        {"parents": "x,.,a.b,0123456789abcdef.nan,0123456789abcdef.0.5"},
        {"takes": "colour.0123456789abcdef;{}.x;;"},
        {"cards": "<b>,.."},
    ],
)
def test_an_address_that_was_changed_by_hand_chooses_nothing(run, query):
    for name in ("gallery", "tree"):
        app = page(name, run="pets", **query).run()
        assert not app.exception and not app.error
    assert not app.session_state["parents"]["pets"]
