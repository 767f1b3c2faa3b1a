"""Below the tree: the family as web pages to download, and what they leave out."""

from __future__ import annotations

from types import SimpleNamespace

from streamlit.testing.v1 import AppTest

from evolve.store.run import Photo
from tests.pages import page, text
from ui.view.downloads import torn


def opened(**state: object) -> AppTest:
    """The page of the tree with the part about publishing open."""
    app = page("tree", run="pets")
    app.session_state["tree.publish"] = True
    for key, value in state.items():
        app.session_state[key.replace("_", ".")] = value
    return app.run()


def test_the_form_is_made_when_it_is_opened(run):
    assert not page("tree", run="pets").run().get("download_button")
    app = opened()
    assert not app.exception and len(app.get("download_button")) == 1
    assert "9 concepts." in text(app)


def test_it_says_what_is_left_out(run, ids):
    run.note(ids["a"], hidden=True)
    assert "8 concepts. 1 hidden concept is left out." in text(opened())
    assert "9 concepts." in text(opened(tree_publish_hidden=True))


def test_it_names_torn_pictures(run, ids):
    assert "torn" not in text(opened())
    run.drawings(ids["a"])[0].file.unlink()
    name = run.entry(ids["a"]).name
    assert f"1 picture is left out: its file is missing or torn ({name})." in text(opened())


def test_torn_photographs_of_one_name_are_all_counted(tmp_path):
    photos = [Photo(str(number), "snail.jpg", tmp_path / f"{number}.png", "") for number in range(2)]
    told = torn(SimpleNamespace(), (), photos)
    assert told == "2 pictures are left out: their files are missing or torn (snail.jpg)."


def test_only_the_selected_concepts_with_their_ancestors(run, ids):
    app = opened()
    app.session_state["tree.family.pets"] = {"selected": {"ids": [ids["e"]], "at": 1}}
    app.session_state["tree.publish.only"] = True
    app.run()
    assert "3 concepts." in text(app)


def test_nothing_to_publish_is_told(run, ids):
    for id_ in ids.values():
        run.note(id_, hidden=True)
    app = opened()
    assert not app.exception and not app.get("download_button") and "all of them are hidden" in text(app)
