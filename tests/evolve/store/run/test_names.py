"""A name belongs to one concept, can be changed, and finds it also when it is nearly right."""

from __future__ import annotations

import pytest

from evolve.store.names import name_for
from evolve.store.parts import Room
from evolve.store.run import NOTES, Run, RunError
from tests.evolve.store.run.seen import refused
from tests.families import STACK, by_letter, concept


def test_names_are_unique_pronounceable_and_not_words_of_the_stack(run):
    concepts = [concept(seed) for seed in range(30)]
    would_be = name_for(concepts[0].id)
    names = [each.name for each in run.add(concepts, taken=[would_be])]
    assert len(set(names)) == 30 and would_be not in names
    assert all(len(name) % 2 == 0 and set(name[1::2]) <= set("aeiou") for name in names)
    assert run.find(names[4]).id == concepts[4].id and run.find(concepts[4].id).name == names[4]
    with pytest.raises(RunError, match="there is no concept 'nobody'"):
        run.find("nobody")


def test_a_name_that_is_nearly_right_is_put_right_and_hostile_ones_stay_harmless(pets):
    name = pets.individuals()[0].name
    assert f"did you mean {name}" in refused(pets.find, name + "x")
    Room(pets.folder / "notes", NOTES).append(
        [
            {
                "concept": each.id,
                "favourite": False,
                "comment": "",
                "hidden": False,
                "locked": False,
                "name": "\x1b[31m",
            }
            for each in pets.individuals()
        ]
    )
    assert "\x1b" not in refused(pets.find, "nobody") and "\x1b" not in refused(pets.find, "x1b[31m")


def test_names_grow_when_the_short_ones_are_taken():
    taken = set()
    for number in range(6000):
        taken.add(name_for(str(number), taken))
    assert len(taken) == 6000 and max(map(len, taken)) <= 8


def test_twins_are_one_name(pets):
    """Composed or decomposed accents, and full-width letters."""
    one, other = by_letter(pets)["a"].id, by_letter(pets)["b"].id
    assert pets.note(one, name="cafe\u0301").name == "caf\u00e9"
    assert pets.entry("cafe\u0301").id == pets.entry("\uff43\uff41\uff46\u00e9").id == one
    for twin in ("caf\u00e9", "cafe\u0301", "\uff43\uff41\uff46\u00e9", "CAF\u00c9"):
        assert "is taken" in refused(lambda twin=twin: pets.note(other, name=twin))


def test_a_name_can_be_changed_and_the_old_one_still_finds_it(pets):
    a, b = (by_letter(pets)[letter] for letter in "ab")
    pets.note(a.id, name="Whisker Fin")
    assert pets.entry("Whisker Fin").id == pets.entry(a.name).id == pets.find(a.id).id == a.id
    assert pets.individuals()[0].name == pets.find(a.name).name == "Whisker Fin"
    for taken in ("Whisker Fin", "whisker fin", "WHISKER FIN", a.name, a.name.upper(), a.id):
        assert "is taken, by" in refused(lambda name=taken: pets.note(b.id, name=name))
    pets.note(a.id, name="whisker Fin")
    pets.note(a.id, name="Whisker Fin")  # its own, in other capitals
    pets.note(a.id, rating=3)
    assert pets.entry(a.id).name == "Whisker Fin"
    pets.note(a.id, name=None)
    assert pets.entry(a.id).name == a.name


def test_new_concepts_take_neither_newest_nor_first_names(run):
    one = run.add([concept(1)])[0]
    run.note(one.id, name=name_for(concept(2).id))
    (other,) = run.add([concept(2)], taken=[])
    assert other.name not in (one.name, run.entry(one.id).name)


@pytest.mark.parametrize("name", ["Whisker_Fin-2", "d'Artagnan Jr.", "Grüße", "猫 7", "नमस्ते", "٤", "_x", "'x"])
def test_names_are_of_any_script(pets, name):
    a = by_letter(pets)["a"].id
    pets.note(a, name=name)
    assert pets.entry(name).id == a


def test_nobody_is_born_with_the_name_of_the_category_and_a_person_may_give_it(tmp_path):
    one = concept(1)
    run = Run.create(tmp_path / "run", name_for(one.id), STACK)
    (born,) = run.add([one])
    assert born.name != run.about["category"]
    run.note(one.id, name=run.about["category"])
    assert run.entry(run.about["category"]).id == one.id
