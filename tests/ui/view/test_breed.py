"""The breed panel: shares that sum to 100 %, jobs, and their progress."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.aspects import subspace, with_aspect
from core.concept import Parent, Positive
from core.files import StorageError
from core.segments import Event
from evolve import Run
from evolve.jobs.job import Job, Stopped
from evolve.jobs.stored import jobs, new_job
from evolve.store.looks import add_looks, add_names
from evolve.store.parts import RunError
from evolve.store.photos import PhotoError
from tests.families import concept, family, learned, new_run, picture, three_founders
from tests.pages import alts, components, page, text, typed
from tests.plans import a_breed, a_seed
from ui.view import preview, processes, sittings
from ui.view.parents import away_of, follow, parents_of, photo_weights_of, uploaded, whole
from ui.view.screens import breed, mixing, tree
from ui.view.selection import state_of

TREE = "tree.family.pets"
WEIGHTS = st.dictionaries(st.text(max_size=3), st.floats(0, 1e6), min_size=1, max_size=9)


@pytest.fixture
def run(tmp_path, monkeypatch, backbone) -> Run:
    """Three founders on the tiny stack; jobs are written but not learned."""
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    return three_founders(tmp_path / "pets", backbone)


@pytest.fixture
def ids(run) -> list[str]:
    return [each.id for each in run.entries()]


@pytest.fixture(autouse=True)
def sitting(monkeypatch) -> list[list[str]]:
    """Parents that would be drawn in advance, wish by wish."""
    found: list[list[str]] = []
    monkeypatch.setattr(sittings, "prepare", lambda run, backbone, parents: found.append(list(parents)))
    return found


@pytest.fixture
def started(monkeypatch) -> list[Job]:
    found: list[Job] = []
    monkeypatch.setattr(processes, "start", lambda run, job: found.append(job))
    return found


def select(*chosen: str) -> AppTest:
    app = page("tree", run="pets").run()
    app.session_state[TREE] = {"selected": {"ids": list(chosen), "at": 1}}
    return app.run()


def the_pad(app: AppTest) -> dict:
    """The data of the mixing pad and the rows of parents."""
    (found,) = [json.loads(each.proto.json) for each in app.get("bidi_component") if "points" in each.proto.json]
    return found


def weights(app: AppTest) -> dict[str, float]:
    """The weights in the rows of parents, by id."""
    return {each["id"]: each["weight"] for each in the_pad(app)["parents"]}


def weigh(app: AppTest, given: dict[str, float]) -> AppTest:
    """The page after the browser has told these weights; `mixing.chosen` has tests of its own."""
    app.session_state["parents"]["pets"] |= {id_: weight for id_, weight in given.items() if weight >= 0}
    app.session_state["breed.away"] = {"pets": {id_: -weight for id_, weight in given.items() if weight < 0}}
    return app.run()


def a_photo(size=(30, 20), format="PNG") -> bytes:
    content = io.BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(content, format=format)
    return content.getvalue()


@given(WEIGHTS)
def test_shares_sum_to_one_whole(weights):
    shares = whole(weights)
    assert sum(shares.values()) == 100 and all(share >= 0 for share in shares.values())
    total = sum(weights.values())
    if total > 0:
        assert all(abs(shares[key] - 100 * weight / total) < 1.0001 for key, weight in weights.items())


def test_selected_parents_have_a_row_each_with_picture_and_share(run, ids):
    app = select(ids[0], ids[1])
    assert not app.exception and weights(app) == {ids[0]: 50, ids[1]: 50}
    row, (one, *_) = the_pad(app)["parents"][0], run.entries()
    assert row["name"] == one.name and one.name in row["alt"] and "/pictures/pets/" in row["picture"]
    assert weights(weigh(app, {ids[0]: 0.8, ids[1]: 0.2})) == {ids[0]: 80, ids[1]: 20}


def test_where_the_stack_cannot_draw_there_are_rows_alone(run, ids, monkeypatch):
    def is_quick(backbone):
        raise AttributeError("there is no decoder")

    monkeypatch.setattr(breed, "can_draw", lambda backbone: False)
    monkeypatch.setattr(mixing, "is_quick", is_quick)
    app = select(*ids)
    assert not app.exception and [*weights(app).values()] == [34, 33, 33]
    assert (the_pad(app)["address"], the_pad(app)["points"]) == ("", [])


def test_a_preview_says_that_it_is_one(run, ids):
    app = select(*ids)
    assert the_pad(app)["caption"] == "Preview: the mean of the parents' images. Nothing is learned yet."


def test_the_pictures_of_a_pad_stay_when_weights_change(run, ids):
    app = select(ids[0], ids[1])
    address = the_pad(app)["address"]
    assert address and len(the_pad(app)["points"]) == 9
    assert the_pad(weigh(app, {ids[0]: 0.8, ids[1]: 0.2}))["address"] == address


def test_pictures_of_the_pad_are_at_its_address(run, ids):
    key = the_pad(select(*ids))["address"].rpartition("/")[2]
    assert preview.pictures(key, "34-33-33_0-0-100")


def test_weights_in_the_rows_are_bred(run, ids, started):
    app = weigh(select(*ids), dict(zip(ids, (0.5, 0.25, 0.25), strict=True)))
    assert [*weights(app).values()] == [50, 25, 25]
    app.button(key="breed.start").click().run()
    assert [each["weight"] for each in jobs(run)[0].told["parents"]] == [0.5, 0.25, 0.25]


def test_the_buttons_say_how_many_they_make(run, ids, started):
    app = select(*ids)
    assert app.button(key="breed.start").label == "Breed 4"
    app.number_input(key="breed.children.pets").set_value(2).run()
    assert app.button(key="breed.start").label == "Breed 2"
    app.button(key="breed.start").click().run()
    assert jobs(run)[0].plan.children == 2


@pytest.fixture
def session(monkeypatch) -> dict:
    """A session with the parents a and b, and a photograph."""
    session = {"parents": {"r": {"a": 1.0, "b": 1.0}}, "breed.photos": {"r": {"p": SimpleNamespace(id="p")}}}
    for module in ("ui.view.parents", "ui.view.selection", "ui.view.screens.mixing"):
        monkeypatch.setattr(f"{module}.st", SimpleNamespace(session_state=session))
    return session


def shares_of(run: str) -> dict[str, int]:
    """Shares of the parents to resemble in percent, by id."""
    weights = parents_of(run) | photo_weights_of(run)
    return whole({id_: weight for id_, weight in weights.items() if id_ not in away_of(run)})


def tell(session: dict, ids: str, weights: dict[str, float]) -> None:
    session["pad"] = {"chosen": {"ids": [*ids], "weights": weights, "at": 7}}
    mixing.chosen("r", "pad")


@pytest.mark.parametrize("shares", [(75, 25), (100, 0), (0, 100)])
def test_what_the_browser_tells_becomes_the_weights(session, shares):
    tell(session, "ab", dict(zip("ab", shares, strict=True)))
    assert shares_of("r") == dict(zip("ab", shares, strict=True))
    tell(session, "abp", {"a": 40, "b": -0.5, "p": 60})
    assert (shares_of("r"), away_of("r")) == ({"a": 40, "p": 60}, {"b": 0.5})
    tell(session, "abp", {"a": 40, "b": 60, "p": -1.5})
    assert (shares_of("r"), away_of("r")) == ({"a": 40, "b": 60}, {"p": 1.5})
    assert mixing.REMOVED not in session


def test_weights_that_the_browser_tells_keep_their_ratio_to_other_parents(session):
    """Issue: a parent that was chosen while others were moved got more than its share."""
    parents_of("r")["c"] = 1.0
    tell(session, "ac", {"a": 60, "c": 40})
    assert parents_of("r") == pytest.approx({"a": 1.2, "b": 1.0, "c": 0.8})
    tell(session, "ac", {"a": 100, "c": 0})
    tell(session, "c", {"c": 100})
    assert parents_of("r") == pytest.approx({"a": 2.0, "b": 1.0, "c": 1.0}), "without a weight so far"


def test_parents_that_came_or_went_since_the_browser_told_are_left_alone(session):
    tell(session, "ac", {"a": 60, "c": 40})
    assert parents_of("r") == {"a": 1.0, "b": 1.0} and "c" not in photo_weights_of("r")
    tell(session, "ac", {"a": 0, "c": 100})
    assert parents_of("r") == {"a": 0.0, "b": 1.0}


def test_a_parent_that_is_removed_in_the_browser_is_selected_no_longer(session):
    state_of("r").selected = ["a", "b"]
    tell(session, "abp", {"a": 100})
    assert [*parents_of("r")] == ["a"] and not session["breed.photos"]["r"]
    assert state_of("r").selected == ["a"] and session[mixing.REMOVED], "the rest of the page is shown anew"
    assert session["breed.dropzone.r"] == 1, "the uploader forgets the photograph"


@pytest.mark.parametrize("others", ["", "p"])
def test_removing_one_of_two_selected_parents_leaves_the_other(session, others):
    """Issue: the other one, selected alone then, was a parent no longer."""
    session["breed.photos"]["r"] = {id_: SimpleNamespace(id=id_) for id_ in others}
    state_of("r").selected = ["a", "b"]
    follow("r", ["a", "b"])
    left = dict.fromkeys(["b", *others], 50 if others else 100)
    tell(session, f"ab{others}", left)
    assert state_of("r").selected == ["b"]
    follow("r", ["b"])
    assert shares_of("r") == left
    follow("r", ["b", "c"])
    follow("r", ["c"])
    assert not parents_of("r"), "from now on as if it was never removed"


def test_a_word_moves_the_preview_and_is_named(run, ids):
    app = select(ids[0], ids[1])
    before = the_pad(app)["address"]
    app.selectbox(key="breed.word.pets").set_value("cat").run()
    assert the_pad(app)["address"] != before
    said = "Preview: the mean of the parents' images, moved towards “cat”. Nothing is learned yet."
    assert the_pad(app)["caption"] == said
    unknown = page("tree", run="pets").run()
    unknown.session_state["breed.word.pets"] = "hamstre"
    unknown.session_state[TREE] = {"selected": {"ids": ids[:2], "at": 1}}
    assert the_pad(unknown.run())["address"] == before


def test_a_parent_to_move_away_from_has_a_weight_below_zero(run, ids, started, sitting):
    app = select(*ids)
    before = the_pad(app)["address"]
    weigh(app, {ids[2]: -1.5})
    assert weights(app) == {ids[0]: 50, ids[1]: 50, ids[2]: -1.5} and len(the_pad(app)["points"]) == 9
    assert f"away from {run.entries()[2].name}. Nothing is learned yet." in the_pad(app)["caption"]
    assert the_pad(app)["address"] != before and sitting[-1] == ids
    app.button(key="breed.start").click().run()
    assert not app.exception and not app.error
    assert [(each["id"], each["weight"]) for each in jobs(run)[0].told["parents"]] == [
        (ids[0], 0.5),
        (ids[1], 0.5),
        (ids[2], -1.5),
    ]
    assert the_pad(weigh(app, {ids[2]: 1.0}))["address"] == before


def test_a_photograph_can_be_one_to_move_away_from(run, ids, started):
    app = select(ids[0], ids[1])
    upload = uploaded("holiday.jpg", a_photo(format="JPEG"))
    app.session_state["breed.photos"] = {"pets": {upload.id: upload}}
    weigh(app, {upload.id: -0.5})
    assert the_pad(app)["caption"].count("away from holiday.jpg") == 1
    assert the_pad(app)["parents"][2]["picture"].startswith("data:image/webp;base64,")
    app.button(key="breed.start").click().run()
    assert not app.exception and not app.error
    (photo,) = jobs(run)[0].told["photos"]
    assert (photo["id"], photo["weight"]) == (upload.id, -0.5)


def test_one_parent_with_a_word_has_a_preview_and_no_pad(run, ids):
    app = page("tree", run="pets").run()
    app.session_state["parents"] = {"pets": {ids[0]: 1.0}}
    app.run()
    assert the_pad(app)["address"] == "" and weights(app) == {ids[0]: 100}
    app.selectbox(key="breed.word.pets").set_value("cat").run()
    assert the_pad(app)["address"] and the_pad(app)["points"] == []


def test_a_last_parent_cannot_be_one_to_move_away_from(run, ids):
    app = page("tree", run="pets").run()
    app.session_state["parents"] = {"pets": {ids[0]: 1.0}}
    weigh(app, {ids[0]: -0.5})
    assert not app.exception and app.session_state["breed.away"]["pets"] == {}
    assert weights(app) == {ids[0]: 100}


def test_a_parent_that_is_chosen_again_is_one_to_resemble(run, ids):
    app = weigh(select(*ids), {ids[2]: -0.5})
    for number, chosen in enumerate((ids[:2], ids), 2):
        app.session_state[TREE] = {"selected": {"ids": list(chosen), "at": number}}
        app.run()
    assert [*weights(app).values()] == [34, 33, 33]


def test_parents_are_drawn_ahead_as_soon_as_they_are_chosen(run, ids, sitting):
    app = select(ids[0])
    assert sitting == []
    app.session_state[TREE] = {"selected": {"ids": ids[:2], "at": 2}}
    app.run()
    assert sitting[-1] == ids[:2]
    weigh(app, {ids[0]: 1.0, ids[1]: 0.0})
    assert sitting[-1] == ids[:2], "who has no share is no parent"


def test_children_may_differ_as_far_as_the_slider_goes(run, ids, started):
    app = select(ids[0], ids[1])
    spread = app.slider(key="breed.spread.pets")
    spread.set_value(spread.max).run()
    app.button(key="breed.start").click().run()
    app.toggle(key="breed.inherit.pets").set_value(False).run()
    app.button(key="breed.start").click().run()
    assert not app.error and [job.told["inherit"] for job in jobs(run)[-2:]] == [True, False]
    assert not app.error and jobs(run)[-2].told["spread"] == spread.max


def test_the_page_is_shown_anew_when_a_parent_was_removed(run, ids, monkeypatch):
    """The script itself runs again: the rows are in a fragment, and the rest of the page shows the selection too."""
    app, times = select(*ids), []
    monkeypatch.setattr(tree, "follow", lambda run, selected: times.append(selected))
    app.session_state[mixing.REMOVED] = True
    app.run()
    assert not app.exception and mixing.REMOVED not in app.session_state and times == [ids, ids]


def test_breeding_writes_down_a_job_and_starts_it(run, ids, started):
    app = select(ids[0], ids[1])
    weigh(app, {ids[0]: 0.7, ids[1]: 0.3})
    app.number_input(key="breed.children.pets").set_value(3).run()
    app.button(key="breed.start").click().run()
    assert not app.exception and not app.error
    (job,) = jobs(run)
    assert [each.name for each in started] == [job.name] and job.command == "breed"
    assert [(each["id"], each["weight"]) for each in job.told["parents"]] == [(ids[0], 0.7), (ids[1], 0.3)]
    assert job.told["children"] == 3 and job.told["drafts"] is True and job.told["words"] == []


def test_a_parent_without_a_share_is_none(run, ids, started):
    app = select(ids[0], ids[1])
    weigh(app, {ids[0]: 1.0, ids[1]: 0.0})
    app.button(key="breed.start").click().run()
    assert [each["id"] for each in jobs(run)[0].told["parents"]] == [ids[0]]


def test_a_draft_takes_fewer_steps(run, ids, started):
    app = select(ids[0], ids[1])
    app.button(key="breed.start").click().run()
    app.segmented_control(key="breed.quality.pets").set_value("Draft").run()
    app.button(key="breed.start").click().run()
    fine, draft = (job.told["settings"]["steps"] for job in jobs(run))
    assert draft == round(0.4 * fine)


def test_who_asks_twice_gets_other_children(run, ids, started):
    app = select(ids[0], ids[1])
    for _ in range(2):
        app.button(key="breed.start").click().run()
    one, other = (job.told["seed"] for job in jobs(run))
    assert one != other


def test_a_word_makes_them_like_these_but(run, ids, started):
    app = select(ids[0], ids[1])
    app.selectbox(key="breed.word.pets").set_value("blue").run()
    app.button(key="breed.start").click().run()
    plan = jobs(run)[0].told
    assert plan["words"] == ["blue"] and not plan["inherit"] and app.toggle(key="breed.inherit.pets").disabled


def test_a_word_that_the_model_does_not_know_is_said_in_plain_words_with_near_ones(run, ids):
    """Issue: it was refused with jargon, and Breed stayed enabled but did nothing."""
    app = typed(select(ids[0], ids[1]), "breed.word.pets", "hamstre")
    assert "The model does not know “hamstre”." in text(app) and "stack" not in text(app)
    assert app.button(key="breed.start").disabled
    assert app.button(key="breed.near.0").label == "hamster"
    app.selectbox(key="breed.word.pets").options.append("hamstre")  # as the browser does
    app.button(key="breed.near.0").click().run()
    assert app.selectbox(key="breed.word.pets").value == "hamster"
    assert not app.button(key="breed.start").disabled and "does not know" not in text(app)


def test_a_word_that_is_near_to_none_says_what_to_do(run, ids):
    app = typed(select(ids[0], ids[1]), "breed.word.pets", "qqqqqq")
    assert "Try a simpler word, or choose one of the list." in text(app) and "Did you mean" not in text(app)
    app.selectbox(key="breed.word.pets").options.append("qqqqqq")
    app.button(key="breed.near.none").click().run()
    assert app.selectbox(key="breed.word.pets").value is None and not app.button(key="breed.start").disabled


def test_one_parent_alone_has_variations(run, ids, started):
    app = select(ids[0])
    app.session_state["tree.variations"] = True
    app.run()
    app.slider(key="breed.strength.pets").set_value(0.3).run()
    app.button(key="breed.vary").click().run()
    assert not app.exception
    (job,) = jobs(run)
    assert (job.command, job.told["strength"], job.told["children"]) == ("vary", 0.3, 2)
    assert [each["id"] for each in job.told["parents"]] == [ids[0]]


def test_a_run_of_another_stack_says_so_and_shows_its_tree(tmp_path, monkeypatch, backbone):
    monkeypatch.setenv("CONCEPTREE_RUNS", str(tmp_path))
    run = family(tmp_path / "pets")
    app = select(*[each.id for each in run.entries()[:2]])
    assert any("needs the stack" in error.value for error in app.error) and not app.exception
    assert components(app)


def test_a_photograph_is_one_more_parent(run, ids, started):
    app = select(ids[0], ids[1])
    upload = uploaded("holiday.jpg", a_photo(format="JPEG"))
    app.session_state["breed.photos"] = {"pets": {upload.id: upload}}
    app.run()
    assert weights(app) == {ids[0]: 34, ids[1]: 33, upload.id: 33} and the_pad(app)["address"]
    app.button(key="breed.start").click().run()
    (photo,) = jobs(run)[0].told["photos"]
    assert (photo["id"], photo["label"], photo["weight"]) == (upload.id, "holiday.jpg", 0.33)
    assert len(photo["image_embeds"]) == 2


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("a.png", "a.png"),
        ("../../etc/a.png", "a.png"),
        ("..", "photo"),
        ("a\x00\n.png", "a__.png"),
        ("<i>.png", "<i>.png"),
    ],
)
def test_an_upload_is_called_as_its_file_and_never_leads_elsewhere(name, label):
    assert uploaded(name, a_photo()).label == label


@pytest.mark.parametrize("content", [b"", b"not a picture", a_photo()[:50]])
def test_what_is_no_photograph_is_refused_by_its_own_name(content):
    with pytest.raises(PhotoError, match=r"^'mine.png' is not a picture"):
        uploaded("mine.png", content)


def test_a_background_is_removed_where_that_is_asked():
    ground = Image.new("RGB", (40, 40), "white")
    ground.paste((200, 30, 30), (10, 10, 30, 26))
    content = io.BytesIO()
    ground.save(content, "PNG")
    whole, cut = (uploaded("a.png", content.getvalue(), cutout) for cutout in (False, True))
    assert whole.id != cut.id
    # The object is centred on a white square, somewhat larger than itself.
    assert whole.picture.size == (40, 40) and 20 < cut.picture.width == cut.picture.height < 40


def test_a_name_may_be_long_and_in_any_script():
    assert len(uploaded("写" * 500 + ".png", a_photo()).label) <= 60


def test_a_full_disk_is_said(monkeypatch):
    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match=r"^the photograph 'a.png' cannot be saved: No space left on device$"):
        uploaded("a.png", a_photo())


def test_a_parent_that_cannot_be_read_is_said_and_the_rest_is_shown(run, ids, monkeypatch):
    def torn(found, id_):
        raise RunError("its part is torn")

    monkeypatch.setattr("ui.view.store.individual", torn)
    app = select(ids[0], ids[1])
    assert any("its part is torn" in error.value for error in app.error)
    assert app.button(key="breed.start") and not app.exception


def test_a_parent_that_the_stack_cannot_draw_is_said_and_the_rest_is_shown(run, ids, monkeypatch):
    narrow = SimpleNamespace(concept=SimpleNamespace(image_embed=np.ones(3, dtype=np.float32)))
    monkeypatch.setattr("ui.view.store.individual", lambda found, id_: narrow)
    app = select(ids[0], ids[1])
    assert any(
        "an image embedding of shape [3] cannot be drawn" in error.value.replace("\\", "") for error in app.error
    )
    assert app.button(key="breed.start") and not app.exception


def test_what_is_being_learned_is_shown_once_and_can_be_stopped(run, ids):
    job = new_job(run, a_breed(children=2))
    request = run.individuals()[0].concept.request
    add_looks(job.folder, [(n, Event(n, 25, request, {}, (picture(7 + n),), (), (), ())) for n in range(2)])
    with job.working():
        job.tell(25, 100)
        app = page("tree", run="pets").run()
        assert not app.exception
        assert "learning" in "".join(str(each.proto.text) for each in app.get("progress"))
        urls = [image.url for images in app.get("image") for image in images.proto.imgs]
        assert not any("/looks/pets/" in url for url in urls), "the ghosts in the tree show the drafts"
        app.button(key=f"breed.stop.{job.name}").click().run()
        assert (job.folder / "stop").exists()


def test_a_child_that_is_not_drawn_yet_looks_as_it_did_last(run, ids):
    job = new_job(run, a_breed(children=1))
    (child,) = run.add([concept(40)])
    add_looks(job.folder, [(0, Event(0, 25, child.concept.request, {}, (picture(7),), (), (), ()))])
    add_names(job.folder, {0: (child.id, child.name)})
    with job.working():
        app = page("tree", run="pets").run()
    nodes = json.loads(components(app)[0])["nodes"]
    pictures = {each["id"]: each["picture"] for each in nodes}
    assert f"/looks/pets/{job.name}/" in pictures[child.id] and "/pictures/pets/" in pictures[ids[0]]


def test_a_job_that_failed_says_why_and_goes_on(run, ids, started):
    app = select(ids[0], ids[1])
    app.button(key="breed.start").click().run()
    (job,) = jobs(run)
    with pytest.raises(RuntimeError), job.working():
        raise RuntimeError("no <b>room</b>")
    app.run()
    assert any("room" in error.value for error in app.error)
    app.button(key=f"breed.on.{job.name}").click().run()
    assert [each.name for each in started] == [job.name] * 2
    app.button(key=f"breed.dismiss.{job.name}").click().run()
    assert not app.error


@pytest.mark.parametrize("name", ["tree", ""])
def test_a_job_that_was_stopped_elsewhere_says_so_and_goes_on(run, ids, started, name):
    """Issue: after Stop on the page Jobs, the placeholders of the job were gone without a word."""
    job = new_job(run, a_breed(("moku", "vasi"), children=4))
    (child,) = run.add([concept(40)])
    add_looks(job.folder, [(0, Event(0, 25, child.concept.request, {}, (picture(7),), (), (), ()))])
    add_names(job.folder, {0: (child.id, child.name)})
    with pytest.raises(Stopped), job.working():
        job.tell(25, 100)
        raise Stopped
    app = page(name, run="pets").run()
    assert "Stopped: 4 children of moku × vasi, 1 learned." in text(app)
    assert "Stopped" not in text(page("jobs", run="pets").run()), "that page says it itself"
    app.button(key=f"breed.on.{job.name}").click().run()
    assert [each.name for each in started] == [job.name]
    app.button(key=f"breed.dismiss.{job.name}").click().run()
    assert "Stopped" not in text(app)


def test_a_job_that_was_stopped_before_it_learned_anything_says_so(run, ids, tmp_path):
    empty = new_run(tmp_path / "empty")
    assert "learned" not in text(page("tree", run="empty").run())
    job = new_job(empty, a_seed())
    with pytest.raises(Stopped), job.working():
        raise Stopped
    app = page("tree", run="empty").run()
    assert "Stopped: 2 founders of pet, none learned." in text(app) and "no concepts yet" in text(app)


def test_following_the_selection_keeps_who_was_chosen_otherwise(monkeypatch):
    monkeypatch.setattr("ui.view.parents.st", SimpleNamespace(session_state={}))
    parents_of("r")["pinned"] = 1.0
    follow("r", ["a", "b"])
    assert {*parents_of("r")} == {"pinned", "a", "b"}
    follow("r", ["b", "c"])
    assert {*parents_of("r")} == {"pinned", "b", "c"}
    follow("r", ["b"])
    assert {*parents_of("r")} == {"pinned"}
    follow("r", ["pinned", "a"])
    follow("r", [])
    assert parents_of("r") == {}


# One aspect of another concept


def take(app: AppTest, aspect: str, giver: str) -> AppTest:
    """The page after a person has chosen an aspect and then a concept in the Breed panel."""
    if app.selectbox(key="breed.aspect.pets").value != aspect:
        typed(app, "breed.aspect.pets", aspect)
    return app.selectbox(key="breed.giver.pets").set_value(giver).run()


def test_an_aspect_of_another_concept_is_a_chip_is_previewed_and_can_be_removed(run, ids, sitting, backbone):
    app = select(ids[0], ids[1])
    before, third = the_pad(app)["address"], run.entries()[2]
    take(app, "blue", ids[2])
    assert not app.exception and f"blue of {third.name}" in text(app)
    assert app.selectbox(key="breed.giver.pets").value is None, "the field is free for one more"
    assert f"images, with blue of {third.name}. Nothing is learned yet." in the_pad(app)["caption"]
    assert sum(third.name in alt for alt in alts(app)) == 1 and sitting[-1] == ids

    mix = preview._mixes[the_pad(app)["address"].rpartition("/")[2]]
    one, _, giver = (each.concept.image_embed[None] for each in run.individuals())
    assert np.array_equal(mix.embeds[0], with_aspect(one, giver, subspace(backbone, "blue")))
    app.button(key="tree.icon.untake.0").click().run()
    assert the_pad(app)["address"] == before and f"of {third.name}" not in text(app)


def test_children_take_what_was_chosen_and_the_job_says_it(run, ids, started):
    app = take(take(select(ids[0], ids[1]), "blue", ids[2]), "small", ids[0])
    app.button(key="breed.start").click().run()
    assert not app.exception and not app.error
    one, other, third = run.entries()
    assert jobs(run)[0].told["takes"] == [
        {"aspect": "blue", "id": ids[2], "name": third.name, "run": ""},
        {"aspect": "small", "id": ids[0], "name": one.name, "run": ""},
    ]
    said = f"4 children of {one.name} × {other.name}, blue of {third.name}, small of {one.name}"
    assert said in text(page("jobs", run="pets").run())
    take(app, "blue", ids[0])
    assert app.session_state["breed.takes"]["pets"] == {"blue": ids[0], "small": ids[0]}, "one concept gives an aspect"


def test_an_aspect_that_the_stack_does_not_know_is_not_taken(run, ids, started):
    app = take(select(ids[0], ids[1]), "unheardof", ids[2])
    assert "does not know the aspect 'unheardof': choose" in text(app) and not app.session_state["breed.takes"]["pets"]
    app.button(key="breed.start").click().run()
    assert "does not know the aspect 'unheardof'" in app.error[0].value.replace("\\", "") and not jobs(run)
    typed(app, "breed.aspect.pets", "  Color ")
    assert app.session_state["breed.takes"]["pets"] == {"colour": ids[2]}, "the concept was chosen already"
    assert "does not know" not in text(app)


def test_a_parent_gives_nothing_to_its_own_children_alone(run, ids, started):
    app = page("tree", run="pets").run()
    app.session_state["parents"] = {"pets": {ids[0]: 1.0}}
    take(app.run(), "blue", ids[0])
    said = f"{run.entries()[0].name!r} is the only parent and gives the blue, which its children have anyway"
    assert said in text(app)
    app.button(key="breed.start").click().run()
    assert said in app.error[0].value.replace("\\", "") and not jobs(run) and not app.exception
    take(app, "blue", ids[1])
    assert "Add another parent" not in text(app) and weights(app) == {ids[0]: 100}
    app.button(key="breed.start").click().run()
    assert not app.error and [each["id"] for each in jobs(run)[0].told["takes"]] == [ids[1]]


def test_an_aspect_of_the_selected_concept_waits_for_parents(run, ids, started):
    app = select(ids[2])
    app.menu_button(key="tree.take").click("pattern").run()
    app.menu_button(key="tree.take").click("colour").run()
    assert not app.exception and "Now add the parents of the children that take this." in text(app)
    app.session_state[TREE] = {"selected": {"ids": ids[:2], "at": 2}}
    app.run()
    said = "knows no words for the aspect 'pattern'"
    app.button(key="breed.start").click().run()
    assert said in text(app) and said in app.error[0].value.replace("\\", "") and not jobs(run)
    app.button(key="tree.icon.untake.0").click().run()
    assert (
        said not in text(app)
        and f"with colour of {run.entries()[2].name}" in the_pad(app)["caption"]
        and "Now add" not in text(app)
    )
    app.button(key="breed.start").click().run()
    assert [(each["aspect"], each["id"]) for each in jobs(run)[0].told["takes"]] == [("colour", ids[2])]


def test_a_concept_that_is_gone_gives_nothing(run, ids):
    app = page("tree", run="pets").run()
    app.session_state["breed.takes"] = {"pets": {"colour": "f" * 16}}
    app.session_state[TREE] = {"selected": {"ids": ids[:2], "at": 1}}
    app.run()
    assert not app.exception and app.session_state["breed.takes"]["pets"] == {}


# Settings of a concept


def bred(run: Run, backbone, weights: dict[str, float], *words: str, takes: dict[str, str] | None = None) -> str:
    """A child that was learned with these settings. takes: concepts by the aspects that they give."""
    made = learned(50, backbone)
    parents = [Parent(id_, weight, np.ones((1, backbone.width))) for id_, weight in weights.items()]
    parents += [Parent(id_, 0, np.ones((1, backbone.width)), f"take {of}") for of, id_ in (takes or {}).items()]
    positives = (Positive("pet"), *map(Positive, words))
    request = replace(made.request, parents=tuple(parents), positives=positives)
    run.add([replace(made, id="c" * 16, request=request)])
    return "c" * 16


def test_a_childs_settings_fill_in_the_form_and_are_given_back(run, ids, backbone):
    takes = {"colour": ids[2], "small": ids[0], "tall": "e" * 16}
    child = bred(run, backbone, {ids[0]: 0.7, ids[1]: -0.5, "f" * 16: 0.3}, "blue", takes=takes)
    app = page("concept", run="pets", concept=child)
    app.session_state["parents"] = {"pets": {ids[1]: 0.5, ids[2]: 0.5}}
    app.session_state["breed.children.pets"] = 7
    app.session_state["breed.takes"] = {"pets": {"pattern": ids[0]}}
    app.run()
    assert "colour" in [each.value for each in app.caption], "the origin says what it has of whom"
    app.button(key="concept.rebreed").click().run()
    assert not app.exception and app.session_state["parents"]["pets"] == {ids[0]: 0.7, ids[1]: 0.5}
    assert app.session_state["breed.away"]["pets"] == {ids[1]: 0.5}
    assert app.session_state["breed.takes"]["pets"] == {"colour": ids[2], "small": ids[0]}
    assert (
        app.selectbox(key="breed.word.pets").value == "blue" and app.number_input(key="breed.children.pets").value == 4
    )
    assert f"With the settings of {run.entry(child).name}." in text(app)
    app._page_hash = page("tree")._page_hash  # the test runner stays on the page that a person has left
    app.button(key="breed.pets.mine").click().run()
    assert not app.exception and app.session_state["parents"]["pets"] == {ids[1]: 0.5, ids[2]: 0.5}
    assert app.session_state["breed.away"]["pets"] == {} and app.number_input(key="breed.children.pets").value == 7
    assert app.session_state["breed.takes"]["pets"] == {"pattern": ids[0]}
    assert app.selectbox(key="breed.word.pets").value is None and "With the settings of" not in text(app)


def test_a_child_whose_parents_are_elsewhere_changes_nothing(run, ids, backbone):
    child = bred(run, backbone, {"f" * 16: 1.0})
    app = page("concept", run="pets", concept=child)
    app.session_state["parents"] = {"pets": {ids[1]: 1.0}}
    app.run()
    app.button(key="concept.rebreed").click().run()
    assert app.session_state["parents"]["pets"] == {ids[1]: 1.0} and app.title[0].value == run.entry(child).name
    assert "1 parent is left out" in app.toast[0].value.replace("\\", "")


def test_a_locked_seed_gives_the_same_children(run, ids, started):
    app = select(ids[0], ids[1])
    app.button(key="icon.breed.seed.pets.lock").click().run()
    app.number_input(key="breed.seed.pets").set_value(11).run()
    for _ in range(2):
        app.button(key="breed.start").click().run()
    assert [job.told["seed"] for job in jobs(run)] == [11, 11]
