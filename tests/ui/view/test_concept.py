"""The page of a concept: drawings, origin, neighbours, notes."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from core.concept import Measurement, Negative, Parent
from core.errors import PromptError
from core.exchange import CLIP_G
from core.settings import Settings
from evolve import Run
from evolve.jobs.stored import new_job, write_job
from tests.families import concept, learned, new_run, picture
from tests.pages import alts, page, text
from tests.plans import a_seed
from ui.view import curves, drawing, links, nearness, preview, theme
from ui.view.downloads import FORMS, forms_for
from ui.view.screens.morph import strip_of
from ui.view.screens.origin import TABS
from ui.view.screens.seed import Again

ORIGIN, CURVES, NEAREST, MORPH, SCORES = TABS


@pytest.fixture
def real(tmp_path, monkeypatch, backbone) -> Run:
    """Two founders on the tiny stack, which can draw."""
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    made = Run.create(tmp_path / "pets", "pet", backbone)
    made.add([learned(seed, backbone) for seed in range(2)])
    made.add_drawings([(each.id, "a photo of a {}", 1, picture(n)) for n, each in enumerate(made.entries())])
    return made


def shown(concept_id: str, tab: str | None = None, run: str = "pets") -> AppTest:
    app = page("concept", run=run, concept=concept_id)
    if tab:
        app.session_state["concept.tab"] = tab
    app.run()
    assert not app.exception
    return app


def tables(app: AppTest) -> list[dict]:
    return [each.value.to_dict("list") for each in app.dataframe]


# The address


def test_the_link_leads_to_the_concept(run, ids):
    app = shown(ids["e"])
    each = run.entry(ids["e"])
    assert app.title[0].value == each.name
    assert "pet · child · generation 1" in text(app)
    assert any(each.name in alt and "does not exist" in alt for alt in alts(app))


def test_a_name_leads_there_as_well(run, ids):
    run.note(ids["a"], name="Whisker")
    assert shown("Whisker").title[0].value == "Whisker"
    assert "born as" in text(shown("Whisker"))


def test_an_address_that_leads_nowhere_says_where_to_go(run):
    app = shown("nobody")
    assert "there is no concept 'nobody'" in text(app) and "Gallery" in text(app)
    assert "names no concept" in text(page("concept", run="pets").run())


def test_an_empty_run(run, tmp_path):
    new_run(tmp_path / "empty")
    assert "no concepts yet" in text(page("concept", run="empty").run())


def test_the_one_before_and_the_one_after(run, ids):
    app = shown(ids["a"])
    assert app.button(key="concept.before").disabled
    app.button(key="concept.after").click().run()
    assert app.title[0].value == run.entry(ids["b"]).name
    run.note(ids["b"], hidden=True)
    app = shown(ids["a"])
    app.button(key="concept.after").click().run()
    assert app.title[0].value == run.entry(ids["c"]).name


# How it came to be


def test_parents_stand_there_with_their_shares(run, ids):
    app = shown(ids["e"])
    found = text(app)
    assert "75%" in found and "25%" in found
    assert run.entry(ids["a"]).name in found and run.entry(ids["b"]).name in found
    assert any(run.entry(ids["a"]).name in alt for alt in alts(app))


def test_negatives_stand_there_with_their_steps_and_who_named_them(run, ids):
    (table,) = tables(shown(ids["a"], ORIGIN))
    assert table["word"] == ["cat", "dog"] and table["from step"] == [0, 5]
    assert table["named by"] == ["given at the start", "question answerer"]
    assert table["note"] == ["", "'boeing' does not push"]


def test_children_and_positives(run, ids):
    found = text(shown(ids["a"], ORIGIN))
    assert "Positives: pet × 2" in found and run.entry(ids["e"]).name in found


def test_a_guest_who_is_not_here_goes_by_its_id(run, ids):
    found = text(shown(ids["i"]))
    assert "01234567, not found here" in found and "Not drawn yet" in found


def test_a_guest_from_a_run_beside_it_is_linked(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    others, run = new_run(tmp_path / "others"), new_run(tmp_path / "pets")
    guest = concept(1)
    others.add([guest])
    others.add_drawings([(guest.id, "a photo of a {}", 1, picture(1))])
    child = concept(2, {guest.id: 1.0}, run="others")
    run.add([child])
    app = shown(child.id)
    assert others.entry(guest.id).name in text(app) and "100%" in text(app)
    assert len(alts(app)) == 1


def test_a_photograph_is_shown_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    run = new_run(tmp_path / "pets")
    child = concept(1, {"photo-0123456789abcdef": 1.0}, birth="image")
    run.add([child])
    run.add_photo("photo-0123456789abcdef", picture(3), "snail.jpg")
    app = shown(child.id)
    assert "snail.jpg, a photograph" in text(app) and "photograph snail.jpg" in alts(app)


def test_curves_know_when_a_negative_came():
    made = replace(
        concept(1),
        negatives=(Negative("cat", 0, "request"), Negative("dog", 3, "vqa")),
        history=tuple(Measurement(step, word, 0.1) for step in (0, 5, 10) for word in ("pet", "cat", "dog", "avoid:x")),
    )
    table = curves.table(made, {"x": "moku"})
    added = table[table["added"]]
    assert list(zip(added["constraint"], added["step"], strict=True)) == [("cat", 0), ("dog", 5)]
    assert set(table["constraint"]) == {"pet", "cat", "dog", "not like moku"}
    roles = dict(zip(table["constraint"], table["role"], strict=True))
    assert roles == {"pet": "positive", "cat": "negative", "dog": "negative", "not like moku": "negative"}


def test_the_plot_is_interactive_and_stands_as_a_table_too(run, ids):
    app = shown(ids["a"], CURVES)
    (chart,) = app.get("vega_lite_chart") or app.get("arrow_vega_lite_chart")
    assert "legend" in chart.proto.spec and "diamond" in chart.proto.spec
    (table,) = tables(app)
    assert table["constraint"] == ["pet", "pet"] and table["similarity"] == [0.25, 0.5]


def test_scores_and_settings(run, ids):
    app = shown(ids["a"], SCORES)
    found = [dict(zip(table["name"], table["value"], strict=True)) for table in tables(app)]
    assert found[0] == {"score": "0.500", "positives": "0.250"}
    assert found[-1]["steps"] == "5" and found[-1]["vectors"] == "2 × 4" and found[-1]["id"] == ids["a"]
    assert "needs the stack tiny-1" in text(app)  # fitness was not measured, and the stack is not here


# What it is near to


def test_relatives_are_nearest_by_cosine():
    embeds = {
        "a": np.array([1.0, 0.0]),
        "b": np.array([5.0, 0.1]),
        "c": np.array([-1.0, 0.0]),
        "d": np.array([0.0, 2.0]),
    }
    embeds = {id_: embed.astype(np.float32) for id_, embed in embeds.items()}
    found = nearness.relatives(embeds, "a", 2)
    assert [id_ for id_, _ in found] == ["b", "d"] and found[0][1] == pytest.approx(5 / np.hypot(5, 0.1))
    assert nearness.relatives(embeds, "nobody", 2) == [] and nearness.relatives({"a": embeds["a"]}, "a", 2) == []
    assert nearness.relatives({**embeds, "zero": np.zeros(2, np.float32)}, "a", 9)


def test_the_nearest_relatives_and_the_missing_stack(run, ids):
    app = shown(ids["a"], NEAREST)
    nearest = nearness.relatives(run.image_embeds(), ids["a"], 6)
    assert all(run.entry(id_).name in text(app) for id_, _ in nearest)
    assert "needs the stack tiny-1 (f)" in text(app)


def test_the_nearest_known_words(real):
    each = real.entries()[0]
    app = shown(each.id, NEAREST)
    (table,) = tables(app)
    assert len(table["word"]) == 8 and table["similarity"] == sorted(table["similarity"], reverse=True)
    assert {"dog", "cat"} <= set(table["word"])


def test_fitness_is_measured_where_it_was_not(real):
    each = real.entries()[0]
    found = [dict(zip(t["name"], t["value"], strict=True)) for t in tables(shown(each.id, SCORES))]
    assert set(found[1]) == {"category", "unlike members", "novel", "consistent"}


# Drawing


def test_draw_in_a_new_prompt(real):
    each = real.entries()[0]
    app = shown(each.id)
    app.text_input(key="concept.prompt").set_value(f"a sketch of a {each.name} zorgle")
    app.number_input(key="concept.seed").set_value(7)
    app.button(key="concept.draw").click().run(timeout=120)
    assert not app.exception
    (made,) = [d for d in real.drawings(each.id) if d.prompt == "a sketch of a {} zorgle"]
    assert made.seed == 7 and made.file.is_file()
    assert "The model does not know these words: zorgle" in text(app)
    assert "The model does not know these words: zorgle" in text(
        app.run()
    )  # kept when the page reruns to show the new drawing
    assert f"a sketch of a {each.name} zorgle, seed 7" in text(app)  # it is the one shown


@pytest.mark.parametrize("prompt", ["", "a photo of a dog", "a {0} {}", "a {} {"])
def test_a_prompt_that_is_none_is_told(real, prompt):
    each = real.entries()[0]
    app = shown(each.id)
    app.text_input(key="concept.prompt").set_value(prompt)
    app.button(key="concept.draw").click().run()
    what = (
        "write {} where the concept stands"
        if "{}" in prompt
        else f"write {each.name}, or {{}}, where the concept stands"
    )
    assert not app.exception and what in text(app)
    assert len(real.drawings()) == 2


def test_ideas_are_what_was_drawn_of_others_and_what_is_learned_in(real):
    one, other = real.entries()
    real.add_drawings([(other.id, "a {} on the moon", 1, picture(9))])
    app = shown(one.id)
    ideas = app.get("button_group")[-1]
    assert ideas.options[0].replace("\\", "") == "a … on the moon" and len(ideas.options) == 8
    app.session_state["concept.ideas"] = "a {} on the moon"
    app.run()
    assert "a photo of a …" not in [option.replace("\\", "") for option in app.get("button_group")[-1].options]


def test_a_large_stack_draws_in_a_process_of_its_own(real, monkeypatch):
    each = real.entries()[0]
    asked = []

    class Process:
        returncode = 2

        def __init__(self, command, stderr, **rest):
            asked.append(command)
            stderr.write(b"conceptree: the disk is full\n")

        def poll(self):
            return None if len(asked) == 1 and not done else 2

        def wait(self):
            return self.returncode

    done: list[bool] = []
    monkeypatch.setattr(drawing, "is_quick", lambda backbone: False)
    monkeypatch.setattr(drawing.subprocess, "Popen", Process)
    app = shown(each.id)
    app.text_input(key="concept.prompt").set_value("a sketch of a {}")
    app.button(key="concept.draw").click().run()
    assert not app.exception and "You can keep working" in text(app)
    assert asked[0][-3:] == ["--", "pets", each.id] and "--prompt=a sketch of a {}" in asked[0]
    done.append(True)
    app = shown(each.id)
    assert f"{each.name} could not be drawn: conceptree: the disk is full" in text(app)


def test_without_its_stack_it_says_so_and_shows_the_rest(run, ids):
    app = shown(ids["a"])
    app.text_input(key="concept.prompt").set_value("a sketch of a {}")
    app.button(key="concept.draw").click().run()
    assert not app.exception and "needs the stack tiny-1 (f)" in text(app)


def test_a_picture_that_is_missing_is_told(run, ids):
    run.drawings(ids["a"])[0].file.unlink()
    app = shown(ids["a"])
    assert "is missing" in text(app) and not alts(app)


def test_a_torn_picture_is_told_and_drawn_again(real):
    each = real.entries()[0]
    app = shown(each.id)
    app.text_input(key="concept.prompt").set_value("a sketch of a {}")
    app.button(key="concept.draw").click().run(timeout=120)
    (made,) = [d for d in real.drawings(each.id) if d.prompt == "a sketch of a {}"]
    whole = made.file.read_bytes()
    made.file.write_bytes(whole[:-9])
    app = shown(each.id)
    app.session_state[f"concept.drawings.pets.{each.id}"] = {"selected": [made.file.stem]}
    app.run()
    assert f"The picture {made.file.name} is damaged" in text(app)
    app.button(key="concept.mend").click().run(timeout=120)
    assert not app.exception and made.file.read_bytes() == whole and "damaged" not in text(app)


def test_a_damaged_concept_is_told_and_its_drawings_are_shown(run, ids):
    """Its vectors are missing from a part that can still be listed."""
    part = run.entry(ids["g"]).part
    rows = run.rooms["concepts"].read(part)
    part.unlink()
    run.rooms["concepts"].append([row | {"vectors": []} for row in rows])
    app = shown(ids["g"])
    assert "cannot be read" in text(app) and alts(app)


# What people say


def test_stars(run, ids):
    app = shown(ids["a"])
    app.feedback(key="concept.rating").set_value(3).run()
    assert run.notes()[ids["a"]].rating == 4 and "rated 4 of 5" in text(app)
    app.button(key="undo.last").click().run()
    assert run.notes()[ids["a"]].rating is None and app.feedback(key="concept.rating").value is None


def test_favourite_hidden_and_comment(run, ids):
    app = shown(ids["a"])
    app.toggle(key="concept.favourite").set_value(True).run()
    app.toggle(key="concept.hidden").set_value(True).run()
    app.text_area(key="concept.comment").set_value("<b>so</b> fluffy").run()
    note = run.notes()[ids["a"]]
    assert (note.favourite, note.hidden, note.comment) == (True, True, "<b>so</b> fluffy")
    app.button(key="undo.last").click().run()
    assert run.notes()[ids["a"]].comment == "" and app.text_area(key="concept.comment").value == ""
    assert app.toggle(key="concept.hidden").value is True and not app.exception


def test_renaming_is_kept_and_taken_back(run, ids):
    app = shown(ids["a"])
    born = run.entry(ids["a"]).born
    app.text_input(key="concept.name").set_value("Whisker").run()
    assert app.title[0].value == "Whisker" and f"{born}: renamed to Whisker" in text(app)
    app.button(key="undo.last").click().run()
    assert app.title[0].value == born and app.text_input(key="concept.name").value == born
    app.text_input(key="concept.name").set_value("Whisker").run()
    app.text_input(key="concept.name").set_value("").run()
    assert app.title[0].value == born and run.notes()[ids["a"]].name is None


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)>", "-x", "a:b"])
def test_a_name_that_is_none_is_told_beside_the_field_and_stays_there(run, ids, name):
    app = shown(ids["a"])
    app.text_input(key="concept.name").set_value(name).run()
    assert not app.exception and "is not a valid name of a concept" in text(app)
    assert app.text_input(key="concept.name").value == name and not run.notes()
    app.text_input(key="concept.name").set_value("Whisker").run()
    assert "is no name" not in text(app) and app.title[0].value == "Whisker"


def test_a_name_that_is_taken(run, ids):
    app = shown(ids["a"])
    app.text_input(key="concept.name").set_value(run.entry(ids["b"]).name).run()
    assert "is taken" in text(app) and not run.notes()


def test_what_is_typed_stays_with_its_concept(run, ids):
    app = shown(ids["a"])
    app.text_input(key="concept.name").set_value("a:b").run()
    app.button(key="concept.after").click().run()
    assert app.text_input(key="concept.name").value == run.entry(ids["b"]).name and "is no name" not in text(app)


def test_make_this_a_parent_and_no_more(run, ids):
    app = shown(ids["a"])
    app.button(key="concept.parent").click().run()
    assert app.session_state["parents"]["pets"] == {ids["a"]: 1.0} and "Breed 1 parent" in text(app)
    app.button(key="concept.parent").click().run()
    assert app.session_state["parents"]["pets"] == {}


def test_repeat_with_these_settings(run, ids):
    request = run.find(ids["a"]).concept.request
    asked = {"vlm": "none", "question": "Which pet is this?"}
    how = {"category": request.category, "settings": request.chosen, "schedule": "adaptive"}
    for other in ({"category": "fruit"}, {"schedule": "list"}, {"settings": Settings(steps=3)}):
        new_job(run, a_seed(**{**how, **other, "asked": {"vlm": "another"}}))
    write_job(run, "seed", {})  # which cannot be read, and hides none of the others
    new_job(run, a_seed(**how, asked=asked))
    app = shown(ids["a"])
    app.button(key="concept.again").click().run(timeout=120)  # a stack is loaded, and its speed measured
    assert not app.exception and app.title[0].value == "New run"
    learned = run.find(ids["a"]).concept.request
    assert "With the settings of" in " ".join(each.value for each in app.caption)
    assert app.number_input(key="seed.seed").value == learned.seed
    assert app.number_input(key="seed.steps").value == learned.chosen.steps
    assert app.selectbox(key=f"seed.category.{learned.kind}").value == learned.category
    assert {name: app.text_input(key=f"seed.{name}").value for name in asked} == asked
    assert not app.warning


def test_settings_of_a_concept_can_be_given_back(run, ids):
    app = page("seed").run(timeout=120)
    app.number_input(key="seed.steps").set_value(17).run()
    app.number_input(key="seed.seed").set_value(5).run()
    app.text_input(key="seed.traits").set_value("blue").run()
    for letter in "ab":
        each = run.entry(ids[letter])
        app.session_state["seed:again"] = Again(each.name, run.find(each.id).concept.request, {}, "emoji")
        app.run()
    assert not app.exception and f"With the settings of {run.entry(ids['b']).name}." in text(app)
    assert app.number_input(key="seed.steps").value == run.find(ids["b"]).concept.request.chosen.steps != 17
    assert app.text_input(key="seed.traits").value == "", "that concept has none"
    app.button(key="seed.mine").click().run()
    assert app.number_input(key="seed.steps").value == 17 and app.number_input(key="seed.seed").value == 5
    assert app.text_input(key="seed.traits").value == "blue"
    assert "With the settings of" not in text(app) and not app.exception


def test_more_like_this_is_one_click(run, ids, monkeypatch):
    from ui.view.screens import breed

    asked = []
    monkeypatch.setattr(breed, "stack_of", lambda found: "stack")
    monkeypatch.setattr(breed, "vary", lambda found, stack, parent, number, said: asked.append((parent, number, said)))
    app = shown(ids["a"])
    app.button(key="more.like").click().run()
    name = run.entry(ids["a"]).name
    assert asked == [(ids["a"], 4, f"4 variations of {name} are being learned.")] and not app.exception


def test_the_last_prompts_of_the_run_come_first(run, ids):
    run.add_drawings([(ids[letter], f"a {{}} number {letter}", 1, picture(90)) for letter in "bcad"])
    app = shown(ids["a"])
    (pills,) = [each for each in app.pills if each.key == "concept.ideas"]
    offered = [option.content.replace("\\", "") for option in pills.proto.options]
    assert offered[:3] == [f"a … number {letter}" for letter in "dcb"], "without the prompts in which it is drawn"


def test_what_is_handed_to_a_new_run(run, ids, monkeypatch):
    monkeypatch.setattr(links, "go", lambda name, **query: None)
    app = shown(ids["a"])
    app.button(key="concept.again").click().run()
    again = app.session_state["seed:again"]
    assert again.request == run.find(ids["a"]).concept.request and again.asked == {}
    assert again.of == run.entry(ids["a"]).name and again.model == run.about["stack"]["where"]


def test_prompt_and_seed_of_a_dropped_drawing_are_filled_in_once(run, ids):
    app = page("concept", run="pets", concept=ids["a"])
    app.session_state["concept.offered"] = (ids["a"], "a {} in the snow", 7)
    app.run()
    assert not app.exception and not app.warning
    assert app.text_input(key="concept.prompt").value == f"a {run.entry(ids['a']).name} in the snow"
    assert app.number_input(key="concept.seed").value == 7
    app.text_input(key="concept.prompt").set_value("a {} in the rain").run()
    assert app.text_input(key="concept.prompt").value == "a {} in the rain"


@pytest.mark.parametrize(
    ("name", "typed"),
    [("Königin", "a photo of a Königin"), *((name, "a photo of a {}") for name in ("photo", "x{}", "  "))],
)
def test_a_prompt_is_typed_with_the_name_if_that_means_the_same(run, ids, name, typed):
    entry = replace(run.entry(ids["a"]), name=name)
    assert drawing.typed_from("a photo of a {}", entry) == typed


def test_downloads_are_offered_in_every_form_that_fits_the_stack(run, ids):
    app = shown(ids["a"])
    assert app.selectbox(key="concept.form").options == [text for form, text in FORMS.items() if form != "comfyui"]
    assert forms_for(CLIP_G) == list(FORMS)
    assert [each.proto.label for each in app.get("download_button")][1] == "Pictures only"
    app.selectbox(key="concept.form").set_value("npz").run()
    assert "Numpy and Conceptree read it" in text(app)
    app.selectbox(key="concept.form").set_value("image").run()
    assert "Only Conceptree reads it" in text(app)


def test_prompts_from_people():
    entry = type("Entry", (), {"name": "Whisker", "born": "moku"})()
    assert drawing.prompt_from("a  photo of a whisker", entry) == "a photo of a {}"
    assert drawing.prompt_from("moku in the snow", entry) == "{} in the snow"
    assert drawing.prompt_from("a {} there", entry) == "a {} there"
    assert drawing.prompt_from("Whisker's hat, as mokus wear it", entry) == "{}'s hat, as mokus wear it"


def test_a_name_of_several_words_is_found_in_a_prompt():
    entry = type("Entry", (), {"name": "Mr. Whisker II", "born": "moku"})()
    assert drawing.prompt_from("a photo of mr. whisker ii, asleep", entry) == "a photo of {}, asleep"
    with pytest.raises(PromptError, match=r"write Mr\. Whisker II, or \{\}, where the concept stands"):
        drawing.prompt_from("a photo of Whisker", entry)


def test_it_keeps_away_from_whom_it_says(run, ids):
    told = text(shown(ids["a"]))
    assert "Avoids these earlier concepts" in told and "1 concept not in this run" in told


def test_curves_that_share_a_colour_have_different_dashes():
    row, roles = dict.fromkeys(curves.COLUMNS, 0), ["positive", *20 * ["negative"]]
    found = pd.DataFrame([row | {"constraint": f"word {n}", "role": role} for n, role in enumerate(roles)])
    lines = curves.chart(found).to_dict()["layer"][0]["encoding"]
    dashes = [tuple(each) for each in lines["strokeDash"]["scale"]["range"]]
    looks = [(number % len(theme.COLOURS), dash) for number, dash in enumerate(dashes)]
    assert lines["strokeDash"]["scale"]["domain"] == lines["color"]["sort"] and len(set(looks)) == len(looks) == 21
    assert dashes[0] == (1, 0) and (1, 0) not in dashes[1:]


def test_the_curves_have_their_height_whatever_number_of_names_stands_below():
    found = pd.DataFrame(
        [{c: n for c in curves.COLUMNS} | {"constraint": f"word {n}", "role": "negative"} for n in range(23)]
    )
    few, many = (curves.chart(table).to_dict()["height"] for table in (found[:3], found))
    assert few == curves.PLOT + curves.AXIS + curves.ROW and many == few + 4 * curves.ROW


def test_a_link_to_another_concept_changes_the_address(run, ids, monkeypatch):
    """Streamlit keeps the old address if the page stays the same, and the next click would go back to it."""
    from streamlit.runtime.state.query_params import QueryParams

    told = []
    monkeypatch.setattr(QueryParams, "_send_query_param_msg", lambda self: told.append(self.to_dict()["concept"]))
    app = shown(ids["a"])
    assert not told
    app.query_params["concept"] = ids["b"]
    app.run()
    assert set(told) == {ids["b"]}
    told.clear()
    app.run()
    assert not told


# Morph


def test_the_way_from_a_parent_is_shown_first(real, backbone):
    one, other = real.individuals()
    (child,) = real.add([replace(learned(9, backbone), request=child_of(other, one))])
    app = shown(child.id, MORPH)
    chosen = app.selectbox(key=f"morph.from.{child.id}")
    assert (chosen.value, chosen.options) == (other.id, [f"{other.name} (parent)", f"{one.name} (parent)"])
    assert f"7 mixtures from {other.name} to {child.name}" in alts(app)
    assert f"an animation from {other.name} to {child.name} and back" in alts(app)
    assert f"draw pets --morph {other.name} {child.name}" in app.code[0].value
    strip, _, moving = (image.url for images in app.get("image")[-3:] for image in images.proto.imgs)
    assert strip.endswith("/100-0_83-17_67-33_50-50_33-67_17-83_0-100.webp") and moving.endswith("/morph.webp")
    key = strip.split("/mixtures/")[1].split("/")[0]
    assert preview.pictures(key, strip_of(7))
    (save,) = (each.proto for each in app.get("download_button") if each.proto.label == "Save the animation")
    assert save.deferred_file_id, "made when it is pressed"
    chosen.set_value(one.id).run()
    assert not app.exception and f"7 mixtures from {one.name} to {child.name}" in alts(app)


def test_a_mixture_on_the_way_is_shown_and_bred(real, monkeypatch):
    gone: list[tuple[str, str]] = []
    monkeypatch.setattr(links, "go", lambda name, **query: gone.append((name, query["run"])))
    one, other = real.entries()
    app = shown(one.id, MORPH)
    assert f"50 % {other.name} and 50 % {one.name}" in alts(app)
    app.session_state["breed.takes"] = {"pets": {"colour": one.id}}
    app.session_state["breed.photos"] = {"pets": {"p" * 16: object()}}
    app.session_state["breed.word.pets"] = "blue"
    app.slider(key=f"morph.share.{other.id}.{one.id}").set_value(85).run()
    (mixture,) = (images for images in app.get("image") if "fine" in images.proto.imgs[0].url)
    assert mixture.proto.imgs[0].url.endswith("/15-85.webp?fine=1")
    assert f"15 % {other.name} and 85 % {one.name}" in alts(app)
    (press,) = (each for each in app.button if each.label == "Breed this mixture")
    press.click().run()
    assert not app.exception and gone == [("tree", "pets")]
    assert app.session_state["parents"] == {"pets": {other.id: 15, one.id: 85}}
    assert app.session_state["breed.takes"] == app.session_state["breed.photos"] == {"pets": {}}, "only these two"
    assert app.session_state["breed.word.pets"] is None
    app.slider(key=f"morph.share.{other.id}.{one.id}").set_value(100).run()
    (press,) = (each for each in app.button if each.label == "Breed this mixture")
    press.click().run()
    assert app.session_state["parents"] == {"pets": {one.id: 100}}


def child_of(heavy, light):
    """A request with these parents."""
    parents = [
        Parent(each.id, weight, each.concept.image_embed[None], "mix") for each, weight in ((heavy, 2), (light, 1))
    ]
    return replace(heavy.concept.request, parents=tuple(parents[::-1]))


def test_a_concept_that_the_stack_cannot_draw_has_no_morph(real, monkeypatch):
    def narrow(found, id_):
        return SimpleNamespace(concept=SimpleNamespace(image_embed=np.ones(3, dtype=np.float32)))

    monkeypatch.setattr("ui.view.screens.morph.store", SimpleNamespace(individual=narrow))
    app = shown(real.entries()[0].id, MORPH)
    assert any("cannot be drawn" in error.value for error in app.error) and not app.exception


def test_a_single_concept_has_no_morph(real):
    one, other = real.individuals()
    real.note(other.id, hidden=True)
    assert "This run has no other concepts." in text(shown(one.id, MORPH))


def test_a_slow_stack_draws_a_morph_when_it_is_asked(real, monkeypatch):
    monkeypatch.setattr("ui.view.screens.morph.is_quick", lambda stack: False)
    one, other = real.individuals()
    app = shown(one.id, MORPH)
    assert not any("mixtures from" in alt for alt in alts(app))
    app.button(key="morph.draw").click().run()
    assert f"7 mixtures from {other.name} to {one.name}" in alts(app)


def test_a_concept_of_another_stack_has_no_morph(run, ids):
    app = shown(ids["a"], MORPH)
    assert any("needs the stack" in error.value for error in app.error)


# Tags


def test_tags_are_typed_chosen_and_undone(run, ids):
    run.note(ids["b"], tag=["night"])
    app, key = shown(ids["a"]), f"concept.tags.{ids['a']}"
    field = app.multiselect(key=key)
    assert field.value == [] and field.options == ["night"]
    app = field.set_value(["night", "forest"]).run()
    name = run.entry(ids["a"]).name
    assert run.notes()[ids["a"]].tags == ("night", "forest") and f"{name}: tagged night, forest" in text(app)
    app = app.multiselect(key=key).set_value(["forest"]).run()
    assert f"{name}: no longer tagged night" in text(app)
    app = app.button(key="undo.last").click().run()
    assert run.notes()[ids["a"]].tags == ("night", "forest") == tuple(app.multiselect(key=key).value)
    app = app.multiselect(key=key).set_value(["night", "forest", "a\x07"]).run()
    assert not app.exception and "has a control character" in text(app)
    assert app.multiselect(key=key).value == ["night", "forest"]
