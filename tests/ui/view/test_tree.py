"""The page of the family tree: data for the component, selection, panel."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from evolve.jobs.stored import new_job
from tests.families import by_letter, concept, new_run
from tests.pages import alts, components, page, text
from tests.plans import a_seed
from ui.view import store
from ui.view.family import _script
from ui.view.scene import Filter, scene
from ui.view.selection import State, find

TREE, TABLE = "tree.family.pets", "tree.table.pets"


@pytest.fixture
def names(run) -> dict[str, str]:
    return {letter: each.name for letter, each in by_letter(run).items()}


def tree(run: str = "pets") -> AppTest:
    """The page, with its table open."""
    app = page("tree", run=run)
    app.session_state["tree.as_table"] = True
    return app.run()


def told(app: AppTest) -> dict:
    """The last data of the tree component."""
    (component,) = components(app)
    return json.loads(component)


def select(app: AppTest, *chosen: str, at: int = 1) -> AppTest:
    """Select in the tree."""
    app.session_state[TREE] = {"selected": {"ids": list(chosen), "at": at}}
    return app.run()


def tick(app: AppTest, *rows: int) -> AppTest:
    """Tick rows of the table."""
    app.session_state[TABLE] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    return app.run()


def node(app: AppTest, id_: str) -> dict:
    return next(each for each in told(app)["nodes"] if each["id"] == id_)


def test_everybody_stands_in_the_row_of_their_generation_with_a_drawing(run, ids):
    app = tree()
    assert not app.exception
    nodes = {each["id"]: each for each in told(app)["nodes"]}
    assert {*ids.values()} < {*nodes} and len(nodes) == 10  # and the guest
    assert len({nodes[ids[letter]]["y"] for letter in "abcd"}) == 1
    assert nodes[ids["a"]]["y"] < nodes[ids["e"]]["y"] < nodes[ids["h"]]["y"]
    assert "/pictures/pets/" in nodes[ids["a"]]["picture"] and not nodes[ids["i"]]["picture"]
    assert [row["heading"] for row in told(app)["rows"]] == [
        "generation 0\n4 concepts",
        "generation 1\n3 concepts",
        "generation 2\n2 concepts",
    ]


def test_edges_say_how_much_a_parent_weighs_and_how_the_child_was_born(run, ids):
    edges = {(each["source"], each["target"]): each for each in told(tree())["edges"]}
    assert (edges[ids["a"], ids["e"]]["weight"], edges[ids["a"], ids["e"]]["kind"]) == (0.75, "mix")
    assert edges[ids["d"], ids["g"]]["kind"] == "mutate"
    assert edges["0123456789abcdef", ids["i"]]["kind"] == "image"


def test_the_legend_names_the_births_that_there_are(run):
    assert [each["birth"] for each in told(tree())["births"]] == ["founder", "mix", "mutate", "image", "unknown"]


def test_a_guest_is_called_so(run):
    assert node(tree(), "0123456789abcdef")["says"].splitlines()[1] == "from the run others"


def test_a_photograph_stands_in_the_tree_with_its_picture(run, ids):
    run.add_photo("photo-0123456789abcdef", Image.new("RGB", (9, 9), "red"), "<b>holiday</b>.jpg")
    run.add([concept(20, {"photo-0123456789abcdef": 1.0}, birth="image")])
    app = tree()
    photo = node(app, "photo-0123456789abcdef")
    assert photo["name"] == "<b>holiday</b>.jpg" and photo["birth"] == "photo"
    assert "/photos/pets/photo-0123456789abcdef.webp" in photo["picture"]
    app = select(app, "photo-0123456789abcdef")
    assert "<b>holiday</b>.jpg" in text(app) and not app.exception
    assert "photograph <b>holiday</b>.jpg" in alts(app)


def test_who_selects_one_concept_sees_what_it_is(run, ids, names):
    app = select(tree(), ids["e"])
    assert names["e"] in text(app) and "Child, generation\u00a01" in text(app)
    labels = [button.label for button in app.button]
    assert f"75% {names['a']}" in labels and f"25% {names['b']}" in labels
    assert "Negatives: cat, dog" in text(app)
    assert any(names["e"] in alt for alt in alts(app))


def test_a_click_on_a_parent_selects_it(run, ids, names):
    app = select(tree(), ids["e"])
    next(each for each in app.button if each.label == f"75% {names['a']}").click().run()
    assert told(app)["selected"] == [ids["a"]] and told(app)["centre"] == ids["a"]
    assert "Founder, generation\u00a00" in text(app)


def test_a_parent_to_move_away_from_is_told_as_one(run, ids, names):
    (child,) = run.add([concept(91, {ids["a"]: 3.0, ids["b"]: 1.0, ids["c"]: -2.0}, words=["blue"])])
    app = select(tree(), child.id)
    assert f"less 50% {names['c']}" in [button.label for button in app.button]
    (node,) = (each for each in told(app)["nodes"] if each["id"] == child.id)
    assert node["says"].endswith(f"75% {names['a']} + 25% {names['b']}, less 50% {names['c']}, but blue")
    opened = text(page("concept", run="pets", concept=child.id).run())
    assert "less 50%" in opened and "-50" not in opened


def test_the_tree_is_told_what_is_selected_only_when_the_page_selects(run, ids):
    app = tree()
    before = told(app)["turn"]
    app = select(app, ids["e"])
    assert told(app)["turn"] == before  # it knows already
    app = tick(app, 0, 1)
    assert told(app)["turn"] > before and len(told(app)["selected"]) == 2


def test_the_table_has_the_same_concepts_and_the_same_selection(run, ids, names):
    app = select(tree(), ids["e"], ids["h"])
    table = app.dataframe[0].value
    assert {*table["Name"]} == {*names.values()}
    rows = app.session_state[TABLE]["selection"]["rows"]
    assert {*table["Name"].iloc[rows]} == {names["e"], names["h"]}
    assert table.set_index("Name").loc[names["e"], "Parents"] == f"{names['a']} × {names['b']}"


def test_ticking_a_row_selects_in_the_tree_and_unticking_no_longer(run, ids, names):
    app = tree()
    row = list(app.dataframe[0].value["Name"]).index(names["c"])
    app = tick(app, row)
    assert told(app)["selected"] == [ids["c"]]
    app = tick(app)
    assert told(app)["selected"] == []


def test_the_table_is_made_when_somebody_opens_it(run):
    assert not page("tree", run="pets").run().dataframe


def test_what_the_tree_said_before_is_not_said_again(run, ids):
    """The browser sends its last selection with every rerun."""
    app = select(tree(), ids["a"])
    app = tick(app)
    assert told(app)["selected"] == []
    assert told(app.run())["selected"] == []
    assert told(select(app, ids["a"], at=2))["selected"] == [ids["a"]]


def test_stars_and_hearts_are_stored_and_shown_and_taken_back(run, ids, names):
    app = select(tree(), ids["a"])
    app.feedback[0].set_value(3).run()
    assert run.notes()[ids["a"]].rating == 4
    assert node(app, ids["a"])["rating"] == 4 and "rated 4" in node(app, ids["a"])["says"]
    app.button(key="tree.icon.favourite").click().run()
    assert node(app, ids["a"])["favourite"] and node(app, ids["a"])["rating"] == 4
    app.button(key="undo.last").click().run()
    assert not node(app, ids["a"])["favourite"]


def test_hiding_takes_a_concept_out_of_the_tree_and_undo_brings_it_back(run, ids, names):
    app = select(tree(), ids["g"])
    app.button(key="tree.icon.hide").click().run()
    assert ids["g"] not in {each["id"] for each in told(app)["nodes"]}
    assert f"{names['g']}: hidden" in text(app)
    app.button(key="undo.last").click().run()
    assert ids["g"] in {each["id"] for each in told(app)["nodes"]}


def test_hidden_ones_can_be_shown(run, ids):
    run.note(ids["g"], hidden=True)
    app = tree()
    assert "8 concepts, 1 hidden" in text(app)
    app.toggle(key="tree.hidden.pets").set_value(True).run()
    assert node(app, ids["g"])["hidden"]


@pytest.mark.parametrize(
    ("only", "shown"),
    [
        (Filter(), "abcdefhi"),
        (Filter(hidden=True), "abcdefghi"),
        (Filter(generations=(1, 2)), "efhi"),
        (Filter(rating=4), "a"),
        (Filter(rating=2), "ab"),
        (Filter(favourites=True), "bh"),
        (Filter(favourites=True, generations=(2, 2)), "h"),
        (Filter(rating=5), ""),
    ],
)
def test_the_filter(run, ids, only, shown):
    run.note(ids["a"], rating=4)
    run.note(ids["b"], rating=2, favourite=True)
    run.note(ids["h"], favourite=True)
    run.note(ids["g"], hidden=True)
    drawn = scene(store.opened("pets"), only, [], [])
    letters = {id_: letter for letter, id_ in ids.items()}
    assert sorted(letters[each["id"]] for each in drawn.nodes if each["id"] in letters) == sorted(shown)
    assert drawn.passing == len(shown)
    guests = [each["id"] for each in drawn.nodes if each["id"] not in letters]
    assert guests == (["0123456789abcdef"] if "i" in shown else [])
    there = {each["id"] for each in drawn.nodes}
    assert all(edge["source"] in there and edge["target"] in there for edge in drawn.edges)


def test_a_filter_that_nobody_passes_leaves_an_empty_tree(run):
    app = tree()
    app.select_slider(key="tree.rating.pets").set_value(5).run()
    assert told(app)["nodes"] == [] and "0 of 9 concepts" in text(app) and not app.exception


@pytest.mark.parametrize("asked", ["{name}", "{NAME}", " {name} ", "{start}"])
def test_a_concept_is_found_by_its_name_or_how_it_begins(run, ids, names, asked):
    state, name = State(), names["h"]
    find(state, store.opened("pets"), asked.format(name=name, NAME=name.upper(), start=name[:3]))
    assert state.selected == [ids["h"]] and state.centre == ids["h"] and state.turn == 1


def test_a_name_that_nobody_has_is_said_with_those_that_are_near(run, names):
    state = State(selected=["somebody"])
    find(state, store.opened("pets"), names["h"] + "x")
    assert names["h"] in state.message and state.selected == ["somebody"]
    find(state, store.opened("pets"), "q" * 500)
    assert len(state.message) < 100


def test_a_large_family_is_folded_and_opens(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    monkeypatch.setattr("ui.view.screens.tree.MOST", 20)
    monkeypatch.setattr("evolve.family.focus.focus.__defaults__", ((), (), 100, ()))
    run = new_run(tmp_path / "pets")
    founders = run.add([concept(seed) for seed in range(60)])
    run.add([concept(100 + seed, [founders[0].concept]) for seed in range(60)])
    app = tree()
    branch = next(each for each in told(app)["nodes"] if "count" in each)
    assert branch["name"] == f"+{branch['count']}" and "click to show them" in branch["says"]
    shown = [each for each in told(app)["nodes"] if "count" not in each]
    assert len(shown) == 100 and branch["count"] == 20 and "120 concepts; 100 shown" in text(app)
    hidden = next(each.id for each in founders if each.id not in {one["id"] for one in shown})
    app = select(app, hidden)
    assert hidden in {each["id"] for each in told(app)["nodes"]}
    app.session_state["tree.states"]["pets"].opened.append(branch["of"])
    assert sum("count" not in each for each in told(app.run())["nodes"]) <= 100


def test_what_the_filter_leaves_out_is_said(run, ids, names):
    app = select(tree(), ids["a"])
    assert told(app)["message"] == ""
    find(app.session_state["tree.states"]["pets"], store.opened("pets"), "nobody")
    assert told(app.run())["message"].startswith("There is no 'nobody' here.")
    run.note(ids["b"], rating=5)
    app.select_slider(key="tree.rating.pets").set_value(4).run()
    assert told(app)["message"] == f"Hidden by the filter: {names['a']}."
    app.select_slider(key="tree.rating.pets").set_value(0).run()
    run.note(ids["a"], hidden=True)
    assert told(app.run())["message"].startswith(f"Hidden: {names['a']}. “Show hidden concepts”")
    run.note(ids["a"], hidden=False)
    app.toggle(key="tree.favourites.pets").set_value(True).run()
    assert told(app)["message"] == "No concept passes the filter." and "0 of 9 concepts" in text(app)
    app.toggle(key="tree.favourites.pets").set_value(False).run()
    app.select_slider(key="tree.rating.pets").set_value(0).run()
    assert told(app)["message"] == "" and told(app)["selected"] == [ids["a"]]


def test_nobody_who_is_gone_stays_selected(run, ids):
    assert told(select(tree(), "gone", ids["a"]))["selected"] == [ids["a"]]


def test_what_cannot_be_read_is_said_and_the_rest_is_shown(run, ids):
    part = run.rooms["concepts"].parts()[0]
    part.write_bytes(part.read_bytes()[:100])
    app = tree()
    assert "cannot be read" in text(app) and part.name in text(app)
    lost = {ids["a"], ids["b"]}
    assert {each["id"] for each in told(app)["nodes"] if each["birth"] != "unknown"} == {*ids.values()} - lost
    assert {each["id"] for each in told(app)["nodes"] if each["birth"] == "unknown"} == {*lost, "0123456789abcdef"}


def test_a_missing_picture_is_no_reason_to_show_nothing(run, ids):
    for file in Path(run.folder / "drawings").glob("*.png"):
        file.unlink()
    app = select(tree(), ids["a"])
    assert not app.exception and len(told(app)["nodes"]) == 10


def test_an_empty_run_says_how_to_go_on(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    new_run(tmp_path / "pets")
    app = tree()
    assert "This run has no concepts yet." in text(app) and not app.exception


def test_first_founders_are_awaited_where_they_will_appear(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    made = new_run(tmp_path / "pets")
    job = new_job(made, a_seed())
    with job.working():
        job.tell(30, 120)
        app = tree()
        assert "The first concepts are being learned" in text(app) and not app.exception
        assert "Seed a new run" not in text(app)
        assert [bar.proto.value for bar in app.get("progress")] == [25]
        (founder,) = made.add([concept(1)])
        assert [each["id"] for each in told(app.run())["nodes"] if each["birth"] != "ghost"] == [founder.id]


def test_what_is_born_meanwhile_is_told(run, ids):
    app = tree()
    assert told(app)["born"] == []
    (child,) = run.add([concept(30, [by_letter(run)["a"].concept])])
    assert told(app.run())["born"] == [child.id]


def test_names_stay_text(run, ids):
    name = "it's _not_ ' code"
    run.note(ids["e"], name=name, comment="<script>alert(1)</script>")
    app = select(tree(), ids["e"])
    assert node(app, ids["e"])["name"] == name and name in text(app)
    assert not any(re.search(r"(?<!\\)<script", str(each.value)) for each in app.markdown)


def test_make_this_a_parent(run, ids):
    app = select(tree(), ids["a"])
    app.button(key="tree.parent").click().run()
    assert app.session_state["parents"]["pets"] == {ids["a"]: 1.0}


def test_several_that_are_selected_are_the_parents(run, ids):
    app = select(tree(), ids["a"], ids["b"])
    assert {*app.session_state["parents"]["pets"]} == {ids["a"], ids["b"]}
    app = select(app, ids["b"], ids["c"], at=2)
    assert {*app.session_state["parents"]["pets"]} == {ids["b"], ids["c"]}
    app = select(app, ids["d"], at=3)
    assert app.session_state["parents"]["pets"] == {}


def test_the_component_is_one_module_with_the_licence_of_what_is_in_it():
    script = _script()
    assert script.count("export default") == 1 and "export{" not in script
    assert "Permission is hereby granted, free of charge" in script


def test_two_that_are_selected_are_told_what_they_have_in_common(run, ids):
    app = select(tree(), ids["e"], ids["f"])
    assert "Nearest common ancestor" in text(app)


def test_generations_and_lines_are_told_when_somebody_looks(run, ids):
    app = tree()
    assert "Founder with most descendants" not in text(app)
    app.session_state["tree.lines"] = True
    app.run()
    assert "Founder with most descendants" in text(app)
