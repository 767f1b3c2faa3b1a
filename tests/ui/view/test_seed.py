"""The page of new runs: form, checks, start."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from core import Settings
from core.namers import FunctionNamer
from evolve import Run
from evolve.jobs.pace import Pace, work_of
from evolve.jobs.plans import Seed
from evolve.jobs.stored import jobs
from tests.families import new_run
from tests.pages import page, text
from ui.view import pace, processes
from ui.view.making import Making


@pytest.fixture
def runs(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def form(runs, stack_folder) -> AppTest:
    """The page on the tiny stack, with few steps."""
    return opened(stack_folder)


def opened(stack_folder: Path, **values) -> AppTest:
    found = page("seed")
    return chosen(found, model=str(stack_folder), steps=4, segment=2, **values)


@pytest.fixture
def begun(monkeypatch) -> list[list[str]]:
    """The commands that would be run."""
    found: list[list[str]] = []
    monkeypatch.setattr(processes, "_begun", {})
    monkeypatch.setattr(
        processes.subprocess, "Popen", lambda command, **_: found.append(command) or SimpleNamespace(poll=lambda: None)
    )
    return found


def fine(app: AppTest) -> AppTest:
    assert not app.exception
    return app


def chosen(app: AppTest, **values) -> AppTest:
    """With these widgets set, by the end of their keys."""
    for name, value in values.items():
        app.session_state[f"seed.{name}"] = value
    return fine(app.run())


def start(app: AppTest):
    return app.button(key="seed.start")


def test_it_begins_with_something_that_can_be_started(form):
    said = text(form)
    assert "You get 6 founders of “pet”." in said and "They are learned all side by side." in said
    assert "4 steps each, in segments of 2." in said
    assert "proposed by the nearest word of the model's vocabulary" in said
    assert not start(form).disabled


def test_the_page_does_not_wait_until_the_speed_of_the_machine_is_measured(form, monkeypatch):
    measured = threading.Event()

    def slow(*_) -> Pace:
        assert measured.wait(60)
        return Pace(step=1.0, look=1.0, picture=1.0)

    monkeypatch.setattr(pace, "_measured", slow)
    monkeypatch.setattr(pace, "_paces", Making(4))
    assert "Measuring how fast this machine is" in text(fine(form.run())) and not start(form).disabled
    assert len(pace._paces.threads) == 1 and fine(form.run())
    (thread,) = pace._paces.threads.values()
    measured.set()
    thread.join(60)
    assert "on this machine" in text(fine(form.run())) and not pace._paces.threads


def test_founders_that_are_tried_and_those_that_stay_are_told_apart(form):
    chosen(form, count=2, of=6)
    assert "You get 2 founders of “pet”." in text(form)
    assert "They are the best of 6 tries, all side by side. The other 4 are kept, but hidden." in text(form)


def test_traits_are_those_that_are_typed(form, runs, begun):
    chosen(form, traits="red, blue")
    assert "Traits in turn: red, blue." in text(form)
    fine(start(form).click().run())
    (job,) = jobs(Run.open(runs / "pet"))
    assert isinstance(job.plan, Seed) and job.plan.traits == ("red", "blue")
    chosen(form, traits="")
    assert "Traits in turn" not in text(form)


def test_categories_are_the_ones_that_the_model_knows(form):
    assert form.selectbox(key="seed.category.object").options == ["fruit", "furniture", "pet"]
    chosen(form, kind="style")
    assert form.selectbox(key="seed.category.style").options == ["painting", "art"]
    assert "founders of “style of painting”" in text(form)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"run": "../pets"}, "is not a valid name of a run"),
        ({"run": "taken"}, "there is a run 'taken' already"),
        ({"negatives": "list"}, "expected adaptive, none, gradual, or words"),
        ({"negatives": "list", "words": ["zeppelin"]}, "does not know the negative 'zeppelin'"),
        ({"model": "/nowhere"}, "nowhere"),
        ({"model": "hub/name"}, "hub/name"),
        ({"traits": "zeppelin"}, "does not know the trait 'zeppelin'"),
        ({"vlm": "/no/such/model"}, "no question answering model in '/no/such/model'"),
        ({"question": "What is it?"}, "no VQA model is configured"),
    ],
)
def test_what_is_wrong_is_said_at_once_and_nothing_can_be_started(form, runs, values, said):
    new_run(runs / "taken")
    for name, value in values.items():
        chosen(form, **{name: value})
    assert said in text(form) and len(form.error) == 1 and start(form).disabled
    assert [folder.name for folder in runs.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    ("category", "said"),
    [
        ("rabit", "The model does not know “rabit”. Did you mean rabbit?"),
        ("rabit robot", "Did you mean rabbit?"),
        ("<b>x</b>", "none of {}<>|"),
        ("zeppelin", "The model does not know “zeppelin”. Choose one of its categories"),
    ],
)
def test_a_category_may_be_typed_and_is_checked(runs, stack_folder, category, said):
    form = opened(stack_folder, **{"category.object": category})
    assert said in text(form) and start(form).disabled and not runs.exists()


def test_an_unknown_category_shows_the_known_ones_to_choose_from(runs, stack_folder):
    """Issue: only the page Start did, and here the error named the stack."""
    form = opened(stack_folder, **{"category.object": "pet robot"})
    assert "“pet robot”. Did you mean pet?" in text(form) and not form.error
    (known,) = (each for each in form.button_group if each.key == "seed.known.object")
    assert {"pet", "fruit"} <= {*known.options}
    form.selectbox(key="seed.category.object").options.append("pet robot")  # as typed
    known.set_value("fruit")
    form.run()
    assert form.selectbox(key="seed.category.object").value == "fruit" and not start(form).disabled


def test_start_makes_a_run_and_a_job_and_leads_to_it(form, runs, stack_folder, begun):
    chosen(form, count=2, negatives="list")
    chosen(form, words=["cat", "dog"], lam=2.0, wave=2, seed=7, preset="paper", ask=True, run="my pets")
    assert "Negatives: cat, dog." in text(form) and "all side by side" in text(form)
    fine(start(form).click().run())
    run = Run.open(runs / "my pets")
    (job,) = jobs(run)
    assert run.about["category"] == "pet" and run.about["stack"]["where"] == str(stack_folder)
    plan = job.told
    assert (plan["count"], plan["wave"], plan["seed"], plan["ask"], plan["drafts"]) == (2, 2, 7, "page", True)
    assert plan["request"]["negatives"] == ["cat", "dog"] or plan["request"]["negatives"] == ("cat", "dog")
    assert (plan["settings"]["lam"], plan["settings"]["preset"], plan["settings"]["steps"]) == (2.0, "paper", 4)
    assert [command[-4:] for command in begun] == [["--job", job.name, "--runs", str(runs)]]
    assert "2 founders of pet" in text(form) and "starting" in text(form)


def test_another_question_answerer_and_question_are_what_the_job_is_told(form, runs, stack_folder, begun, monkeypatch):
    where = str(stack_folder.parent / "looks")

    answers = FunctionNamer(lambda images, question: [[("cat", 1.0)] for _ in images], "looks", "looks", where)
    monkeypatch.setattr("core.namers._kept", lambda folder, changed, stack: answers)
    chosen(form, vlm=f" {where} ", question="Which {} is it?", count=1)
    said = text(form)
    assert "proposed by the question answerer looks" in said and "Question: “Which pet is it?”" in said
    fine(start(form).click().run())
    (job,) = jobs(Run.open(next(runs.iterdir())))
    assert job.told["asked"] == {"vlm": where, "question": "Which pet is it?"}


def test_where_nobody_is_asked_nobody_can_be_named(form, runs, begun):
    chosen(form, vlm="none", negatives="gradual", count=1)
    fields = [form.text_input(key=f"seed.{name}") for name in ("vlm", "question")]
    assert all(each.disabled for each in fields)
    chosen(form, vlm="/no/such/model")
    assert not form.error
    fine(start(form).click().run())
    assert jobs(Run.open(next(runs.iterdir())))[0].told["asked"] == {}


def test_without_a_name_it_is_called_by_its_category(form, runs, begun):
    new_run(runs / "pet")
    fine(start(form).click().run())
    assert [run.name for run in runs.iterdir() if (run / "jobs").exists()] == ["pet-2"]


def test_a_folder_that_cannot_be_written_is_said(form, runs, begun):
    runs.write_text("a file where the folder should be")
    fine(start(form).click().run())
    assert "no run can be made" in text(form) and not begun


def test_a_style(form, runs, begun):
    chosen(form, kind="style", count=1)
    fine(start(form).click().run())
    (folder,) = runs.iterdir()
    assert Run.open(folder).about["kind"] == "style"


def test_what_is_started_is_learned_by_a_process_of_its_own(form, runs):
    chosen(form, count=1, run="real")
    fine(start(form).click().run())
    (job,) = jobs(Run.open(runs / "real"))
    until = time.monotonic() + 120
    while (status := processes.status(job)).state != "finished" and time.monotonic() < until:
        assert status.state in ("starting", "waiting", "working"), (job.folder / "log.txt").read_text()
        time.sleep(0.1)
    found = page("jobs", run="real").run()
    (each,) = Run.open(runs / "real").individuals()
    assert f"{each.name}" in text(found) and "finished" in text(found)
    assert [look.step for look in job.looks()] == [0, 2, 4] and all(look.image.is_file() for look in job.looks())


def test_how_long_it_takes_follows_from_the_plan():
    def plan(count: int, wave: int, schedule: str) -> Seed:
        settings = Settings(steps=400, segment=100)
        return Seed(
            category="pet",
            count=count,
            wave=wave,
            seed=0,
            asked={},
            settings=settings,
            kind="object",
            schedule=schedule,
        )

    def seconds(*given) -> float:
        return work_of(plan(*given), candidates=1).seconds(Pace(step=0.1, look=1.0, picture=1.0))

    one, six, together = seconds(1, 1, "none"), seconds(6, 1, "none"), seconds(6, 6, "none")
    assert one == pytest.approx(40 + 3) and six == pytest.approx(6 * 43)
    assert 40 < together < six / 2
    assert seconds(1, 1, "adaptive") == pytest.approx(one + 4)


def test_after_a_job_its_pace_is_told_and_nothing_is_measured(form, monkeypatch):
    """Issue: the estimate was of a quiet machine, whatever the last job had taken."""
    monkeypatch.setattr(pace, "_latest", lambda runs, stack: Pace(step=10.0, look=1.0, picture=1.0))
    monkeypatch.setattr(pace, "_measured", lambda *_: pytest.fail("a job has measured it"))
    told = text(fine(form.run()))
    assert re.search(r"About \d+ \w+, at the pace of the last job\.", told) and "Measuring" not in told
