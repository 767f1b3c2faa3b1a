"""The palette: what it offers, and what it does."""

from __future__ import annotations

import json

import pytest
from starlette.requests import Request

from evolve import Run
from evolve.store import boards
from tests.families import by_letter, family
from tests.pages import components, page
from ui.view import palette
from ui.view.palette import offers


@pytest.fixture
def offered(monkeypatch) -> list[dict]:
    """The data of each time the palette was shown."""
    found: list[dict] = []
    monkeypatch.setattr(palette, "_palette", lambda *, data, **_: found.append(data) or {})
    return found


def titles(of: dict) -> list[str]:
    return [each["title"] for each in of["actions"]]


def test_own_concepts_have_pictures_and_the_newest_come_first(run):
    found = offers.own("pets")
    assert [each[0] for each in found] == [each.id for each in reversed(run.entries())]
    drawn = run.drawings()[0]
    assert {each[0]: each[2] for each in found}[drawn.concept] == drawn.file.stem


def test_concepts_of_other_runs_are_found_and_damaged_runs_left_out(run):
    folder = run.folder.parent
    other: Run = family(folder / "zebras")
    broken = folder / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{")
    assert {each[0] for each in offers.others("pets")} == {"zebras"}
    assert {each[1] for each in offers.others("pets")} == {each.id for each in other.entries()}


def test_a_renamed_concept_has_its_new_name(run):
    one = run.entries()[0]
    offers.others("elsewhere")
    run.note(one.id, name="Königin")
    assert ("pets", one.id, "Königin") in offers.others("elsewhere")


def test_tags_of_the_run_and_all_boards_are_offered(run, ids):
    run.note(ids["a"], tag=["plush line"])
    boards.add(run.folder.parent, "Spring 27", [boards.pin(run, run.entry(ids["b"]))])
    route = offers.ROUTES[0].endpoint
    told = json.loads(route(Request({"type": "http", "query_string": b"run=pets"})).body)
    assert told["tags"] == ["plush line"] and told["boards"] == ["Spring 27"]
    told = json.loads(route(Request({"type": "http", "query_string": b""})).body)
    assert told["tags"] == [] and told["boards"] == ["Spring 27"]
    (run.folder.parent / "boards.json").write_text("{")
    assert not offers.boards()


def test_a_tag_in_the_address_filters_the_gallery_by_it_alone(run, ids):
    run.note(ids["a"], tag=["plush line"])
    app = page("gallery", run="pets", tag="plush line")
    app.session_state["gallery.text"] = "nothing has this"
    (cards,) = components(app.run())
    assert [each["id"] for each in json.loads(cards)["items"]] == [f"pets/{ids['a']}"]
    assert "tag" not in app.query_params, "the filters can be changed from here"


def test_publishing_is_an_action(run, offered):
    assert not page("gallery", run="pets").run().exception
    (publish,) = [each for each in offered[-1]["actions"] if each["title"].startswith("Publish")]
    assert publish["page"] == "tree" and "tree-publish" in publish["click"]


def test_without_a_run_it_offers_only_what_needs_none(tmp_path, monkeypatch, offered):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    assert not page("runs").run().exception
    assert titles(offered[-1]) == ["Open a family file or a drawing"]
    assert {each["page"] for each in offered[-1]["pages"]} == {"start", "runs", "seed"}


def test_actions_are_about_the_concept_of_the_page(run, offered):
    one = by_letter(run)["a"]
    run.note(one.id, name="Königin O'Neil")
    assert not page("concept", run="pets", concept=one.id).run().exception
    assert "Export Königin O'Neil" in titles(offered[-1])
    (draw,) = [each for each in offered[-1]["actions"] if each["title"].startswith("Draw")]
    assert draw["query"] == {"run": "pets", "concept": one.id}


def test_it_goes_where_the_browser_says_if_there_is_such_a_page(run, monkeypatch):
    one = by_letter(run)["a"]
    told = [{"go": {"page": "concept", "query": {"run": "pets", "concept": one.id}}}]
    monkeypatch.setattr(palette, "_palette", lambda **_: told.pop() if told else {})
    app = page("tree", run="pets").run()
    assert not app.exception and app.title[0].value == one.name
    told.append({"go": {"page": "../etc", "query": {}}})
    assert not app.run().exception and not app.title  # still the tree


def test_a_check_names_what_is_lost(run, monkeypatch):
    told = [{"do": "check"}]
    monkeypatch.setattr(palette, "_palette", lambda **_: told.pop() if told else {})
    whole = page("gallery", run="pets").run()
    assert "The run is whole." in whole.success[0].value
    run.drawings()[0].file.unlink()
    told.append({"do": "check"})
    lost = page("gallery", run="pets").run()
    assert "not whole" in lost.error[0].value
    assert any(run.drawings()[0].file.stem in each.value.replace("\\", "") for each in lost.markdown)
