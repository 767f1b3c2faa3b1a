"""Boards in the gallery and on a concept's page."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from evolve import Run
from evolve.store.boards import add, board, boards, pin
from tests.families import family
from tests.pages import components, page, text, typed


@pytest.fixture
def others(run, tmp_path) -> Run:
    return family(tmp_path / "others")


def told(app: AppTest) -> list[tuple[str, str]]:
    (data,) = components(app)
    return sorted((item["id"].split("/")[0], item["title"]) for item in json.loads(data)["items"])


def pinned(run: Run, name: str, *ids: str) -> None:
    add(run.folder.parent, name, [pin(run, run.entry(id_)) for id_ in ids])


def gallery(**query: str) -> AppTest:
    app = page("gallery", run="pets", **query).run()
    assert not app.exception
    return app


def test_a_selection_is_put_on_a_new_board_and_taken_off(run, ids, others):
    app = gallery()
    app.session_state["gallery.cards.pets"] = {"selected": [f"pets/{ids[x]}" for x in "ab"]}
    app.run()
    assert "gallery.board" not in {each.key for each in app.selectbox}
    typed(app, "gallery.pin.0", "Bedroom")
    assert not app.exception and "2 concepts: added to Bedroom" in text(app)
    assert {each.id for each in board(run.folder.parent, "Bedroom").pins} == {ids["a"], ids["b"]}
    app.button(key="gallery.pin.label.0").click().run()
    assert "2 concepts: removed from Bedroom" in text(app) and board(run.folder.parent, "Bedroom").pins == ()
    app.button(key="undo.last").click().run()
    assert len(board(run.folder.parent, "Bedroom").pins) == 2 and "Undone: 2 concepts" in text(app)
    app.selectbox(key="gallery.board").set_value("Bedroom").run()
    assert [run for run, _ in told(app)] == ["pets", "pets"]


def test_a_board_shows_concepts_of_several_runs(run, ids, others):
    pinned(run, "Bedroom", ids["a"])
    pinned(others, "Bedroom", ids["b"], ids["c"])
    others.note(ids["c"], hidden=True)
    app = gallery(board="bedroom")
    assert told(app) == [("others", others.entry(ids["b"]).name), ("pets", run.entry(ids["a"]).name)]
    assert app.selectbox(key="gallery.board").value == "Bedroom"
    app.selectbox(key="gallery.board").set_value(None).run()
    assert len(told(app)) == 9 and {run for run, _ in told(app)} == {"pets"}


def test_a_board_is_renamed_and_deleted_and_both_are_undone(run, ids):
    pinned(run, "Bedroom", ids["a"])
    app = gallery(board="Bedroom")
    app.text_input(key="gallery.board.name.Bedroom").set_value("<b>Hall</b>").run()
    assert not app.exception and [each.name for each in boards(run.folder.parent)] == ["<b>Hall</b>"]
    assert app.selectbox(key="gallery.board").value == "<b>Hall</b>" and len(told(app)) == 1
    app.button(key="undo.last").click().run()
    assert app.selectbox(key="gallery.board").value == "Bedroom" and "Undone: Bedroom: renamed" in text(app)
    app.button(key="gallery.board.delete").click().run()
    assert boards(run.folder.parent) == [] and len(told(app)) == 9 and "Bedroom: deleted" in text(app)
    app.button(key="undo.last").click().run()
    assert [each.name for each in boards(run.folder.parent)] == ["Bedroom"]
    add(run.folder.parent, "Hall", [])
    app = gallery(board="Bedroom")
    app.text_input(key="gallery.board.name.Bedroom").set_value("hall").run()
    assert "there is a board 'hall' already" in text(app)


def test_what_is_not_found_is_named_and_removed(run, ids, others):
    pinned(run, "Bedroom", ids["a"])
    pinned(others, "Bedroom", ids["b"])
    name = others.entry(ids["b"]).name
    (others.folder / "run.json").write_text("{")
    app = gallery(board="Bedroom")
    assert f"{name} is not found: " in text(app) and "it is not JSON" in text(app) and len(told(app)) == 1
    app.button(key="gallery.board.lost").click().run()
    assert [each.id for each in board(run.folder.parent, "Bedroom").pins] == [ids["a"]]
    assert "is not found" not in text(app)


def test_a_board_that_is_gone_and_a_damaged_file_are_told(run, ids):
    pinned(run, "Bedroom", ids["a"])
    app = gallery(board="Hall")
    assert "There is no board 'Hall'" in text(app) and len(told(app)) == 9
    (run.folder.parent / "boards.json").write_bytes(b'{"conc')
    app = gallery(board="Bedroom")
    assert "cannot be read: it is not whole JSON" in text(app) and len(told(app)) == 9


def test_a_concepts_page_has_its_boards(run, ids):
    app = page("concept", run="pets", concept=ids["a"]).run()
    typed(app, "concept.pin.0", "Bedroom")
    assert not app.exception and [each.id for each in board(run.folder.parent, "Bedroom").pins] == [ids["a"]]
    assert app.button(key="concept.pin.label.0").label == "Bedroom"
    app.button(key="undo.last").click().run()
    assert boards(run.folder.parent) == []
