"""Concepts side by side: drawings with the same prompts and seeds, and differences."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from evolve import Run
from tests.families import learned, picture
from tests.pages import alts, page, text
from ui.pictures import PROMPTS
from ui.view.differences import Row, rows, scores
from ui.view.selection import State

PHOTO, SKETCH, BLUE = PROMPTS["object"]


@pytest.fixture
def real(tmp_path, monkeypatch, backbone) -> Run:
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    made = Run.create(tmp_path / "pets", "pet", backbone)
    made.add([learned(seed, backbone) for seed in range(2)])
    return made


def compare(*concepts: str) -> AppTest:
    app = page("compare", run="pets", concepts=",".join(concepts)).run()
    assert not app.exception
    return app


def tables(app: AppTest) -> list[dict]:
    """Differences, scores, equal facts."""
    return [each.value.to_dict("list") for each in [*app.table, *app.dataframe]]


def test_two_to_six_are_compared(run, ids):
    assert "Choose at least one other concept." in text(compare(ids["a"]))
    assert len(alts(compare(*(ids[letter] for letter in "abcdef")))) == 6
    app = compare(*ids.values())
    assert len(app.multiselect(key="compare.concepts.pets").value) == 6


def chosen(app: AppTest) -> list[str]:
    return app.multiselect(key="compare.concepts.pets").value


def test_it_begins_with_what_is_selected_or_a_child_and_its_parents(run, ids):
    app = page("compare", run="pets").run()
    newest = run.entries()[-1]
    known = {each.id for each in newest.parents} & {*ids.values()}
    run.note_all(list(known), hidden=True)  # a parent is compared even so
    assert known and set(chosen(page("compare", run="pets").run())) == set(chosen(app)) == {newest.id, *known}
    assert len(alts(app)) and "Choose" not in text(app)
    app.multiselect(key="compare.concepts.pets").set_value([]).run()
    assert chosen(app) == [], "cleared by the person"
    app = page("compare", run="pets")
    app.session_state["parents"] = {"pets": {ids["a"]: 1.0, ids["c"]: 1.0}}
    assert chosen(app.run()) == [ids["a"], ids["c"]]
    app = page("compare", run="pets")
    app.session_state["tree.states"] = {"pets": State(selected=[ids["e"]])}
    assert chosen(app.run()) == [ids["e"], ids["a"], ids["b"]]
    assert chosen(compare(ids["f"])) == [ids["f"]], "the address counts"


def test_it_begins_with_what_is_selected_in_the_gallery(run, ids):
    app = page("gallery", run="pets").run()
    app.session_state["gallery.cards.pets"] = {"selected": [f"pets/{ids[letter]}" for letter in "bd"]}
    app.run()
    app._page_hash = calc_hash("compare")
    assert set(chosen(app.run())) == {ids["b"], ids["d"]}


def test_the_address_tells_whom_and_a_choice_changes_it(run, ids):
    app = compare(ids["a"], ids["b"])
    app.multiselect(key="compare.concepts.pets").set_value([ids["a"], ids["c"], ids["d"]]).run()
    assert not app.exception and app.query_params["concepts"] in (
        ",".join([ids["a"], ids["c"], ids["d"]]),
        [",".join([ids["a"], ids["c"], ids["d"]])],
    )
    assert len(alts(app)) == 3


def test_who_is_not_there_is_told(run, ids):
    app = compare(ids["a"], ids["b"], "nobody")
    assert "The address names 1 concept that this run does not have" in text(app) and len(alts(app)) == 2


def test_rows_are_prompts_with_one_seed(run, ids):
    run.add_drawings([(ids[letter], "a {} on the moon", 1, picture(number)) for number, letter in enumerate("ab")])
    run.add_drawings([(ids["a"], PHOTO, 2, picture(9))])
    app = compare(ids["a"], ids["b"])
    assert len(alts(app)) == 4 and text(app).count("not drawn") == 4
    assert "a … on the moon" in text(app) and "Draw 4 missing pictures" in app.button(key="compare.draw").label
    app.number_input(key="compare.seed").set_value(2).run()
    assert len(alts(app)) == 1 and "Draw 7" in app.button(key="compare.draw").label


def test_a_picture_whose_file_is_gone_counts_as_missing(run, ids):
    run.drawings(ids["a"])[0].file.unlink()
    app = compare(ids["a"], ids["b"])
    assert len(alts(app)) == 1 and "Draw 5" in app.button(key="compare.draw").label


def test_missing_pictures_are_drawn_when_somebody_asks(real):
    ids = [each.id for each in real.entries()]
    app = compare(*ids)
    assert not alts(app)
    app.text_input(key="compare.prompt").set_value("a {} in the snow").run()
    assert app.text_input(key="compare.prompt").value == ""
    app.button(key="compare.draw").click().run(timeout=120)
    assert not app.exception and len(alts(app)) == 8 and app.button(key="compare.draw").disabled
    assert {(d.prompt, d.seed) for d in real.drawings(ids[0])} == {
        (prompt, 1) for prompt in (PHOTO, SKETCH, BLUE, "a {} in the snow")
    }


def test_a_prompt_that_is_none_and_a_stack_that_is_not_here(run, ids):
    app = compare(ids["a"], ids["b"])
    app.text_input(key="compare.prompt").set_value("a … in the rain").run()
    assert app.session_state["compare.added.pets"][-1] == "a {} in the rain"
    app.text_input(key="compare.prompt").set_value("no place for it").run()
    assert "write {} where the concept stands" in text(app)
    app.button(key="compare.draw").click().run()
    assert not app.exception and "needs the stack tiny-1 (f)" in text(app)


def test_what_differs_is_marked_and_what_is_equal_is_folded(run, ids):
    app = compare(ids["a"], ids["b"], ids["e"])
    unlike, marks, equal = tables(app)
    names = [run.entry(ids[letter]).name for letter in "abe"]
    assert list(unlike) == ["fact", *names]
    place = unlike["fact"].index("parents")
    assert unlike[names[0]][place] == "–"  # as most have it
    assert unlike[names[2]][place] == rf"**75\% {names[0]}**, **25\% {names[1]}**"
    seeds = unlike["fact"].index("seed")
    assert all(unlike[name][seeds].startswith("**") for name in names)
    assert "steps" in equal["fact"] and "category" in equal["fact"] and not set(equal["fact"]) & set(unlike["fact"])
    assert marks["fact"] == ["score", "positives"]


def test_facts_of_concepts(run, ids):
    found = {row.fact: row for row in rows([run.find(ids["e"]), run.find(ids["e"])], run.names())}
    assert not any(row.differs for row in found.values())
    assert found["negatives"].values[0] == ("cat", "dog") and found["positives"].values[0] == ("pet × 2",)
    assert found["learning rate"].values[0] == ("0.0001",) and found["generation"].values == (("1",), ("1",))
    assert scores([run.find(ids["a"])])[0].values == (("0.500",),)


def test_what_no_more_than_half_have_is_rare():
    row = Row("negatives", (("cat", "dog"), ("cat", "bird"), ("cat",), ("dog",)))
    assert row.differs and row.is_rare("dog") and row.is_rare("bird") and not row.is_rare("cat")


def test_a_name_in_a_table_is_text(run, ids):
    run.note(ids["a"], name="Whisker_x_")
    assert r"Whisker\_x\_" in tables(compare(ids["a"], ids["b"]))[0]


def test_a_torn_picture_counts_as_missing_and_is_drawn_anew(real):
    a, b = (each.id for each in real.entries())
    app = compare(a, b)
    app.button(key="compare.draw").click().run(timeout=120)
    file = real.drawings(a)[0].file
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    app = compare(a, b)
    assert "Draw 1 missing picture" in app.button(key="compare.draw").label and len(alts(app)) == 5
    app.button(key="compare.draw").click().run(timeout=120)
    assert not app.exception and len(alts(app)) == 6 and file.read_bytes() == whole


def test_damage_is_told(run, ids):
    part = run.entry(ids["g"]).part
    part.write_bytes(part.read_bytes()[:100])
    assert "The rest is shown" in text(compare(ids["a"], ids["b"]))


def test_two_of_one_name_have_columns_of_their_own(run, ids, tmp_path):
    part = run.entry(ids["b"]).part
    rows_ = run.rooms["concepts"].read(part)
    part.unlink()
    run.rooms["concepts"].append([row | {"name": "twin"} for row in rows_])
    columns = list(tables(compare(ids["a"], ids["b"]))[0])
    assert columns == ["fact", rf"twin \({ids['a'][:8]}\)", rf"twin \({ids['b'][:8]}\)"]


def test_a_damaged_concept_is_told_and_the_pictures_are_shown(run, ids):
    part = run.entry(ids["g"]).part
    rows_ = run.rooms["concepts"].read(part)
    part.unlink()
    run.rooms["concepts"].append([row | {"vectors": []} for row in rows_])
    app = compare(ids["a"], ids["g"])
    assert "cannot be read" in text(app) and len(alts(app)) == 2


def test_two_concepts_have_a_morph(real):
    one, other = real.entries()
    app = compare(one.id, other.id)
    app.session_state["compare.morph"] = True
    app.run()
    assert not app.exception and f"7 mixtures from {one.name} to {other.name}" in alts(app)


def test_three_concepts_have_none(run, ids):
    app = compare(ids["a"], ids["b"], ids["c"])
    app.session_state["compare.morph"] = True
    app.run()
    assert not app.exception and not app.error and not any("mixtures" in alt for alt in alts(app))
