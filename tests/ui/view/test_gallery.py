"""The gallery: sorting, filters, and actions on selected concepts."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load
from streamlit.testing.v1 import AppTest

from core.concept import Negative
from core.exchange import read_embedding
from core.renderers import Look, Rendered
from core.segments import Event
from evolve import Run
from evolve.jobs.stored import new_job
from evolve.store.likes import add_round
from evolve.store.looks import add_looks, add_names
from evolve.store.ratings import answer, new_session
from evolve.taste import expected_ratings
from tests.families import by_letter, concept, family, learned, new_run, picture
from tests.pages import components, page, text, typed
from tests.plans import a_seed
from ui.view.described import seeded
from ui.view.downloads import zipped
from ui.view.saved_filters import save, saved
from ui.view.text import plain

EARLIER = Path(__file__).parents[2] / "data" / "run-of-schema-1"


def gallery(**state) -> AppTest:
    app = page("gallery", run="pets")
    for name, value in state.items():
        app.session_state[f"gallery.{name}"] = value
    app.run()
    assert not app.exception
    return app


def told(app: AppTest) -> dict:
    (component,) = components(app)
    return json.loads(component)


def titles(app: AppTest) -> list[str]:
    return [item["title"] for item in told(app)["items"]]


def cards(app: AppTest, *names: str) -> list[str]:
    return [item["id"] for item in told(app)["items"] if item["title"] in names]


def select(app: AppTest, *names: str) -> AppTest:
    app.session_state["gallery.cards.pets"] = {"selected": cards(app, *names)}
    app.run()
    assert not app.exception
    return app


def names(run: Run, letters: str) -> list[str]:
    return [by_letter(run)[letter].name for letter in letters]


def test_every_concept_is_a_card_the_newest_first(run, ids):
    app = gallery()
    assert sorted(titles(app)) == sorted(names(run, "abcdefghi"))
    assert set(titles(app)[:2]) == set(names(run, "hi"))
    shown = {item["title"]: item for item in told(app)["items"]}
    first = shown[names(run, "a")[0]]
    assert first["image"].endswith(".webp?side=256") and "/pictures/pets/" in first["image"]
    assert first["generation"] == 0 and "does not exist" in first["alt"]
    assert "image" not in shown[names(run, "i")[0]]  # never drawn


def test_concepts_of_one_batch_are_in_order_too(run, ids):
    assert titles(gallery(sort="newest")) == names(run, "ihgfedcba")
    assert titles(gallery(sort="oldest")) == names(run, "abcdefghi")
    assert titles(gallery(sort="generation")) == names(run, "abcdefghi")
    run.add_drawings([(ids["b"], "a sketch of a {}", 2, picture(90))])
    drawings = gallery(sort="newest", shown="drawings")
    assert titles(drawings) == names(run, "hgfedcbba")


def test_hidden_concepts_are_counted_beside_the_others(run, ids):
    assert "9 concepts" in text(gallery()) and "hidden" not in text(gallery())
    run.note(ids["a"], hidden=True)
    run.note(ids["b"], favourite=True)
    assert "8 concepts, 1 hidden" in text(gallery())
    assert "8 concepts, 1 hidden" in text(gallery(flags=["hidden"]))
    assert "1 of 8 concepts, 1 hidden" in text(gallery(flags=["favourites"]))


def test_a_search_without_a_match_proposes_near_names_words_and_tags(run, ids):
    run.note(ids["a"], tag=["forest"])
    run.note(ids["b"], name="Whisker")
    app = gallery(text="forrest")
    assert "Nothing matches forrest" in text(app) and "Did you mean" in text(app) and not titles(app)
    assert "names, positives, negatives, tags, comments and prompts" in text(app)
    assert app.button(key="gallery.instead.0").label == "forest"
    app.button(key="gallery.instead.0").click().run()
    assert titles(app) == names(run, "a") and "Did you mean" not in text(app)
    assert gallery(text="wisker").button(key="gallery.instead.0").label == "whisker"
    assert gallery(text="like:forest").button(key="gallery.instead.0").label == plain("tag:forest")
    far = gallery(text="qqqqqq")
    assert "Common here" in text(far) and far.button(key="gallery.instead.0").label in ("dog", "cat", "forest")


def test_matches_behind_the_filters_are_told_and_one_click_shows_them(run, ids):
    run.note(ids["a"], comment="fluffy")
    app = gallery(text="fluffy", flags=["favourites"], generations=[2])
    assert "1 card matches without the filters" in text(app)
    assert titles(app.button(key="gallery.unfilter").click().run()) == names(run, "a")
    run.note(ids["a"], hidden=True)
    app = gallery(text="fluffy")
    assert "Only hidden concepts match: 1 card." in text(app)
    assert titles(app.button(key="gallery.unfilter").click().run()) == names(run, "a")


def test_torn_drawings_are_told_before_the_export(run, ids):
    assert "left out" not in text(select(gallery(), *names(run, "ab")))
    run.drawings(ids["a"])[0].file.unlink()
    torn = run.drawings(ids["b"])[0].file
    torn.write_bytes(torn.read_bytes()[:30])
    found = text(select(gallery(), *names(run, "abc")))
    assert f"2 pictures are left out: their files are missing or torn ({', '.join(names(run, 'ba'))})." in found
    assert "left out" not in text(select(gallery(), *names(run, "c")))
    opened = text(page("concept", run="pets", concept=ids["a"]).run())
    assert f"1 picture is left out: its file is missing or torn ({names(run, 'a')[0]})." in opened


def test_every_drawing_can_be_a_card(run, ids):
    run.add_drawings([(ids["a"], "a sketch of a {}", 2, picture(90))])
    app = gallery(shown="drawings")
    assert len(told(app)["items"]) == 9 and titles(app).count(names(run, "a")[0]) == 2
    assert any("a sketch of a …" in item["line"] for item in told(app)["items"])


@pytest.mark.parametrize("sort", ["name", "generation", "rating", "oldest", "score", "novel"])
def test_sorting(run, ids, sort):
    run.note(ids["d"], rating=5)
    run.note(ids["e"], rating=3)
    found = titles(gallery(sort=sort))
    if sort == "name":
        assert found == sorted(found)
    if sort == "rating":
        assert found[:2] == names(run, "de")
    if sort == "generation":
        assert set(found[:4]) == set(names(run, "abcd"))
    if sort == "oldest":
        assert set(found[:2]) == set(names(run, "ab"))
    if sort == "novel":
        lines = [float(item["line"].split()[1]) for item in told(gallery(sort=sort))["items"]]
        assert lines == sorted(lines, reverse=True) and len(set(lines)) > 1
    assert len(found) == 9


def test_sorting_by_taste_needs_three_answers_and_follows_every_new_one(run, ids):
    run.note(ids["a"], rating=5)
    run.note(ids["b"], favourite=True)
    assert "at least 3 concepts" in text(gallery(sort="taste"))
    run.note(ids["c"], rating=1)
    app = gallery(sort="taste")
    assert "at least 3 concepts" not in text(app)
    expected = expected_ratings(run)
    order = sorted(ids.values(), key=lambda id_: -expected[id_])
    assert titles(app) == [next(e.name for e in run.entries() if e.id == id_) for id_ in order]
    assert told(app)["items"][0]["line"] == f"taste {expected[order[0]]:.2f}"
    pictures = {ids[letter]: [letter * 24 + ".png"] for letter in "de"}
    session = new_session(run, "me", "pairs", pictures, "which?", 0)
    answer(run, session, session.questions()[0], 1)  # the note of a blind session
    assert expected_ratings(run) != expected
    assert told(gallery(sort="taste"))["items"][0]["line"] == f"taste {max(expected_ratings(run).values()):.2f}"
    add_round(run, [ids["h"]], [])  # a round changes nothing but the taste
    assert told(gallery(sort="taste"))["items"][0]["line"] == f"taste {max(expected_ratings(run).values()):.2f}"


def test_filters(run, ids):
    run.note(ids["a"], hidden=True)
    run.note(ids["b"], favourite=True, rating=4)
    run.note(ids["c"], comment="so fluffy")
    a, b, c = names(run, "abc")
    assert a not in titles(gallery()) and a in titles(gallery(flags=["hidden"]))
    assert titles(gallery(flags=["favourites"])) == titles(gallery(flags=["rated"])) == [b]
    assert titles(gallery(text="FLUFFY")) == [c]
    assert set(titles(gallery(generations=[1]))) == set(names(run, "efg"))
    assert set(titles(gallery(births=["mutate"]))) == set(names(run, "g"))
    assert not titles(gallery(text="nothing is called this"))


def test_the_category_is_said_once_and_cards_say_what_sets_them_apart(run, ids):
    """Issue: every card repeated the category of the whole run."""
    run.note(ids["b"], tag=["Forest"])
    app = gallery()
    assert "pet · 9 concepts" in text(app)
    called = {each.id: each.name for each in run.entries()}
    lines = {item["title"]: item["line"] for item in told(app)["items"]}
    assert lines[called[ids["a"]]] == "not cat, dog" and lines[called[ids["b"]]] == "not cat, dog · Forest"
    assert lines[called[ids["e"]]] == f"{called[ids['a']]} × {called[ids['b']]}"
    assert not any("pet" in line for line in lines.values())
    drawings = gallery(shown="drawings")
    assert "pet · 8 of 9 concepts" in text(drawings) and "a photo of a …" in {
        i["line"] for i in told(drawings)["items"]
    }


def test_a_card_says_all_that_makes_a_child_and_its_tags_too(run, ids):
    a, b, c = names(run, "abc")
    weights = {ids["a"]: 0.81, ids["b"]: 0.19, ids["c"]: -0.5}
    blue, like, other = run.add(
        [
            concept(91, weights, words=["blue"]),
            concept(92, {ids["a"]: 1.0}, "mutate"),
            concept(93, {"photo-123456789": 1.0, ids["a"]: 1.0}),
        ]
    )
    run.note(blue.id, tag=["plush line"])
    lines = {item["title"]: item["line"] for item in told(gallery())["items"]}
    assert lines[blue.name] == f"{a} × {b}, less {c}, but blue · plush line"
    assert lines[like.name] == f"variation of {a}" and lines[other.name] == f"photo-12345678 × {a}"


def test_cards_of_several_categories_say_theirs(run, tmp_path):
    one = concept(88)
    new_run(tmp_path / "others").add([replace(one, request=replace(one.request, category="bird"))])
    app = gallery(all=True)
    assert "pet · " not in text(app)
    assert {item["line"].split(" · ")[0] for item in told(app)["items"]} == {"pet", "bird"}


def test_a_search_finds_what_a_concept_is_not_and_says_so(run, ids, monkeypatch):
    negatives = (Negative("black cat", 0, "user"), Negative("dog", 0, "user"))
    (other,) = run.add([replace(concept(77), negatives=negatives)])
    assert run.words()[other.id][1] == ("black cat", "dog")
    monkeypatch.setattr(
        run.rooms["concepts"], "rows", lambda *_: [(None, 1, {"id": "x", "positives": None, "negatives": [None]})]
    )
    assert run.words() == {"x": ((), ())}, "a stranger's part"
    found = told(gallery(text='"K Cat"'))["items"]
    assert [(item["title"], item["line"]) for item in found] == [(other.name, "not black cat")]
    assert titles(gallery(text="cat not:black")) == [other.name] and not titles(gallery(text="like:black"))


def test_a_search_says_what_matched(run, ids):
    run.note(ids["a"], comment="the one with the long tail\nand ears", tag=["Forest"])
    run.note(ids["b"], name="Foresta")
    run.add_drawings([(ids["c"], "a {} in the forest", 2, picture(90))])
    a, c = names(run, "ac")
    lines = {item["title"]: item["line"] for item in told(gallery(text="FOREST"))["items"]}
    assert lines == {a: "tag Forest", "Foresta": "not cat, dog", c: "drawn in “a … in the forest”"}
    lines = {item["title"]: item["line"] for item in told(gallery(text='tag:forest "long tail"'))["items"]}
    assert lines == {a: "tag Forest, comment “…ne with the long tail and ears”"}
    assert titles(gallery(text="comment:forest")) == [] and titles(gallery(text="name:forest")) == ["Foresta"]


def test_tags_are_given_to_the_selection_and_filter_it(run, ids):
    run.note(ids["a"], tag=["night"])
    app = select(gallery(), *names(run, "ab"))
    assert app.selectbox(key="gallery.tag.0").options == ["night"]
    assert app.button(key="gallery.tag.label.0").label == r"night\, 1 of 2"
    typed(app, "gallery.tag.0", "#forest")
    assert not app.exception and "2 concepts: tagged" in text(app) and run.tags() == {"forest": 2, "night": 1}
    app.button(key="gallery.tag.label.0").click().run()
    assert "2 concepts: no longer tagged forest" in text(app) and run.tags() == {"night": 1}
    app.button(key="undo.last").click().run()
    app.button(key="gallery.tag.label.1").click().run()
    assert run.tags() == {"forest": 2, "night": 2}, "the others get it too"
    app.button(key="undo.last").click().run()
    typed(app, "gallery.tag.1", "x" * 41)
    assert "give 1 to 40 characters" in text(app) and run.tags() == {"forest": 2, "night": 1}
    assert app.selectbox(key="gallery.tag.2").value is None
    assert titles(gallery(tags=["night", "forest"])) == names(run, "a")
    assert len(titles(gallery(tags=["gone"]))) == 9, "a tag that was removed since filters nothing"


def test_a_prompt_shows_who_is_drawn_in_it(run, ids):
    run.add_drawings([(ids["a"], "a sketch of a {}", 2, picture(90))])
    assert titles(gallery(prompt="a sketch of a {}")) == names(run, "a")


def test_what_is_selected_is_rated_at_once(run, ids):
    app = select(gallery(), *names(run, "ab"))
    assert "2 concepts selected" in text(app)
    app.button(key="gallery.rate.4").click().run()
    assert {run.notes()[ids[letter]].rating for letter in "ab"} == {4}
    assert len(run.rooms["notes"].parts()) == 1
    app.button(key="gallery.rate.0").click().run()
    assert {run.notes()[ids[letter]].rating for letter in "ab"} == {None}


def test_two_drawings_of_one_concept_are_one_concept(run, ids):
    run.add_drawings([(ids["a"], "a sketch of a {}", 2, picture(90))])
    app = select(gallery(shown="drawings"), *names(run, "a"))
    assert "1 concept selected" in text(app)


def test_favourites_and_hiding_go_both_ways(run, ids):
    app = select(gallery(flags=["hidden"]), *names(run, "ab"))
    for key, field in (("gallery.favourite", "favourite"), ("gallery.hide", "hidden")):
        app.button(key=key).click().run()
        assert all(getattr(run.notes()[ids[letter]], field) for letter in "ab")
        app.button(key=key).click().run()
        assert not any(getattr(run.notes()[ids[letter]], field) for letter in "ab")


def test_a_card_stays_while_it_is_selected_so_that_the_next_button_still_acts_on_it(run, ids):
    """A quick Favourite after Hide was lost: the concept had left, and the button was disabled."""
    app = select(gallery(), *names(run, "ab"))
    app.button(key="gallery.hide").click().run()
    assert "2 concepts selected" in text(app) and app.button(key="gallery.hide").label == "Show again"
    assert {item["title"] for item in told(app)["items"] if item.get("hidden")} == set(names(run, "ab"))
    app.button(key="gallery.favourite").click().run()
    assert all(run.notes()[ids[letter]].favourite for letter in "ab")
    select(app, *names(run, "c"))
    assert "7 concepts, 2 hidden" in text(app) and not set(titles(app)) & set(names(run, "ab"))


def test_a_selected_card_stays_when_a_filter_no_longer_passes_it_and_goes_with_the_next_filter(run, ids):
    run.note_all([ids["a"], ids["b"]], favourite=True)
    app = select(gallery(flags=["favourites"]), *names(run, "a"))
    app.button(key="gallery.favourite").click().run()
    assert {item["title"]: item["line"] for item in told(app)["items"]}[names(run, "a")[0]] == "no longer matches"
    app.session_state["gallery.sort"] = "name"
    assert titles(app.run()) == names(run, "b")


def test_new_concepts_wait_for_a_click_so_that_no_card_moves(run, ids):
    app = gallery()
    before = titles(app)
    run.add([concept(81), concept(82)])
    run.note(ids["a"], hidden=True)
    run.note(ids["a"], hidden=False)
    assert titles(app.run()) == before
    app.button(key="gallery.new").click().run()
    assert titles(app)[2:] == before and len(titles(app)) == 11
    assert not [each for each in app.button if each.key == "gallery.new"]
    run.add([concept(83)])
    assert app.run().button(key="gallery.new").label == "1 new concept · Show"
    app.session_state["gallery.sort"] = "oldest"
    assert len(titles(app.run())) == 12, "with another order everything is new"


def test_the_first_concepts_of_an_empty_run_do_not_wait(run, tmp_path):
    made = new_run(tmp_path / "empty")
    app = page("gallery", run="empty").run()
    assert "Nothing is here yet." in text(app)
    with new_job(made, a_seed()).working():
        assert "The first concepts are being learned. They appear here." in text(app.run())
        made.add([concept(84)])
        assert len(titles(app.run())) == 1


def test_a_card_keeps_its_selection_when_its_concept_is_drawn(run, ids):
    app = select(gallery(), *names(run, "i"))
    run.add_drawings([(ids["i"], "a photo of a {}", 1, picture(9))])
    assert "1 concept selected" in text(app.run())


def test_nothing_can_be_done_with_nothing(run):
    app = gallery()
    for key in ("favourite", "hide", "parents", "compare", "study"):
        assert app.button(key=f"gallery.{key}").disabled
    assert not select(app, *names(run, "a")).button(key="gallery.hide").disabled
    assert app.button(key="gallery.compare").disabled  # one alone


def test_all_and_none(run):
    app = gallery()
    app.button(key="gallery.every").click().run()
    assert "9 concepts selected" in text(app) and len(told(app)["selected"]) == 9
    app.button(key="gallery.none").click().run()
    assert "Click selects" in text(app) and told(app)["selected"] == []


def test_parents_are_handed_on(run, ids):
    app = select(gallery(), *names(run, "ab"))
    app.button(key="gallery.parents").click().run()
    assert app.session_state["parents"]["pets"] == {ids["a"]: 1.0, ids["b"]: 1.0}


def test_compare_is_told_whom(run, ids):
    app = select(gallery(), *names(run, "abc"))
    app.button(key="gallery.compare").click().run()
    assert not app.exception and app.title[0].value == "Compare"
    assert set(app.multiselect(key="compare.concepts.pets").value) == {ids["a"], ids["b"], ids["c"]}


def test_a_study_is_told_of_whom(run, ids):
    app = select(gallery(), *names(run, "ab"))
    app.button(key="gallery.study").click().run()
    assert not app.exception and app.title[0].value == "Rate"
    assert set(app.multiselect(key="rate.concepts.pets").value) == {ids["a"], ids["b"]}


def test_opening_a_card_leads_to_its_page(run, ids):
    app = gallery()
    assert told(app)["opens"] and ids["a"] in cards(app, *names(run, "a"))[0]


def test_all_runs(run, tmp_path):
    other = family(tmp_path / "others")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "run.json").write_text("{}")
    app = gallery(all=True)
    assert len(titles(app)) == 18 and "schema None" in text(app)
    assert any("others" in item["line"] for item in told(app)["items"])
    app.session_state["gallery.cards.pets"] = {"selected": [item["id"] for item in told(app)["items"]]}
    app.run()
    app.button(key="gallery.favourite").click().run()
    assert all(note.favourite for note in other.notes().values()) and len(run.notes()) == 9


def test_an_empty_run(run, tmp_path):
    new_run(tmp_path / "empty")
    app = page("gallery", run="empty").run()
    assert not app.exception and told(app)["items"] == []


def test_damage_and_missing_pictures_are_told_and_the_rest_shown(run, ids):
    run.drawings(ids["a"])[0].file.unlink()
    part = run.rooms["concepts"].parts()[-1]
    part.write_bytes(part.read_bytes()[:99])
    app = gallery()
    assert "cannot be read" in text(app) and len(titles(app)) == 7
    (card,) = [item for item in told(app)["items"] if ids["a"] in item["id"]]
    assert "image" not in card


def test_a_name_is_text_whatever_it_contains(run, ids):
    nasty = "<img src=x onerror=alert(1)> **b** :red[x]"
    run.note(ids["a"], comment=nasty)
    app = gallery(text="<img src=x")
    assert titles(app) == names(run, "a")
    assert nasty[:20] not in "".join(str(each.value) for each in app.markdown if each.allow_html)


@pytest.mark.parametrize("name", ["gallery", "concept", "compare", "rate"])
def test_a_run_of_an_earlier_version_and_one_of_a_newer(run, tmp_path, name):
    shutil.copytree(EARLIER, tmp_path / "earlier")
    first, second, *_ = Run.open(tmp_path / "earlier").entries()
    query = {"concept": first.id} if name == "concept" else {"concepts": f"{first.id},{second.id}"}
    app = page(name, run="earlier", **query).run()
    assert not app.exception and "earlier" in app.selectbox(key="header.run.earlier").options
    about = json.loads((run.folder / "run.json").read_text())
    (run.folder / "run.json").write_text(json.dumps(about | {"schema": 99}))
    app = page(name, run="pets", **query).run()
    assert not app.exception and "has schema 99, this version reads 1" in text(app)


def test_the_zip_has_vectors_sidecars_and_drawings(run, ids, tmp_path):
    run.note(ids["a"], name="Whisker")
    with zipfile.ZipFile(io.BytesIO(zipped([(run, [ids["a"], ids["b"]])], "safetensors"))) as archive:
        archive.extractall(tmp_path / "out")
        assert archive.testzip() is None
    found = read_embedding(tmp_path / "out" / "Whisker.safetensors")
    assert found.vectors.tobytes() == run.find(ids["a"]).concept.vectors.tobytes()
    about = json.loads((tmp_path / "out" / "Whisker.json").read_text())
    assert about["file"] == "Whisker.safetensors" and about["sha256"] == found.digest
    drawn = run.drawings(ids["a"])[0].file.read_bytes()
    assert (tmp_path / "out" / "Whisker" / "01.png").read_bytes() == drawn
    assert "a photo of a {}" in (tmp_path / "out" / "Whisker" / "prompts.txt").read_text()
    assert not (tmp_path / "out" / "LEFT-OUT.txt").exists()


def test_the_zip_has_drawings_of_other_decoders_too(run, ids):
    how = Rendered("sdxl", "some/sdxl@c0ffee", look=Look("a pet", 0.8, 30, 5.0, 1024))
    run.add_renderings([(ids["a"], "a sketch of a {}", 1, picture(7), how)])
    own, (rendered,) = run.drawings(ids["a"]), run.renderings()
    with zipfile.ZipFile(io.BytesIO(zipped([(run, [ids["a"]])], "safetensors"))) as archive:
        name, found = names(run, "a")[0], archive.namelist()
        assert archive.read(f"{name}/{len(own) + 1:02d}.png") == rendered.file.read_bytes()
        told = archive.read(f"{name}/prompts.txt").decode().splitlines()
    assert len([each for each in found if each.endswith(".png")]) == len(told) == len(own) + 1
    assert f"  {seeded(rendered)}  a sketch of a {{}}" in told[-1] and "sdxl" in told[-1]


def test_a_zip_of_pictures_alone_needs_no_stack_and_says_what_is_not_drawn(run, ids):
    with zipfile.ZipFile(io.BytesIO(zipped([(run, [ids["a"], ids["i"]])], "pictures"))) as archive:
        name, other = names(run, "ai")
        drawn = run.drawings(ids["a"])[0].file.read_bytes()
        assert archive.namelist() == [f"{name}-01.png", "LEFT-OUT.txt"] and archive.read(f"{name}-01.png") == drawn
        assert archive.read("LEFT-OUT.txt").decode() == f"{other}: not drawn yet\n"
    app = select(gallery(), *names(run, "a"))
    labels = [each.proto.label for each in app.get("download_button")]
    assert labels == ["1 concept as a zip", "Pictures only"]


def test_a_concept_that_is_not_drawn_yet_shows_its_draft_while_its_job_works(run):
    job = new_job(run, a_seed())
    (new,) = run.add([concept(30)])
    add_looks(job.folder, [(0, Event(0, 25, new.concept.request, {}, (picture(7),), (), (), ()))])
    add_names(job.folder, {0: (new.id, new.name)})

    def drafts() -> dict[str, str]:
        return {item["title"]: item["draft"] for item in told(gallery())["items"] if item.get("draft")}

    with job.working():
        shown = drafts()
    assert [*shown] == [new.name] and "/looks/pets/" in shown[new.name]
    assert not drafts()


def test_a_zip_can_have_image_embeddings(tmp_path, backbone):
    made = new_run(tmp_path / "pets", backbone)
    made.add([learned(1, backbone)])
    (one,) = made.individuals()
    with zipfile.ZipFile(io.BytesIO(zipped([(made, [one.id])], "image"))) as archive:
        assert archive.namelist() == [f"{one.name}.image.safetensors", f"{one.name}.image.json"]
        found = load(archive.read(f"{one.name}.image.safetensors"))["image_embeds"]
    assert found.shape == (7, backbone.width)
    with zipfile.ZipFile(io.BytesIO(zipped([(made, [one.id])], "comfyui"))) as archive:
        assert "write --format image" in archive.read("LEFT-OUT.txt").decode()


def test_the_zip_of_two_runs_has_a_folder_for_each_and_tells_what_is_left_out(run, ids, tmp_path):
    shutil.copytree(run.folder, tmp_path / "others")
    other = Run.open(tmp_path / "others")
    other.drawings(ids["a"])[0].file.unlink()
    for part in other.rooms["concepts"].parts()[1:2]:
        part.write_bytes(b"torn")
    content = zipped([(run, [ids["a"]]), (other, [ids["a"], ids["c"]])], "npz")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = archive.namelist()
        told = archive.read("LEFT-OUT.txt").decode()
    name = names(run, "a")[0]
    assert {f"pets/{name}.npz", f"others/{name}.npz", f"pets/{name}/01.png"} <= set(found)
    assert f"{name}, drawing 1" in told and "no concept" in told


def test_names_that_are_alike_as_files_do_not_meet(run, ids):
    run.note(ids["a"], name="x'y")
    run.note(ids["b"], name="x_y")
    with zipfile.ZipFile(io.BytesIO(zipped([(run, [ids["a"], ids["b"]])], "safetensors"))) as archive:
        assert len({name for name in archive.namelist() if name.endswith(".safetensors")}) == 2


def test_filters_are_saved_chosen_again_and_removed(run, ids):
    run.note(ids["a"], favourite=True, tag=["forest"])
    app = gallery(flags=["favourites"], tags=["forest"], text="forest", sort="name", shown="drawings")
    app.text_input(key="gallery.save").set_value(" My  <b>forest</b> ").run()
    assert not app.exception and "My <b>forest</b>: filter saved" in text(app)
    fresh = gallery()
    assert len(titles(fresh)) == 9
    fresh.button(key="gallery.saved.0").click().run()
    assert (
        not fresh.exception and titles(fresh) == names(run, "a") and fresh.selectbox(key="gallery.sort").value == "name"
    )
    fresh.button(key="icon.gallery.saved.0").click().run()
    assert saved(run.folder.parent) == []
    fresh.button(key="undo.last").click().run()
    assert [each.name for each in saved(run.folder.parent)] == ["My <b>forest</b>"]


def test_a_saved_filter_of_another_run_filters_by_what_this_one_has(run, ids):
    values = {
        "sort": "margin of nothing",
        "prompt": "a sketch of a {}",
        "flags": ["x"],
        "generations": [7],
        "tags": ["z"],
    }
    save(run.folder.parent, "strange", {**values, "shown": "posters", "board": "Nowhere"})
    app = gallery()
    app.button(key="gallery.saved.0").click().run()
    assert not app.exception and len(titles(app)) == 9 and "There is no board 'Nowhere'" in text(app)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"conceptree_filters": 1, "filters": [{"name": "a"}]}',
        '{"conceptree_filters": 1, "filters": [{"name": "a\\u001b", "values": {}}]}',
        '{"conceptree_filters": 1, "filters": [{"name": "a", "values": {"tags": [1]}}]}',
        '{"conceptree_filters": 1, "filters": [{"name": "a", "values": {"generations": [true]}}]}',
        '{"conceptree_filters": 1, "filters": [{"name": "a", "values": {"text": "a\\nb"}}]}',
        '{"conceptree_filters": 9, "filters": []}',
    ],
)
def test_damaged_saved_filters_are_one_line_and_are_not_written(run, content):
    file = run.folder.parent / "filters.json"
    file.write_text(content)
    app = gallery()
    assert "filters.json" in text(app) and len(titles(app)) == 9
    app.text_input(key="gallery.save").set_value("new").run()
    assert not app.exception and file.read_text() == content


def test_filters_stay_when_a_person_comes_back(run, ids):
    app = gallery(text=names(run, "a")[0])
    assert len(titles(app)) == 1
    app.button(key="gallery.every").click().run()
    app.button(key="gallery.parents").click().run()
    assert app.session_state["gallery.text"] == names(run, "a")[0]
