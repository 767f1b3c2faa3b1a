"""The loop over segments: schedules of negatives, what a person may decide, which checkpoint is kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from core import Backbone, ConceptLab, ConceptreeError, Request, Settings
from core.concept import Avoid, Parent, RequestError
from core.namers import canned_namer, nearest_namer
from core.segments import Decision, ReviewError
from tests.stacks import MEMBERS, save_prior

# The tiny stack's similarities all lie between 0.3 and 0.45.
QUICK = Settings(steps=6, segment=2, learning_rate=1e-2, max_cosine=0.5, min_cosine=0.2)
PET = Request("pet", seed=3)


def learn(backbone, *requests, settings=QUICK, **options):
    """(concepts, events that added a negative) of a lab that draws only for a namer."""
    lab = ConceptLab(backbone, settings, draw=options.pop("draw", False), **options)
    reports = list(lab.learn(requests))
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
    assert all(n.word in backbone.vocabulary["categories"]["pet"] for n in concept.negatives)
    assert concept.negatives[0].word == events[0].answers[0][0]


def test_a_word_that_does_not_push_is_replaced(backbone):
    """With a floor between the similarities of two words, one is below it and the vocabulary's nearest above."""
    no_steps = replace(QUICK, steps=0)
    every = Request("pet", negatives=tuple(backbone.vocabulary["categories"]["pet"]))
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

    (back,), events = learn(backbone64, PET, namer=canned_namer(["dog"], ["cat"], ["lemon"], ["turtle"]), review=review)
    (other,), _ = learn(
        backbone64,
        PET,
        namer=canned_namer(["dog"], ["cat"], ["turtle"]),
        review=lambda proposal: Decision(words=("horse",)) if proposal.step == 2 else None,
    )
    assert found(back) == [("dog", 0), ("horse", 2), ("turtle", 4)] == found(other)
    assert np.array_equal(back.vectors, other.vectors) and back.steps == other.steps == 6
    assert [m.step for m in back.history if m.constraint == "pet"] == [0, 2, 4, 6]
    assert any("back to step 2" in event.note for event in events)


def test_going_back_to_where_nobody_was_is_an_error(backbone):
    with pytest.raises(ReviewError, match="no checkpoint to go back to at step 3: there are 0"):
        learn(backbone, PET, review=lambda proposal: Decision(back_to=3) if proposal.step == 2 else None)


@pytest.mark.parametrize("word, message", [("dragon", "does not know the word 'dragon'"), ("{}", "none of {}")])
def test_a_persons_word_must_be_one_the_stack_knows(backbone, word, message):
    with pytest.raises(ConceptreeError, match=message):
        learn(backbone, replace(PET, schedule="none"), review=lambda proposal: Decision(words=(word,)))


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


def test_the_best_checkpoint_may_be_before_the_last(backbone):
    """With far too high a learning rate some get worse again; each keeps the best that it was, of the measured ones."""
    settings = replace(QUICK, steps=6, segment=1, learning_rate=0.3)
    requests = [Request("pet", negatives=("cat", "dog"), seed=seed) for seed in range(6)]
    best, events = learn(backbone, *requests, settings=settings)
    assert any(concept.kept_step < 6 for concept in best) and all(concept.kept_step > 0 for concept in best)
    for i, concept in enumerate(best):
        course = {event.step: event.similarities for event in events if event.index == i}
        score = {step: min(at["pet"], 0.5) - max(at["cat"], at["dog"]) for step, at in course.items() if step}
        assert concept.scores["score"] == pytest.approx(max(score.values()))
        assert concept.scores["belongs"] == pytest.approx(course[concept.kept_step]["pet"])
    (last,), _ = learn(backbone, requests[0], settings=replace(settings, steps=1, keep="last"))
    assert last.kept_step == 1


def test_checkpoints_are_judged_by_the_negatives_of_the_end(backbone):
    """An early checkpoint would else win by having had few negatives."""
    answers = [["dog"], ["cat"], ["turtle"]]
    (concept,), _ = learn(backbone, PET, namer=canned_namer(*answers))
    assert {"score", "belongs", "nearest", "margin", "consistency"} == set(concept.scores)
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
    lab = ConceptLab(backbone, QUICK, draw=False)
    reports = list(lab.learn([PET, Request("pet", tokens=2, settings=replace(QUICK, steps=3))]))
    assert {report.steps for report in reports} == {9}
    assert [report.step for report in reports] == [0, 1, 2, 3, 4, 5, 6, 6, 7, 8, 9]
    assert all(report.concepts == () for report in reports[:-1]) and len(reports[-1].concepts) == 2
    assert "pet 3: pet 0." in reports[0].message and reports[1].message == ""
    assert {event.index for event in reports[7].events} == {1}


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
    assert ConceptLab(backbone, QUICK).prepared(PET).settings == QUICK
    own = replace(QUICK, lam=3.0)
    assert ConceptLab(backbone, QUICK).prepared(replace(PET, settings=own)).settings == own
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
    with pytest.raises(RequestError, match="nobody can name negatives"):
        ConceptLab(backbone).run([PET])
    (concept,), _ = learn(backbone, Request("pet", negatives=("cat",)))
    assert concept.version == "prior"


def test_another_encoder_may_hold_the_constraints(backbone):
    """As the authors did on Kandinsky 2.1; here: an encoder that knows only one thing."""
    lab = ConceptLab(backbone, QUICK, draw=False, encode_constraints=lambda prompts: torch.ones(len(prompts), 16))
    (concept,) = lab.run([Request("pet", negatives=("cat",))])
    first = [m.similarity for m in concept.history if m.step == 0]
    assert first[0] == pytest.approx(first[1])


def test_the_nearest_namer_answers_with_words(backbone):
    pictures = backbone.draw(torch.randn(2, 16, generator=torch.Generator().manual_seed(1)), seeds=[1, 2])
    answers = nearest_namer(backbone, MEMBERS, 3)(pictures, "What?")
    assert len(answers) == 2 and all(len(each) == 3 for each in answers)
    assert answers[0][0][1] >= answers[0][1][1] and answers[0][0][0] in MEMBERS
