"""What do you like? Six at a time, answers are kept at once, and children of what is liked begin to be learned."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from core import Vocabulary
from evolve.jobs.generations import awaits_choice, is_answered
from evolve.jobs.plans import TASTE
from evolve.jobs.stored import jobs
from evolve.store.likes import add_round, rounds
from tests.families import concept, new_run, picture
from tests.pages import page, text
from ui.view import processes


@pytest.fixture
def begun(monkeypatch) -> list[list[str]]:
    """The commands that would be run; their processes go on."""
    found: list[list[str]] = []
    monkeypatch.setattr(processes, "_begun", {})
    monkeypatch.setattr(
        processes.subprocess, "Popen", lambda command, **_: found.append(command) or SimpleNamespace(poll=lambda: None)
    )
    return found


@pytest.fixture
def stack(monkeypatch):
    """A stack that knows all words: the family's own cannot be loaded."""
    settings = {"calibration": {}, "vocabulary": Vocabulary(), "version": "tiny-1", "draws": False}
    settings |= {"knows": lambda _: True, "dtype": "torch.float32"}
    monkeypatch.setattr("ui.view.model.backbone", lambda run: SimpleNamespace(**settings))


def shown() -> AppTest:
    return page("rate", run="pets", kind="taste").run()


def round_key(app: AppTest) -> str:
    return next(key for key in app.session_state.filtered_state if key.startswith("taste.round."))


def shown_now(app: AppTest) -> list[str]:
    return list(app.session_state["taste.shown.pets"])


def go(app: AppTest, *liked: str) -> AppTest:
    """Tap these and go on."""
    short = ".".join(id_[:6] for id_ in shown_now(app))
    app.session_state[f"taste.round.pets.{short}"] = {"selected": list(liked)}
    app.run()
    return app.button(key="taste.go").click().run()


def test_drawn_concepts_are_shown_and_the_answer_begins_an_evolution(run, begun, stack):
    app = shown()
    first = shown_now(app)
    assert not app.exception and len(first) == 4 and app.button(key="taste.go").label == "None of these"
    app = go(app, first[0], first[2])
    (answered,) = rounds(run)
    assert answered.shown == tuple(first) and answered.liked == (first[0], first[2])
    (job,) = jobs(run)
    assert job.plan.select == TASTE and is_answered(job, 1) and begun[0][-4:-2] == ["--job", job.name]
    assert set(shown_now(app)).isdisjoint(first), "the next ones, while children are learned"


@pytest.mark.parametrize(
    ("drawn", "sizes"),
    [(1, [1]), (2, [2]), (6, [6]), (7, [4, 3]), (8, [4, 4]), (9, [6, 3]), (12, [6, 6]), (14, [6, 4, 4])],
)
def test_no_round_is_left_with_one_or_two_if_another_can_spare_some(drawn, sizes, begun, stack, monkeypatch, tmp_path):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    run = new_run(tmp_path / "pets")
    added = run.add([concept(seed) for seed in range(drawn)])
    run.add_drawings([(each.id, "a photo of a {}", 1, picture(0)) for each in added])
    app = shown()
    found = []
    while "taste.shown.pets" in app.session_state and len(found) < len(sizes):
        found.append(len(shown_now(app)))
        add_round(run, shown_now(app), ())
        del app.session_state["taste.shown.pets"]
        app.run()
    assert found == sizes and not app.exception


@pytest.mark.parametrize(
    ("drawn", "told", "labels"),
    [
        (1, "This is the last one", ["I do not like it", "I like it"]),
        (2, "These are the last two", ["Neither of these", "I like 1 of these", "I like both"]),
        (3, "Tap the concepts that you like", ["None of these", "I like 1 of these", "I like 2 of these"]),
    ],
)
def test_a_small_round_says_so_and_its_button_says_the_answer(ids, run, drawn, told, labels):
    for letter in "abcdefgh"[drawn:]:
        run.note(ids[letter], rating=3)
    app = shown()
    there = shown_now(app)
    assert len(there) == drawn and told in text(app)
    key = f"taste.round.pets.{'.'.join(id_[:6] for id_ in there)}"
    for count, label in enumerate(labels):
        app.session_state[key] = {"selected": there[:count]}
        assert app.run().button(key="taste.go").label == label


def test_answers_while_children_are_learned_are_kept_and_begin_nothing(run, begun, stack):
    app = go(shown())
    app = go(app, shown_now(app)[0])
    assert [len(each.liked) for each in rounds(run)] == [0, 1] and len(begun) == 1 and len(jobs(run)) == 1
    assert "Children of what you like are being learned" in text(app)


def test_a_round_can_be_answered_again(run, begun, stack):
    app = shown()
    first = shown_now(app)
    app = go(app, first[0])
    app.button(key="taste.back").click().run()
    assert app.button(key="taste.go").label == "I like 1 of these"
    short = ".".join(id_[:6] for id_ in first)
    app.session_state[f"taste.round.pets.{short}"] = {"selected": [first[1]]}
    app.run()
    app.button(key="taste.go").click().run()
    assert [each.liked for each in rounds(run)] == [(first[1],)] and len(begun) == 1


def test_all_that_is_judged_goes_on_to_children(run, ids, begun, stack):
    for id_ in ids.values():
        run.note(id_, rating=3)
    app = shown()
    assert "You have judged everything that is here" in text(app)
    app.button(key="taste.more").click().run()
    (job,) = jobs(run)
    assert is_answered(job, 1) and len(begun) == 1 and not rounds(run)
    assert awaits_choice(job, job.plan) == 0


def test_a_run_without_drawings_and_one_without_words_say_so(run, begun, stack, monkeypatch, tmp_path):
    app = page("rate", run="pets", kind="taste")
    app.session_state["taste.why"] = True
    assert "only 0 concepts are judged" in text(app.run())


def test_the_tree_proposes_parents_and_one_click_takes_them(run, ids):
    run.add([concept(seed) for seed in range(40, 44)])
    assert "You may like" not in text(page("tree", run="pets").run())
    for letter, rating in zip("abcdefgh", (5, 5, 4, 4, 2, 2, 1, 1), strict=True):
        run.note(ids[letter], rating=rating)
    app = page("tree", run="pets").run()
    assert "You may like" in text(app)
    app.button(key="taste.take.0").click().run()
    assert len(app.session_state["parents"]["pets"]) == 2


def test_a_generation_that_was_stopped_says_so_and_goes_on(run, begun, stack, monkeypatch):
    app = go(shown())
    (job,) = jobs(run)
    monkeypatch.setattr(processes, "_begun", {})  # its process is gone
    app.run()
    assert "No children are being learned" in text(app)
    app.button(key="taste.resume").click().run()
    assert len(begun) == 2 and begun[1][-4:-2] == ["--job", job.name]
