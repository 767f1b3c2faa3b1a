"""evolve, choose and mark, as they are typed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.wording import counted
from evolve import Run
from evolve.jobs.generations import generations, shown_in
from evolve.jobs.stored import jobs, unfinished
from evolve.store.likes import rounds
from tests.typed import good, one_line, run

QUICK = ("--steps", 2, "--children", 2, "--population", 3, "--seed", 4)


@pytest.fixture(scope="module")
def founders(stack_folder, tmp_path_factory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    where = ("--runs", runs, "--model", stack_folder)
    good("seed", "pet", "--founders", 4, "--wave", 4, "--run", "pets", *where, "--steps", 2, "--segment", 1)
    return runs


@pytest.fixture
def pets(founders, tmp_path) -> Run:
    shutil.copytree(founders / "pets", tmp_path / "pets")
    return Run.open(tmp_path / "pets")


def names(pets):
    return [each.name for each in pets.entries()]


def test_evolve_tells_each_generation_draws_it_and_ends_with_a_table(pets):
    shown = good("evolve", "pets", "--generations", 2, *QUICK, "--runs", pets.folder.parent)
    job = jobs(pets)[-1]
    done = generations(job)
    assert job.finished and len(done) == 2 and len(pets.entries()) == 8
    for generation in done:
        born = [pets.entry(id_).name for id_ in generation.children]
        assert f"Generation {generation.number}: {', '.join(born)}" in shown
        stay = counted(generation.record["stay"], "of them stays", "of them stay")
        assert f"{stay}; on average belongs" in shown
        assert all(len(pets.drawings(id_)) == 3 for id_ in generation.children)
    assert "generation born stay likeness mean best" in shown
    best = ", ".join(pets.entry(id_).name for id_ in done[-1].front)
    assert f"Pareto front: {best}" in shown


def test_an_evolution_that_is_stopped_says_how_it_goes_on_and_does(pets, monkeypatch):
    def stopped(*_):
        raise KeyboardInterrupt

    where = ("--runs", pets.folder.parent)
    with monkeypatch.context() as patched:
        patched.setattr("ui.telling.Telling._generation", stopped)
        result = run("evolve", "pets", "--generations", 2, *QUICK, *where)
    assert result.exit_code == 130
    assert "conceptree resume pets" in " ".join(result.stdout.split())
    shown = good("resume", "pets", *where)
    assert "Generation 2:" in shown and not unfinished(pets) and len(pets.entries()) == 8


def test_where_a_person_selects_it_asks_and_choose_answers(pets):
    where = ("--runs", pets.folder.parent)
    one, other, third, _ = names(pets)
    chosen = ("--select", "user", "--parent", one, "--parent", other)
    shown = good("evolve", "pets", "--generations", 2, *QUICK, *chosen, *where)
    assert "Choose the parents of generation 2 of 2: conceptree resume pets --parent" in shown
    assert "no parent is chosen" in one_line("resume", "pets", *where)
    shown = good("resume", "pets", "--parent", one, "--parent", third, *where)
    assert "Generation 2:" in shown and "Choose the parents" not in shown
    born = [pets.entry(id_) for id_ in generations(jobs(pets)[-1])[-1].children]
    assert {parent.id for each in born for parent in each.parents} == {pets.entry(one).id, pets.entry(third).id}
    assert "waits for a choice" in one_line("resume", "pets", "--parent", one, *where)


def test_mark_says_what_counts_in_an_evolution(pets):
    where = ("--runs", pets.folder.parent)
    one, other, *_ = names(pets)
    assert f"{one}: favourite, rated 5 {other}: favourite, rated 5" in good(
        "note", "pets", one, other, "--favourite", "--rating", 5, *where
    )
    assert good("note", "pets", one, "--no-favourite", "--rating", 0, "--lock", *where) == f"{one}: locked"
    assert good("note", "pets", other, "--hide", *where) == f"{other}: favourite, hidden, rated 5"
    note = pets.entry(other).note
    assert note.hidden and note.rating == 5


def test_mark_says_what_is_stored(pets):
    where = ("--runs", pets.folder.parent)
    one, *_ = names(pets)
    assert good("note", "pets", one, "--comment", "hello", *where) == f'{one}: comment "hello"'
    assert good("note", "pets", one, "--lock", *where) == f'{one}: locked, comment "hello"'
    assert good("note", "pets", one, "--comment", "", "--unlock", *where) == f"{one}: nothing is noted"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--weights", "0.7;0.3"), "weights = '0.7;0.3': expected numbers with commas between"),
        (("--weights", "0.7"), "weights = 0.7: expected 2 numbers above 0, one for each parent"),
        (("--parent", "nobody"), "there is no concept 'nobody'"),
        (("--word", "xyzzy"), "xyzzy"),
    ],
)
def test_what_cannot_be_evolved_is_one_line_and_nothing_is_kept(pets, options, said):
    assert said in one_line("evolve", "pets", *options, "--runs", pets.folder.parent)
    assert [job.command for job in jobs(pets)] == ["seed"]


def test_parents_are_named_only_where_a_person_selects(pets):
    said = one_line("evolve", "pets", "--parent", names(pets)[0], "--runs", pets.folder.parent)
    assert "the selection is tournament; add --select user" in said


def test_where_a_person_selects_and_chose_nobody_no_evolution_is_left_behind(pets):
    asked = ("evolve", "pets", "--select", "user", *QUICK, "--generations", 1, "--runs", pets.folder.parent)
    assert "no parent is chosen" in one_line(*asked)
    assert not unfinished(pets)
    pets.note(pets.entries()[0].id, rating=4)
    assert "Generation 1:" in good(*asked)


def test_an_evolution_needs_somebody(pets):
    pets.note_all([each.id for each in pets.entries()[1:]], hidden=True)
    assert "fewer than 2 concepts that are not hidden" in one_line("evolve", "pets", "--runs", pets.folder.parent)


def test_mark_without_a_word_says_what_it_takes(pets):
    said = one_line("note", "pets", names(pets)[0], "--runs", pets.folder.parent)
    assert "no note is given: choose --name, --favourite, --lock, --hide, --rating, --tag or --comment" in said


def test_an_evolution_goes_on_in_the_precision_it_was_begun_in(pets):
    one, other, *_ = names(pets)
    where = ("--runs", pets.folder.parent)
    chosen = ("--select", "user", "--parent", one, "--parent", other)
    good("evolve", "pets", "--generations", 2, *QUICK, *chosen, *where)
    said = one_line("resume", "pets", "--parent", one, *where, "--dtype", "bfloat16")
    assert "the job began in float32, and bfloat16 would give another result: use --dtype float32" in said


def by_taste(pets, monkeypatch, *typed):
    """`evolve --select taste` at a terminal where these lines are typed, then no more."""
    lines = iter(typed)

    def read(prompt):
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("ui.asking._is_terminal", lambda out: True)
    monkeypatch.setattr("ui.asking._has_desktop", lambda: False)
    monkeypatch.setattr("builtins.input", read)
    asked = ("evolve", "pets", "--select", "taste", "--generations", 2)
    return good(*asked, *QUICK, "--runs", pets.folder.parent)


def test_a_person_says_what_they_like_and_its_children_are_learned(pets, monkeypatch):
    shown = by_taste(pets, monkeypatch, "ghost", "?", f"1, {names(pets)[1]}", "")
    one, two = rounds(pets)
    assert len(one.shown) == 4 and one.shown[0] in one.liked and not two.liked
    assert "'ghost' is not among those shown: choose from 1 " in shown
    assert set(two.shown) <= {id_ for each in generations(jobs(pets)[-1]) for id_ in each.children}
    assert jobs(pets)[-1].finished and len(pets.entries()) == 8
    assert (pets.folder / "ask.png").is_file() and str(pets.folder / "ask.png") in shown


def test_who_stops_goes_on_later_with_the_same_concepts(pets, monkeypatch):
    with monkeypatch.context() as patched:
        shown = by_taste(pets, patched, "q")
    assert "Say what you like before generation 1 of 2: conceptree resume pets --like NAME" in shown
    (job,) = unfinished(pets)
    asked = shown_in(job, 1)
    assert len(asked) == 4 and not rounds(pets)
    where = ("--runs", pets.folder.parent)
    said = good("resume", "pets", *where)
    assert "Say what you like before generation 1" in said and shown_in(job, 1) == asked
    said = good("resume", "pets", "--like", pets.entry(asked[2]).name, "--like", 1, *where)
    assert rounds(pets)[0].liked == (asked[0], asked[2]) and "before generation 2 of 2" in said
    good("resume", "pets", "--like-none", *where)
    assert jobs(pets)[-1].finished and rounds(pets)[1].liked == ()
    said = one_line("resume", "pets", "--like-none", *where)
    assert "waits for what you like: begin one with evolve --select taste" in said


def test_what_cannot_be_liked_is_told(pets):
    where = ("--runs", pets.folder.parent)
    good("evolve", "pets", "--select", "taste", *QUICK, *where)
    assert "'ghost' is not among those shown: choose from 1 " in one_line("resume", "pets", "--like", "ghost", *where)
    assert not rounds(pets)
    said = run("resume", "pets", "--like", "1", "--like-none", *where)
    assert said.exit_code == 2 and "--like and --like-none exclude each other" in said.stderr
    assert "no evolution in 'pets' waits for a choice" in one_line("resume", "pets", "--parent", names(pets)[0], *where)


def test_taste_as_an_objective_needs_judgements(pets):
    asked = ("evolve", "pets", "--objective", "taste", "--generations", 1, *QUICK, "--runs", pets.folder.parent)
    assert "--objective taste: only 0 concepts are judged: rate or compare at least 3" in one_line(*asked)
    for name, rating in zip(names(pets), (5, 1, 3), strict=False):
        good("note", "pets", name, "--rating", rating, "--runs", pets.folder.parent)
    assert "on average rated" in good(*asked)
    assert "objective = 'beauty'" in one_line("evolve", "pets", "--objective", "beauty", "--runs", pets.folder.parent)
