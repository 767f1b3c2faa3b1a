"""Children and variations: a plan is checked at once, and any process can learn its job."""

from __future__ import annotations

import base64
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import evolve.portraits
from core import Settings
from core.aspects import subspace, with_aspect
from core.concept import RequestError
from core.errors import ConceptreeError
from core.optimizer import ConceptLab
from core.review import Decision
from core.state import weights_of
from evolve import Run
from evolve.family.lineage import lineage
from evolve.jobs import work
from evolve.jobs.batches import children
from evolve.jobs.options import CHILDREN, BreedOptions
from evolve.jobs.planning import WORD_LAMBDA, ParentError, plan_children, plan_variations
from evolve.jobs.plans import plan_from_json
from evolve.jobs.stored import jobs, new_job, unfinished, write_job
from evolve.store.check import check
from tests.families import picture
from tests.typed import good, one_line, run
from ui.console import new_console
from ui.learning import carry_out

QUICK = ("--steps", "4", "--segment", "2")


@pytest.fixture(scope="module")
def founders(stack_folder, tmp_path_factory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    where = ("--runs", runs, "--model", stack_folder)
    good("seed", "pet", "--founders", 3, "--wave", 3, "--run", "pets", *where, *QUICK)
    good("seed", "painting", "--style", "--founders", 1, "--run", "paintings", *where, *QUICK)
    return runs


@pytest.fixture
def pets(founders, tmp_path) -> Run:
    for name in ("pets", "paintings"):
        shutil.copytree(founders / name, tmp_path / name)
    return Run.open(tmp_path / "pets")


@pytest.fixture
def photo(tmp_path) -> Path:
    picture(5).resize((40, 40)).save(tmp_path / "snail.png")
    return tmp_path / "snail.png"


def names(pets):
    return [each.name for each in pets.individuals()]


def two(pets, **options):
    one, other, _ = names(pets)
    return BreedOptions(**{"parents": [(one, 0.7), (other, 0.3)], "images": 4, "keep": 2, "steps": 2, **options})


def settled(plan, pets, backbone):
    job = new_job(pets, plan)
    *_, batch = children(plan, job, pets, backbone, 32)
    return batch.requests


def older(plan, without):
    """The plan as a version before had it."""
    return plan_from_json(plan.command, {name: value for name, value in plan.to_json().items() if name != without})


# Plans


def test_a_plan_is_plain_json_and_draws_and_stores_nothing(pets, backbone, photo, monkeypatch):
    monkeypatch.setattr(type(backbone), "draw", lambda *_, **__: pytest.fail("drawn"))
    before = sorted(file for file in pets.folder.rglob("*") if file.is_file() and not file.name.startswith("."))
    plan = plan_children(pets, backbone, two(pets, photos=[(photo, 0.5)], words=["blue"], children=3, drafts=True))
    photo.unlink()
    assert plan_from_json("breed", json.loads(json.dumps(plan.to_json()))) == plan and plan.drafts
    assert sorted(f for f in pets.folder.rglob("*") if f.is_file() and not f.name.startswith(".")) == before


def test_the_requests_of_a_plan_have_its_parents_weights_words_and_photograph(pets, backbone, photo):
    plan = plan_children(pets, backbone, two(pets, photos=[(photo, 0.5)], words=["blue", "Blue"], children=2, spread=0))
    photo.unlink()
    requests = settled(plan, pets, backbone)
    for request in requests:
        assert [(p.id, p.weight, p.kind) for p in request.parents[:2]] == [
            (each.id, weight, "mix") for each, weight in zip(pets.individuals(), (0.7, 0.3), strict=False)
        ]
        assert (request.parents[2].kind, request.parents[2].weight) == ("image", 0.5)
        assert [positive.word for positive in request.positives] == ["Blue"] and request.schedule == "none"
        assert request.parents[0].image_embeds.shape == (2, 16)
    assert len({request.seed for request in requests}) == 2
    (kept,) = pets.photos().values()
    assert (kept.id, kept.label) == (requests[0].parents[2].id, "snail.png") and kept.file.is_file()


@pytest.mark.parametrize(
    ("given", "inherit"),
    [
        ({}, True),
        ({"inherit": False}, False),
        ({"words": ["blue"]}, False),
        ({"words": ["blue"], "inherit": True}, True),
        ({"preset": "paper"}, False),
        ({"preset": "published"}, False),
        ({"preset": "paper", "inherit": True}, True),
    ],
)
def test_children_inherit_unless_it_is_the_papers_mixing_that_is_asked_for(pets, backbone, given, inherit):
    (request,) = settled(plan_children(pets, backbone, two(pets, **given)), pets, backbone)
    assert ("pet" in [each.word for each in request.positives]) is bool(request.negatives) is inherit


@pytest.mark.parametrize(("inherit", "category"), [(True, 1.0), (False, 0.0)])
def test_a_word_counts_the_same_whether_the_category_is_inherited_or_not(pets, backbone, inherit, category):
    asked = two(pets, words=["blue", "lemon", *(["Pet"] if inherit else [])], inherit=inherit)
    (request,) = settled(plan_children(pets, backbone, asked), pets, backbone)
    counts = dict(zip([p.word for p in request.positives], weights_of(request.positives, request), strict=True))
    assert request.chosen.lam * counts["blue"] == pytest.approx(WORD_LAMBDA / 2)
    assert request.chosen.lam * counts["lemon"] == pytest.approx(WORD_LAMBDA / 2)
    assert request.chosen.lam * counts.get("pet", 0) == pytest.approx(category)


def test_children_that_inherit_are_of_the_category_by_its_own_clamps(pets, backbone):
    plan = plan_children(pets, backbone, two(pets))
    (request,) = settled(plan, pets, backbone)
    told = {negative.word for each in pets.individuals()[:2] for negative in each.concept.negatives}
    assert [positive.word for positive in request.positives] == ["pet"] and set(request.negatives) == told
    own = Settings.for_stack(backbone, mixing=True, category="pet")
    assert (request.chosen.max_cosine, request.chosen.min_cosine) == (own.max_cosine, own.min_cosine)
    assert not settled(older(plan, "inherit"), pets, backbone)[0].positives


def test_plans_of_earlier_versions_begin_at_the_categorys_word_as_they_would_have(pets, backbone):
    plan = plan_children(pets, backbone, two(pets))
    assert settled(older(plan, "warm"), pets, backbone)[0].start is None
    for preset, warm in (("default", True), ("paper", False)):
        (request,) = settled(plan_children(pets, backbone, two(pets, preset=preset)), pets, backbone)
        assert (request.start is not None) is warm


def test_a_photograph_without_its_background_is_a_parent_of_its_own(pets, backbone, tmp_path):
    page = Image.new("RGB", (90, 60), "navy")
    page.paste("orange", (10, 10, 30, 40))
    page.save(tmp_path / "thing.png")
    asked = two(pets, photos=[(tmp_path / "thing.png", 0.5)])
    whole, cut = (plan_children(pets, backbone, replace(asked, cutout=cutout)).photos[0] for cutout in (False, True))
    assert whole.id != cut.id and whole.image_embeds != cut.image_embeds
    with Image.open(io.BytesIO(base64.b64decode(cut.picture))) as small:
        assert small.getpixel((0, 0)) == (255, 255, 255)
    where = ("--runs", pets.folder.parent, "--steps", 2)
    photos = ("--photo", tmp_path / "thing.png", "--photo", tmp_path / "other.png")
    page.transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(tmp_path / "other.png")
    assert "Learning 1 child" in good("breed", "pets", *photos, "--cutout", *where)
    assert {kept.label for kept in pets.photos().values()} == {"thing.png", "other.png"}
    Image.effect_noise((90, 60), 200).save(tmp_path / "other.png")
    assert "other.png' has no plain background" in one_line("breed", "pets", *photos, "--cutout", *where)


def test_the_second_breeding_from_a_parent_draws_it_no_more(pets, backbone, monkeypatch):
    plan = plan_children(pets, backbone, two(pets))
    drawing, batch = children(plan, new_job(pets, plan), pets, backbone, 32)
    first = batch.requests
    assert drawing.names == tuple(names(pets)[:2])
    monkeypatch.setattr(evolve.portraits, "parent_images", lambda *_: pytest.fail("drawn"))
    (batch,) = children(plan, new_job(pets, plan), pets, backbone, 32)
    assert batch.requests == first
    shutil.rmtree(pets.folder / "portraits")
    monkeypatch.undo()
    assert settled(plan, pets, backbone) == first


def test_children_of_one_call_have_weights_around_the_given_ones(pets, backbone):
    plan = plan_children(pets, backbone, two(pets, children=20, spread=0.3))
    shares = [[parent.weight for parent in request.parents] for request in settled(plan, pets, backbone)]
    assert shares[0] == [0.7, 0.3]
    assert all(sum(each) == pytest.approx(1, abs=2e-3) and min(each) > 0 for each in shares)
    drawn = [one for one, _ in shares[1:]]
    assert len(set(drawn)) > 15
    assert np.mean(drawn) == pytest.approx(0.7, abs=0.1)
    assert np.std(drawn) == pytest.approx(0.3 * np.sqrt(0.7 * 0.3), rel=0.5)
    assert shares == [[p.weight for p in r.parents] for r in settled(plan, pets, backbone)]
    kept = settled(plan, pets, backbone)[0].parents[0].image_embeds
    seen = [request.parents[0].image_embeds for request in settled(plan, pets, backbone)[1:]]
    assert {len(images) for images in seen} == {1} and {images.tobytes() for images in seen} == {
        kept[place].tobytes() for place in range(2)
    }
    alike = settled(replace(plan, spread=0), pets, backbone)
    assert {tuple(parent.weight for parent in request.parents) for request in alike} == {(0.7, 0.3)}


@pytest.mark.slow
def test_children_move_away_from_a_parent_with_a_weight_below_zero(pets, backbone, photo):
    """It is not where they start, has no say in their category, and its weight is not drawn anew."""
    one, other, third = pets.individuals()
    given = two(pets, parents=[(one.name, 0.7), (other.name, -2), (third.name, 0.3)], children=3, spread=0.3)
    requests = settled(plan_children(pets, backbone, given), pets, backbone)
    assert [[p.weight for p in request.parents][1] for request in requests] == [-2, -2, -2]
    assert [p.weight for p in requests[0].parents] == [0.7, -2, 0.3]
    assert len({request.parents[0].weight for request in requests}) == 3
    assert [len(p.image_embeds) for p in requests[1].parents] == [1, 2, 1], "all portraits of that one"
    mean = 0.7 * one.concept.vectors + 0.3 * third.concept.vectors
    np.testing.assert_allclose(requests[0].start, mean, rtol=1e-5)
    inherited = [negative.word for each in (one, third) for negative in each.concept.negatives]
    assert set(requests[0].negatives) <= set(inherited)

    parents = ("--parent", one.name, "--parent", f"{other.name}:-0.5")
    said = good("breed", "pets", *parents, "--runs", pets.folder.parent)
    child = pets.individuals()[-1]
    assert [(p.id, p.weight) for p in pets.entries()[-1].parents] == [(one.id, 1.0), (other.id, -0.5)]
    towards, away = (child.concept.scores[name] for name in ("resembles", "repelled"))
    told = f"{child.name} = {one.name}, less 0.5 {other.name}, resembles"
    assert f"{told} {one.name} {towards:.2f}, {other.name} {away:.2f}" in said
    graph = lineage(pets)
    assert graph.edges[one.id, child.id] == {"weight": 1.0, "kind": "mix"}
    assert graph.edges[other.id, child.id] == {"weight": 0.0, "kind": "away", "away": 0.5}
    alone = BreedOptions(parents=[(one.name, -1)], photos=[(photo, 1)], images=4, keep=2, steps=2)
    (request,) = settled(plan_children(pets, backbone, alone), pets, backbone)
    assert request.category == "pet" and request.start is None


def test_children_take_one_aspect_of_another_concept(pets, backbone):
    one, other, third = pets.individuals()
    given = two(pets, parents=[(one.name, 0.7), (other.name, -0.3)], takes=[("blue", third.name), ("small", other.id)])
    plan = plan_children(pets, backbone, given)
    assert plan_from_json("breed", json.loads(json.dumps(plan.to_json()))) == plan
    assert "takes" not in plan_children(pets, backbone, two(pets)).to_json(), "plans without are stored as before"
    (plain,) = settled(plan_children(pets, backbone, replace(given, takes=())), pets, backbone)
    (request,) = settled(plan, pets, backbone)
    assert [(p.id, p.weight, p.kind) for p in request.parents] == [
        (one.id, 0.7, "mix"),
        (other.id, -0.3, "mix"),
        (third.id, 0.0, "take blue"),
        (other.id, 0.0, "take small"),
    ]
    base, away, blue, small = (parent.image_embeds for parent in request.parents)
    expected = with_aspect(plain.parents[0].image_embeds, blue, subspace(backbone, "blue"))
    assert np.array_equal(base, with_aspect(expected, small, subspace(backbone, "small")))
    assert np.array_equal(away, plain.parents[1].image_embeds)
    assert not np.array_equal(base, plain.parents[0].image_embeds)
    assert request.start is not None and np.array_equal(request.start, plain.start)

    runs = ("--runs", pets.folder.parent)
    shown = good("breed", "pets", "--parent", one.name, "--take", f"blue={other.name}", *runs)
    child = pets.individuals()[-1]
    assert f"{child.name}, a child of {one.name}, blue of {other.name}" in shown
    assert f"{one.name}, blue of {other.name}" in good("list", "pets", *runs)
    edge = lineage(pets).edges[other.id, child.id]
    assert edge == {"weight": 0.0, "kind": "take", "takes": "blue"}
    assert [(p.kind, p.weight) for p in pets.entries()[-1].parents] == [("mix", 1.0), ("take blue", 0.0)]
    assert Run.open(pets.folder).entries()[-1].parents == pets.entries()[-1].parents
    assert not check(pets).findings
    assert "exclude each other" in run("breed", "pets", "--parent", one.name, "--mutate", "--take", "a=b", *runs).output


def test_variations_start_at_the_parent_and_go_as_far_as_asked(pets, backbone):
    one = pets.individuals()[0]
    plan = plan_variations(pets, backbone, one.name, children=2, strength=0.5, words=["blue"])
    requests = settled(plan, pets, backbone)
    for request in requests:
        assert request.chosen.steps == 2
        assert request.chosen.avoid_floor == (1 + one.concept.request.chosen.avoid_floor) / 2
        assert [(p.id, p.kind) for p in request.parents] == [(one.id, "mutate")]
        assert [positive.word for positive in request.positives] == ["pet", "blue"]
    assert len({request.seed for request in requests}) == 2
    first, second = (request.start for request in requests)
    assert np.array_equal(first, one.concept.vectors)
    away = np.sqrt(np.mean((second - first) ** 2) / np.mean(first**2))
    assert 0.05 < away < 0.3, "0.3 × the strength, by chance"
    assert "Learning 2 children, 2 steps" in good(
        "breed",
        "pets",
        "--parent",
        one.name,
        "--mutate",
        "--children",
        2,
        "--positive",
        "blue",
        "--runs",
        pets.folder.parent,
    )
    assert [each.generation for each in pets.individuals()] == [0, 0, 0, 1, 1]


def test_parents_of_another_run_and_their_variations(pets, backbone):
    shutil.copytree(pets.folder, pets.folder.parent / "others")
    one, other, _ = names(pets)
    plan = plan_children(pets, backbone, two(pets, parents=[(f"others/{one}", 0.5), (other, 0.5)]))
    assert [parent.run for parent in settled(plan, pets, backbone)[0].parents] == ["others", ""]
    plan = plan_variations(pets, backbone, f"others/{one}")
    assert settled(plan, pets, backbone)[0].parents[0].run == "others"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"parents": []}, "no parents: name some"),
        ({"photos": [("nowhere.png", -1.0)], "parents": []}, "all parents have weights below 0"),
        ({"parents": [("nobody", 1.0)]}, "there is no concept 'nobody'"),
        ({"parents": [("elsewhere/nobody", 1.0)]}, "and no run 'elsewhere'"),
        ({"words": ["unheardof"]}, "does not know the word 'unheardof'"),
        ({"words": ["<b>"]}, "none of"),
        ({"category": "unheardof"}, "does not know the category 'unheardof'"),
        ({"children": 0}, "children = 0: expected a whole number from 1 to"),
        ({"children": CHILDREN.most + 1}, "expected a whole number from 1"),
        ({"spread": 1.0}, "spread = 1.0"),
        ({"spread": float("nan")}, "spread = nan"),
        ({"photos": [("nowhere.png", 1.0)]}, "'nowhere.png' does not exist"),
        ({"photos": [(__file__, 1.0)]}, "is not a picture"),
        ({"steps": 0, "preset": "nothing"}, "unknown preset"),
        ({"keep": 0}, "keep = 0"),
    ],
)
def test_what_cannot_be_bred_is_said_before_anything_is_written(pets, backbone, options, told):
    with pytest.raises(ConceptreeError) as error:
        plan_children(pets, backbone, two(pets, **options))
    assert told in str(error.value) and "\n" not in str(error.value)
    assert len(jobs(pets)) == 1


@pytest.mark.parametrize("weight", [0.0, -1e-9, float("nan"), float("inf"), 1e9])
def test_weights_have_bounds_also_for_pages(pets, backbone, weight):
    with pytest.raises(ConceptreeError, match=r"the weight .* give one from 0\.001 to 1000"):
        plan_children(pets, backbone, two(pets, parents=[(names(pets)[0], weight)]))


@pytest.mark.parametrize("strength", [0.0, 0.05, 1.1, float("nan")])
def test_strengths_have_bounds(pets, backbone, strength):
    with pytest.raises(ConceptreeError, match=r"strength = .* from 0\.1 to 1"):
        plan_variations(pets, backbone, names(pets)[0], strength=strength)


def test_a_parent_given_twice_or_of_another_kind_is_refused_before_anything_is_drawn(pets, backbone, monkeypatch):
    one = names(pets)[0]
    (style,) = Run.open(pets.folder.parent / "paintings").individuals()
    monkeypatch.setattr(evolve.portraits, "parent_images", lambda *_: pytest.fail("drawn"))
    with pytest.raises(ParentError, match=f"the parent '{one}' is given twice: give it once"):
        plan_children(pets, backbone, two(pets, parents=[(one, 0.5), (pets.find(one).id, 0.5)]))
    with pytest.raises(RequestError, match="the parents have different kinds"):
        plan_children(pets, backbone, two(pets, parents=[(one, 0.5), (f"paintings/{style.name}", 0.5)]))
    where = ("--runs", pets.folder.parent)
    doubled = one_line("breed", "pets", "--parent", one, "--parent", one, *where)
    assert "given twice" in doubled
    assert "Drawing" not in run("breed", "pets", "--parent", one, "--parent", one, *where).output


def test_only_what_is_not_drawn_yet_is_said_to_be_drawn(pets):
    one = names(pets)[0]
    breed = ("breed", "pets", "--parent", one, "--steps", 2, "--runs", pets.folder.parent)
    pets.drawings(pets.find(one).id)[0].file.unlink()
    assert "Drawing 1 concept …" in good(*breed)  # the child has been drawn by then
    shown = good(*breed, "--seed", 9)
    assert "All of them on one sheet" in shown and "Drawing" not in shown


# Jobs


def test_a_job_is_learned_by_its_name_and_shows_drafts(pets, backbone, monkeypatch):
    monkeypatch.setattr("evolve.jobs.batches.DRAFTS", (1,))
    plan = plan_children(pets, backbone, two(pets, children=2, drafts=True, steps=24))
    job = new_job(pets, plan)
    new_job(pets, plan_children(pets, backbone, two(pets, seed=99)))
    shown = good("resume", "pets", "--job", job.name, "--runs", pets.folder.parent)
    assert "Drawing the parents (" in shown and "resembles them" in shown
    assert [each.name for each in unfinished(pets)] == ["0003-breed"], "the other one was not asked for"
    looks = job.looks()
    assert {look.number for look in looks} == {0, 1}
    drawn = {look.step for look in looks if look.number == 0 and look.image is not None and look.image.is_file()}
    assert drawn == {1, 2, 8, 14, 20, 24} & {look.step for look in looks if look.number == 0}, "of many boundaries some"
    assert [look.step for look in looks if look.draft] == [1, 1]
    children = pets.individuals()[3:]
    last = {look.number: look for look in looks}
    assert [last[number].name for number in (0, 1)] == [each.name for each in children]
    assert [last[number].step for number in (0, 1)] == [each.concept.steps for each in children]
    assert all(len(pets.drawings(each.id)) == 3 for each in children)
    status = job.status()
    assert (status.state, status.step, status.steps, status.problem) == ("finished", 24, 24, "")
    assert json.loads((job.folder / "exit.json").read_text())["code"] == 0
    assert "Nothing is left to do" in good("resume", "pets", "--job", job.name, "--runs", pets.folder.parent)


def test_what_a_person_decides_about_a_child_is_printed(pets, backbone):
    job = new_job(pets, plan_children(pets, backbone, two(pets, children=2)))
    job.steer(1, Decision(("lemon",)))
    shown = good("resume", "pets", "--job", job.name, "--runs", pets.folder.parent)
    assert "child 2: at step 0 negative added: lemon" in shown and "child 1:" not in shown


def test_what_was_made_of_a_plan_is_kept_and_old_plans_still_serve(pets, backbone, monkeypatch):
    plan = plan_children(pets, backbone, two(pets, children=2))
    job = new_job(pets, plan)
    with monkeypatch.context() as patch:
        patch.setattr(work, "developing", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        stopped = run("resume", "pets", "--job", job.name, "--runs", pets.folder.parent)
    assert stopped.exit_code == 130 and "Finished and kept in" in stopped.output
    assert job.status().state == "stopped"
    requests = job.requests()
    old = write_job(pets, "breed", {"requests": [request.to_json() for request in requests]})
    monkeypatch.setattr(evolve.portraits, "parent_images", lambda *_: pytest.fail("drawn again"))
    shutil.rmtree(pets.folder / "portraits")
    made = carry_out(job, pets, backbone, new_console())
    assert [each.concept.request for each in made] == requests
    assert carry_out(old, pets, backbone, new_console()) == made, "the run has them already"


def test_ctrl_c_while_the_parents_are_drawn_says_what_is_kept(pets, monkeypatch):
    monkeypatch.setattr(evolve.portraits, "parent_images", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    result = run("breed", "pets", "--parent", names(pets)[0], "--runs", pets.folder.parent)
    assert result.exit_code == 130 and "nothing yet" in result.output and "resume pets" in result.output


def test_ctrl_c_while_children_are_learned_says_at_which_step_they_are_kept(pets, monkeypatch):
    learn = ConceptLab.learn

    def stopped(self, *arguments):
        for report in learn(self, *arguments):
            if report.step == 3:
                raise KeyboardInterrupt
            yield report

    monkeypatch.setattr(ConceptLab, "learn", stopped)
    parents = ("--parent", names(pets)[0], "--images", 4, "--steps", 4)
    monkeypatch.setattr("evolve.jobs.choices._scaled", lambda *_: 2)
    result = run("breed", "pets", *parents, "--runs", pets.folder.parent)
    assert result.exit_code == 130 and "The batch in progress is kept at step 2." in result.output


def test_a_job_that_fails_says_why_where_pages_look(pets, backbone, monkeypatch):
    job = new_job(pets, plan_children(pets, backbone, two(pets)))
    about = json.loads((pets.folder / "run.json").read_text())
    about["stack"]["where"] = str(pets.folder / "moved")
    (pets.folder / "run.json").write_text(json.dumps(about))
    line = one_line("resume", "pets", "--job", job.name, "--runs", pets.folder.parent)
    status = job.status()
    assert status.state == "failed" and f"conceptree: {status.problem}" == line


@pytest.mark.parametrize(
    ("command", "plan", "told"),
    [
        ("dream", {}, "is of a newer version: this one resumes seed, breed, vary, evolve"),
        ("evolve", {"colour": 2}, "cannot be read: remove that folder to go on without it"),
        ("breed", {}, "cannot be read: remove that folder to go on without it"),
        ("breed", {"parents": [], "photos": [], "children": "x"}, "cannot be read"),
        ("vary", {"parents": []}, "cannot be read"),
        ("breed", {"requests": ["{}"]}, "cannot be read"),
        ("breed", {"requests": 3}, "cannot be read"),
    ],
)
def test_a_strangers_plan_is_one_line_and_so_it_stands_in_the_job(pets, command, plan, told):
    job = write_job(pets, command, plan)
    assert told in one_line("resume", "pets", "--job", job.name, "--runs", pets.folder.parent)
    assert told in job.status().problem


def test_breeding_loads_no_question_answerer(pets, monkeypatch):
    for of in ("core.namers._kept", "evolve.jobs.batches.namer_of"):
        monkeypatch.setattr(of, lambda *_, **__: pytest.fail("loaded"))
    one, other, _ = names(pets)
    parents = ("--parent", one, "--parent", other, "--images", 4, "--steps", 2)
    assert "resembles them" in good("breed", "pets", *parents, "--runs", pets.folder.parent)


def test_stop_asks_who_is_at_work_and_nobody_else(pets, backbone):
    where = ("--runs", pets.folder.parent)
    job = new_job(pets, plan_children(pets, backbone, two(pets)))
    assert "No job is at work" in good("stop", "pets", *where)
    with job.working():
        assert f"Asked 1 job to stop at the next step: {job.name}." in good("stop", "pets", *where)
        assert (job.folder / "stop").exists()
    assert "there is no job '0009-x'" in one_line("stop", "pets", "--job", "0009-x", *where)
    assert f"The job {job.name!r} is not at work" in good("stop", "pets", "--job", job.name, *where)


def test_a_photograph_given_twice_is_called_by_its_file(pets, backbone, photo):
    with pytest.raises(ParentError, match=f"the photograph '{photo.name}' is given twice: give it once"):
        plan_children(pets, backbone, two(pets, photos=[(photo, 0.5), (photo, 0.5)]))
    for weight in ("0", "nan", "-1e-9", "x"):
        assert "write FILE:WEIGHT with a weight from 0.001 to 1000, as in snail.jpg:0.4" in one_line(
            "breed", "pets", "--photo", f"{photo}:{weight}", "--runs", pets.folder.parent
        )


def test_a_photograph_alone_needs_no_parent_of_the_run(pets, photo):
    shown = good("breed", "pets", "--photo", photo, "--steps", 2, "--runs", pets.folder.parent)
    assert "Learning 1 child, 2 steps" in shown and "Drawing the parent" not in shown
    with Image.open(next(iter(pets.photos().values())).file) as kept:
        assert max(kept.size) <= 128
