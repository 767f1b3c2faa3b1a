"""Decisions from elsewhere: followed at the next boundary, once, whatever kills the process, and said why not."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

from core import Request, Settings
from core.namers import canned_namer
from core.options import Options
from core.review import Decision
from evolve import Run
from evolve.jobs.job import Stopped
from evolve.jobs.steering import LateAnswer, Steering, queued
from evolve.jobs.stored import unfinished, write_job
from evolve.jobs.work import learned
from evolve.store.parts import RunError

SETTINGS = Settings(steps=8, segment=2, learning_rate=1e-2, max_cosine=0.9, min_cosine=-0.9)
PAIR = [Request("pet", seed=seed, settings=SETTINGS) for seed in (1, 2)]


class Killed(BaseException):
    """Stop like a signal."""


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """A job looks for answers as often as these tests give them."""
    monkeypatch.setattr("evolve.jobs.steering.BETWEEN", 0.01)


@pytest.fixture
def job(tmp_path, backbone):
    return write_job(Run.create(tmp_path / "run", "pet", backbone), "seed", {})


def run_of(job):
    return Run.open(job.folder.parent.parent)


def learn(job, backbone, requests=PAIR, **how):
    namer = canned_namer(["dog"], ["cat"], ["turtle"], ["horse"], ["parrot"], ["hamster"], ["rabbit"], ["goldfish"])
    return learned(job, requests, run_of(job), backbone, Options(namer=namer), **how)


def negatives(concept):
    return [(negative.word, negative.step, negative.by) for negative in concept.negatives]


def at(step, *acts):
    """Act once a report says that so many steps are done."""
    left = list(acts)

    def watch(report):
        if report.step == step and left:
            left.pop(0)()

    return watch


def test_a_decision_is_followed_at_that_concepts_next_boundary(job, backbone):
    one, other = learn(job, backbone, on_report=at(3, lambda: job.steer(1, Decision(("The Banana",), ("cat",)))))
    untouched = {step for _, step, _ in negatives(one)}
    assert untouched == {0, 2, 4, 6}
    words = [word for word, _, _ in negatives(other)]
    assert ("banana", 4, "user") in negatives(other) and "cat" not in words and len(words) == 4
    (look,) = [look for look in job.looks() if (look.number, look.step) == (1, 4)]
    assert ("banana", "user") in look.negatives and "banana" in look.all_negatives and "'cat' dropped" in look.note
    assert job.pending() == []


def test_what_is_proposed_there_stays_unless_it_is_dropped(job, backbone):
    decisions = lambda: (job.steer(0, Decision(drop=("turtle",))), job.steer(0, Decision(("lemon",))))  # noqa: E731
    (one,) = learn(job, backbone, PAIR[:1], on_report=at(3, decisions))
    assert negatives(one)[2:] == [("lemon", 4, "user"), ("horse", 6, "canned")]


def test_one_goes_back_and_decides_anew(job, backbone):
    act = at(5, lambda: job.steer(0, Decision(("lemon",), back_to=2)))
    (one,) = learn(job, backbone, PAIR[:1], on_report=act)
    assert [word for word, step, _ in negatives(one) if step <= 2] == ["dog", "parrot", "lemon"]  # asked again
    assert [(look.step, look.name != "") for look in job.looks()] == [
        (0, True),
        (2, True),
        (4, True),
        (6, True),
        (8, True),
    ]
    assert "back to step 2" in job.looks()[1].note and job.looks()[1].image.is_file()
    assert {step for _, step, _ in negatives(one)} == {0, 2, 4, 6} and job.pending() == []


def test_the_step_that_a_person_goes_back_to_is_asked_again(job, backbone):
    """Each question is another one, though a step comes again; what is queued for a question answers no other."""
    asked, told = [], []

    def person():
        while len(asked) < 6:
            question = job.question()
            if question and question.id not in {each.id for each in asked}:
                asked.append(question)
                told.append(json.loads((job.folder / "progress.json").read_text())["step"])
                job.steer(0, Decision(back_to=0) if len(asked) == 2 else Decision(question.words), question.id)
                with pytest.raises(LateAnswer, match="too late"):
                    job.steer(0, Decision(("lemon",)), "an earlier question")
            time.sleep(0.02)

    thread = threading.Thread(target=person)
    with job.working():
        thread.start()
        (one,) = learn(job, backbone, PAIR[:1], asks=True)
        thread.join()
    assert [each.step for each in asked] == [0, 2, 0, 2, 4, 6]
    assert asked[2].image == asked[0].image and asked[2].negatives == asked[0].negatives == ()
    assert [step for _, step, _ in negatives(one)] == [0, 2, 4, 6]
    assert [look.step for look in job.looks()] == [0, 2, 4, 6, 8] and all(look.image for look in job.looks()[:-1])
    assert job.pending() == []


def test_a_refused_answer_loses_no_word_and_puts_nothing_back(job, backbone, monkeypatch):
    """What was decided at a later step stays in the earlier step's question, however often that is asked."""
    asked, put_back = [], []
    monkeypatch.setattr(type(job), "put_back", lambda self, steps: put_back.append(steps))
    answers = {
        1: Decision(("dragon",)),  # at step 0 again: the stack does not know the word
        3: Decision(("dragon",), back_to=0),  # at step 2
    }

    def person():
        while len(asked) < 7:
            question = job.question()
            if question and question.token not in {each.token for each in asked}:
                asked.append(question)
                job.steer(0, answers.get(len(asked) - 1, Decision(question.words)), question.id)
            time.sleep(0.02)

    thread = threading.Thread(target=person)
    with job.working():
        thread.start()
        act = at(1, lambda: job.steer(0, Decision(("lemon",), back_to=0)))  # followed at step 2, before a question
        (one,) = learn(job, backbone, PAIR[:1], asks=True, on_report=act)
        thread.join()
    assert [each.step for each in asked] == [0, 0, 0, 2, 2, 4, 6]
    assert asked[1].words == asked[2].words and "lemon" in asked[2].words and "dragon" in asked[2].problem
    assert asked[1].id == asked[2].id != asked[0].id and "lemon" not in asked[3].words
    assert ("lemon", 0, "user") in negatives(one) and put_back == [2] and "dragon" in asked[4].problem


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (Decision(("dragon",)), "does not know the word 'dragon'"),
        (Decision(drop=("lemon",)), "'lemon' is not a negative"),
        (Decision(back_to=3), "no checkpoint to go back to at step 3"),
        (Decision(("pet",)), "'pet' is a positive of the concept"),
    ],
)
def test_what_cannot_be_followed_is_said_and_forgotten_and_the_rest_followed(job, backbone, decision, told):
    act = at(3, lambda: (job.steer(0, decision), job.steer(0, Decision(("lemon",)))))
    (one,) = learn(job, backbone, PAIR[:1], on_report=act)
    assert ("lemon", 4, "user") in negatives(one)
    assert told in next(look.note for look in job.looks() if look.step == 4)
    assert job.pending() == []


def test_what_comes_too_late_is_said_and_forgotten(job, backbone):
    (one,) = learn(job, backbone, PAIR[:1], on_report=at(7, lambda: job.steer(0, Decision(("lemon",)))))
    assert "lemon" not in [word for word, _, _ in negatives(one)]
    assert "came too late" in job.looks()[-1].note and job.pending() == []
    job.finish()
    with pytest.raises(RunError, match="is finished: a decision has no effect"):
        job.steer(0, Decision(("lemon",)))


def test_a_concept_in_its_last_segment_goes_back_and_the_looks_tell_so(job, backbone):
    back = Decision(("lemon",), back_to=4)
    one, other = learn(job, backbone, on_report=at(7, lambda: job.steer(1, back)))
    assert ("lemon", 4, "user") in negatives(other) and "lemon" not in [word for word, _, _ in negatives(one)]
    looks = [look for look in job.looks() if look.number == 1]
    assert [look.step for look in looks] == [0, 2, 4, 6, 8] and "too late" not in looks[-1].note
    assert looks[-1].steered == ("at step 8 sent back to step 4", "at step 4 negative added: lemon")
    assert job.looks()[-6].steered == () and job.pending() == []


def test_a_persons_own_review_is_not_asked_at_the_end(job, backbone):
    asked = []
    options = Options(namer=canned_namer(["dog"]), review=lambda proposal: asked.append(proposal.step))
    learned(job, PAIR[:1], run_of(job), backbone, options)
    assert asked == [0, 2, 4, 6]


def test_founders_in_waves_of_one_are_steered_by_their_place(job, backbone):
    for number in (0, 1):
        job.steer(number, Decision((("lemon", "melon")[number],)))
    found = [learn(job, backbone, [PAIR[number]], first=number)[0] for number in (0, 1)]
    assert [next(word for word, _, by in negatives(each) if by == "user") for each in found] == ["lemon", "melon"]
    assert job.pending() == []


@pytest.mark.parametrize("moment", ["before the snapshot", "after the snapshot", "a step later"])
def test_a_kill_neither_loses_a_decision_nor_follows_it_twice(tmp_path, backbone, monkeypatch, moment):
    """Twice would be a refusal: the word is a negative already."""

    def once(name, kill=None):
        job = write_job(Run.create(tmp_path / name, "pet", backbone), "seed", {})
        job.steer(0, Decision(("lemon",)))
        if kill:
            with monkeypatch.context() as patch:
                kill(patch, job)
                with pytest.raises(Killed):
                    learn(job, backbone, PAIR[:1], on_report=at(1, killed) if moment == "a step later" else None)
            assert len(job.pending()) == (moment != "a step later")
            (job,) = unfinished(run_of(job))
        (concept,) = learn(job, backbone, PAIR[:1])
        assert job.pending() == []
        assert not any("left out" in look.note for look in job.looks())
        return replace(concept, seconds=0.0)

    def killed(*_):
        raise Killed

    def kill(patch, job):
        if moment == "before the snapshot":
            patch.setattr(type(job), "keep", killed)
        elif moment == "after the snapshot":
            patch.setattr("evolve.jobs.steering.Steering.kept", killed)

    # The namer's answers are counted, so that a boundary that is looked at again would have another: ask none.
    monkeypatch.setattr(f"{__name__}.canned_namer", lambda *answers: None)
    assert once("killed", kill) == once("undisturbed")


def test_a_page_is_asked_and_its_answer_stands_in_place_of_the_proposal(job, backbone):
    asked, answers = (
        [],
        [
            Decision(("The Lemon",)),
            Decision(("cat",)),
            Decision(("dragon",)),
            Decision(),
            Decision(("banana",), ("cat",)),
        ],
    )

    def person():
        while answers:
            question = job.question()
            if question and (question.step, question.problem) not in [(q.step, q.problem) for q in asked]:
                asked.append(question)
                job.steer(question.number, answers.pop(0))
            time.sleep(0.02)

    thread = threading.Thread(target=person)
    with job.working():
        thread.start()
        (one,) = learn(job, backbone, PAIR[:1], asks=True)
        thread.join()
    assert [(q.step, q.words) for q in asked] == [
        (0, ("dog",)), (2, ("cat",)), (4, ("turtle",)), (4, ("turtle",)), (6, ("horse",)),
    ]  # fmt: skip
    assert "does not know the word 'dragon'" in asked[3].problem and asked[0].image.is_file()
    assert asked[1].negatives == (("lemon", "user"),) and asked[4].earlier == (0, 2, 4)
    assert negatives(one) == [("lemon", 0, "user"), ("banana", 6, "user")]
    assert job.question() is None and job.pending() == []


def test_who_waits_for_an_answer_is_alive_and_stops_when_told(job, backbone, monkeypatch):
    monkeypatch.setattr("evolve.jobs.job.BETWEEN", 0.0)
    notes = set()

    def person():
        while len(notes) < 3:  # the job goes on writing them while it asks
            if job.question():
                notes.add((job.folder / "progress.json").stat().st_mtime_ns)
            time.sleep(0.02)
        job.request_stop()

    thread = threading.Thread(target=person, daemon=True)
    with pytest.raises(Stopped), job.working():
        thread.start()
        learn(job, backbone, PAIR[:1], asks=True)
    assert job.status().state == "stopped" and job.question() is None


def test_an_answer_outlives_a_kill_and_is_not_asked_for_again(job, backbone, monkeypatch):
    def answer_and_kill():
        job.steer(0, Decision(("lemon",)))
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(job, "wait", answer_and_kill)
        with pytest.raises(Killed):
            learn(job, backbone, PAIR[:1], asks=True)
    assert [each.number for each in job.pending()] == [0]
    monkeypatch.setattr(job, "wait", lambda: job.steer(job_question(job).number, Decision(job_question(job).words)))
    (one,) = learn(job, backbone, PAIR[:1], asks=True)
    assert negatives(one)[0] == ("lemon", 0, "user")


def job_question(job):
    from evolve.jobs.steering import question_in

    return question_in(job.folder)


def test_a_strangers_decision_is_passed_over(job, backbone):
    job.steer(0, Decision(("lemon",)))
    folder = job.folder / "steer"
    for name, content in (("x.json", "{}"), (f"{1:020d}-{'a' * 8}.json", "[1"), (f"{2:020d}-{'a' * 8}.json", "{}")):
        (folder / name).write_text(content)
    assert [(each.number, each.decision) for each in job.pending()] == [(0, Decision(("lemon",)))]
    learn(job, backbone, PAIR[:1])


def test_a_snapshot_of_one_batch_holds_no_decision_about_another(job, backbone):
    """With workers several are on their way at once, and each is kept by itself."""
    job.steer(0, Decision(("lemon",)))
    job.steer(5, Decision(("melon",)))
    one, other = (each.mark for each in queued(job.folder))
    steering = Steering(job.folder, backbone, {"one": 0, "other": 5})
    steering.too_late([0, 5])
    assert steering.marks({0, 1}) == [one] and steering.marks({4, 5}) == [other]
    steering.kept({0, 1})
    assert [each.mark for each in queued(job.folder)] == [other] == steering.marks({4, 5})
