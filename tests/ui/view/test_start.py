"""The first page: a field, a button, and a family."""

from __future__ import annotations

import io
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from evolve import Run
from evolve.jobs.plans import Seed
from evolve.jobs.stored import jobs
from tests.families import family, new_run
from tests.pages import components, page, text
from ui.view import imagined, model, processes


@pytest.fixture
def runs(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def begun(monkeypatch, backbone) -> list[str]:
    """Runs whose jobs were started, on the tiny stack."""
    found: list[str] = []
    monkeypatch.setattr(model, "stack", lambda where: backbone)
    monkeypatch.setattr(processes, "start", lambda run, job: found.append(run.folder.name))
    return found


def shown(**query: str) -> AppTest:
    found = page("", **query).run()
    assert not found.exception
    return found


def invent(app: AppTest, category: str) -> AppTest:
    app.text_input(key="start.category").set_value(category)
    app.button(key="start.invent").click()
    assert not app.run().exception
    return app


def test_it_says_what_this_is(runs):
    found = shown()
    assert found.title[0].value == "Name a thing, get ones that do not exist, breed the ones you love."
    assert [each.label for each in found.text_input] == ["Category"]
    assert "Open a shared family" in text(found) and "concepts" not in text(found)


def test_the_first_time_pictures_of_categories_fill_in_the_field(runs, begun):
    """Issue: an empty page; people could not know which words the model knows."""
    found = shown()
    (tiles,) = (json.loads(each) for each in components(found))
    assert [each["title"] for each in tiles["items"]] == list(imagined.CATEGORIES)
    assert all(each["image"].endswith(f"/imagined/{quote(each['title'])}.webp") for each in tiles["items"])
    found.session_state["start.tiles"] = {"selected": ["fruit"]}
    assert found.run().text_input(key="start.category").value == "fruit"
    invent(found, "pet")
    assert begun == ["pet"], "what is typed later counts"


def test_the_picture_of_a_category_is_drawn_once_and_of_others_there_is_none(backbone, monkeypatch):
    drawn: list[int] = []
    draw = backbone.draw
    monkeypatch.setattr(imagined.model, "stack", lambda where: backbone)
    monkeypatch.setattr(imagined, "_drawn", {})
    monkeypatch.setattr(type(backbone), "draw", lambda *given, **more: drawn.append(1) or draw(*given[1:], **more))
    client = TestClient(Starlette(routes=imagined.ROUTES))
    for _ in range(2):
        answer = client.get("/imagined/pet.webp")
        assert answer.status_code == 200 and answer.headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(answer.content)).size == (imagined.SIDE, imagined.SIDE) and len(drawn) == 1
    assert [client.get(f"/imagined/{each}").status_code for each in ("x.webp", "../pet.webp", "")] == [404] * 3


def test_a_word_that_the_model_does_not_know_shows_the_categories_to_choose_from(runs, begun, backbone):
    found = invent(shown(), "qqzzx")
    assert "The model does not know “qqzzx”." in found.warning[0].value.replace("\\", "") and not begun
    (known,) = (each for each in found.button_group if each.key == "start.known")
    assert "pet" in known.options
    known.set_value("pet")
    assert found.run().text_input(key="start.category").value == "pet"
    assert not found.warning


def test_below_is_the_family_of_the_latest_run(runs):
    family(runs / "pets")
    new_run(runs / "new")
    found = shown()
    assert found.query_params["run"] in ("pets", ["pets"])  # the other has nothing to show
    assert found.selectbox(key="header.run.pets").options == ["new", "pets"]
    assert "9 concepts" in text(found)
    assert found.title[0].value.startswith("Name a thing")


@pytest.mark.parametrize("typed", ["pet", "  pet "])
def test_a_category_and_enter_start_founders_and_lead_to_their_family(runs, begun, typed):
    family(runs / "others")
    found = invent(shown(), typed)
    assert begun == ["pet"]
    (job,) = jobs(Run.open(runs / "pet"))
    plan = job.plan
    assert isinstance(plan, Seed) and (plan.category, plan.kind, plan.schedule) == ("pet", "object", "adaptive")
    assert (plan.count, plan.keep) == (6, 0), "this stack has no surplus"
    assert found.query_params["run"] in ("pet", ["pet"]) and "Name a thing" not in text(found)


def test_the_same_category_again_gives_other_founders(runs, begun):
    for _ in range(2):
        invent(shown(), "pet")
    one, other = (jobs(Run.open(runs / name))[0].plan for name in ("pet", "pet-2"))
    assert one.seed != other.seed


def test_a_style_is_known_by_its_name(runs, begun):
    invent(shown(), "Painting")
    (job,) = jobs(Run.open(runs / "painting"))
    assert job.plan.kind == "style"


def test_without_a_category_it_asks_for_one_and_makes_nothing(runs, begun):
    found = invent(shown(), "")
    assert (
        "name a category first, such as pet" in found.error[0].value.replace("\\", "")
        and not begun
        and not runs.exists()
    )


def test_all_options_are_one_click_away_and_keep_the_category(runs, begun):
    found = shown()
    found.text_input(key="start.category").set_value("fruit")
    found.button(key="start.more").click().run()
    assert found.title[0].value == "New run"
    assert found.selectbox(key="seed.category.object").value == "fruit"
