"""A worker by itself, without Ray: it tells of its batch, asks, stops, and says what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from core import ConceptLab, Request, Settings
from core.errors import ConceptreeError
from core.namers import asking, canned_namer, naming, vqa_namer
from core.options import Options
from core.review import Decision
from core.stack.backbone import EMOJI
from evolve.workers.actor import Actor, build_namer, namer_told, stack_of
from evolve.workers.messages import Order, decision_of, decision_text, proposal_of, report_of

SETTINGS = Settings(steps=4, segment=2, learning_rate=1e-2, max_cosine=0.9, min_cosine=-0.9)
REQUESTS = [Request("pet", seed=seed, settings=SETTINGS) for seed in (1, 2)]


@pytest.fixture
def actor(backbone):
    actor, threads = Actor(), torch.get_num_threads()
    told = json.loads(actor.load(stack_of(backbone, threads, "cpu")))
    assert told == {"problem": "", "fingerprint": backbone.fingerprint}
    return actor


def by_id(backbone):
    return {ConceptLab(backbone).concept_id(request): request for request in REQUESTS}


def order(backbone, **how):
    ids = tuple(by_id(backbone))
    return Order(tuple(request.to_json() for request in REQUESTS), **{"ids": ids, **how})


def until_the_end(actor, answer=lambda told, blobs: None):
    """All that it tells, up to the end of its batch."""
    found = []
    while not found or found[-1][0]["kind"] != "end":
        for text, blobs in actor.told():
            found.append((json.loads(text), blobs))
            answer(*found[-1])
    return found[:-1]


def test_what_it_tells_is_what_one_process_reports(backbone, actor):
    actor.begin(order(backbone, draw=True, drafts=(1,)).to_json(), b"")
    told = [report_of(each, blobs, by_id(backbone)) for each, blobs in until_the_end(actor)]
    options = Options(draw=True, drafts=(1,))
    plain = [report for report in ConceptLab(backbone).learn(REQUESTS, options) if report.events]
    events = [event for report in told for event in report.events]
    assert [replace(e, images=()) for e in events] == [replace(e, images=()) for r in plain for e in r.events]
    for event, same in zip(events, (e for report in plain for e in report.events), strict=True):
        assert [image.tobytes() for image in event.images] == [image.tobytes() for image in same.images]
        assert event.images
    without = [replace(concept, seconds=0.0) for concept in told[-1].finished.values()]
    assert without == [replace(concept, seconds=0.0) for concept in plain[-1].concepts]
    assert sum(bool(report.snapshot) for report in told) >= 2


def test_a_review_is_a_question_that_is_answered(backbone, actor):
    asked = []

    def answer(told, blobs):
        if told["kind"] == "proposal":
            asked.append(proposal_of(told, blobs, by_id(backbone)))
            actor.answer(decision_text(Decision(("table",)) if asked[-1].step == 2 else None))

    actor.begin(order(backbone, asks=True).to_json(), b"")
    *_, (last, blobs) = until_the_end(actor, answer)
    seen = []

    def review(proposal):
        seen.append(proposal)
        return Decision(("table",)) if proposal.step == 2 else None

    concepts = ConceptLab(backbone).run(REQUESTS, Options(review=review))
    assert asked == seen and len(seen) == 4
    finished = [replace(each, seconds=0.0) for each in report_of(last, blobs, by_id(backbone)).finished.values()]
    assert finished == [replace(each, seconds=0.0) for each in concepts]


@pytest.mark.parametrize("asks", [False, True])
def test_it_stops_in_mid_work_and_while_it_waits_and_learns_the_next_batch(backbone, actor, asks):
    actor.begin(order(backbone, asks=asks).to_json(), b"")
    first = json.loads(actor.told()[0][0])
    assert first["kind"] == ("proposal" if asks else "report")
    actor.stop()
    until_the_end(actor)
    actor.begin(order(backbone).to_json(), b"")
    assert until_the_end(actor)[-1][0]["finished"]


def test_what_cannot_be_learned_is_said(backbone, actor):
    said = []
    for each in (order(backbone, ids=("0" * 16, "1" * 16)), order(backbone, images=0), order(backbone, images="x")):
        actor.begin(each.to_json(), b"")
        ((told, _),) = until_the_end(actor)
        said.append((told["kind"], told["problem"]))
    assert said[0][0] == "refused" and "would learn something else: its stack" in said[0][1]
    assert said[1] == ("refused", "images = 0: expected a whole number of at least 1")


def test_a_stack_that_is_not_there_is_said(backbone, tmp_path):
    told = json.loads(stack_of(backbone, 1, "cpu")) | {"where": str(tmp_path / "nowhere")}
    assert "nowhere" in json.loads(Actor().load(json.dumps(told)))["problem"]


def test_a_namer_is_made_again_by_its_folder_and_its_question(backbone):
    namer = vqa_namer(EMOJI / "vqa")
    for each in (namer, asking(namer, "What animal is this?")):
        again = build_namer(json.loads(json.dumps(namer_told(each))), backbone)
        assert naming(backbone, again, 1, ()) == naming(backbone, each, 1, ())
    assert namer_told(None) is None
    with pytest.raises(ConceptreeError, match="the namer 'canned' is in this process alone"):
        namer_told(canned_namer(["dog"]))


@pytest.mark.parametrize("decision", [None, Decision(), Decision(("a", "b"), ("c",), 2, "why")])
def test_a_decision_comes_back_as_it_was(decision):
    assert decision_of(decision_text(decision)) == decision
