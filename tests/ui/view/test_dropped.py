"""Pictures dropped on the tree."""

from __future__ import annotations

import base64
import io
import json

import pytest
from streamlit.testing.v1 import AppTest

from core.png import png_bytes
from tests.families import family, picture
from tests.pages import components, page

Files = dict[str, object]


def dropped(*files: tuple[str, bytes]) -> Files:
    return {"files": [{"name": name, "content": base64.b64encode(content).decode()} for name, content in files]}


def photograph(number: int = 0) -> bytes:
    content = io.BytesIO()
    picture(number).save(content, format="PNG")
    return content.getvalue()


def drop(told: Files, run: str = "pets") -> AppTest:
    """Take dropped files in a session."""

    def script(run: str, told: dict) -> None:
        from ui.view.dropped import take

        take(run, told)

    app = AppTest.from_function(script, kwargs={"run": run, "told": told}, default_timeout=30).run()
    assert not app.exception
    return app


def message(app: AppTest) -> str:
    return app.session_state["tree.states"]["pets"].message


def photos(app: AppTest) -> list[str]:
    kept = app.session_state["breed.photos"]["pets"] if "breed.photos" in app.session_state else {}
    return [each.label for each in kept.values()]


def test_a_drawing_selects_its_concept_and_becomes_no_parent(run, ids):
    app = drop(dropped(("anything.png", run.drawings(ids["b"])[0].file.read_bytes())))
    assert app.session_state["tree.states"]["pets"].selected == [ids["b"]]
    assert not photos(app) and not message(app)


def test_photographs_become_parents_up_to_four(run):
    app = drop(dropped(*((f"{number}.png", photograph(number)) for number in range(3))))
    assert photos(app) == ["0.png", "1.png", "2.png"] and message(app) == "2.png is a parent now."
    tree = page("tree", run="pets")
    tree.session_state["breed.photos"] = app.session_state["breed.photos"]
    tree.session_state["tree.states"] = app.session_state["tree.states"]
    tree.run()
    assert not tree.exception and json.loads(components(tree)[0])["message"] == "2.png is a parent now."


def test_a_fifth_photograph_is_refused(run, monkeypatch):
    monkeypatch.setattr("ui.view.dropped.MOST", 9)
    app = drop(dropped(*((f"{number}.png", photograph(number)) for number in range(5))))
    assert len(photos(app)) == 4 and "'4.png' is one too many: at most 4 photographs" in message(app)


def test_a_drawing_of_another_run_leads_there(run, tmp_path):
    other = family(tmp_path / "birds")
    told = {"conceptree": 1, "id": "0" * 15 + "7", "concept": "kiwi", "run": "birds", "prompt": "a {}", "seed": 1}
    one = other.entries()[0]
    # The same concepts are in both runs, so the drawing says which run it is of.
    content = png_bytes(picture(3), {"conceptree": json.dumps({**told, "id": one.id})})
    app = drop(dropped(("kiwi.png", content)))
    assert app.session_state["dropped.other"] == "birds" and not photos(app)
    assert app.session_state["tree.states"]["birds"].selected == [one.id]
    lost = png_bytes(picture(3), {"conceptree": json.dumps(told)})
    app = drop(dropped(("kiwi.png", lost)))
    assert photos(app) == ["kiwi.png"]
    assert message(app) == "kiwi.png is a parent now, though it is a drawing: no run here has its concept."


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (dropped(("notes.txt", b"hello")), "'notes.txt' is not a picture that can be read"),
        ({"files": [{"name": "x.png", "content": "€"}]}, "'x.png' came in broken"),
        (dropped(("<b>x</b>.png", b"")), "is not a picture"),
        ({}, ""),
    ],
)
def test_what_is_no_picture_is_told_in_one_line(run, files, told):
    app = drop(files)
    assert told in message(app) and "\n" not in message(app) and not photos(app)
