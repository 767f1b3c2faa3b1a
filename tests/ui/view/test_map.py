"""The page of a map: elites in their cells, other axes at once, and children for empty cells."""

from __future__ import annotations

import json
import threading

import pytest

from core import Settings
from evolve import Run, populate
from evolve.jobs.plans import Map
from evolve.jobs.stored import jobs
from evolve.maps.chart import SIDE
from tests.pages import addressed, components, page, text
from ui.view import processes
from ui.view.board import Cell, Pressed, board
from ui.view.screens import map as screen

QUICK = Settings(steps=2, segment=1, learning_rate=1e-2)


@pytest.fixture
def run(backbone, tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    monkeypatch.setattr("ui.view.model.backbone", lambda run: backbone)
    monkeypatch.setattr("evolve.maps.phrases.COLOURS", ("grrr:white", "red:blue", "small:style"))  # it knows few words
    monkeypatch.setattr(screen, "PATIENCE", 60.0)
    run = Run.create(tmp_path / "pets", "pet", backbone)
    run.add(populate("pet", 3, backbone, request={"settings": QUICK, "negatives": ("cat",)}))
    return run


@pytest.fixture
def begun(monkeypatch):
    found: list[str] = []
    monkeypatch.setattr(processes, "start", lambda run, job: found.append(job.name))
    return found


def asked(app, across="red:blue", up="small:style"):
    app.text_input(key="map.axis.0.pets").set_value(across)
    app.text_input(key="map.axis.1.pets").set_value(up)
    app.number_input(key="map.side.0.pets").set_value(3)
    app.number_input(key="map.side.1.pets").set_value(2)
    return app.run()


def shown(app):
    (data,) = [json.loads(each) for each in components(app) if "columns" in json.loads(each)]
    return data


def test_it_begins_with_usual_axes_and_the_family_on_them(run, monkeypatch):
    """Issue: the page was empty until two axes were typed."""
    app = page("map", run="pets").run()
    assert not app.exception and not app.info
    axes = [app.text_input(key=f"map.axis.{number}.pets").value for number in (0, 1)]
    assert axes == ["red:blue", "small:style"]
    assert {each["name"] for each in shown(app)["cells"] if each["id"]} <= {each.name for each in run.entries()}
    assert (shown(app)["columns"], shown(app)["rows"]) == (3, 3), "few cells for a small family"
    assert not jobs(run), "nothing is learned"


def test_a_chart_that_takes_long_is_made_in_a_thread_and_the_page_stays_usable(run, monkeypatch):
    ready, made = threading.Event(), screen.chart_for
    monkeypatch.setattr(screen, "PATIENCE", 0.0)
    monkeypatch.setattr(screen, "chart_for", lambda *given: ready.wait(60) and made(*given))
    app = page("map", run="pets").run()
    assert not app.exception and "Placing the family" in text(app) and not components(app)
    (thread,) = screen._charts.threads.values()
    ready.set()
    thread.join(60)
    assert shown(app.run())


def test_a_stack_that_knows_no_usual_axes_or_is_slow_says_what_a_map_is(run, monkeypatch):
    monkeypatch.setattr(screen, "is_quick", lambda stack: False)
    app = page("map", run="pets").run()
    assert not app.exception and "Name two axes" in text(app) and not components(app)


def test_axes_place_the_runs_concepts_at_once_and_other_axes_place_them_anew(run):
    app = asked(page("map", run="pets").run())
    assert not app.exception
    data = shown(app)
    filled = [each for each in data["cells"] if each["id"]]
    assert len(data["cells"]) == 6 and (data["columns"], data["rows"]) == (3, 2)
    assert filled and {each["name"] for each in filled} <= {each.name for each in run.entries()}
    assert data["ends"] == [["red", "blue"], ["small", "style"]] and f"{len(filled)} of 6 cells" in text(app)
    mirrored = shown(asked(app, across="blue:red"))
    places = [{each["id"]: each["column"] for each in told["cells"] if each["id"]} for told in (data, mirrored)]
    assert all(places[1].get(id_, 2 - column) == 2 - column for id_, column in places[0].items())
    assert not jobs(run), "nothing is learned"


def test_axes_and_sides_are_kept_for_a_reload_and_for_the_way_back(run):
    app = asked(page("map", run="pets").run())
    assert {name: value for name, value in addressed(app, "axes").items() if value} == {
        "across": "red:blue",
        "up": "small:style",
        "columns": "3",
        "rows": "2",
    }
    told = shown(page("map", run="pets", across="red:blue", up="small:style", columns="3", rows="2").run())
    assert (told["columns"], told["rows"], told["ends"]) == (3, 2, [["red", "blue"], ["small", "style"]])
    again = page("map", run="pets")
    again.session_state["map.kept.pets"] = {"across": "blue:red", "up": "small:style", "columns": "2", "rows": "2"}
    assert shown(again.run())["ends"][0] == ["blue", "red"]


@pytest.mark.parametrize("side", ["0", "1", "33", "x", "-3", "³", "9999999"])
def test_an_address_with_an_impossible_number_of_cells_has_the_usual_one(run, side):
    app = page("map", run="pets", across="red:blue", up="small:style", columns=side).run()
    assert not app.exception and shown(app)["columns"] == SIDE


def test_a_cleared_axis_stays_cleared(run):
    app = asked(page("map", run="pets").run())
    app.text_input(key="map.axis.0.pets").set_value("").run()
    assert app.text_input(key="map.axis.0.pets").value == "" and "Name two axes" in text(app)
    app.text_input(key="map.axis.1.pets").set_value("").run()
    assert not any(addressed(app, "axes").values())


def test_the_words_about_empty_cells_are_there_once(run):
    app = asked(page("map", run="pets").run())
    assert text(app).count("Click an empty cell (+) to breed 4 children for it") == 1


def test_a_wrong_axis_is_said_and_the_form_stays(run):
    app = asked(page("map", run="pets").run(), up="grrr:small")
    assert not app.exception and "does not know 'grrr'" in text(app)
    assert not asked(app).exception and shown(app)


def test_a_wrong_axis_is_said_before_there_is_another(run):
    app = page("map", run="pets").run()
    app.text_input(key="map.axis.1.pets").set_value("")
    app.text_input(key="map.axis.0.pets").set_value("duck").run()
    assert not app.exception and "the axis 'duck': write two different phrases" in text(app)
    app.text_input(key="map.axis.0.pets").set_value("consistent").run()
    assert "Name two axes" in text(app) and not app.error


def test_the_map_is_filled_by_a_job_of_its_own(run, begun):
    app = asked(page("map", run="pets").run())
    app.button(key="map.fill").click().run()
    (job,) = jobs(run)
    assert begun == [job.name] and isinstance(job.plan, Map) and job.plan.aim is None and job.plan.first == 0
    assert [axis.name for axis in job.plan.chart.axes] == ["red:blue", "small:style"]
    again = page("map", run="pets").run()
    assert shown(again)["columns"] == 3, "the axes of the last map are those that the page begins with"


def pressing(monkeypatch, at, filled):
    """Press a cell, once: the message of the browser stays until the next one."""

    def pressed(data, **_):
        cell = next(each for each in data["cells"] if bool(each["id"]) == filled)
        return {"pressed": {"column": cell["column"], "row": cell["row"], "at": at}}

    monkeypatch.setattr("ui.view.board._board", pressed)


def test_an_empty_cell_is_bred_for_once(run, begun, monkeypatch):
    pressing(monkeypatch, 1, filled=False)
    app = asked(page("map", run="pets").run())
    assert not app.exception
    (job,) = jobs(run)
    assert begun == [job.name] and job.plan.aim is not None and job.plan.children == screen.HERE
    app.run()
    assert len(jobs(run)) == 1


def test_a_filled_cell_opens_its_concept(run, begun, monkeypatch):
    pressing(monkeypatch, 1, filled=True)
    gone: list[str] = []
    monkeypatch.setattr(screen.links, "go", lambda name, **query: gone.append(query["concept"]))
    asked(page("map", run="pets").run())
    assert len(gone) == 1 and gone[0] in {each.id for each in run.entries()} and not begun


def test_a_press_is_of_a_cell_that_is_there(monkeypatch):
    cells = [Cell(0, 0, id="a" * 16), Cell(1, 0)]
    for at, (told, expected) in enumerate(
        (
            (None, Pressed()),
            ({"column": 0, "row": 0}, Pressed(id="a" * 16)),
            ({"column": 1, "row": 0}, Pressed(cell=(1, 0))),
            ({"column": 9, "row": 0}, Pressed()),
            ({"column": "x"}, Pressed()),
        )
    ):
        pressed = {"pressed": told and {**told, "at": at}}
        monkeypatch.setattr("ui.view.board._board", lambda pressed=pressed, **_: pressed)
        assert board(cells, (2, 1), [("a", "b"), ("c", "d")], label="", busy=False, key="k") == expected
        assert board(cells, (2, 1), [("a", "b"), ("c", "d")], label="", busy=False, key="k") == Pressed()
