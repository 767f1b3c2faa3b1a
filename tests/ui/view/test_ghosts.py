"""Ghosts in the tree: concepts that a job is learning, their drafts, and answers to its questions."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from core.concept import Parent, Request
from core.review import Decision
from core.segments import Event
from core.settings import Settings
from evolve.family.lasting import forget, remembered
from evolve.jobs.generations import Generation, write_down
from evolve.jobs.job import Job
from evolve.jobs.plans import Evolve, ParentTold, TakeTold
from evolve.jobs.steering import QUESTION
from evolve.jobs.stored import new_job
from evolve.store.looks import add_looks, add_names
from tests.families import concept, new_run, picture
from tests.pages import components, page, text
from tests.plans import a_breed, a_seed
from ui.view import ghosts
from ui.view.screens import tree as screen

ONE, OTHER = "ghost:0001-breed:0", "ghost:0001-breed:1"


@pytest.fixture
def job(run, ids) -> Job:
    """Two children of a and b that move away from e, with aspects of c and e."""
    weights = {"a": 0.75, "b": 0.25, "e": -0.5}
    parents = tuple(ParentTold(id=ids[name], name=name, run="", weight=weight) for name, weight in weights.items())
    given = (("colour", "c"), ("shape", "c"), ("pattern", "e"))
    takes = tuple(TakeTold(aspect=aspect, id=ids[name], name=name, run="") for aspect, name in given)
    return new_job(run, replace(a_breed(children=2), parents=parents, takes=takes))


def look(job: Job, number: int, step: int, *drawn: int) -> None:
    event = Event(number, step, concept(1).request, {}, tuple(map(picture, drawn)), (), (), ())
    add_looks(job.folder, [(number, event)])


def ask(job: Job, token: str = "t", **more: object) -> None:
    """What a job writes when it asks about its first concept."""
    told = {"id": "0.70.0", "token": token, "number": 0, "step": 70, "words": ["horse"], "negatives": [], "note": ""}
    told |= {"earlier": [0, 35], "problem": "", "image": None, **more}
    (job.folder / QUESTION).write_text(json.dumps(told))


def data(app) -> dict:
    assert not app.exception
    return json.loads(components(app)[0])


def tree() -> dict:
    return data(page("tree", run="pets").run())


def places(told: dict) -> dict[str, tuple[int, int]]:
    return {each["id"]: (each["x"], each["y"]) for each in told["nodes"]}


def test_children_stand_below_their_parents_while_they_are_learned(run, ids, job):
    before = places(tree())
    with job.working():
        told = tree()
        assert told["ghosts"].endswith("/ghosts/pets")
    assert {each["id"]: each["name"] for each in told["nodes"] if each["birth"] == "ghost"} == {
        ONE: "Child 1",
        OTHER: "Child 2",
    }
    shown = {each["id"]: each for each in told["nodes"]}
    assert shown[ONE]["parents"] == [shown[ids["a"]]["picture"], shown[ids["b"]]["picture"]], "until it has a draft"
    there = places(told)
    assert {id_: there[id_] for id_ in before} == before and len(set(there.values())) == len(there)
    assert there[ONE][1] > there[ids["e"]][1], "e is of generation 1"
    edges = {(each["source"], each["kind"]): each["weight"] for each in told["edges"] if each["target"] == ONE}
    parents = {(ids["a"], "mix"): 0.75, (ids["b"], "mix"): 0.25, (ids["e"], "away"): 0.5}
    assert edges == {**parents, (ids["c"], "take"): 0.0}
    assert [row["heading"] for row in told["rows"]][-1] == "generation 2\n2 concepts"


@pytest.mark.parametrize("state", ["waiting", "stopped", "finished"])
def test_only_a_job_at_work_has_ghosts(run, job, state):
    if state != "waiting":
        with job.working():
            look(job, 0, 35)
            if state == "finished":
                job.finish()
    told = tree()
    assert not told["ghosts"] and ONE not in places(told)


def test_the_current_generation_of_an_evolution_has_ghosts(run, ids):
    """Its requests are in a file; one of them has a photograph too, and one takes only the colour of a parent."""
    evolution = new_job(run, Evolve(generations=3, children=2, settings=Settings()))
    others = [Parent("photo-0123456789abcdef", 1.0, np.ones((1, 4)), "image")]
    taken = [Parent(ids["b"], 0, np.ones((1, 4)), "take colour")]
    requests = [with_parents(ids["a"], others), with_parents(ids["e"], taken)]
    write_down(evolution, Generation(1, (), (), children=("x", "y"), record={"done": True}))
    assert ghosts.told(run) == []
    with evolution.working():
        assert ghosts.told(run) == [], "the next generation is not made yet"
        write_down(evolution, Generation(2, (), tuple(each.to_json() for each in requests)))
        nodes = {each["id"]: each for each in tree()["nodes"] if each["birth"] == "ghost"}
        assert [each["name"] for each in nodes.values()] == ["Child 1 of generation 2", "Child 2 of generation 2"]
        edges = {
            (each["target"], each["source"]): each["weight"] for each in tree()["edges"] if each["target"] in nodes
        }
        first, second = nodes
        assert (first, second) == ("ghost:0001-evolve:2", "ghost:0001-evolve:3")
        assert edges == {(first, ids["a"]): 0.5, (second, ids["e"]): 1.0}
        (evolution.folder / "generations" / "0002.json").write_text("torn")
        assert ghosts.told(run) == []


def with_parents(id_: str, others: list[Parent]) -> Request:
    return replace(concept(1).request, parents=(Parent(id_, 1.0, np.ones((1, 4)), "mix"), *others))


def test_a_child_takes_the_place_of_its_ghost_whoever_is_first(run, job):
    app = page("tree", run="pets")
    with job.working():
        look(job, 0, 35)
        look(job, 1, 35)
        first = places(data(app.run()))
        (child,) = run.add([concept(30)])
        add_names(job.folder, {1: (child.id, child.name)})
        second = places(data(app.run()))
        assert second[child.id] == first[OTHER] and second[ONE] == first[ONE] and OTHER not in second
        assert {*remembered(run.folder).spots} == {*second} - {ONE}, "ghosts are not stored"
    third = places(data(app.run()))
    assert third[child.id] == first[OTHER] and ONE not in third


def test_ghosts_are_laid_out_anew_with_the_others_when_the_places_are_forgotten(run, ids, job):
    app = page("tree", run="pets")
    with job.working():
        before = places(data(app.run()))
        run.note_all([ids["c"], ids["d"]], hidden=True)
        forget(run.folder)
        after = places(data(app.run()))
        forget(run.folder)
        assert after == places(tree()) and after[ONE] != before[ONE]


def test_founders_of_a_new_run_are_ghosts_until_the_first_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    made = new_run(tmp_path / "pets")
    job = new_job(made, a_seed())
    with job.working():
        app = page("tree", run="pets").run()
        assert "The first concepts are being learned. They appear in the tree." in text(app)
        assert [row["heading"] for row in data(app)["rows"]] == ["generation 0\nbeing learned"]
        assert {each["name"] for each in data(app)["nodes"]} == {"Founder 1", "Founder 2"}


def test_the_browser_is_told_drafts_words_and_questions(run, job):
    with job.working():
        look(job, 0, 20, 7)
        look(job, 0, 35)
        ask(job)
        one, other = ghosts.told(run)
    assert (one["id"], other["id"], other["picture"], other["asks"]) == (ONE, OTHER, "", None)
    assert one["picture"].startswith(f"/looks/pets/{job.name}/") and one["picture"].endswith(".webp?side=128")
    assert one["asks"] == {"token": "t", "words": ["horse"], "step": 70, "back": 35}
    assert one["says"].splitlines()[:2] == ["Child 1, being learned", "step 35"]
    assert other["says"].splitlines() == ["Child 2, being learned", "not begun"]


def test_they_have_an_address(run, job):
    with job.working():
        answer = ghosts.serve(SimpleNamespace(path_params={"run": "pets"}))
        assert [each["id"] for each in json.loads(answer.body)] == [ONE, OTHER]
        assert answer.headers["cache-control"] == "no-store"
    assert json.loads(ghosts.serve(SimpleNamespace(path_params={"run": "pets"})).body) == []
    for name in ("others", "../pets", ""):
        assert ghosts.serve(SimpleNamespace(path_params={"run": name})).status_code == 404


@pytest.fixture
def toasts(run, monkeypatch) -> list[str]:
    found: list[str] = []
    session = SimpleNamespace(session_state={}, toast=lambda said, icon: found.append(said))
    monkeypatch.setattr(screen, "st", session)
    monkeypatch.setattr("ui.view.screens.steering.st", session)
    monkeypatch.setattr(screen.store, "opened", lambda name: SimpleNamespace(run=run))
    return found


@pytest.mark.parametrize(
    ("answer", "decision"),
    [("accept", Decision(("horse",))), ("refuse", Decision()), ("back", Decision(back_to=35))],
)
def test_a_click_answers_the_question(run, job, toasts, answer, decision):
    with job.working():
        ask(job)
        screen.steer("pets", {"id": ONE, "token": "t", "answer": answer})
        (queued,) = job.pending()
    assert (queued.number, queued.question, queued.decision) == (0, "0.70.0", decision) and toasts == []


def test_answers_that_are_sent_again_count_once(run, monkeypatch):
    """Of events that wait for the page Streamlit keeps the last, so the browser sends earlier answers again."""
    heard: list[dict[str, str]] = []
    first, second = ({"id": ONE, "token": token, "answer": "accept"} for token in ("t", "u"))
    state = screen.State()
    monkeypatch.setattr(screen, "state_of", lambda run: state)
    monkeypatch.setattr(screen, "steer", lambda run, told: heard.append(told))
    for sent in ([first], [first, second], [first, second]):
        monkeypatch.setattr(screen, "st", SimpleNamespace(session_state={"tree.family.pets": {"steer": sent}}))
        screen._asked("steer", "pets")
    assert heard == [first, second]


@pytest.mark.parametrize("gone", ["token", "ghost", "all"])
def test_a_click_that_comes_too_late_is_said(run, job, toasts, gone):
    with job.working():
        if gone != "all":
            ask(job, token="later" if gone == "token" else "t")
        screen.steer("pets", {"id": OTHER if gone == "ghost" else ONE, "token": "t", "answer": "accept"})
        assert job.pending() == [] and toasts == ["Too late: the job had gone on."]


def test_a_question_of_the_first_step_has_no_step_back(run, job):
    with job.working():
        ask(job, earlier=[])
        assert ghosts.told(run)[0]["asks"]["back"] is None
        assert ghosts.decision_on(job.question(), "back") == Decision(("horse",))


def test_a_double_click_on_a_ghost_opens_its_job(run, job):
    with job.working():
        app = page("tree", run="pets").run()
        app.session_state["tree.go"] = ONE
        app.run()
        assert not app.exception and app.query_params["job"] in ("0001-breed", ["0001-breed"])
