"""The lightbox: marks that it sends, facts and files that it asks for."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from core.png import strangers_texts
from core.segments import Event
from evolve.jobs.stored import new_job
from evolve.store.looks import add_looks, add_names, looks_in
from tests.families import by_letter, picture
from tests.pages import page, text
from tests.plans import a_breed
from ui.view import thumbnails
from ui.view.lightbox import about

BOX = "lightbox.shown"


@pytest.fixture
def served() -> TestClient:
    return TestClient(Starlette(routes=[*thumbnails.ROUTES, *about.ROUTES]))


def seen(app) -> int:
    (box,) = [each for each in app.get("bidi_component") if "lightbox" in each.proto.component_name]
    return json.loads(box.proto.json)["seen"]


def test_every_page_has_one_and_marks_set_in_it_count_once(run, ids):
    app = page("gallery", run="pets").run()
    first = seen(app)
    mark = {"number": first + 1, "run": "pets", "concept": ids["a"], "field": "rating", "value": 4}
    app.session_state[BOX] = {"marks": [mark]}
    app.run()
    assert run.entry(ids["a"]).note.rating == 4 and seen(app) == first + 1
    later = {**mark, "number": first + 2, "concept": ids["b"], "field": "favourite", "value": True}
    run.note(ids["a"], rating=2)  # meanwhile, elsewhere: the mark that comes again does not undo it
    app.session_state[BOX] = {"marks": [mark, later]}
    app.run()
    assert (run.entry(ids["a"]).note.rating, run.entry(ids["b"]).note.favourite) == (2, True)
    assert "favourite" in text(app) and not app.exception


def test_marks_of_an_earlier_session_do_not_count_again(run, ids):
    """A browser sends its state again when the server was started anew."""
    app = page("gallery", run="pets")
    old = {"number": 5, "run": "pets", "concept": ids["a"], "field": "hidden", "value": True}
    app.session_state[BOX] = {"marks": [old]}
    app.run()
    assert not run.entry(ids["a"]).note.hidden and not app.exception


@pytest.mark.parametrize(
    "wrong",
    [
        {"concept": "f" * 16},
        {"field": "name", "value": "x"},
        {"field": "favourite", "value": 1},
        {"field": "rating", "value": 9},
        {"run": "../pets"},
        {"run": "none"},
    ],
)
def test_a_mark_that_cannot_be_set_is_told_in_one_line(run, ids, wrong):
    app = page("gallery", run="pets").run()
    mark = {"number": seen(app) + 1, "run": "pets", "concept": ids["a"], "field": "rating", "value": 3}
    app.session_state[BOX] = {"marks": [{**mark, **wrong}, "rubbish"]}
    app.run()
    assert not app.exception and len(app.toast) == 1 and "\n" not in app.toast[0].value
    assert run.entry(ids["a"]).note.rating is None


def test_facts_of_a_drawing(run, ids, served):
    drawn = run.drawings(ids["a"])[0]
    run.note(ids["a"], rating=3, favourite=True)
    told = served.get(f"/about/pictures/pets/{drawn.file.stem}").json()
    name = by_letter(run)["a"].name
    assert told["name"] == name and told["concept"] == ids["a"] and told["run"] == "pets"
    assert told["lines"][0] == drawn.prompt.replace("{}", name) and f"seed {drawn.seed}" in told["lines"][1]
    assert (told["rating"], told["favourite"], told["hidden"]) == (3, True, False)
    assert told["file"] == f"{name}-seed-{drawn.seed}"


def test_facts_of_a_draft_and_of_a_photograph(run, ids, served):
    job = new_job(run, a_breed(children=1))
    request = by_letter(run)["a"].concept.request
    add_looks(job.folder, [(0, Event(0, 25, request, {}, (picture(7),), (), (), ()))])
    (look,) = looks_in(job.folder)
    address = f"looks/pets/{job.name}/{look.image.stem}"
    told = served.get(f"/about/{address}").json()
    assert (told["name"], told["lines"], told["concept"]) == ("Child 1", ["step 25"], "")
    assert served.get(f"/saved/{address}.png").content == look.image.read_bytes()
    add_names(job.folder, {0: (ids["b"], "b")})  # finished
    assert served.get(f"/about/{address}").json()["concept"] == ids["b"]
    photo = run.add_photo("photo-0123456789abcdef", Image.new("RGB", (30, 20), "red"), "holiday.jpg")
    assert served.get(f"/about/photos/pets/{photo.id}").json()["name"] == "holiday.jpg"
    assert served.get(f"/saved/photos/pets/{photo.id}.png").content == photo.file.read_bytes()


def test_a_saved_drawing_is_the_stored_file_with_its_origin_inside(run, ids, served):
    drawn = run.drawings(ids["a"])[0]
    answer = served.get(f"/saved/pictures/pets/{drawn.file.stem}.png")
    assert answer.content == drawn.file.read_bytes() and answer.headers["content-type"] == "image/png"
    assert strangers_texts(answer.content)["id"] == ids["a"]


@pytest.mark.parametrize("room", ["pictures", "looks/0001-breed", "photos"])
@pytest.mark.parametrize("digest", ["0" * 24, "..%2f..%2frun", "photo-ffffffffffffffff", "x"])
def test_others_are_not_found(run, served, room, digest):
    first, _, job = room.partition("/")
    place = "/".join(filter(None, (first, "pets", job, digest)))
    for address in (f"/about/{place}", f"/saved/{place}.png", f"/about/{place.replace('pets', 'none')}"):
        assert served.get(address).status_code == 404


def test_copies_are_larger_or_without_background_and_refused_in_one_line(run, ids, served):
    drawn = run.drawings(ids["a"])[0]
    address = f"/saved/pictures/pets/{drawn.file.stem}.png"
    content = served.get(f"{address}?upscale=2").content
    with Image.open(io.BytesIO(content)) as large:
        assert large.size == (16, 16)
    assert strangers_texts(content)["id"] == ids["a"]
    refused = served.get(f"{address}?cutout=1")
    assert refused.status_code == 422 and "no plain background" in refused.text and "\n" not in refused.text
    assert served.get(f"{address}?upscale=99").content == drawn.file.read_bytes()
