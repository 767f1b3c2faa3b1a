"""The loop over segments: schedules of negatives, what a person may decide, which checkpoint is kept."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from core import Backbone, ConceptLab, Request, Settings, optimizer
from core.concept import Avoid, Parent, RequestError, concept_id
from core.namers import canned_namer, from_function, nearest_namer
from core.optimizer import total_steps
from core.options import Options
from core.review import MOST_TRIES, Decision
from tests.stacks import CATEGORIES, MEMBERS, save_prior

# The tiny stack's similarities all lie between 0.3 and 0.45.
QUICK = Settings(steps=6, segment=2, learning_rate=1e-2, max_cosine=0.5, min_cosine=0.2)
PET = Request("pet", seed=3)


def learn(backbone, *requests, settings=QUICK, **options):
    """(concepts, events that added a negative) of a lab that draws only for a namer."""
    reports = list(ConceptLab(backbone).learn(requests, Options(settings=settings, **options)))
    return reports[-1].concepts, [event for report in reports for event in report.events]


def found(concept):
    return [(negative.word, negative.step) for negative in concept.negatives]


def test_no_negatives(backbone):
    (concept,), events = learn(backbone, replace(PET, schedule="none"))
    assert concept.negatives == () and [event.step for event in events] == [0, 2, 4, 6]


def test_a_list_is_there_from_the_start(backbone):
    (concept,), _ = learn(backbone, Request("pet", negatives=("cat", "dog")))
    assert found(concept) == [("cat", 0), ("dog", 0)]
    assert {negative.by for negative in concept.negatives} == {"request"}


def test_gradual_adds_one_more_of_a_shuffled_pool_per_segment(backbone):
    words = ("cat", "dog", "parrot", "turtle", "horse")
    concepts, _ = learn(backbone, *(Request("pet", negatives=words, schedule="gradual", seed=s) for s in range(4)))
    for concept in concepts:
        assert [step for _, step in found(concept)] == [0, 2, 4]
        assert {word for word, _ in found(concept)} <= set(words)
    assert len({tuple(found(concept)) for concept in concepts}) > 1


def test_gradual_stops_when_the_pool_is_empty(backbone):
    (concept,), _ = learn(backbone, Request("pet", negatives=("cat",), schedule="gradual"))
    assert found(concept) == [("cat", 0)]


def test_adaptive_asks_at_the_start_and_after_each_segment_but_the_last(backbone):
    asked = []

    @from_function
    def namer(images, question):
        asked.append((len(images), question))
        return canned_namer(*([[["a dog", "pet"], ["the cats"], ["lizard", "goldfish"]][len(asked) - 1]] * 2))(
            images, ""
        )

    (one, other), events = learn(backbone, PET, replace(PET, seed=4), namer=namer)
    assert asked == [(2, "What kind of pet is in this photo?")] * 3
    # Nothing knows "lizard" here, and "cats" has no tokens of its own: both are replaced or passed over.
    assert found(one)[0] == ("dog", 0) and found(one)[2] == ("goldfish", 4)
    assert one.negatives[0].by == "namer" and "'pet' (the category itself)" in one.negatives[0].note
    assert one.negatives[1].by == "vocabulary" and "'cats' (unknown to the stack)" in one.negatives[1].note
    assert [len(event.images) for event in events if event.step == 2] == [1, 1]
    assert [len(event.images) for event in events if event.step == 6] == [0, 0]
    assert other.negatives[0].word == "dog"


def test_adaptive_with_negatives_given_asks_first_after_a_segment(backbone):
    (concept,), _ = learn(
        backbone, Request("pet", negatives=("cat",), schedule="adaptive"), namer=canned_namer(["dog"], ["parrot"])
    )
    assert found(concept) == [("cat", 0), ("dog", 2), ("parrot", 4)]


def test_questions_about_different_categories_are_asked_apart(backbone):
    asked = []

    @from_function
    def namer(images, question):
        asked.append(question)
        return [[("dog", 1.0)] for _ in images]

    learn(backbone, PET, Request("fruit"), Request("painting", "style"), namer=namer)
    assert asked[:3] == [
        "What kind of pet is in this photo?",
        "What kind of fruit is in this photo?",
        "What art style was used in this photo of a dog?",
    ]


def test_without_a_namer_the_nearest_word_of_the_category_is_the_negative(backbone):
    (concept,), events = learn(backbone, PET)
    assert len(concept.negatives) == 3 and all(n.by == "vocabulary" for n in concept.negatives)
    assert all(n.word in backbone.vocabulary.categories["pet"] for n in concept.negatives)
    assert concept.negatives[0].word == events[0].answers[0][0]


def test_a_word_that_does_not_push_is_replaced(backbone):
    """With a floor between the similarities of two words, one is below it and the vocabulary's nearest above."""
    no_steps = replace(QUICK, steps=0)
    every = Request("pet", negatives=tuple(backbone.vocabulary.categories["pet"]))
    _, (event,) = learn(backbone, every, settings=no_steps)
    start = {name: value for name, value in event.similarities.items() if name != "pet"}
    far, near = min(start, key=start.get), max(start, key=start.get)
    settings = replace(QUICK, steps=1, min_cosine=(start[far] + start[near]) / 2)
    (concept,), _ = learn(backbone, PET, settings=settings, namer=canned_namer([far]))
    assert concept.negatives[0].word == near and concept.negatives[0].by == "vocabulary"
    assert f"'{far}' ({start[far]:.2f}) does not push" in concept.negatives[0].note


def test_paper_takes_the_first_answer_and_published_repeats_it(backbone):
    answers = canned_namer(["a boeing 747", "dog"])
    (concept,), events = learn(backbone, PET, settings=replace(QUICK, answers="first", preset="paper"), namer=answers)
    assert found(concept) == [("boeing 747", 0)]
    assert events[1].note == "'boeing 747' is already a negative"
    published = Settings(**{**QUICK.to_dict(), "preset": "published", "answers": "first"})
    (concept,), _ = learn(backbone, PET, settings=published, namer=answers)
    assert found(concept) == [("boeing 747", 0), ("boeing 747", 2), ("boeing 747", 4)]


def test_a_person_may_veto_edit_and_add(backbone):
    def review(proposal):
        if proposal.step == 0:
            return Decision()  # a veto
        if proposal.step == 2:
            return Decision(words=("horse", *proposal.words))
        return None

    (concept,), events = learn(backbone, PET, namer=canned_namer(["dog"], ["cat"], ["turtle"]), review=review)
    assert [(n.word, n.step, n.by) for n in concept.negatives] == [
        ("horse", 2, "user"),
        ("cat", 2, "canned"),
        ("turtle", 4, "canned"),
    ]
    assert events[0].note == "'dog' refused by the user"
    assert concept.negatives[0].note == "instead of cat"
    (agreed,), _ = learn(backbone, PET, namer=canned_namer(["dog"], ["cat"], ["turtle"]), review=lambda proposal: None)
    assert agreed.id != concept.id


def test_a_person_may_drop_an_earlier_negative(backbone):
    (concept,), _ = learn(
        backbone,
        Request("pet", negatives=("cat", "dog")),
        review=lambda proposal: Decision(drop=("cat",)) if proposal.step == 2 else None,
    )
    assert found(concept) == [("dog", 0)]


def test_a_person_may_go_back_and_choose_otherwise(backbone64):
    """Going back to step 2 and adding nothing there equals never having had that negative."""
    went_back = []

    def review(proposal):
        if proposal.step == 4 and not went_back:
            went_back.append(True)
            return Decision(back_to=2, words=("horse",))
        return None

    (back,), events = learn(
        backbone64, PET, namer=canned_namer(["dog"], ["cat"], ["lemon"], ["cat"], ["turtle"]), review=review
    )
    (other,), _ = learn(
        backbone64,
        PET,
        namer=canned_namer(["dog"], ["cat"], ["turtle"]),
        review=lambda proposal: Decision(words=("horse",)) if proposal.step == 2 else None,
    )
    assert found(back) == [("dog", 0), ("horse", 2), ("turtle", 4)] == found(other)
    assert np.array_equal(back.vectors, other.vectors) and back.steps == other.steps == 6
    assert [m.step for m in back.history if m.constraint == "pet"] == [0, 2, 4, 6]
    (again,) = [event for event in events if "back to step 2" in event.note]
    assert again.negatives == (back.negatives[1],) and again.step == 2 and again.similarities["horse"] > 0


class PictureNamer:
    """Gives each new picture the next word, and a picture that it knows its own."""

    name = identity = "pictures"

    def __init__(self, *words):
        self.words, self.known = list(words), {}

    def __call__(self, images, question):
        for image in images:
            if image.tobytes() not in self.known:
                self.known[image.tobytes()] = self.words.pop(0)
        return [[(self.known[image.tobytes()], 1.0)] for image in images]


def test_a_step_that_a_person_goes_back_to_is_as_it_was_and_is_asked_again(backbone64):
    asked = []

    def review(proposal):
        asked.append(proposal)
        return Decision(back_to=2) if len(asked) == 3 else None

    words = ("dog", "cat", "turtle")
    (back,), events = learn(backbone64, PET, namer=PictureNamer(*words), review=review)
    assert [(each.step, each.words, each.decided) for each in asked] == [
        (0, ("dog",), 0), (2, ("cat",), 0), (4, ("turtle",), 0), (2, ("cat",), 1), (4, ("turtle",), 1),
    ]  # fmt: skip
    first, again = asked[1], asked[3]
    assert again.negatives == first.negatives and again.answers == first.answers and again.earlier == first.earlier
    assert [each.tobytes() for each in again.images] == [each.tobytes() for each in first.images]
    (there,) = [event for event in events if "back to step 2" in event.note]
    assert there.images and [negative.word for negative in there.negatives] == ["cat"]
    (straight,), _ = learn(backbone64, PET, namer=PictureNamer(*words), review=lambda proposal: None)
    assert back.negatives == straight.negatives and np.array_equal(back.vectors, straight.vectors)
    assert [replace(each, constraint="") for each in back.history] == [
        replace(each, constraint="") for each in straight.history
    ]


def test_progress_counts_what_is_left_after_going_back(backbone):
    went_back = []

    def review(proposal):
        if proposal.step == 4 and proposal.request.seed == PET.seed and not went_back:
            went_back.append(True)
            return Decision(back_to=0)
        return None

    reports = list(
        ConceptLab(backbone).learn([PET, replace(PET, seed=4)], Options(QUICK, canned_namer(["dog"]), review=review))
    )
    steps = [report.step for report in reports]
    assert steps[:6] == [0, 1, 2, 3, 0, 1] and steps[-1] == 6 and max(steps) == 6


def test_after_going_back_the_history_is_that_of_what_was_chosen_then(backbone):
    """Each negative is measured from the step since when it counts, and what was undone is measured nowhere."""

    def review(proposal):
        back = proposal.step == 4 and "cat" in [negative.word for negative in proposal.negatives]
        return Decision(back_to=2, words=("horse",)) if back else None

    (concept,), _ = learn(
        backbone, PET, namer=canned_namer(["dog"], ["cat"], ["lemon"], ["cat"], ["turtle"]), review=review
    )
    measured = {}
    for measurement in concept.history:
        measured.setdefault(measurement.constraint, []).append(measurement.step)
    assert measured == {"pet": [0, 2, 4, 6], "dog": [0, 2, 4, 6], "horse": [2, 4, 6], "turtle": [4, 6]}


def test_a_decision_that_cannot_be_followed_is_asked_again_and_the_batch_goes_on(backbone):
    asked = []

    def review(proposal):
        asked.append(proposal)
        if proposal.step != 2:
            return None
        return Decision(words=("dragon",)) if not proposal.problem else Decision(words=("The Horse",))

    (one, other), _ = learn(backbone, PET, replace(PET, seed=4), namer=canned_namer(["dog"], ["cat"]), review=review)
    assert found(one)[1] == found(other)[1] == ("horse", 2)
    assert [(proposal.request.seed, bool(proposal.problem)) for proposal in asked if proposal.step == 2] == [
        (3, False), (3, True), (4, False), (4, True)
    ]  # fmt: skip
    assert [proposal.earlier for proposal in asked if proposal.step == 4] == [(0, 2), (0, 2)]
    (mistyped,), _ = learn(backbone, PET, namer=canned_namer(["dog"], ["cat"]), review=review)
    (typed,), _ = learn(
        backbone,
        PET,
        namer=canned_namer(["dog"], ["cat"]),
        review=lambda proposal: Decision(words=("horse",)) if proposal.step == 2 else None,
    )
    assert mistyped.id == typed.id, "what counts is what was decided, not how it was typed"


def test_a_review_that_never_makes_sense_does_not_lose_the_batch(backbone):
    asked = []

    def review(proposal):
        asked.append(proposal.problem)
        return Decision(words=("dragon",))

    settings = replace(QUICK, steps=2)
    (concept,), events = learn(backbone, PET, settings=settings, namer=canned_namer(["dog"]), review=review)
    assert len(asked) == MOST_TRIES and found(concept) == [("dog", 0)]
    assert "does not know the word 'dragon'" in events[0].note
    (agreed,), _ = learn(backbone, PET, settings=settings, namer=canned_namer(["dog"]))
    assert concept.id == agreed.id


def test_the_person_is_told_which_request_is_asked_about(backbone):
    """Also where requests cannot share a batch."""
    asked, lab = [], ConceptLab(backbone)
    requests = [PET, Request("pet", tokens=2), replace(PET, seed=9)]
    learn(backbone, *requests, review=lambda proposal: asked.append((proposal.id, proposal.request.seed)))
    ids = [lab.concept_id(lab.prepared(request, Options(settings=QUICK))) for request in requests]
    assert set(asked) == set(zip(ids, (3, 0, 9), strict=True))


def test_the_same_seed_gives_the_same_concept(backbone):
    requests = [PET, replace(PET, seed=4)]
    (one, other), _ = learn(backbone, *requests)
    again, _ = learn(backbone, *requests)
    assert replace(one, seconds=0) == replace(again[0], seconds=0)
    assert not np.array_equal(one.vectors, other.vectors) and one.id != other.id


def test_a_concept_learned_alone_is_the_one_learned_in_a_batch(backbone64):
    """Adaptive, with different kinds, numbers of steps, and in two batches because of k."""
    requests = [
        PET,
        Request("fruit", seed=1, settings=replace(QUICK, steps=3)),
        Request("painting", "style", seed=2),
        Request("pet", seed=5, tokens=2),
    ]
    together, _ = learn(backbone64, *requests)
    for request, concept in zip(requests, together, strict=True):
        (alone,), _ = learn(backbone64, request)
        assert concept.request == alone.request and concept.id == alone.id
        assert np.abs(concept.vectors - alone.vectors).max() < 1e-6
        assert found(concept) == found(alone) and concept.kept_step == alone.kept_step


def test_an_adaptive_concepts_id_depends_on_who_names_its_negatives(backbone, tmp_path):
    def id_by(namer=None, request=PET, stack=backbone, **options):
        lab, options = ConceptLab(stack), Options(QUICK, namer, **options)
        return lab.concept_id(lab.prepared(request, options), options)

    @from_function
    def mine(images, question):
        return [[("dog", 1.0)] for _ in images]

    def other_vocabulary(name, categories):
        folder = shutil.copytree(backbone.where, tmp_path / name)
        (folder / "vocabulary.json").write_text(json.dumps({"words": MEMBERS, "categories": categories}))
        return Backbone.load(folder, device="cpu")

    fewer = other_vocabulary("fewer", {"pet": ["dog", "cat"]})
    plants = other_vocabulary("plants", CATEGORIES | {"fruit": ["apple"]})
    assert fewer.fingerprint == backbone.fingerprint
    redrawn = Backbone.load(shutil.copytree(backbone.where, tmp_path / "redrawn"), device="cpu")
    unet = next((tmp_path / "redrawn" / "decoder" / "unet").glob("*.safetensors"))
    unet.write_bytes(unet.read_bytes()[:-4] + b"\x00\x00\x80\x3f")
    ids = [
        id_by(),
        id_by(stack=fewer),
        id_by(canned_namer(["dog"])),
        id_by(canned_namer(["cat"])),
        id_by(canned_namer(["dog"]), images=2),
        id_by(canned_namer(["dog"]), stack=redrawn),
        id_by(nearest_namer(backbone, ["dog", "cat"])),
        id_by(nearest_namer(backbone, ["dog", "lion"])),
        id_by(mine),
    ]
    assert len(set(ids)) == len(ids)
    assert id_by() == id_by(stack=redrawn) == id_by(stack=plants), "the words of pets name by themselves, undrawn"
    assert id_by(mine) == id_by(mine)

    given = Request("pet", negatives=("cat",), settings=QUICK)
    plain = concept_id(given, backbone.fingerprint)
    assert plain == id_by(request=given) == id_by(canned_namer(["dog"]), given) == id_by(request=given, stack=fewer)
    (concept,), _ = learn(backbone, PET, namer=canned_namer(["dog"]))
    assert concept.id == id_by(canned_namer(["dog"]))


def test_several_drawings_may_be_asked_about(backbone):
    """Their answers are pooled, most probable first."""
    asked = []

    @from_function
    def namer(images, question):
        asked.append(len(images))
        return [[("a cat", 0.4), ("a dog", 0.3)], [("a horse", 0.9)], [("a cat", 0.4)]] * (len(images) // 3)

    settings = replace(QUICK, steps=2, preset="paper", answers="first")
    concepts, events = learn(backbone, PET, replace(PET, seed=4), settings=settings, namer=namer, images=3)
    assert asked == [6] and [found(concept) for concept in concepts] == [[("horse", 0)], [("horse", 0)]]
    assert [word for word, _ in events[0].answers] == ["a horse", "a cat", "a cat", "a dog"]
    assert len(events[0].images) == 3
    with pytest.raises(RequestError, match="images = 0: expected a whole number of at least 1"):
        Options(images=0)


def test_many_requests_are_learned_in_batches(backbone, monkeypatch):
    monkeypatch.setattr(optimizer, "MOST_AT_ONCE", 2)
    settings = replace(QUICK, steps=2, segment=1)
    requests = [Request("pet", negatives=("cat",), seed=seed, settings=settings) for seed in range(5)]
    reports = list(ConceptLab(backbone).learn(requests))
    assert {report.steps for report in reports} == {6} == {total_steps(requests)}
    assert [report.step for report in reports] == [0, 1, 2, 2, 3, 4, 4, 5, 6]
    assert [len(report.finished) for report in reports if report.finished] == [2, 2, 1]
    assert [concept.request.seed for concept in reports[-1].concepts] == [0, 1, 2, 3, 4]
    finished = {id_: concept for report in reports for id_, concept in report.finished.items()}
    assert finished == {concept.id: concept for concept in reports[-1].concepts}
    assert [[event.id for event in report.events] for report in reports if report.events][3:6] == [[*finished][2:4]] * 3
    assert reports[4].batch == tuple(finished)[2:4]
    assert reports[4].losses.isnan().tolist() == [True, True, False, False, True]


def test_the_best_checkpoint_may_be_before_the_last(backbone):
    """With far too high a learning rate some get worse again; each keeps the best that it was, of the measured ones."""
    settings = replace(QUICK, steps=6, segment=1, learning_rate=0.3)
    requests = [Request("pet", negatives=("cat", "dog"), seed=seed) for seed in range(6)]
    best, events = learn(backbone, *requests, settings=settings)
    assert any(concept.kept_step < 6 for concept in best) and all(concept.kept_step > 0 for concept in best)
    for concept in best:
        course = {event.step: event.similarities for event in events if event.id == concept.id}
        score = {step: min(at["pet"], 0.5) - max(at["cat"], at["dog"]) for step, at in course.items() if step}
        assert concept.scores["score"] == pytest.approx(max(score.values()))
        assert concept.scores["belongs"] == pytest.approx(course[concept.kept_step]["pet"])
    (last,), _ = learn(backbone, requests[0], settings=replace(settings, steps=1, keep="last"))
    assert last.kept_step == 1


def test_checkpoints_are_judged_by_the_negatives_of_the_end(backbone):
    """An early checkpoint would else win by having had few negatives."""
    answers = [["dog"], ["cat"], ["turtle"]]
    (concept,), _ = learn(backbone, PET, namer=canned_namer(*answers))
    assert {"score", "belongs", "nearest", "margin", "category", "differs", "consistency"} == set(concept.scores)
    at_end = {m.constraint: m.similarity for m in concept.history if m.step == 6}
    (last,), _ = learn(
        backbone, PET, settings=replace(QUICK, keep="last"), namer=canned_namer(["dog"], ["cat"], ["turtle"])
    )
    assert last.scores["nearest"] == pytest.approx(max(at_end[word] for word in ("dog", "cat", "turtle")))
    assert last.scores["margin"] == pytest.approx(last.scores["belongs"] - last.scores["nearest"])


def test_history_follows_every_constraint_from_when_it_was_added(backbone):
    rng = np.random.default_rng(0)
    request = Request(
        "pet",
        positives=PET.positives,
        parents=(Parent("mum", 1, rng.normal(size=(2, 16))),),
        avoid=(Avoid("old", rng.normal(size=16)),),
        schedule="adaptive",
    )
    (concept,), _ = learn(backbone, request, namer=canned_namer(["dog"], ["cat"], ["turtle"]))
    steps = {}
    for measurement in concept.history:
        steps.setdefault(measurement.constraint, []).append(measurement.step)
    whole = [0, 2, 4, 6]
    assert steps == {
        "pet": whole, "avoid:old": whole, "parent:mum": whole, "dog": whole, "cat": whole[1:], "turtle": whole[2:]
    }  # fmt: skip
    assert {"resembles", "crowded"} < set(concept.scores)


def test_reports_count_steps_and_end_with_the_concepts(backbone):
    requests = [PET, Request("pet", tokens=2, settings=replace(QUICK, steps=3))]
    reports = list(ConceptLab(backbone).learn(requests, Options(settings=QUICK)))
    assert {report.steps for report in reports} == {9}
    assert [report.step for report in reports] == [0, 1, 2, 3, 4, 5, 6, 6, 7, 8, 9]
    assert all(report.concepts == () for report in reports[:-1]) and len(reports[-1].concepts) == 2
    assert "pet 3: pet 0." in reports[0].message and reports[1].message == ""
    assert [event.id for event in reports[7].events] == [reports[-1].concepts[1].id]


def test_events_show_drawings_when_asked_to(backbone):
    _, events = learn(backbone, replace(PET, schedule="none"), draw=True)
    assert all(event.images[0].size == (16, 16) for event in events) and len(events) == 4


def test_nothing_to_learn_is_no_error(backbone):
    assert ConceptLab(backbone).run([]) == []
    (concept,), _ = learn(backbone, replace(PET, settings=replace(QUICK, steps=0)))
    start = backbone.word_vector("pet").numpy()
    assert np.array_equal(concept.vectors[0], start) and concept.kept_step == 0


def test_children_start_where_they_are_told(backbone):
    start = np.full((1, 16), 0.25)
    lab = ConceptLab(backbone)
    assert np.array_equal(lab.start(Request("pet", start=start)).numpy(), start)
    words = torch.stack([backbone.word_vector("cat"), backbone.word_vector("dog")])
    assert torch.allclose(lab.start(Request("pet", initializer="cat dog", tokens=2)), words.mean(0).expand(2, -1))


def test_settings_are_the_requests_the_labs_or_the_stacks(backbone):
    assert ConceptLab(backbone).prepared(PET, Options(settings=QUICK)).settings == QUICK
    own = replace(QUICK, lam=3.0)
    assert ConceptLab(backbone).prepared(replace(PET, settings=own), Options(settings=QUICK)).settings == own
    assert ConceptLab(backbone).prepared(PET).settings == Settings.for_stack(backbone)


@pytest.mark.parametrize(
    "request_, message",
    [
        (Request("dragon"), "does not know the word 'dragon'"),
        (Request("pet", initializer="dragon"), "does not know the word 'dragon'"),
        (Request("pet", negatives=("dragon",)), "does not know the word 'dragon'"),
        (Request("pet", start=np.ones((1, 8))), "'start' is 8 wide, the stack tiny-1 16"),
        (Request("pet", parents=(Parent("mum", 1, np.ones((1, 8))),)), "'mum' is 8 wide"),
    ],
)
def test_a_request_that_does_not_fit_the_stack_says_so(backbone, request_, message):
    with pytest.raises(RequestError, match=message):
        ConceptLab(backbone).run([request_])


def test_without_vocabulary_and_namer_nobody_names(tmp_path):
    backbone = Backbone.load(save_prior(tmp_path / "prior"), device="cpu")
    with pytest.raises(RequestError, match="adaptive negatives need a namer or a vocabulary"):
        ConceptLab(backbone).run([PET])
    (concept,), _ = learn(backbone, Request("pet", negatives=("cat",)))
    assert concept.version == "prior"


def test_another_encoder_may_hold_the_constraints(backbone):
    """As the authors did on Kandinsky 2.1; here: an encoder that knows only one thing."""
    lab = ConceptLab(backbone, encode_constraints=lambda prompts: torch.ones(len(prompts), 16))
    (concept,) = lab.run([Request("pet", negatives=("cat",))], Options(settings=QUICK))
    first = [m.similarity for m in concept.history if m.step == 0]
    assert first[0] == pytest.approx(first[1])


def test_the_nearest_namer_answers_with_words(backbone):
    pictures = backbone.draw(torch.randn(2, 16, generator=torch.Generator().manual_seed(1)), seeds=[1, 2])
    answers = nearest_namer(backbone, MEMBERS, 3)(pictures, "What?")
    assert len(answers) == 2 and all(len(each) == 3 for each in answers)
    assert answers[0][0][1] >= answers[0][1][1] and answers[0][0][0] in MEMBERS
