"""The page of jobs: every state, and decisions."""

from __future__ import annotations

import io
import threading
import time
from contextlib import ExitStack
from dataclasses import replace
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from core.concept import Negative, Request
from core.errors import ConceptreeError
from core.review import Decision, Proposal
from core.segments import Event
from core.settings import Settings
from evolve import Run, likeness
from evolve.jobs.job import Job, Stopped
from evolve.jobs.plans import ParentTold
from evolve.jobs.steering import Steering, queued
from evolve.jobs.stored import new_job
from evolve.store.looks import add_looks, add_names
from tests.families import concept, picture
from tests.pages import addresses, alts, page, text
from tests.plans import a_breed, a_seed
from ui.view import learning, processes
from ui.view.screens import steering

NEGATIVES = (Negative("cat", 0, "vqa"), Negative("dog", 35, "vocabulary"))
SIMILARITIES = {"pet": 0.5, "cat": 0.25}


@pytest.fixture
def run(tmp_path, monkeypatch, backbone) -> Run:
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    return Run.create(tmp_path / "pets", "pet", backbone)


@pytest.fixture
def job(run) -> Job:
    """A job for two founders, not started."""
    return new_job(run, a_seed(settings=Settings(steps=140, segment=35)))


def look(number: int, step: int, negatives=(), so_far=(), **more) -> tuple[int, Event]:
    images = (picture(step),)
    return number, Event(number, step, Request("pet"), SIMILARITIES, images, (), negatives, so_far, **more)


def looked(job: Job) -> None:
    """Two looks at the first founder."""
    add_looks(job.folder, [look(0, 0, NEGATIVES[:1], NEGATIVES[:1])])
    add_looks(job.folder, [look(0, 35, NEGATIVES[1:], NEGATIVES, note="'boeing' does not push")])


def decisions(job):
    """Those that wait, with the numbers of their concepts."""
    return [(each.number, each.decision) for each in job.pending()]


def learned(run: Run, job: Job, number: int) -> str:
    """Finish one founder; return its name."""
    (each,) = run.add([concept(number)])
    add_looks(job.folder, [look(number, 70, (), NEGATIVES)])
    add_names(job.folder, {number: (each.id, each.name)})
    return each.name


def held(job: Job, step: int = 20) -> ExitStack:
    """The job is running until this is closed."""
    at_work = ExitStack()
    at_work.enter_context(job.working())
    job.tell(0, 140)
    job._told = 0.0
    job.tell(step, 140)
    return at_work


def ended(job: Job, by: BaseException | None) -> None:
    with pytest.raises(type(by)) if by else ExitStack(), job.working():
        job.tell(20, 140)
        if by:
            raise by
        job.finish()


def shown(job: Job, named: str = "") -> AppTest:
    """The page of the job's run. named: a job in the address."""
    found = page("jobs", run=job.folder.parent.parent.name, **({"job": named} if named else {})).run()
    assert not found.exception
    return found


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


@pytest.fixture
def started(monkeypatch) -> list[str]:
    """Names of the jobs for which a process would start."""
    names: list[str] = []
    monkeypatch.setattr(processes.subprocess, "Popen", lambda command, **_: names.append(command[-3]) or FINE)
    monkeypatch.setattr(processes, "_begun", {})
    return names


FINE, ENDED = SimpleNamespace(poll=lambda: None), SimpleNamespace(poll=lambda: 2)


def test_a_run_without_jobs_says_what_to_do(run):
    assert "This run has no jobs yet" in text(page("jobs", run="pets").run())


def test_what_is_asked_and_not_begun_can_be_started(job, started):
    found = shown(job)
    assert "2 founders of pet" in text(found) and "not started" in text(found) and labels(found) == ["Start"]
    found.button[0].click().run()
    assert started == [job.name] and "starting" in text(found) and labels(found) == ["Stop job"]


def test_while_it_learns_progress_drawings_negatives_and_curves_are_seen(run, job):
    looked(job)
    with held(job):
        found = shown(job)
        said = text(found)
        assert "learning" in said and "pets: 2 founders: learning, 14 %" in said
        (bar,) = found.get("progress")
        assert bar.proto.value == 14 and bar.proto.text.startswith(r"step 20 of 140\, ")
        assert alts(found) == ["Founder 1 at step 0", "Founder 1 at step 35"]
        assert [address.split("/")[3:6] for address in addresses(found)] == [["looks", "pets", job.name]] * 2
        assert "Negatives (from step): cat (0) – question answerer; dog (35) – nearest known word" in said
        assert "'boeing' does not push" in said
        (chart,) = found.get("vega_lite_chart")
        assert "at step 35: pet 0.50, cat 0.25" in chart.proto.alt
        assert r'"domain": [0, 140]' in chart.proto.spec
        assert "Stop" in labels(found)


def test_it_is_looked_at_again_and_again_only_while_somebody_is_at_work(run, job):
    with held(job):
        assert page("jobs", run="pets").run().session_state["progress.live"] is True
    job.finish()
    assert page("jobs", run="pets").run().session_state["progress.live"] is False


def test_stop_is_asked_for_and_said(job):
    with held(job):
        found = shown(job)
        found.button(key="progress.stop").click().run()
        assert (job.folder / "stop").exists()
        assert found.button(key="progress.stop").disabled and "Stopping …" in labels(found)


@pytest.mark.parametrize(
    ("by", "says"),
    [
        (Stopped(), "stopped"),
        (ConceptreeError("the **disk** is <b>full</b>: make room"), "the **disk** is <b>full</b>: make room"),
        (RuntimeError("boom"), "RuntimeError: boom"),
    ],
)
def test_what_has_ended_says_why_and_goes_on(job, started, by, says):
    ended(job, by)
    found = shown(job)
    assert says in text(found)
    found.button(key="progress.on").click().run()
    assert started == [job.name]


def test_words_of_an_error_are_no_markdown(job):
    ended(job, ConceptreeError("the **disk** is <b>full</b>"))
    (error,) = shown(job).error
    assert error.value == r"the \*\*disk\*\* is \<b\>full\<\/b\>"


def test_a_killed_one_goes_on(job, started):
    job.tell(20, 140)
    found = shown(job)
    assert "interrupted" in text(found) and "The process was killed" in text(found) and labels(found) == ["Resume"]


def test_a_finished_one_leads_to_its_concepts(run, job):
    names = [learned(run, job, number) for number in (0, 1)]
    ended(job, None)
    found = shown(job)
    links = [link.proto for link in found.get("page_link")]
    to_concepts = [link for link in links if link.page == "concept"]
    assert [link.label.strip("*") for link in to_concepts] == names[::-1]
    assert all("concept=" in link.query_string for link in to_concepts)
    assert {"tree", "gallery"} <= {link.page for link in links} and not labels(found)
    alike = likeness([each.concept for each in run.individuals()])
    assert f"mean similarity {alike:.2f} of the 2 finished concepts" in text(found)


def test_a_decision_is_queued_and_shown_until_it_has_had_its_effect(run, job):
    looked(job)
    with held(job):
        found = steering_panel(job)
        found.multiselect(key=f"progress.drop.{OF}").set_value(["cat"])
        found.selectbox(key=f"progress.back.{OF}").set_value(None)
        steer(found).click().run()
        assert decisions(job) == [(0, Decision((), ("cat",)))]
        assert "At the next checkpoint of Founder 1: drop cat." in text(found)
        assert found.multiselect(key=f"progress.drop.{OF}").value == []
        again = shown(job)
        assert "At the next checkpoint: drop cat." in text(again)


OF = "pets.0001-seed"  # the job in the keys of widgets


def steer(app: AppTest):
    return next(button for button in app.button if button.label == "Apply at next checkpoint")


def steering_panel(job: Job) -> AppTest:
    """The page with the panel for the first founder."""
    found = shown(job)
    found.button(key=f"progress.decide.{job.name}.0").click().run()
    assert not found.exception
    return found


def test_going_back_is_queued_too(run, job):
    looked(job)
    with held(job):
        found = steering_panel(job)
        found.selectbox(key=f"progress.back.{OF}").set_value(0)
        steer(found).click().run()
        assert decisions(job) == [(0, Decision(back_to=0))]
        assert "back to step 0" in text(found)


def test_in_the_last_segment_going_back_is_possible_and_words_alone_are_refused(run, job):
    looked(job)
    add_looks(job.folder, [look(0, 70, (), NEGATIVES), look(0, 105, (), NEGATIVES)])
    with held(job):
        found = steering_panel(job)
        assert "Founder 1 is in its last segment: words alone would come too late." in text(found)
        found.multiselect(key=f"progress.drop.{OF}").set_value(["cat"])
        steer(found).click().run()
        assert decisions(job) == [] and "words alone" in found.error[0].value
        field = found.selectbox(key=f"progress.back.{OF}")
        assert field.options == ["70", "35", "0"] and field.placeholder == "stay"
        field.set_value(35)
        steer(found).click().run()
        assert decisions(job) == [(0, Decision((), ("cat",), 35))]
        field = found.selectbox(key=f"progress.back.{OF}")
        assert field.value is None and field.placeholder == "stay"


def test_what_a_person_decided_stays_on_the_card(run, job):
    looked(job)
    add_looks(job.folder, [look(0, 70, (), NEGATIVES)])
    back = ("at step 70 sent back to step 35", "at step 35 negative added: snail")
    add_looks(job.folder, [look(0, 35, (), NEGATIVES, steered=back)])
    learned(run, job, 0)
    assert "Your decisions: at step 70 sent back to step 35; at step 35 negative added: snail" in text(shown(job))


@pytest.mark.parametrize(
    ("decision", "problem"),
    [
        (Decision(), "nothing is decided"),
        (Decision(("zeppelin",)), "does not know the negative 'zeppelin'"),
        (Decision(("pet",)), "'pet' is a positive of the concept"),
        (Decision(("cat",)), "'cat' is a negative already"),
        (Decision((), ("horse",)), "'horse' is not a negative, so it cannot be dropped"),
        (Decision((), (), 35), "no checkpoint to go back to at step 35"),
        (Decision(("<img src=x>",)), "expected"),
    ],
)
def test_what_cannot_be_followed_is_said_at_once(run, job, monkeypatch, decision, problem):
    looked(job)
    monkeypatch.setattr(steering.model, "backbone", lambda run: loaded)
    from core.stack.backbone import Backbone

    loaded = Backbone.load(run.about["stack"]["where"])
    with pytest.raises(ConceptreeError, match=problem):
        steering._checked(run, job, decision, job.looks())


def test_a_word_that_can_be_followed_is_cleaned(run, job):
    looked(job)
    assert steering._checked(run, job, Decision(("a rabbit",)), job.looks()) == Decision(("rabbit",))


@pytest.fixture
def waits(job, backbone):
    """A job that waits for an answer in another thread; answers arrive in the list."""
    answers: list[Decision | None] = []
    asking = Steering(job.folder, backbone, {"one": 0}, asks=True)
    so_far = (Negative("cat", 0, "vqa"),)
    proposal = Proposal("one", 35, Request("pet"), ("dog",), so_far, (picture(1),), (), "nearest of 2", earlier=(0,))
    thread = threading.Thread(target=lambda: answers.append(asking.decided(proposal)), daemon=True)
    with held(job):
        looked(job)
        thread.start()
        while job.question() is None:
            thread.join(0.01)
        yield thread, answers
        job.steer(0, Decision())  # so that the thread ends in any case
        thread.join(10)


def test_a_question_is_shown_and_agreed_to(job, waits):
    thread, answers = waits
    found = shown(job)
    said = text(found)
    assert "Founder 1 waits for you at step 35" in said and "pets: 2 founders: waits for you" in said
    assert "Proposed negatives: dog (nearest of 2)" in said
    next(button for button in found.button if button.label == "Continue").click().run()
    thread.join(10)
    assert answers == [Decision(("dog",))]


def test_a_question_is_answered_once(job, waits, monkeypatch):
    found = shown(job)
    question = job.question()
    monkeypatch.setattr(Job, "question", lambda self: question)  # the job has not read the answer yet
    next(button for button in found.button if button.label == "Continue").click().run()
    assert "Answer sent. Learning continues in a moment." in text(found) and "Continue" not in labels(found)
    refused = replace(question, problem="'dog' is a positive of the concept", token="b")
    monkeypatch.setattr(Job, "question", lambda self: refused)
    monkeypatch.setattr(Job, "steer", lambda *_: None)
    found.run()
    assert "'dog' is a positive of the concept" in text(found) and "Continue" in labels(found)
    next(button for button in found.button if button.label == "Continue").click().run()
    assert "Answer sent" in text(found)
    monkeypatch.setattr(Job, "question", lambda self: replace(refused, token="c"))  # refused for the same reason
    assert "Continue" in labels(found.run())


@pytest.mark.parametrize("other", [{"id": "0.35.1"}, {"id": "1.35.0", "number": 1}])
def test_another_question_is_shown_whatever_was_answered_before(job, waits, monkeypatch, other):
    """A person who went back meets the same step again."""
    found = shown(job)
    question = job.question()
    next(button for button in found.button if button.label == "Continue").click().run()
    monkeypatch.setattr(Job, "question", lambda self: replace(question, **other))
    assert "Continue" in labels(found.run()) and "Answer sent" not in text(found)


def test_an_answer_to_a_question_that_is_over_is_kept_and_offered_for_the_next_look(job, waits, monkeypatch):
    thread, answers = waits
    found = shown(job)
    found.multiselect(key=f"progress.words.{OF}.0.35.0.{job.question().token}").set_value(["rabbit"])
    job.steer(0, Decision(("horse",)), job.question().id)  # from another tab
    thread.join(10)
    next(button for button in found.button if button.label == "Continue").click().run()
    assert answers == [Decision(("horse",))]
    assert [each.words for _, each in decisions(job)] == [("horse",)]
    found.run()
    assert "Too late for Founder 1: the job had gone on. Not applied: add rabbit." in text(found)
    found.button(key=f"progress.use.{OF}").click().run()
    assert found.multiselect(key=f"progress.add.{OF}").value == ["rabbit"] and "Too late" not in text(found)


def test_one_goes_back_without_words_and_the_step_asks_again(job, waits):
    thread, answers = waits
    found = shown(job)
    found.button(key=f"progress.goback.{OF}.0.35.0.{job.question().token}").click().run()
    thread.join(10)
    assert answers == [Decision(back_to=0)]


def test_the_panel_stays_with_its_entries_when_its_founder_ends_and_the_words_go_to_another(run, job, backbone):
    looked(job)
    with held(job):
        found = steering_panel(job)
        found.multiselect(key=f"progress.add.{OF}").set_value(["rabbit"]).run()
        learned(run, job, 0)
        steer(found).click().run()
        assert job.pending() == []
        assert "Founder 1 is finished. Your entries are kept" in text(found)
        found.run()
        assert found.multiselect(key=f"progress.add.{OF}").value == ["rabbit"]
        found.selectbox(key=f"progress.target.{OF}").set_value(1).run()
        steer(found).click().run()
        assert decisions(job) == [(1, Decision(("rabbit",)))]
    job.finish()
    found.run()
    assert not found.exception and "The job is finished." in text(found)
    found.button(key=f"progress.close.{OF}").click().run()
    assert "Apply at next checkpoint" not in labels(found)


def test_a_decision_that_the_end_of_a_founder_has_overtaken_is_offered_again(run, job):
    looked(job)
    with held(job):
        found = steering_panel(job)
        found.multiselect(key=f"progress.drop.{OF}").set_value(["cat"])
        steer(found).click().run()
        (each,) = run.add([concept(5)])
        add_looks(
            job.folder, [look(0, 70, (), NEGATIVES, note="a decision came too late: nothing is added at the end")]
        )
        add_names(job.folder, {0: (each.id, each.name)})
        found.run()
        assert "Too late for Founder 1" in text(found) and "Not applied: drop cat." in text(found)
        found.button(key=f"progress.discard.{OF}").click().run()
        assert "Too late" not in text(found)


def test_decisions_about_two_founders_that_end_together_are_both_offered_again(run, job):
    looked(job)
    add_looks(job.folder, [look(1, 35, NEGATIVES[:1], NEGATIVES[:1])])
    with held(job):
        found = steering_panel(job)
        for number, word in ((0, "lemon"), (1, "banana")):
            found.selectbox(key=f"progress.target.{OF}").set_value(number).run()
            found.multiselect(key=f"progress.add.{OF}").set_value([word])
            steer(found).click().run()
        late = "a decision came too late: nothing is added at the end"
        for number in (0, 1):
            (each,) = run.add([concept(5 + number)])
            add_looks(job.folder, [look(number, 70, (), NEGATIVES, note=late)])
            add_names(job.folder, {number: (each.id, each.name)})
        found.run()
        assert "Too late for Founder 1" in text(found) and "Not applied: add lemon." in text(found)
        found.button(key=f"progress.discard.{OF}").click().run()
        assert "Too late for Founder 2" in text(found) and "Not applied: add banana." in text(found)
        found.button(key=f"progress.discard.{OF}").click().run()
        assert "Too late" not in text(found)


def test_an_applied_decision_is_not_called_late(run, job):
    looked(job)
    with held(job):
        found = steering_panel(job)
        found.multiselect(key=f"progress.add.{OF}").set_value(["lemon"])
        steer(found).click().run()
        for each in queued(job.folder):
            (job.folder / "steer" / each.mark).unlink()  # as the job does once a snapshot holds it
        found.run()
        add_looks(
            job.folder, [look(0, 70, (), NEGATIVES, note="a decision came too late: nothing is added at the end")]
        )
        found.run()
        assert "Not applied" not in text(found)


def test_a_job_is_paused_and_resumed(job):
    looked(job)
    with held(job):
        found = shown(job)
        found.button(key="progress.pause").click().run()
        assert job.paused and "paused" in text(found)
        found.run()
        assert "Resume" in labels(found) and "Steer" in labels(found)
        found.button(key="progress.unpause").click().run()
        assert not job.paused


def test_before_there_is_anything_to_go_back_to_nothing_is_offered(job, waits, monkeypatch):
    first = replace(job.question(), step=0, earlier=(), negatives=())
    assert any(box.label == "Earlier step" for box in shown(job).selectbox)
    monkeypatch.setattr(Job, "question", lambda self: first)
    monkeypatch.setattr(Job, "looks", lambda self: [])
    found = shown(job)
    assert not any(box.label == "Earlier step" for box in found.selectbox)
    assert "waits for you at step 0" in text(found) and "Loading the model" not in text(found)


def test_the_curves_of_what_is_finished_are_drawn_when_somebody_asks(run, job):
    looked(job)
    (each,) = run.add([concept(1)])
    add_names(job.folder, {0: (each.id, each.name)})
    found = shown(job)
    assert each.name in text(found) and not found.get("vega_lite_chart")
    found.session_state[f"progress.how.{job.name}.0"] = True
    assert len(found.run().get("vega_lite_chart")) == 1


def test_a_question_is_answered_otherwise(job, waits):
    thread, answers = waits
    found = shown(job)
    found.multiselect(key=f"progress.words.{OF}.0.35.0.{job.question().token}").set_value([])
    found.multiselect(key=f"progress.refuse.{OF}.0.35.0.{job.question().token}").set_value(["cat"])
    next(button for button in found.button if button.label == "Continue").click().run()
    thread.join(10)
    assert answers == [Decision((), ("cat",))]


def test_a_title_says_all_that_makes_the_children(run):
    away = ParentTold(id="f" * 16, name="bege", run="", weight=-0.5)
    of_two = a_breed(("Moku", "vasi"))
    job = new_job(run, replace(of_two, parents=(*of_two.parents, away), words=("blue",)))
    assert learning.called(job) == "1 child of Moku × vasi, less bege, but blue"
    assert "1 child of Moku × vasi" in text(shown(job))


def test_the_address_names_the_job(run, job):
    ended(job, None)
    other = new_job(run, a_breed(("moku", "vasi"), children=3))
    assert "3 children of moku × vasi" in text(shown(other))  # the newest
    assert "2 founders of pet" in text(shown(job, named=job.name))
    assert "There is no job '../0001'" in text(shown(job, named="../0001"))


def test_what_is_being_learned_comes_first(run, job):
    new_job(run, a_breed(("moku",), children=3))
    with held(job):
        assert "2 founders of pet" in shown(job).title[0].value


def test_damage_is_said_and_the_rest_is_shown(run, job):
    torn = new_job(run, a_breed(("moku",), children=3))
    (torn.folder / "job.json").write_text("{")
    found = shown(job)
    assert "2 founders of pet" in text(found) and torn.name in text(found)
    with (job.folder / "events.jsonl").open("wb") as file:
        file.write(b'{"number": 0, "st')
    for look_ in job.looks():
        look_.image.unlink()
    assert not shown(job).exception


def test_a_drawing_that_is_gone_is_left_out(run, job):
    looked(job)
    job.looks()[0].image.unlink()
    with held(job):
        assert alts(shown(job)) == ["Founder 1 at step 35"]


def test_the_log_is_shown_from_its_end_without_what_a_terminal_obeys(job):
    ended(job, RuntimeError("boom"))
    (job.folder / "log.txt").write_bytes(b"\x1b[2J" + b"line\n" * 3000 + "ende\xff".encode("latin-1"))
    (log,) = shown(job).code
    assert log.value.endswith("line\nende\N{REPLACEMENT CHARACTER}") and len(log.value) < 7000
    assert "\x1b" not in log.value


def test_names_of_concepts_are_text(run, job):
    learned(run, job, 0)
    (each,) = run.individuals()
    add_names(job.folder, {0: (each.id, "<img src=x onerror=alert(1)> **b**")})
    ended(job, None)
    found = shown(job)
    (link,) = [link.proto for link in found.get("page_link") if link.proto.page == "concept"]
    assert link.label == r"**\<img src\=x onerror\=alert\(1\)\> \*\*b\*\***"


def test_a_process_is_made_once(run, job, started):
    processes.start(run, job)
    processes.start(run, job)
    assert started == [job.name] and processes.status(job).state == "starting"


def test_a_process_that_ends_without_a_word_has_failed(run, job, monkeypatch):
    monkeypatch.setattr(processes, "_begun", {job.folder.resolve(): processes.Begun(ENDED, time.time())})
    assert processes.status(job).state == "failed"
    assert "the process ended with code 2" in text(shown(job))


def test_a_process_that_goes_on_is_starting_until_it_comes_to_the_job(run, job, started):
    ended(job, Stopped())
    assert processes.status(job).state == "stopped"
    processes.start(run, job)
    assert processes.status(job).state == "starting"
    with held(job):
        assert processes.status(job).state == "working"
    ended(job, Stopped())  # its process takes a moment to end
    assert processes.status(job).state == "stopped"


def test_a_log_that_cannot_be_written_is_said(run, job, monkeypatch):
    (job.folder / "log.txt").mkdir()
    found = shown(job)
    found.button(key="progress.on").click().run()
    assert "cannot be started" in text(found)


def test_a_real_process_is_told_where(run, job, monkeypatch):
    told = {}
    monkeypatch.setattr(processes, "_begun", {})
    monkeypatch.setattr(processes.subprocess, "Popen", lambda command, **how: told.update(how, command=command) or FINE)
    processes.start(run, job)
    assert told["command"][1:] == [
        *("-m", "ui.cli", "resume", "pets", "--job", job.name),
        *("--runs", str(run.folder.parent)),
    ]
    assert told["start_new_session"] and isinstance(told["stdout"], io.BufferedWriter)


def test_founders_that_are_chosen_from_more_are_told_as_such(run):
    job = new_job(run, a_seed(count=18, wave=18, keep=6))
    assert learning.what(job) == "the best 6 of 18 founders"
    assert learning.called(job) == "the best 6 of 18 founders of pet"


def test_founders_that_leave_are_below_those_that_stay(run, job):
    for number in range(2):
        learned(run, job, number)
    stays, leaves = run.entries()
    run.set_aside([leaves.id])
    ended(job, None)
    found = shown(job)
    assert "1 more is hidden: those above are more whole" in text(found)
    assert [link.proto.label for link in found.get("page_link") if link.proto.page == "concept"] == [
        f"**{stays.name}**"
    ]
    assert "the latest drawing of Founder 2" in alts(found)


def test_founders_that_a_person_has_hidden_are_counted_and_not_shown(run, job):
    """Issue: the job of the founders showed those that a person had hidden."""
    for number in range(3):
        learned(run, job, number)
    stays, leaves, hidden = run.entries()
    run.set_aside([leaves.id])
    run.note(hidden.id, hidden=True)
    ended(job, None)
    found = shown(job)
    assert "1 more is hidden: those above" in text(found) and "1 concept that you hid is not shown here" in text(found)
    linked = [link.proto.label for link in found.get("page_link") if link.proto.page == "concept"]
    assert linked == [f"**{stays.name}**"]
    assert alts(found)[-1] == "the latest drawing of Founder 2"
