"""The page of evolutions: form, generations, marks, choice of parents."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.util import calc_hash

from core import Settings, Vocabulary
from evolve.jobs.generations import Generation, choose, write_down
from evolve.jobs.plans import Evolve
from evolve.jobs.stored import job_named, jobs, new_job
from tests.pages import page, text
from ui.view import learning, pace, processes

SETTINGS = Settings(steps=4)


@pytest.fixture
def begun(monkeypatch) -> list[list[str]]:
    """The commands that would be run."""
    found: list[list[str]] = []
    monkeypatch.setattr(processes, "_begun", {})
    monkeypatch.setattr(
        processes.subprocess, "Popen", lambda command, **_: found.append(command) or SimpleNamespace(poll=lambda: 0)
    )
    return found


@pytest.fixture
def stack(monkeypatch):
    """A stack that knows all words: the family's own cannot be loaded."""
    settings = {"calibration": {}, "vocabulary": Vocabulary(), "version": "tiny-1", "draws": False}
    settings |= {"knows": lambda _: True, "dtype": "torch.float32", "fingerprint": "tiny"}
    monkeypatch.setattr("ui.view.model.backbone", lambda run: SimpleNamespace(**settings))
    monkeypatch.setattr(pace, "_paces", {("tiny", None): pace.Pace(1.0, 1.0, 1.0)})


def record(mean):
    objectives = ("belongs", "differs", "novel", "consistent")
    return {"born": 2, "stay": 1, "likeness": 0.5, **{name: {"mean": mean, "best": mean + 0.1} for name in objectives}}


def evolved(run, ids, select="tournament", generations=3, done=2):
    """A job that stopped after some generations."""
    asked = Evolve(generations=generations, children=2, select=select, settings=SETTINGS)
    job = new_job(run, asked)
    for number in range(1, done + 1):
        children, stay = [ids[each] for each in "ef"], [ids[each] for each in "aef"]
        population, figures = (ids["a"], ids["b"]), record(0.2 * number)
        write_down(job, Generation(number, population, (), tuple(children), tuple(stay), (), figures))
    with job.working():
        pass
    return job


def shown(**query):
    found = page("evolve", run="pets", **query).run()
    assert not found.exception
    return found


def test_a_run_that_never_evolved_says_so_and_can_begin(run, begun, stack):
    app = shown()
    assert "This run has no evolutions yet" in text(app)
    app.number_input(key="evolve.generations").set_value(2)
    app.number_input(key="evolve.children").set_value(3)
    app.button(key="evolve.start").click().run()
    (job,) = jobs(run)
    asked = job.plan
    assert (asked.generations, asked.children, asked.select, asked.mutation) == (2, 3, "tournament", 0.2)
    assert begun[0][1:] == ["-m", "ui.cli", "resume", "pets", "--job", job.name, "--runs", str(run.folder.parent)]


def test_the_form_keeps_its_values_while_another_page_is_shown(run, begun, stack):
    app = shown()
    app.number_input(key="evolve.generations").set_value(7)
    app.slider(key="evolve.mutation").set_value(0.6)
    app.text_input(key="evolve.weights").set_value("0.7,0.3").run()
    app._page_hash = calc_hash("gallery")
    app.run()
    assert "evolve.start" not in {button.key for button in app.button}
    app._page_hash = calc_hash("evolve")
    app.run()
    assert app.number_input(key="evolve.generations").value == 7
    assert app.slider(key="evolve.mutation").value == 0.6
    assert app.text_input(key="evolve.weights").value == "0.7,0.3"


def test_while_an_evolution_learns_no_other_one_begins(run, ids, begun, stack):
    job = evolved(run, ids)
    assert not shown().button(key="evolve.start").disabled
    with job.working():
        app = shown()
        assert app.button(key="evolve.start").disabled
        assert "An evolution of this run is being learned. Stop it" in text(app)
        assert "Generation 3 of 3: learning" in text(app)


def test_what_a_first_answer_on_rate_starts_does_not_block_other_evolutions(run, ids, begun, stack):
    """Evolve was greyed after one answer, beside "Generation 0 of 50"."""
    with evolved(run, ids, select="taste", generations=50, done=0).working():
        app = shown()
        assert "Children of what you like, generation 1" in text(app) and "of 50" not in text(app)
        assert "Children of what you liked on the page Rate are being learned too" in text(app)
        assert not app.button(key="evolve.start").disabled
        app.segmented_control(key="evolve.select").set_value("taste").run()
        assert app.button(key="evolve.start").disabled
        assert "Children of what you like are being learned already" in text(app)


def test_selection_methods_are_told_in_plain_words_and_their_terms_in_the_help(run, begun, stack):
    app = shown()
    app.segmented_control(key="evolve.select").set_value("nsga2").run()
    (told,) = [each for each in app.caption if "no other one beats" in each.value]
    assert "NSGA" not in text(app) and "NSGA-II" in told.proto.help


def test_the_form_estimates_the_time(run, begun, stack):
    app = shown()
    before = next(each.value for each in app.caption if "on this machine" in each.value)
    app.number_input(key="evolve.generations").set_value(500).run()
    after = next(each.value for each in app.caption if "on this machine" in each.value)
    assert "min" in before and " h " in after


def test_children_are_called_by_their_generation(run, ids):
    job = evolved(run, ids)
    assert [learning.one(job, number) for number in range(4)] == [
        "Child 1 of generation 1", "Child 2 of generation 1", "Child 1 of generation 2", "Child 2 of generation 2"
    ]  # fmt: skip


def test_what_cannot_evolve_is_said_and_nothing_begins(run, begun, stack):
    app = shown()
    app.text_input(key="evolve.weights").set_value("0.7").run()
    app.button(key="evolve.start").click().run()
    assert "weights = 0.7: expected 2 numbers above 0" in text(app)
    assert jobs(run) == [] and begun == []


def test_where_a_person_selects_the_first_parents_are_chosen_among_cards(run, ids, begun, stack):
    app = shown()
    app.segmented_control(key="evolve.select").set_value("user").run()
    assert "You choose the parents of each generation" in text(app)
    app.session_state["evolve.first"] = {"selected": [ids["a"], ids["c"]]}
    app.button(key="evolve.start").click().run()
    assert set(jobs(run)[0].told["chosen"]) == {ids["a"], ids["c"]}


def test_an_evolution_shows_its_objectives_and_who_stays(run, ids, stack):
    job = evolved(run, ids, generations=2)
    job.finish()
    app = shown(job=job.name)
    said = text(app)
    assert "Generation 2 of 2" in said and "Survivors: 3 concepts" in said
    assert app.get("arrow_vega_lite_chart") or app.get("vega_lite_chart")
    (table,) = app.dataframe
    assert table.value["category, mean"].tolist() == [0.2, 0.4]


def test_marks_are_noted_and_can_be_taken_back(run, ids, stack):
    job = evolved(run, ids)
    app = shown(job=job.name)
    app.session_state[f"evolve.population.{job.name}.2"] = {"selected": [ids["e"], ids["f"]]}
    app.run()
    app.button(key="evolve.locked").click().run()
    assert [each.note.locked for each in run.entries() if each.id in (ids["e"], ids["f"])] == [True, True]
    assert app.button(key="evolve.locked").label == "Unlock"
    app.button(key="undo.last").click().run()
    assert not any(each.note.locked for each in run.entries())


def test_one_that_waits_for_a_choice_takes_it_and_goes_on(run, ids, begun, stack):
    job = evolved(run, ids, select="user")
    app = shown(job=job.name)
    assert "waits for your choice" in text(app) and "Choose the parents of generation 3" in text(app)
    assert app.button(key="evolve.choose").disabled
    app.session_state[f"evolve.population.{job.name}.2"] = {"selected": [ids["e"], ids["a"]]}
    app.run()
    app.button(key="evolve.choose").click().run()
    assert begun[0][-4:-2] == ["--job", job.name]
    told = (job.folder / "choice.json").read_text()
    assert ids["e"] in told and ids["a"] in told and '"number": 3' in told


def test_a_choice_that_is_made_is_not_asked_again(run, ids, stack):
    job = evolved(run, ids, select="user")
    choose(job, 3, [ids["a"]])
    assert "Choose the parents" not in text(shown(job=job.name))


def test_of_several_evolutions_the_newest_is_shown_first(run, ids, stack):
    evolved(run, ids, done=1)
    second = evolved(run, ids, done=2)
    app = shown()
    assert app.selectbox(key="evolve.job").value == second.name
    assert f"{second.name}: All-rounders, 3 generations" in app.selectbox(key="evolve.job").options
    assert "Generation 2 of 3" in text(app)


def test_a_torn_generation_is_said(run, ids, stack):
    job = evolved(run, ids)
    (job.folder / "generations" / "0002.json").write_text("{")
    assert "cannot be read" in text(shown(job=job.name))
    assert job_named(run, job.name).status().state == "paused"
