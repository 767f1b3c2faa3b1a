"""More founders are learned than stay: the choice, the marks, and what a person says in between."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest

from core import ConceptLab, Settings
from core.concept import RequestError
from core.errors import StackError
from evolve import Run
from evolve.family.lasting import FILE
from evolve.jobs.choices import WordError
from evolve.jobs.job import Conduct
from evolve.jobs.keeping import Chosen, choose
from evolve.jobs.options import SeedOptions
from evolve.jobs.planning import plan_founders
from evolve.jobs.plans import ParentTold, plan_from_json
from evolve.jobs.stored import new_job
from evolve.jobs.work import Drawing, Learned, work
from evolve.taste import judgements
from tests.families import concept
from tests.plans import a_breed, a_seed

QUICK = Settings(steps=2, segment=1, learning_rate=1e-2)


@pytest.fixture
def pets(backbone, tmp_path):
    """A run with a job for the best two of four founders, learned two at a time."""
    run = Run.create(tmp_path / "pets", "pet", backbone)
    plan = plan_founders(backbone, SeedOptions(category="pet", count=2, of=4, negatives="cat,dog"), QUICK)
    return run, new_job(run, plan, Conduct(2, 1, 1))


def hidden(run: Run) -> set[str]:
    return {each.id for each in run.entries() if each.note.hidden}


def test_the_best_stay_and_the_others_are_hidden(pets, backbone):
    run, job = pets
    happened = list(work(job, run, ConceptLab(backbone)))
    (chosen,) = (each for each in happened if isinstance(each, Chosen))
    assert len(chosen.kept) == len(chosen.aside) == 2 and job.finished
    assert hidden(run) == run.aside() == {each.id for each in chosen.aside}
    assert [len(run.drawings(each.id)) for each in chosen.kept] == [3, 3]
    assert [len(run.drawings(each.id)) for each in chosen.aside] == [1, 1], "a portrait, for the choice"


@pytest.mark.parametrize("at", ["Learned", "Drawing", "Chosen"])
def test_a_job_that_is_killed_chooses_the_same(pets, backbone, tmp_path, at):
    run, job = pets
    with closing(work(job, run, ConceptLab(backbone))) as course:
        next(each for each in course if type(each).__name__ == at)
    assert not job.finished
    list(work(job, run, ConceptLab(backbone)))
    other = Run.create(tmp_path / "other", "pet", backbone)
    list(work(new_job(other, job.plan, Conduct(2, 1, 1)), other, ConceptLab(backbone)))
    assert hidden(run) == hidden(other) and len(hidden(run)) == 2


def test_what_a_person_says_in_the_meantime_counts_more(pets, backbone):
    run, job = pets
    with closing(work(job, run, ConceptLab(backbone))) as course:
        learned = [each for each in course if isinstance(each, Learned | Drawing)]
    assert learned
    ids = [each.id for each in run.entries()]
    kept = [each.id for each in choose(run, backbone, run.individuals(), 2).kept]
    left = [id_ for id_ in ids if id_ not in kept]
    run.note_all(ids, hidden=False)
    run.note(left[0], rating=4)
    run.note(kept[0], hidden=True)
    chosen = choose(run, backbone, run.individuals(), 2)
    now = {each.id for each in chosen.kept}
    assert left[0] in now and kept[0] not in now and len(now) == 2
    assert run.aside() == set(ids) - now - {kept[0]}, "what a person has hidden is no program's choice"


def test_parents_stay_even_if_more_do_than_were_asked_for(pets, backbone):
    run, job = pets
    with closing(work(job, run, ConceptLab(backbone))) as course:
        assert [each for each in course if isinstance(each, Learned | Drawing)]
    kept = {each.id for each in choose(run, backbone, run.individuals(), 2).kept}
    first, second = (each for each in run.individuals() if each.id not in kept)
    run.note_all([first.id, second.id], hidden=False)
    told = [ParentTold(id=each.id, name=each.name, run="", weight=1.0) for each in (first, second)]
    new_job(run, replace(a_breed(), parents=tuple(told)))
    assert {each.id for each in choose(run, backbone, run.individuals(), 1).kept} == {first.id, second.id}


@pytest.mark.parametrize("others", [False, True])
def test_those_that_stay_move_together_unless_others_would_move(pets, backbone, others):
    run, job = pets
    if others:
        run.add([concept(9)])
    (run.folder / FILE).write_text("{}")
    list(work(job, run, ConceptLab(backbone)))
    assert (run.folder / FILE).is_file() == others


def test_children_that_were_bred_meanwhile_move_with_those_that_stay(pets, backbone):
    run, job = pets
    with closing(work(job, run, ConceptLab(backbone))) as course:
        assert [each for each in course if isinstance(each, Learned | Drawing)]
    founders = run.individuals()
    run.add([concept(9, [each.concept for each in founders[:2]])])
    (run.folder / FILE).write_text("{}")
    choose(run, backbone, founders, 2)
    assert not (run.folder / FILE).exists()


def test_it_is_no_opinion_and_no_persons_change(pets, backbone):
    run, job = pets
    list(work(job, run, ConceptLab(backbone)))
    (one, other) = sorted(run.aside())
    assert judgements(run).ratings == ()
    assert run.undo_last() == [] and run.undo(one) is None, "undo is for what people did"
    run.note(one, hidden=False)
    assert run.aside() == {other}
    run.note(one, hidden=True)
    assert run.aside() == {other} and judgements(run).ratings == ((one, 1),)
    run.set_aside([one])
    assert run.aside() == {other}, "it is hidden already"


def test_a_plan_without_a_choice_is_stored_as_before():
    assert "keep" not in a_seed().to_json()
    plan = a_seed(count=6, wave=6, keep=2)
    assert plan_from_json("seed", plan.to_json()) == plan


def test_how_many_are_learned_follows_the_stack_and_the_options(backbone, monkeypatch):
    members = len(backbone.vocabulary.members("pet", "object"))

    def learned(**given):
        plan = plan_founders(backbone, SeedOptions(category="pet", negatives="none", **given))
        return plan.count, plan.keep, plan.wave

    assert learned(count=2) == (2, 0, 2), "a stack without a surplus"
    monkeypatch.setattr(backbone, "calibration", {"object": {"surplus": 3}})
    assert learned(count=2) == (6, 2, 6)
    assert learned(count=members) == (members, 0, members), "no more than there are places to start"
    assert learned(count=2, wave=1) == (2, 0, 1) and learned(count=2, ask="page") == (2, 0, 2)
    assert learned(count=2, preset="paper") == (2, 0, 1)
    assert learned(count=2, of=5, wave=2) == (5, 2, 2) and learned(count=2, of=2) == (2, 0, 2)
    with pytest.raises(RequestError, match="of = 1: expected at least the 2 founders that are kept"):
        learned(count=2, of=1)


@pytest.mark.parametrize("surplus", [0, -2, 33, 10**30, 2.0, True, "3", None, [3]])
def test_a_surplus_that_is_no_number_of_times_is_refused_in_one_line(backbone, monkeypatch, surplus):
    monkeypatch.setattr(backbone, "calibration", {"object": {"surplus": surplus}})
    with pytest.raises(StackError, match="expected a whole number from 1 to 32") as told:
        plan_founders(backbone, SeedOptions(category="pet", negatives="none", count=2))
    assert f"{backbone.version}: surplus = {surplus!r}" in str(told.value) and "\n" not in str(told.value)
    assert plan_founders(backbone, SeedOptions(category="pet", negatives="none", count=2, of=3)).count == 3


def test_founders_get_the_traits_that_are_given(backbone):
    def traits(given, **more):
        options = SeedOptions(category="pet", negatives="none", count=2, traits=given, **more)
        return plan_founders(backbone, options).traits

    assert traits("") == traits(" , ") == ()
    assert traits(" red,  blue ,Red") == ("Red", "blue"), "each once"
    assert traits("red pet") == ("red",), "as captions say it"
    assert traits("red", preset="paper") == ("red",)
    with pytest.raises(RequestError, match="'red pet' is a negative and a positive"):
        plan_founders(backbone, SeedOptions(category="pet", negatives="red pet", traits="red"))


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ("blorp", WordError, "does not know the trait 'blorp'"),
        ("red,pets", RequestError, "the trait 'pets' says the category again"),
        ("red,Pet", RequestError, "the trait 'Pet' is in the category 'pet' already"),
        (f"red,{'small ' * 15}", RequestError, "too long|characters"),
    ],
)
def test_impossible_traits_are_refused_in_one_line(backbone, monkeypatch, given, error, says):
    monkeypatch.setattr(backbone, "knows", lambda word: word != "blorp")
    with pytest.raises(error, match=says):
        plan_founders(backbone, SeedOptions(category="pet", negatives="none", traits=given))


def test_styles_have_no_traits(backbone):
    style = SeedOptions(category="style", kind="style", negatives="none")
    assert plan_founders(backbone, style).traits == ()
    with pytest.raises(RequestError, match="only objects have traits"):
        plan_founders(backbone, replace(style, traits="red"))


def test_a_plan_with_traits_is_stored_and_one_without_is_stored_as_before():
    assert "traits" not in a_seed().to_json()
    assert "trait_weight" not in a_seed().to_json()
    plan = a_seed(traits=("red", "blue"), trait_weight=0.5)
    assert plan_from_json("seed", plan.to_json()) == plan


def test_a_job_learns_founders_with_the_traits_of_its_plan(backbone, tmp_path):
    run = Run.create(tmp_path / "pets", "pet", backbone)
    options = SeedOptions(category="pet", negatives="none", count=2, traits="red,blue")
    list(work(new_job(run, plan_founders(backbone, options, QUICK), Conduct(2, 1, 1)), run, ConceptLab(backbone)))
    learned = [[each.word for each in found.concept.request.positives] for found in run.individuals()]
    assert sorted(learned) == [["pet", "blue pet"], ["pet", "red pet"]]
