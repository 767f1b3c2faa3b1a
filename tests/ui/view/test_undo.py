"""Undo of notes, for the last change and from the list."""

from __future__ import annotations

from filelock import FileLock
from streamlit.testing.v1 import AppTest

from evolve import Run
from tests.families import by_letter
from tests.pages import page, text
from ui.view import undo


def gallery(run: Run, *letters: str) -> AppTest:
    app = page("gallery", run="pets").run()
    each = by_letter(run)
    app.session_state["gallery.cards.pets"] = {"selected": [f"pets/{each[letter].id}" for letter in letters]}
    return app.run()


def keys(app: AppTest) -> set[str]:
    return {button.key for button in app.button}


def test_nothing_was_said_yet(run):
    app = gallery(run)
    assert not app.exception and "No changes yet" in text(app)
    assert not keys(app) & {"undo.last"}


def test_hiding_is_taken_back_and_made_again(run, ids):
    app = gallery(run, "a", "b")
    app.button(key="gallery.hide").click().run()
    assert not app.exception and "2 concepts: hidden" in text(app)
    assert {id_ for id_, note in run.notes().items() if note.hidden} == {ids["a"], ids["b"]}
    app.button(key="undo.last").click().run()
    assert "Undone: 2 concepts: hidden" in text(app)
    assert not any(note.hidden for note in run.notes().values())
    app.button(key="icon.undo.again").click().run()
    assert all(run.notes()[ids[letter]].hidden for letter in "ab") and "undo.last" in keys(app)
    assert "icon.undo.again" not in keys(app)


def test_undo_pressed_twice_takes_back_two_changes_and_redo_makes_both_again(run, ids):
    app = gallery(run, "a", "b")
    app.button(key="gallery.rate.4").click().run()
    app.button(key="gallery.hide").click().run()
    app.button(key="undo.last").click().run()
    app.button(key="undo.last").click().run()
    assert not app.exception and "Undone: 2 concepts: rating none → 4" in text(app)
    notes = run.notes()
    assert not any(notes[ids[letter]].hidden or notes[ids[letter]].rating for letter in "ab")
    assert app.button(key="undo.last").disabled, "nothing is left"
    app.button(key="icon.undo.again").click().run()
    assert [run.notes()[ids[letter]].rating for letter in "ab"] == [4, 4] and not run.notes()[ids["a"]].hidden
    app.button(key="icon.undo.again").click().run()
    assert all(run.notes()[ids[letter]].hidden for letter in "ab") and "icon.undo.again" not in keys(app)


def test_a_change_that_was_made_again_can_be_undone_again(run, ids):
    """Undo did nothing after Redo of the change before the last one."""
    app = gallery(run, "a")
    app.button(key="gallery.hide").click().run()
    app.button(key="gallery.favourite").click().run()
    app.button(key="undo.last").click().run()
    app.button(key="undo.last").click().run()
    app.button(key="icon.undo.again").click().run()
    assert run.notes()[ids["a"]].hidden and not run.notes()[ids["a"]].favourite
    app.button(key="undo.last").click().run()
    assert not run.notes()[ids["a"]].hidden
    app.button(key="icon.undo.again").click().run()
    app.button(key="icon.undo.again").click().run()
    assert run.notes()[ids["a"]].hidden and run.notes()[ids["a"]].favourite


def test_a_change_after_an_undo_leaves_nothing_to_redo(run, ids):
    app = gallery(run, "a")
    app.button(key="gallery.rate.4").click().run()
    app.button(key="undo.last").click().run()
    app.button(key="gallery.favourite").click().run()
    assert "icon.undo.again" not in keys(app) and run.notes()[ids["a"]].favourite


def test_what_others_have_said_since_stays(run, ids):
    app = gallery(run, "a", "b")
    app.button(key="gallery.favourite").click().run()
    run.note(ids["c"], favourite=True)
    app.button(key="undo.last").click().run()
    assert [run.notes()[ids[letter]].favourite for letter in "abc"] == [False, False, True]


def test_the_list_takes_back_any_change(run, ids):
    run.note(ids["a"], rating=2)
    run.note(ids["a"], name="Whisker")
    run.note(ids["b"], comment="a <b>bold</b> one")
    app = gallery(run)
    shown = text(app)
    assert "Whisker: rating none → 2" in shown and "Whisker: renamed to Whisker" in shown
    assert "comment “a <b>bold</b> one”" in shown
    app.button(key="undo.change.2").click().run()  # the oldest, with a name given since
    assert run.notes()[ids["a"]].rating is None and run.notes()[ids["a"]].name == "Whisker"
    assert not app.exception


def test_the_newest_change_of_a_concept_can_be_made_again(run, ids):
    run.note(ids["a"], rating=2)
    app = gallery(run)
    app.button(key="undo.change.0").click().run()
    assert run.notes()[ids["a"]].rating is None
    app.button(key="icon.undo.again").click().run()
    assert run.notes()[ids["a"]].rating == 2


def test_a_run_that_somebody_holds_is_told_in_one_line(run, ids, monkeypatch):
    monkeypatch.setattr(undo, "WAIT", 0.1)
    app = gallery(run, "a")
    with FileLock(run.folder / ".lock"):
        app.button(key="gallery.hide").click().run()
        assert not app.exception and "is being written by" in text(app)
    assert not run.notes()
    app.button(key="gallery.hide").click().run()
    assert run.notes()[ids["a"]].hidden and "is being written by" not in text(app)


def test_what_is_not_changed_is_not_told(run, ids):
    run.note(ids["a"], hidden=False)
    assert undo.holding(run.changes()) == []


def test_holding_are_those_that_nobody_has_taken_back(run, ids):
    run.note(ids["a"], rating=1)
    run.note(ids["a"], rating=2)
    run.note_all([ids["b"], ids["c"]], favourite=True)
    run.undo(ids["a"])
    run.undo(ids["b"])
    assert [(change.concept, undo.told(change)) for change in undo.holding(run.changes())] == [
        (ids["a"], "rating none → 1"),
        (ids["c"], "favourite"),
    ]
    run.redo(ids["a"])
    assert [change.changed for change in undo.holding(run.changes()) if change.concept == ids["a"]][-1] == {
        "rating": (1, 2)
    }


def test_a_torn_note_is_told_and_the_others_are_listed(run, ids):
    run.note(ids["a"], rating=1)
    run.note(ids["b"], rating=2)
    part = run.rooms["notes"].parts()[0]
    part.write_bytes(part.read_bytes()[:40])
    app = page("gallery", run="pets").run()
    assert not app.exception and "rating none → 2" in text(app) and "cannot be read" in text(app)
